"""LazyNetwork against DenseNetwork in law, both against mpmath with the same weights, and what each promises."""

from functools import cache
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from test_selection import bits

from entanglement import lazy, selection, theory
from entanglement.dense import DenseNetwork
from entanglement.lazy import LazyNetwork

THRESHOLD = 1e-4
NETWORKS = [LazyNetwork, DenseNetwork]


# --- in law ----------------------------------------------------------------------------------------------------------
# A case: width, depth, pool, rule, d, unseen inputs. The training input is the first of `inputs`.

SHALLOW = [
    (2, 3, 5, "largest", 4, 2),
    (8, 4, 24, "largest", 3, 2),  # d < k
    (6, 4, 18, "signed", 6, 3),  # d = k
    (9, 4, 13, "signed", 12, 2),  # d > k; M < 1
    (5, 3, 15, "labelled", 9, 3),
    (6, 5, None, "none", 6, 3),
    (3, 3, 9, "largest", 8, 6),  # more inputs than the width
]
DEEP = [(40, 25, 160, "largest", 6, 2), (36, 25, 108, "labelled", 8, 2), (40, 25, 200, "signed", 5, 2)]


def inputs(d, unseen):
    """A training input and unseen ones: the first at 0.5 from it, the second at 0.3 from the first (in tangents), others anywhere."""
    X = np.random.default_rng(d).standard_normal((unseen + 1, d))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    X[1] = X[0] + 0.5 * X[1]
    X[2] = X[1] + 0.3 * X[2]
    return X


def trials(case):
    return 250 if case in SHALLOW else 150


def fitted(kind, case, seed, x=None):
    width, depth, pool, rule, d, unseen = case
    net = kind(width=width, depth=depth, pool=pool, rule=rule, seed=seed)
    return net.fit(inputs(d, unseen)[0] if x is None else x, bits(width) if rule == "labelled" else None)


def summaries(net, X):
    """What the law is compared on: proper velocities, alone and jointly, mutual cosines, features on fixed axes."""
    log_abs, sign = net.proper_velocity(X[1:])
    w = sign * np.logaddexp(0, log_abs)
    first, last = net.transform(X, layer=1), net.transform(X)
    middle = net.transform(X, layer=(net.depth + 1) // 2)
    side = last @ (net.labels if net.rule == "labelled" else np.ones(net.width))
    return [
        *w[:2],
        w[-1],
        w[0] * w[1],
        w[0] - w[1],
        first[1] @ first[2],
        middle[1] @ middle[2],
        last[1] @ last[2],
        middle[-1] @ middle[1],
        *first[:3, 0],
        *last[:3, -1],
        *side[:3],
        np.abs(last[0]).max(),
    ]


def sample(kind, case, first_seed=0):
    X = inputs(*case[4:])
    return np.array([summaries(fitted(kind, case, first_seed + trial), X) for trial in range(trials(case))])


dense_sample = cache(lambda case: sample(DenseNetwork, case, 10_000))


def smallest_p(one, other):
    return min(ks_2samp(a, b).pvalue for a, b in zip(one.T, other.T, strict=True))


@pytest.mark.parametrize("case", SHALLOW + DEEP)
def test_lazy_networks_have_the_law_of_dense_ones(case):
    assert smallest_p(sample(LazyNetwork, case), dense_sample(case)) > THRESHOLD


@pytest.mark.parametrize("case", [DEEP[0], DEEP[2]])  # the pools of `labelled` are multiples of the width, too far apart
def test_a_pool_five_percent_off_in_second_moment_is_seen(case):
    width, depth, pool, rule, *rest = case
    M = theory.second_moment(width, pool, rule)
    near = next(n for n in range(pool, 3 * pool) if theory.second_moment(width, n, rule) >= 1.05 * M)
    assert theory.second_moment(width, near, rule) < 1.055 * M
    assert smallest_p(sample(LazyNetwork, (width, depth, near, rule, *rest)), dense_sample(case)) < THRESHOLD


def five_percent_more(rng, width, pool, rule, size, original):
    return np.sqrt(1.05) * original(rng, width, pool, rule, size)


def five_percent_less(rng, width, pool, rule, size, original):
    return np.sqrt(0.95) * original(rng, width, pool, rule, size)


def no_selection(rng, width, pool, rule, size, original):
    return original(rng, width, width, "none", size)


def signed_for_largest(rng, width, pool, rule, size, original):
    return original(rng, width, pool, "signed", size)


@pytest.mark.parametrize(
    "wrong, case",
    [(wrong, case) for wrong in (no_selection, signed_for_largest) for case in (SHALLOW[1], SHALLOW[6], DEEP[0])]
    + [(wrong, case) for wrong in (five_percent_more, five_percent_less) for case in DEEP],
)
def test_wrong_margins_are_seen(monkeypatch, case, wrong):
    original = selection._magnitudes
    monkeypatch.setattr(selection, "_magnitudes", lambda *arguments: wrong(*arguments, original))
    assert smallest_p(sample(LazyNetwork, case), dense_sample(case)) < THRESHOLD


class DrawnAnew(LazyNetwork):
    """Wrong: every input meets matrices of its own (each takes a new direction of the basis)."""

    def _place(self, X):
        X = self._inputs(X)
        along = X @ self.basis[:, 0]
        C = np.vstack([along, np.diag(np.sqrt(np.maximum(0, 1 - along**2)))])
        self._extend(np.hstack([self.basis[:, :1], np.zeros((self.input_dim, len(X)))]))
        return C


class NoTriangle(LazyNetwork):
    """Wrong: a layer that forgets what lies above its diagonal."""

    def _extend(self, basis):
        super()._extend(basis)
        self.triangles = [np.eye(*T.shape) * T for T in self.triangles]


@pytest.mark.parametrize("case", [SHALLOW[1], SHALLOW[2], SHALLOW[5]])
@pytest.mark.parametrize("wrong", [DrawnAnew, NoTriangle])
def test_wrong_matrices_are_seen(case, wrong):
    one, other = sample(wrong, case), dense_sample(case)
    assert smallest_p(one, other) < THRESHOLD
    if wrong is DrawnAnew:  # each input alone has the right law: only the joint one tells
        assert smallest_p(one[:, :2], other[:, :2]) > THRESHOLD


# --- the same weights in mpmath --------------------------------------------------------------------------------------


def velocity_in_mpmath(f, g):
    """(ln|w|, sign) of the angle between two mpmath columns."""
    inner, f2, g2 = ((a.T * b)[0] for a, b in ((f, g), (f, f), (g, g)))
    return float(mpmath.log(abs(inner)) - mpmath.log(f2 * g2 - inner**2) / 2), int(mpmath.sign(inner))


@pytest.mark.parametrize(
    "width, depth, pool, rule",
    [(6, 300, 30, "largest"), (3, 400, 15, "largest"), (8, 300, None, "none"), (10, 300, 14, "signed"), (4, 300, 24, "labelled")],
)
def test_lazy_velocity_against_its_own_layers_in_mpmath(width, depth, pool, rule):
    X = inputs(5, 4)
    net = LazyNetwork(width, depth, pool, rule, seed=1).fit(X[0], bits(width))
    path = net.trajectory(X[1:])
    with mpmath.workdps(500):
        C = mpmath.matrix((net.basis.T @ X[1:].T).tolist())
        for layer, T in enumerate(net.triangles, 1):
            C = mpmath.matrix(T.tolist()) * C
            if layer in (1, 5, depth // 2, depth):
                for j in range(4):
                    first, rest = C[0, j], mpmath.norm(C[1 : C.rows, j])
                    assert abs(float(mpmath.log(abs(first) / rest)) - path.log_abs[layer, j]) < 1e-10
                    assert mpmath.sign(first) == path.sign[layer, j]
    if rule == "largest":
        assert np.abs(path.log_abs[-1]).min() > 150


def test_lazy_velocity_beyond_two_hundred_nats():
    net = LazyNetwork(20, 400, 100, seed=2).fit(inputs(5, 4)[0])
    log_abs, sign = net.proper_velocity(inputs(5, 4)[1:])
    with mpmath.workdps(500):
        C = mpmath.matrix((net.basis.T @ inputs(5, 4)[1:].T).tolist())
        for T in net.triangles:
            C = mpmath.matrix(T.tolist()) * C
        for j in range(4):
            assert abs(float(mpmath.log(abs(C[0, j]) / mpmath.norm(C[1 : C.rows, j]))) - log_abs[j]) < 1e-10
    assert (log_abs > 200).all() and (np.abs(sign) == 1).all()


def test_frames_are_orthonormal_and_triangles_triangular():
    net = LazyNetwork(4, 3, 12, seed=1).fit(np.arange(1.0, 8))
    X = np.random.default_rng(1).standard_normal((6, 7))
    X[1] = X[0] + 1e-9 * X[1]  # nearly inside the span: orthonormal all the same
    net.transform(X)
    assert np.allclose(net.basis.T @ net.basis, np.eye(7), atol=1e-14)
    assert [T.shape for T in net.triangles] == [(4, 7), (4, 4), (4, 4)]
    for Q, T in zip(net.frames, net.triangles, strict=True):
        assert np.allclose(Q.T @ Q, np.eye(4), atol=1e-14)
        assert (np.tril(T, -1) == 0).all() and (np.diag(T) > 0).all()


@pytest.mark.parametrize(
    "width, depth, pool, rule", [(6, 300, 30, "largest"), (5, 200, None, "none"), (5, 20, 7, "signed"), (4, 60, 16, "labelled")]
)
def test_dense_velocity_against_its_own_weights_in_mpmath(width, depth, pool, rule):
    X = inputs(5, 3)
    net = DenseNetwork(width, depth, pool, rule, seed=3).fit(X[0], bits(width))
    path = net.trajectory(X[1:])
    with mpmath.workdps(500):
        F = mpmath.matrix(X.T.tolist())
        for layer, W in enumerate([None, *net.weights]):
            F = F if W is None else mpmath.matrix(W.tolist()) * F
            if layer in (0, 1, depth // 2, depth):
                for j in range(3):
                    log_abs, sign = velocity_in_mpmath(F[:, 0], F[:, j + 1])
                    assert abs(log_abs - path.log_abs[layer, j]) < 1e-10 and sign == path.sign[layer, j]
    if pool == 30:
        assert path.log_abs[-1].min() > 200


@pytest.mark.parametrize("kind", NETWORKS)
def test_ends_near_the_authors_rate_without_overflow(kind):
    net = kind(width=10, depth=1500 if kind is LazyNetwork else 300, pool=40, seed=4).fit(np.ones(6))
    log_abs, sign = net.proper_velocity(np.random.default_rng(4).standard_normal((3, 6)))
    gain = theory.rapidity_gain(10, 40, "largest")
    assert log_abs == pytest.approx(gain * net.depth, rel=0.15) and (np.abs(sign) == 1).all()


@pytest.mark.parametrize("width, pool", [(16, 20), (12, 16)])
def test_selection_against_entanglement_stays_of_order_one(width, pool):
    """`signed` where the gain is negative: w neither grows nor dies, and obeys the recursion of one pair, at any depth."""
    assert theory.rapidity_gain(width, pool, "signed") < -0.05
    net = LazyNetwork(width, 5000, pool, "signed", seed=5).fit(np.ones(4))
    log_abs, sign = net.trajectory([[1.0, 2, 0, 0]])
    w = sign[:, 0] * np.exp(log_abs[:, 0])
    assert 0.1 < np.median(np.abs(w[100:])) < 10 and 0.3 < (sign > 0).mean() < 0.7
    (A, z), (_, B) = np.array(net.triangles).transpose(1, 2, 0)
    assert w[1:] == pytest.approx((A * w[:-1] + z) / B, rel=1e-9, abs=1e-9)


# --- what each promises ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width, d", [(4, 9), (9, 4), (6, 6)])
def test_batching_changes_nothing_and_later_inputs_change_no_earlier_answer(width, d):
    X = np.random.default_rng(d).standard_normal((12, d))
    nets = [LazyNetwork(width, 60, 3 * width, seed=6).fit(np.ones(d)) for _ in range(4)]
    whole = nets[0].proper_velocity(X)
    one_by_one = [nets[1].proper_velocity(x[None]) for x in X]
    nets[2].transform(X[:3], layer=2), nets[2].trajectory(X[:7]), nets[2].proper_velocity(X)
    nets[3].proper_velocity(X[:5])
    for net in nets[1:3]:
        for T, other in zip(nets[0].triangles, net.triangles, strict=True):
            assert np.array_equal(T, other)
    for Q, T, other_Q, other_T in zip(nets[0].frames, nets[0].triangles, nets[3].frames, nets[3].triangles, strict=True):
        assert np.array_equal(other_T, T[: other_T.shape[0], : other_T.shape[1]]) and np.array_equal(other_Q, Q[:, : other_Q.shape[1]])
    for earlier in (np.array(one_by_one)[:, :, 0].T, nets[0].proper_velocity(X), nets[2].proper_velocity(X), nets[3].proper_velocity(X)):
        assert np.allclose(earlier, whole, rtol=1e-12, atol=1e-12)
    assert np.allclose(nets[1].transform(X), nets[0].transform(X), atol=1e-12)


def test_inputs_inside_the_span_draw_nothing():
    net = LazyNetwork(5, 10, 20, seed=7).fit([1.0, 0, 0, 0])
    net.transform([[1.0, 1, 0, 0], [0, 1.0, 1, 0]])
    before = [T.copy() for T in net.triangles]
    net.transform([[3.0, -2, 1, 0], [1e-3, 1, 1, 0]])
    assert all(map(np.array_equal, before, net.triangles)) and net.basis.shape == (4, 3)
    assert np.allclose(net.transform([[2.0, 1, -1, 0]]), -net.transform([[-2.0, -1, 1, 0]]))


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("width, pool, rule", [(6, 18, "largest"), (6, 8, "signed"), (6, 18, "labelled"), (3, None, "none")])
def test_features_agree_with_velocities(kind, width, pool, rule):
    X = inputs(5, 4)
    net = kind(width, 8, pool, rule, seed=8).fit(X[0], bits(width))
    path = net.trajectory(X[1:])
    assert np.allclose(net.proper_velocity(X[1:]), np.array(path)[:, -1], rtol=1e-12, atol=1e-12)
    for layer in (1, 4, 8, None):
        u, *others = net.transform(X, layer)
        for other, log_abs, sign in zip(others, *np.array(path)[:, layer or 8], strict=True):
            assert np.linalg.norm(other) == pytest.approx(1)
            assert np.arctan2(np.linalg.norm(other - (other @ u) * u), other @ u) == pytest.approx(
                np.arctan2(1, sign * np.exp(log_abs)), abs=1e-12
            )
    cosine = X[1:] @ X[0] / np.linalg.norm(X[1:], axis=1) / np.linalg.norm(X[0])
    assert path.sign[0] * np.exp(path.log_abs[0]) == pytest.approx(cosine / np.sqrt(1 - cosine**2))


@pytest.mark.parametrize("kind", NETWORKS)
def test_scale_changes_nothing(kind):
    X = inputs(5, 3)
    net = kind(6, 10, 24, seed=9).fit(X[0])
    for scale in (3.0, 1e-200, 1e200):
        other = kind(6, 10, 24, seed=9).fit(scale * X[0])
        assert np.allclose(other.proper_velocity(scale * X[1:]), net.proper_velocity(X[1:]), atol=1e-12)
        assert np.allclose(other.transform(scale * X), net.transform(X), atol=1e-12)
        if kind is DenseNetwork:
            assert np.allclose(other.transform(torch.tensor(scale * X)), net.transform(X), atol=1e-12)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_line_of_the_training_input(kind):
    X = np.random.default_rng(10).standard_normal((3, 700))
    net = kind(6, 10, 24, seed=9).fit(X[0])
    log_abs, sign = net.proper_velocity([X[0], X[1], -X[0], 3e7 * X[0], -X[0] / 7])
    assert np.array_equal(log_abs == np.inf, [True, False, True, True, True])
    assert np.array_equal(sign[[0, 2, 3, 4]], [1, -1, 1, -1])
    features = net.transform([X[0], -X[0]])
    assert np.allclose(features[0], -features[1])
    assert kind(6, 10, 24, seed=9).fit([2.0]).proper_velocity([[-1.0]]) == (np.inf, -1)


@pytest.mark.parametrize("kind", NETWORKS)
def test_inputs_very_near_the_training_input(kind):
    tangent = np.array([1e-1, 1e-7, 1e-13])
    X = np.hstack([np.ones((3, 1)), tangent[:, None], np.zeros((3, 1))])
    net = kind(6, 10, 24, seed=9).fit([1.0, 0, 0])
    log_abs, sign = net.trajectory(np.vstack([X, -X]))
    assert log_abs[0] == pytest.approx(-np.log(np.tile(tangent, 2))) and np.array_equal(sign[0], [1, 1, 1, -1, -1, -1])
    assert np.array_equal(sign[:, :3], -sign[:, 3:])


@pytest.mark.parametrize("kind", NETWORKS)
def test_an_orthogonal_input_starts_at_zero(kind):
    net = kind(6, 10, 24, seed=9).fit([1.0, 0, 0])
    log_abs, sign = net.trajectory([[0, 1.0, 0]])
    assert log_abs[0] == -np.inf and sign[0] == 0 and np.isfinite(log_abs[1:]).all() and (np.abs(sign[1:]) == 1).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_seeds_and_refits(kind):
    X = inputs(5, 3)
    one, other, again = (kind(6, 10, 24, seed=seed).fit(X[0]) for seed in (1, 2, 1))
    first = one.proper_velocity(X[1:])
    assert np.array_equal(first, again.proper_velocity(X[1:])) and not np.isclose(first.log_abs, other.proper_velocity(X[1:]).log_abs).any()
    assert np.array_equal(one.fit(X[1]).fit(X[0]).proper_velocity(X[1:]), first)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("rule", ["largest", "signed"])
def test_a_pool_of_the_width_is_an_ordinary_layer(kind, rule):
    X = inputs(5, 3)
    expected = kind(6, 10, None, "none", seed=1).fit(X[0]).proper_velocity(X[1:])
    for pool in (6, None):
        assert np.allclose(kind(6, 10, pool, rule, seed=1).fit(X[0]).proper_velocity(X[1:]), expected, rtol=1e-12)


@pytest.mark.parametrize("rule, best", [("largest", lambda a: np.abs(a)), ("signed", lambda a: a), ("labelled", lambda a: a)])
def test_dense_keeps_what_the_rule_says(rule, best):
    """The kept rows of the first layer, found again among the pool that the same generator draws."""
    width, pool, x = 4, 12, np.array([3.0, 4, 0])
    net = DenseNetwork(width, 2, pool, rule, seed=11).fit(x, bits(width))
    rows = np.random.default_rng(11).spawn(1)[0].standard_normal((pool, 3))
    a = rows @ x / 5
    if rule == "labelled":
        kept = [3 * i + np.argmax(bits(4)[i] * a[3 * i : 3 * i + 3]) for i in range(4)]
    else:
        kept = np.sort(np.argsort(-best(a))[:width])
    assert np.array_equal(net.weights[0].numpy(), rows[kept])
    assert [tuple(W.shape) for W in net.weights] == [(4, 3), (4, 4)] and net.weights[0].dtype == torch.float64


def test_a_training_input_drawn_with_the_same_seed_is_not_in_its_own_pool():
    """It would be its own best row: cos(r, x) near 1 without any selection."""
    x = np.random.default_rng(3).standard_normal(50)
    rows = DenseNetwork(50, 1, seed=3).fit(x).weights[0].numpy()
    assert np.abs(rows @ x / np.linalg.norm(x) / np.linalg.norm(rows, axis=1)).max() < 0.7


def test_labels_are_the_signs_of_the_training_feature():
    for kind in NETWORKS:
        net = kind(6, 4, 6 * 30, "labelled", seed=12).fit(np.ones(7), bits(6))
        assert np.array_equal(np.sign(net.transform(np.ones((1, 7)))[0]), bits(6))


def test_gradients():
    X = torch.tensor(inputs(5, 3), requires_grad=True)
    net = DenseNetwork(4, 3, 12, seed=13).fit(np.ones(5))
    for layer in (1, 3):
        assert torch.autograd.gradcheck(lambda X, layer=layer: net.transform(X, layer), X)
    net.transform(X)[1, 0].backward()
    step = 1e-6 * np.eye(20).reshape(20, 4, 5)
    slope = [(net.transform(inputs(5, 3) + h)[1, 0] - net.transform(inputs(5, 3) - h)[1, 0]) / 2e-6 for h in step]
    assert X.grad.numpy().ravel() == pytest.approx(np.array(slope), abs=1e-8)
    assert np.allclose(net.transform(X).detach(), net.transform(X.detach().numpy()))


def limited(monkeypatch, gigabytes):
    monkeypatch.setattr(lazy, "os", SimpleNamespace(sysconf=lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": gigabytes * 2**18}[name]))


def test_spans_beyond_memory_are_refused_with_their_size(monkeypatch):
    limited(monkeypatch, 2)
    net = LazyNetwork(10_000, 100, 20_000).fit(np.ones(400))
    net.proper_velocity(np.random.default_rng(1).standard_normal((1, 400)))
    with pytest.raises(ValueError, match=r"X: .*300 directions.* 2\.3 GiB.* 2\.0 GiB"):
        net.proper_velocity(np.random.default_rng(1).standard_normal((299, 400)))
    assert net.basis.shape == (400, 2)  # unharmed
    with pytest.raises(ValueError, match=r"depth: .*1000000.* GiB"):
        LazyNetwork(10_000, 10**6, 20_000).fit(np.ones(4))
    with pytest.raises(ValueError, match=r"pool: .*pool 1000000000.* GiB"):
        DenseNetwork(10, 3, 10**9).fit(np.ones(4))


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(width=1), "width: 1"),
        (dict(width=2.5), "width: 2.5"),
        (dict(width=None), "width: None"),
        (dict(depth=0), "depth: 0"),
        (dict(depth="3"), "depth: '3'"),
        (dict(pool=3), "pool: 3"),
        (dict(rule="none"), "pool: 8"),
        (dict(rule="biggest"), "rule: 'biggest'"),
        (dict(rule="biggest", pool=None), "rule: 'biggest'"),
        (dict(rule="labelled", pool=10), "pool: 10"),
        (dict(seed=-1), "seed: -1"),
        (dict(seed=None), "seed: None"),
    ],
)
def test_networks_that_cannot_be_are_refused_by_name(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**{**dict(width=4, depth=3, pool=8), **arguments})


BAD_ROWS = [
    (np.ones((2, 3)), r"X: shape \(2, 3\).* 5 columns"),
    (np.ones(5), r"X: shape \(5,\)"),
    (np.ones((0, 5)), r"X: shape \(0, 5\)"),
    ([[1, 2, np.nan, 4, 5]], "X: holds nan"),
    ([[1, 2, -np.inf, 4, 5]], "X: holds -inf"),
    ([[1, 2, 3, 4, 5], [0, 0, 0, 0, 0]], "X: row 1 is 0"),
    ([[1, 2, 3, 4, "a"]], "X: .*'a'"),
    ([[1, 2], [3]], "X: "),
]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("method", ["transform", "proper_velocity", "trajectory"])
@pytest.mark.parametrize("X, message", BAD_ROWS)
def test_bad_inputs_are_refused_by_name(kind, method, X, message):
    net = kind(4, 2, 8).fit(np.ones(5))
    with pytest.raises(ValueError, match=message):
        getattr(net, method)(X)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    "x, message",
    [
        (np.ones((1, 5)), r"x: shape \(1, 5\)"),
        (3.0, r"x: shape \(\)"),
        ([], r"x: shape \(.*0\)"),
        ([1, np.nan], "x: holds nan"),
        ([1, np.inf], "x: holds inf"),
        ([0.0, 0.0], "x: row 0 is 0"),
        (["a"], "x: .*'a'"),
    ],
)
def test_bad_training_inputs_are_refused_by_name(kind, x, message):
    net = kind(4, 2, 8)
    with pytest.raises(ValueError, match=message):
        net.fit(x)
    with pytest.raises(ValueError, match="X: .*fit"):
        net.transform(np.ones((1, 5)))


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    "labels, message",
    [(None, "labels: None"), ([1, -1, 1], r"labels: shape \(3,\)"), ([1, -1, 0, 1], "labels: .*0"), ([1, 1, 2, 1], "labels: .*2")],
)
def test_bad_labels_are_refused_by_name(kind, labels, message):
    with pytest.raises(ValueError, match=message):
        kind(4, 2, 12, "labelled").fit(np.ones(3), labels)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("layer, message", [(0, "layer: 0"), (3, "layer: 3 .*depth 2"), (1.5, "layer: 1.5"), (-1, "layer: -1")])
def test_bad_layers_are_refused_by_name(kind, layer, message):
    with pytest.raises(ValueError, match=message):
        kind(4, 2, 8).fit(np.ones(5)).transform(np.ones((1, 5)), layer=layer)
