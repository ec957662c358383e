"""LazyNetwork against DenseNetwork in law, both against mpmath with the same weights, and what each
promises.
"""

from functools import cache

import mpmath
import numpy as np
import pytest
import torch
from rules_table import RULES, bits, wanted
from scipy.stats import ks_2samp

from entanglement import DenseNetwork, Layer, LazyNetwork, arguments, rules, theory

THRESHOLD = 1e-4
NETWORKS = [LazyNetwork, DenseNetwork]


# --- in law  ----
# A case: layer, depth, d, unseen inputs. The training input is the first of `inputs`.

CASES = {
    "narrow": (Layer(2, 5), 3, 4, 2),
    "d < k": (Layer(8, 24), 4, 3, 2),
    "d = k": (Layer(6, 18, "signed"), 4, 6, 3),
    "d > k, M < 1": (Layer(9, 13, "signed"), 4, 12, 2),
    "labelled": (Layer(5, 15, "labelled"), 3, 9, 3),
    "ordinary": (Layer(6), 5, 6, 3),
    "more inputs than the width": (Layer(3, 9), 3, 8, 6),
    "deep": (Layer(40, 160), 25, 6, 2),
    "deep, labelled": (Layer(36, 108, "labelled"), 25, 8, 2),
    "deep, signed": (Layer(40, 200, "signed"), 25, 5, 2),
}
DEEP = [name for name in CASES if name.startswith("deep")]


def inputs(d, unseen):
    """A training input and unseen ones: the first at 0.5 from it, the second at 0.3 from the first
    (in tangents), others anywhere.
    """
    X = np.random.default_rng(d).standard_normal((unseen + 1, d))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    X[1] = X[0] + 0.5 * X[1]
    X[2] = X[1] + 0.3 * X[2]
    return X


def summaries(net, X):
    """What the law is compared on: proper velocities, alone and jointly, mutual cosines, features
    on fixed axes.
    """
    log_abs, sign = net.proper_velocity(X[1:])
    w = sign * np.logaddexp(0, log_abs)
    first, last = net.transform(X, layer=1), net.transform(X)
    middle = net.transform(X, layer=(net.depth + 1) // 2)
    side = last @ (np.ones(net.width) if net.labels is None else net.labels)
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
    layer, depth, *shape = case
    X, trials = inputs(*shape), 150 if depth > 5 else 250
    seeds = range(first_seed, first_seed + trials)
    return np.array([summaries(kind(layer, depth, s).fit(X[0], wanted(layer)), X) for s in seeds])


dense_sample = cache(lambda name: sample(DenseNetwork, CASES[name], 10_000))


def smallest_p(one, other):
    return min(ks_2samp(a, b).pvalue for a, b in zip(one.T, other.T, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_lazy_networks_have_the_law_of_dense_ones(name):
    assert smallest_p(sample(LazyNetwork, CASES[name]), dense_sample(name)) > THRESHOLD


@pytest.mark.parametrize("name", ["deep", "deep, signed"])  # pools of `labelled` lie too far apart
def test_a_pool_five_percent_off_in_second_moment_is_seen(name):
    layer, *rest = CASES[name]
    pools = (Layer(layer.width, n, layer.rule) for n in range(layer.pool, 3 * layer.pool))
    ratio, near = next(
        (ratio, other)
        for other in pools
        if (ratio := theory.second_moment(other) / theory.second_moment(layer)) >= 1.05
    )
    assert ratio < 1.055
    assert smallest_p(sample(LazyNetwork, (near, *rest)), dense_sample(name)) < THRESHOLD


def five_percent_more(right, rng, width, pool, shape):
    return np.sqrt(1.05) * right(rng, width, pool, shape)


def five_percent_less(right, rng, width, pool, shape):
    return np.sqrt(0.95) * right(rng, width, pool, shape)


def no_selection(right, rng, width, pool, shape):
    return rng.standard_normal((*shape, width))


@pytest.mark.parametrize(
    "wrong, name",
    [(no_selection, name) for name in ("d < k", "more inputs than the width", "deep")]
    + [(wrong, name) for wrong in (five_percent_more, five_percent_less) for name in DEEP],
)
def test_wrong_margins_are_seen(monkeypatch, name, wrong):
    law = CASES[name][0].law
    right = law.magnitudes
    monkeypatch.setattr(law, "magnitudes", lambda *given: wrong(right, *given))
    assert smallest_p(sample(LazyNetwork, CASES[name]), dense_sample(name)) < THRESHOLD


@pytest.mark.parametrize("name", ["d < k", "more inputs than the width", "deep"])
def test_wrong_signs_are_seen(monkeypatch, name):
    monkeypatch.setattr(CASES[name][0].law, "sign", lambda rng, shape, labels: 1.0)
    assert smallest_p(sample(LazyNetwork, CASES[name]), dense_sample(name)) < THRESHOLD


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


@pytest.mark.parametrize("name", ["d < k", "d = k", "ordinary"])
@pytest.mark.parametrize("wrong", [DrawnAnew, NoTriangle])
def test_wrong_matrices_are_seen(wrong, name):
    one, other = sample(wrong, CASES[name]), dense_sample(name)
    assert smallest_p(one, other) < THRESHOLD
    if wrong is DrawnAnew:  # each input alone has the right law: only the joint one tells
        assert smallest_p(one[:, :2], other[:, :2]) > THRESHOLD


# --- the oracle  ----


class RankAlone:
    """A rule of which nothing but its definition can be read."""

    def __init__(self, rule):
        self.rank, self.labelled = rule.rank, rule.labelled


@pytest.mark.parametrize("layer", [CASES[name][0] for name in CASES], ids=str)
def test_the_oracle_reads_the_rank_of_a_rule_alone(monkeypatch, layer):
    X, labels = inputs(5, 3), wanted(layer)
    expected = DenseNetwork(layer, 4, seed=1).fit(X[0], labels)
    monkeypatch.setitem(rules.RULES, layer.rule, RankAlone(layer.law))
    with pytest.raises(AttributeError):
        LazyNetwork(layer, 4).fit(X[0], labels)
    net = DenseNetwork(layer, 4, seed=1).fit(X[0], labels)
    assert np.array_equal(net.transform(X), expected.transform(X))
    assert np.array_equal(net.trajectory(X), expected.trajectory(X))
    assert np.array_equal(net.pull_back(), expected.pull_back())


@pytest.mark.parametrize("rule", RULES)
def test_dense_keeps_what_the_rule_says(rule):
    """The kept rows of the first layer, found again in the pool that the same generator draws."""
    layer, x = Layer(4, None if rule == "none" else 12, rule), np.array([3.0, 4, 0])
    net = DenseNetwork(layer, 2, seed=11).fit(x, wanted(layer))
    rows = np.random.default_rng(11).spawn(1)[0].standard_normal((layer.pool, 3))
    kept = RULES[rule].kept(rows @ x / 5, 4)
    assert np.array_equal(net.weights[0].numpy(), rows[kept])
    assert [tuple(W.shape) for W in net.weights] == [(4, 3), (4, 4)]
    assert net.weights[0].dtype == torch.float64


def test_a_training_input_drawn_with_the_same_seed_is_not_in_its_own_pool():
    """It would be its own best row: cos(r, x) near 1 without any selection."""
    x = np.random.default_rng(3).standard_normal(50)
    rows = DenseNetwork(Layer(50), 1, seed=3).fit(x).weights[0].numpy()
    assert np.abs(rows @ x / np.linalg.norm(x) / np.linalg.norm(rows, axis=1)).max() < 0.7


def test_gradients():
    X = torch.tensor(inputs(5, 3), requires_grad=True)
    net = DenseNetwork(Layer(4, 12), 3, seed=13).fit(np.ones(5))
    for layer in (1, 3):
        assert torch.autograd.gradcheck(lambda X, layer=layer: net.transform(X, layer), X)
    net.transform(X)[1, 0].backward()
    step = 1e-6 * np.eye(20).reshape(20, 4, 5)
    one = lambda X: net.transform(X)[1, 0]  # noqa: E731
    slope = [(one(inputs(5, 3) + h) - one(inputs(5, 3) - h)) / 2e-6 for h in step]
    assert X.grad.numpy().ravel() == pytest.approx(np.array(slope), abs=1e-8)
    assert np.allclose(net.transform(X).detach(), net.transform(X.detach().numpy()))


# --- the same weights in mpmath  ----

LONG = {
    LazyNetwork: [
        (Layer(6, 30), 300),
        (Layer(3, 15), 400),
        (Layer(20, 100), 400),
        (Layer(8), 300),
        (Layer(10, 14, "signed"), 300),
        (Layer(4, 24, "labelled"), 300),
    ],
    DenseNetwork: [
        (Layer(6, 30), 300),
        (Layer(5), 200),
        (Layer(5, 7, "signed"), 20),
        (Layer(4, 16, "labelled"), 60),
    ],
}


def in_mpmath(net, X):
    """ln|w| and sign of the inputs X (P, d), layer by layer, by the matrices that the network has.

    A LazyNetwork holds them on orthonormal frames, the first axis of which is the training feature.
    """
    lazy = isinstance(net, LazyNetwork)
    along = np.eye(net.input_dim)[0][: net.basis.shape[1]] if lazy else net.training_input.numpy()
    rest = (net.basis.T @ X.T if lazy else X.T).T
    F = mpmath.matrix(np.vstack([along, rest]).T.tolist())
    for W in [None, *(net.triangles if lazy else (W.numpy() for W in net.weights))]:
        F = F if W is None else mpmath.matrix(W.tolist()) * F
        yield [velocity_in_mpmath(F[:, 0], F[:, j + 1]) for j in range(len(X))]


def velocity_in_mpmath(f, g):
    inner, f2, g2 = ((a.T * b)[0] for a, b in ((f, g), (f, f), (g, g)))
    log_abs = mpmath.log(abs(inner)) - mpmath.log(f2 * g2 - inner**2) / 2
    return float(log_abs), int(mpmath.sign(inner))


@pytest.mark.parametrize(
    "kind, layer, depth",
    [(kind, *case) for kind in NETWORKS for case in LONG[kind]],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_velocities_against_their_own_weights_in_mpmath(kind, layer, depth):
    X = inputs(5, 4)
    net = kind(layer, depth, seed=3).fit(X[0], wanted(layer))
    path = net.trajectory(X[1:])
    with mpmath.workdps(500):
        for number, exact in enumerate(in_mpmath(net, X[1:])):
            if number in (0, 1, 5, depth // 2, depth):
                log_abs, sign = np.array(exact).T
                assert np.abs(path.log_abs[number] - log_abs).max() < 1e-10
                assert np.array_equal(path.sign[number], sign)
    if layer in (Layer(6, 30), Layer(20, 100)):
        assert path.log_abs[-1].min() > 200


@pytest.mark.parametrize("kind", NETWORKS)
def test_ends_near_the_authors_rate_without_overflow(kind):
    layer, depth = Layer(10, 40), 1500 if kind is LazyNetwork else 300
    net = kind(layer, depth, seed=4).fit(np.ones(6))
    log_abs, sign = net.proper_velocity(np.random.default_rng(4).standard_normal((3, 6)))
    assert log_abs == pytest.approx(theory.rapidity_gain(layer) * depth, rel=0.15)
    assert (np.abs(sign) == 1).all()


@pytest.mark.parametrize("layer", [Layer(16, 20, "signed"), Layer(12, 16, "signed")], ids=str)
def test_selection_against_entanglement_stays_of_order_one(layer):
    """Where the gain is negative w neither grows nor dies, and obeys the law of a pair, always."""
    assert theory.rapidity_gain(layer) < -0.05
    net = LazyNetwork(layer, 5000, seed=5).fit(np.ones(4))
    log_abs, sign = net.trajectory([[1.0, 2, 0, 0]])
    w = sign[:, 0] * np.exp(log_abs[:, 0])
    assert 0.1 < np.median(np.abs(w[100:])) < 10 and 0.3 < (sign > 0).mean() < 0.7
    (A, z), (_, B) = np.array(net.triangles).transpose(1, 2, 0)
    assert w[1:] == pytest.approx((A * w[:-1] + z) / B, rel=1e-9, abs=1e-9)


# --- what each promises  ----


def test_frames_are_orthonormal_and_triangles_triangular():
    net = LazyNetwork(Layer(4, 12), 3, seed=1).fit(np.arange(1.0, 8))
    X = np.random.default_rng(1).standard_normal((6, 7))
    X[1] = X[0] + 1e-9 * X[1]  # nearly inside the span: orthonormal all the same
    net.transform(X)
    assert np.allclose(net.basis.T @ net.basis, np.eye(7), atol=1e-14)
    assert [T.shape for T in net.triangles] == [(4, 7), (4, 4), (4, 4)]
    for Q, T in zip(net.frames, net.triangles, strict=True):
        assert np.allclose(Q.T @ Q, np.eye(4), atol=1e-14)
        assert (np.tril(T, -1) == 0).all() and (np.diag(T) > 0).all()


@pytest.mark.parametrize("width, d", [(4, 9), (9, 4), (6, 6)])
def test_batching_changes_nothing_and_later_inputs_change_no_earlier_answer(width, d):
    X, layer = np.random.default_rng(d).standard_normal((12, d)), Layer(width, 3 * width)
    nets = [LazyNetwork(layer, 60, seed=6).fit(np.ones(d)) for _ in range(4)]
    whole = nets[0].proper_velocity(X)
    one_by_one = [nets[1].proper_velocity(x[None]) for x in X]
    nets[2].transform(X[:3], layer=2), nets[2].trajectory(X[:7]), nets[2].proper_velocity(X)
    nets[3].proper_velocity(X[:5])
    for net in nets[1:3]:
        for T, other in zip(nets[0].triangles, net.triangles, strict=True):
            assert np.allclose(T, other, rtol=1e-12, atol=1e-12)
    for name in ("frames", "triangles"):
        for whole_one, part in zip(getattr(nets[0], name), getattr(nets[3], name), strict=True):
            first = whole_one[: len(part), : part.shape[1]]
            assert np.allclose(part, first, rtol=1e-12, atol=1e-12)
    again = [net.proper_velocity(X) for net in (nets[0], nets[2], nets[3])]
    for earlier in (np.array(one_by_one)[:, :, 0].T, *again):
        assert np.allclose(earlier, whole, rtol=1e-12, atol=1e-12)
    assert np.allclose(nets[1].transform(X), nets[0].transform(X), atol=1e-12)


def test_inputs_inside_the_span_draw_nothing():
    net = LazyNetwork(Layer(5, 20), 10, seed=7).fit([1.0, 0, 0, 0])
    net.transform([[1.0, 1, 0, 0], [0, 1.0, 1, 0]])
    before = [T.copy() for T in net.triangles]
    net.transform([[3.0, -2, 1, 0], [1e-3, 1, 1, 0]])
    assert all(map(np.array_equal, before, net.triangles)) and net.basis.shape == (4, 3)
    opposite = net.transform([[-2.0, -1, 1, 0]])
    assert np.allclose(net.transform([[2.0, 1, -1, 0]]), -opposite)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    "layer", [Layer(6, 18), Layer(6, 8, "signed"), Layer(6, 18, "labelled"), Layer(3)], ids=str
)
def test_features_agree_with_velocities(kind, layer):
    X = inputs(5, 4)
    net = kind(layer, 8, seed=8).fit(X[0], wanted(layer))
    path = np.array(net.trajectory(X[1:]))
    assert np.allclose(net.proper_velocity(X[1:]), path[:, -1], rtol=1e-12, atol=1e-12)
    for number in (1, 4, 8, None):
        u, *others = net.transform(X, number)
        for other, log_abs, sign in zip(others, *path[:, number or 8], strict=True):
            angle = np.arctan2(np.linalg.norm(other - (other @ u) * u), other @ u)
            assert np.linalg.norm(other) == pytest.approx(1)
            assert angle == pytest.approx(np.arctan2(1, sign * np.exp(log_abs)), abs=1e-12)
    cosine = X[1:] @ X[0] / np.linalg.norm(X[1:], axis=1) / np.linalg.norm(X[0])
    start = path[1, 0] * np.exp(path[0, 0])
    assert start == pytest.approx(cosine / np.sqrt(1 - cosine**2))


@pytest.mark.parametrize("kind", NETWORKS)
def test_scale_changes_nothing(kind):
    X, layer = inputs(5, 3), Layer(6, 24)
    net = kind(layer, 10, seed=9).fit(X[0])
    for scale in (3.0, 1e-200, 1e200):
        other = kind(layer, 10, seed=9).fit(scale * X[0])
        moved = other.proper_velocity(scale * X[1:])
        assert np.allclose(moved, net.proper_velocity(X[1:]), atol=1e-12)
        assert np.allclose(other.transform(scale * X), net.transform(X), atol=1e-12)
        if kind is DenseNetwork:
            assert np.allclose(other.transform(torch.tensor(scale * X)), net.transform(X))


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_line_of_the_training_input(kind):
    X = np.random.default_rng(10).standard_normal((3, 700))
    net = kind(Layer(6, 24), 10, seed=9).fit(X[0])
    log_abs, sign = net.proper_velocity([X[0], X[1], -X[0], 3e7 * X[0], -X[0] / 7])
    assert np.array_equal(log_abs == np.inf, [True, False, True, True, True])
    assert np.array_equal(sign[[0, 2, 3, 4]], [1, -1, 1, -1])
    features = net.transform([X[0], -X[0]])
    assert np.allclose(features[0], -features[1])
    alone = kind(Layer(6, 24), 10, seed=9).fit([2.0])
    assert alone.proper_velocity([[-1.0]]) == (np.inf, -1)


@pytest.mark.parametrize("kind", NETWORKS)
def test_inputs_very_near_the_training_input(kind):
    tangent = np.array([1e-1, 1e-7, 1e-13])
    X = np.hstack([np.ones((3, 1)), tangent[:, None], np.zeros((3, 1))])
    net = kind(Layer(6, 24), 10, seed=9).fit([1.0, 0, 0])
    log_abs, sign = net.trajectory(np.vstack([X, -X]))
    assert log_abs[0] == pytest.approx(-np.log(np.tile(tangent, 2)))
    assert np.array_equal(sign[0], [1, 1, 1, -1, -1, -1])
    assert np.array_equal(sign[:, :3], -sign[:, 3:])


@pytest.mark.parametrize("kind", NETWORKS)
def test_an_orthogonal_input_starts_at_zero(kind):
    net = kind(Layer(6, 24), 10, seed=9).fit([1.0, 0, 0])
    log_abs, sign = net.trajectory([[0, 1.0, 0]])
    assert log_abs[0] == -np.inf and sign[0] == 0
    assert np.isfinite(log_abs[1:]).all() and (np.abs(sign[1:]) == 1).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_seeds_and_refits(kind):
    X = inputs(5, 3)
    one, other, again = (kind(Layer(6, 24), 10, seed=seed).fit(X[0]) for seed in (1, 2, 1))
    first = one.proper_velocity(X[1:])
    assert np.array_equal(first, again.proper_velocity(X[1:]))
    assert not np.isclose(first.log_abs, other.proper_velocity(X[1:]).log_abs).any()
    assert np.array_equal(one.fit(X[1]).fit(X[0]).proper_velocity(X[1:]), first)


def test_labels_are_the_signs_of_the_training_feature():
    for kind in NETWORKS:
        net = kind(Layer(6, 6 * 30, "labelled"), 4, seed=12).fit(np.ones(7), bits(6))
        assert np.array_equal(np.sign(net.transform(np.ones((1, 7)))[0]), bits(6))


def test_spans_beyond_memory_are_refused_with_their_size(monkeypatch):
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**19}  # two gigabytes
    monkeypatch.setattr(arguments.os, "sysconf", sizes.get)
    layer, X = Layer(10_000, 20_000), np.random.default_rng(1).standard_normal((299, 400))
    net = LazyNetwork(layer, 100).fit(np.ones(400))
    net.proper_velocity(X[:1])
    with pytest.raises(ValueError, match=r"X: .*300 directions.* 2\.3 GiB.* 2\.0 GiB"):
        net.proper_velocity(X[1:])
    assert net.basis.shape == (400, 2)  # unharmed
    with pytest.raises(ValueError, match=r"depth: .*1000000.* GiB"):
        LazyNetwork(layer, 10**6).fit(np.ones(4))
    with pytest.raises(ValueError, match=r"layer: .*pool=1000000000.* GiB"):
        DenseNetwork(Layer(10, 10**9), 3).fit(np.ones(4))


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    "X, message",
    [
        (np.ones((2, 3)), r"X: shape \(2, 3\).* 5 columns"),
        (np.ones(5), r"X: shape \(5,\)"),
        (np.ones((0, 5)), r"X: shape \(0, 5\)"),
        ([[1, 2, np.nan, 4, 5]], "X: holds nan"),
        ([[1, 2, -np.inf, 4, 5]], "X: holds -inf"),
        ([[1, 2, 3, 4, 5], [0, 0, 0, 0, 0]], "X: row 1 is 0"),
        ([[1, 2], [3]], "X: "),
    ],
)
def test_bad_inputs_are_refused_by_name(kind, X, message):
    net = kind(Layer(4, 8), 2)
    for method in (net.transform, net.proper_velocity, net.trajectory):
        with pytest.raises(ValueError, match="^X: .*fit"):
            method(np.ones((1, 5)))
    net.fit(np.ones(5))
    for method in (net.transform, net.proper_velocity, net.trajectory):
        with pytest.raises(ValueError, match=f"^{message}"):
            method(X)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    "x, message",
    [
        (np.ones((1, 5)), r"shape \(1, 5\)"),
        (3.0, r"shape \(\)"),
        ([], r"shape \(.*0\)"),
        ([1, np.nan], "holds nan"),
        ([0.0, 0.0], "row 0 is 0"),
    ],
)
def test_bad_training_inputs_are_refused_by_name(kind, x, message):
    with pytest.raises(ValueError, match=f"^x: {message}"):
        kind(Layer(4, 8), 2).fit(x)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("number, message", [(0, "0"), (3, "3 .* 2"), (1.5, "1.5"), (-1, "-1")])
def test_layers_that_are_not_there_are_refused_by_name(kind, number, message):
    with pytest.raises(ValueError, match=f"^layer: {message}"):
        kind(Layer(4, 8), 2).fit(np.ones(5)).transform(np.ones((1, 5)), layer=number)
