"""The law of a pair: its arithmetic against mpmath and longdouble with the same draws, its law
against whole matrices.
"""

import mpmath
import numpy as np
import pytest
from rules_table import LAYERS, matrices
from scipy.special import ndtr
from scipy.stats import binomtest, cauchy, ks_2samp, kstest

from entanglement import Layer, Velocity, margin_norms, pairs, simulate, step, theory

TINY = 1e-200
STARTS = [(TINY, False), (TINY, True), (1e-8, True), (1.0, False), (np.pi / 2, False), (2.0, False)]
DRAWN = [
    Layer(64, 256),
    Layer(8),
    Layer(64, 80, "signed"),
    Layer(2),
    Layer(2, 10),
    Layer(2, 3, "signed"),
]


def draws(layer, depth, trials=None, seed=1):
    rng = np.random.default_rng(seed)
    shape = (depth,) if trials is None else (depth, trials)
    B = np.sqrt(rng.chisquare(layer.width - 1, shape))
    return margin_norms(layer, rng, shape), B, rng.standard_normal(shape)


def start_in_mpmath(theta, opposite):
    return mpmath.cot(mpmath.mpf(theta)) * (-1 if opposite else 1)


def steps(start, A, B, z):
    """The law, layer by layer: ln|w| and sign, (layers, ...) each."""
    path = []
    for drawn in zip(A, B, z, strict=True):
        start = step(start, *drawn)
        path.append(start)
    return np.array(path).swapaxes(0, 1)


@pytest.mark.parametrize("theta, opposite", STARTS)
def test_start_is_the_cotangent(theta, opposite):
    with mpmath.workdps(40):
        w = start_in_mpmath(theta, opposite)
        log_abs, sign = pairs.velocity(theta, opposite)
        assert abs(float(mpmath.log(abs(w)) - log_abs)) < 1e-13 and sign == mpmath.sign(w)


@pytest.mark.parametrize("layer", DRAWN, ids=str)
@pytest.mark.parametrize("theta, opposite", STARTS)
def test_a_thousand_layers_against_mpmath(layer, theta, opposite):
    """Of the stated law and of its fast form."""
    A, B, z = draws(layer, 1000)
    start = pairs.velocity(theta, opposite)
    slow, fast = steps(start, A, B, z), pairs.accumulate(start, A, B, z)
    with mpmath.workdps(50):
        w = start_in_mpmath(theta, opposite)
        for number, drawn in enumerate(zip(A, B, z)):
            a, b, c = (mpmath.mpf(float(one)) for one in drawn)
            w = (a * w + c) / b
            for log_abs, sign in (slow, fast):
                assert abs(mpmath.log(abs(w)) - log_abs[number]) < 1e-10
                assert sign[number] == mpmath.sign(w)


@pytest.mark.parametrize("layer", [*LAYERS, Layer(256, 16384)], ids=str)
def test_the_fast_form_is_the_law(layer):
    A, B, z = draws(layer, 40, 500)
    start = pairs.velocity(np.linspace(0.01, 3.1, 500))
    (log_abs, sign), fast = steps(start, A, B, z), pairs.accumulate(start, A, B, z)
    error = np.abs(fast.log_abs - log_abs)
    assert (fast.sign == sign).all()
    assert (error * np.exp(np.minimum(log_abs, 0))).max() < 1e-12  # a w near 0 is a difference
    if layer.width == 256:
        assert (error / np.maximum(np.abs(log_abs), 1)).max() < 9e-15


def test_thirty_thousand_layers_against_longdouble():
    """In extended precision. A w near 0 is a difference: there its absolute error counts."""
    cases = Layer(64, 256), Layer(64), Layer(64, 80, "signed"), Layer(2)
    drawn = np.concatenate([draws(layer, 30_000, 2) for layer in cases], axis=2)
    start = pairs.velocity(np.linspace(1, 2, drawn.shape[2]))
    path = pairs.accumulate(start, *drawn)
    extended = Velocity(*(np.array(part, np.longdouble) for part in start))
    log_abs, sign = steps(extended, *drawn.astype(np.longdouble))
    error = np.abs(path.log_abs - log_abs) * np.exp(np.minimum(log_abs, 0))
    late = error[10_000:] / np.maximum(1, np.abs(log_abs[10_000:]))
    assert (error[:10_000] < 1e-10).all() and (late < 1e-12).all()
    assert (path.sign == sign).all()


def test_one_block_of_layers_or_many(monkeypatch):
    A, B, z = draws(Layer(4, 12), 300, 5)
    start = pairs.velocity(np.full(5, 1.5))
    path = pairs.accumulate(start, A, B, z)
    for block in (1, 7, 300):
        monkeypatch.setattr(pairs, "BLOCK", block)
        other = pairs.accumulate(start, A, B, z)
        assert np.allclose(path.log_abs, other.log_abs, rtol=1e-12, atol=1e-12)
        assert (path.sign == other.sign).all()


def test_keep_seed_and_shapes():
    layer, arguments = Layer(6, 18), dict(depth=150, trials=7, seed=3)
    path = simulate(layer, 1.0, **arguments)
    assert path.log_abs.shape == path.sign.shape == (7, 151)
    assert np.allclose(path.log_abs[:, 0], -np.log(np.tan(1.0)))
    kept = [0, 1, 63, 64, 65, 128, 149]
    for layers in (kept, np.array(kept, np.uint8), [150], [0], range(151)):
        again = simulate(layer, 1.0, **arguments, keep=layers)
        assert np.array_equal(again, np.array(path)[:, :, list(layers)])
    other = simulate(layer, 1.0, **{**arguments, "seed": 4})
    assert not np.isclose(other.log_abs[:, 1:], path.log_abs[:, 1:]).any()
    assert simulate(Layer(6), 1.0, 0).log_abs.shape == (1, 1)


def test_an_angle_for_each_trial_and_opposite_starts():
    thetas = np.array([TINY, 1.0, 2.0])
    path = simulate(Layer(6, 18), thetas, 20, trials=3, seed=1, opposite=True)
    assert np.array_equal(path.sign[:, 0], [-1, -1, 1])
    assert np.allclose(path.log_abs[0, 0], 200 * np.log(10))
    single = simulate(Layer(6, 18), 1.0, 20, trials=3, seed=1, opposite=True)
    assert np.array_equal(single.log_abs[1], path.log_abs[1])


def drawn(layer, theta, depth):
    """w after `depth` layers of 5000 pairs by simulate, and of 5000 through whole matrices."""
    path = simulate(layer, theta, depth, trials=5000, seed=5, keep=[depth])
    return (path.sign * np.exp(path.log_abs))[:, 0], through_matrices(layer, theta, depth)


def through_matrices(layer, theta, depth):
    rng = np.random.default_rng(6)
    X = np.tile([[1, 0], [np.cos(theta), np.sin(theta)]], (5000, 1, 1))
    for _ in range(depth):
        X = X @ matrices(rng, layer, X[:, 0]).swapaxes(1, 2)
    unit = X[:, 0] / np.linalg.norm(X[:, 0], axis=1, keepdims=True)
    along = np.sum(unit * X[:, 1], axis=1)
    return along / np.linalg.norm(X[:, 1] - along[:, None] * unit, axis=1)


@pytest.mark.parametrize("layer", [Layer(2), *LAYERS], ids=str)
@pytest.mark.parametrize("theta, depth", [(1.0, 1), (2.0, 4)])
def test_law_against_whole_matrices(layer, theta, depth):
    assert ks_2samp(*drawn(layer, theta, depth)).pvalue > 1e-4


def test_that_comparison_sees_a_moment_five_percent_off():
    layer = Layer(12, 40)
    pools = (Layer(12, n) for n in range(40, 80))
    more = 1.05 * theory.second_moment(layer)
    near = next(other for other in pools if theory.second_moment(other) > more)
    one, other = drawn(layer, 1.0, 6)[0], through_matrices(near, 1.0, 6)
    assert ks_2samp(one, other).pvalue < 1e-4


GAINING = [(2, 20), (16, 40), (512, 1000), (30, 120, "labelled"), (10, 60, "signed"), (16,)]


@pytest.mark.parametrize("layer", [Layer(*layer) for layer in GAINING], ids=str)
def test_rapidity_gained_a_layer(layer):
    depth, trials = 500 if layer.selects else 3000, 300 if layer.width < 100 else 40
    path = simulate(layer, 1.0, depth, trials=trials, seed=7, keep=[depth // 5, depth])
    slope = np.diff(path.log_abs, axis=1)[:, 0] / (depth - depth // 5)
    gain, stderr = theory.rapidity_gain(layer), slope.std() / np.sqrt(trials)
    assert abs(slope.mean() - gain) < 4 * stderr
    assert 4 * stderr < 0.1 * gain  # the comparison has power
    if layer.selects:
        assert slope.mean() == pytest.approx(gain, rel=0.02)


@pytest.mark.parametrize("theta", [0.3, 1.2, np.pi / 2, 2.5])
@pytest.mark.parametrize("layer", [Layer(2), Layer(5)], ids=str)
def test_ordinary_layers_are_a_cosine_hash(layer, theta):
    """P(ends correlated) = 1 - theta/pi at every width, S_inf being standard Cauchy."""
    sign = simulate(layer, theta, 400, trials=4000, seed=8, keep=[400]).sign
    share = theory.correlated_probability(layer, theta)
    assert share == pytest.approx(1 - theta / np.pi)
    assert binomtest(int((sign > 0).sum()), sign.size, share).pvalue > 1e-4


@pytest.mark.parametrize("theta", [1.3, 1.55, 1.7])
def test_selected_layers_are_a_probit(theta):
    layer = Layer(200, 400)
    sign = simulate(layer, theta, 30, trials=3000, seed=9, keep=[30]).sign
    share = ndtr(np.sqrt(200 * (theory.second_moment(layer) - 1)) / np.tan(theta))
    assert abs((sign > 0).mean() - share) < 4 * np.sqrt(0.25 / sign.size)
    assert theory.correlated_probability(layer, theta) == pytest.approx(share, abs=2e-3)


def drawn_sum(layer, depth, trials):
    """S_L = sum_j (z_j/A_j)/Lambda_{j-1}: where w_0 must start for a pair to end at w = 0."""
    A, B, z = draws(layer, depth, trials, seed=10)
    before = np.cumsum(np.log(A / B), axis=0) - np.log(A / B)
    return (z / A * np.exp(-before)).sum(axis=0)


@pytest.mark.parametrize(
    "width, pool, rule", [(10, 40, "largest"), (20, 60, "labelled"), (30, 200, "signed")]
)
def test_variance_of_the_drawn_sum(width, pool, rule):
    layer, wide = Layer(width, pool, rule), Layer(2000, 2000 * pool // width, rule)
    inverse = np.mean(margin_norms(layer, np.random.default_rng(11), 100_000) ** -2.0)
    for square, variance in (
        (drawn_sum(layer, 40, 5000) ** 2, 1 / (1 / inverse - (width - 1))),
        (drawn_sum(wide, 25, 400) ** 2, 1 / theory.excess(wide)),
    ):
        assert abs(square.mean() - variance) < 4 * square.std() / np.sqrt(square.size)


def test_drawn_sum_of_ordinary_layers_is_cauchy():
    assert kstest(drawn_sum(Layer(4), 300, 5000), cauchy.cdf).pvalue > 1e-4


def test_a_million_layers_and_ten_million_units():
    deep = simulate(Layer(3), 1.0, 10**6, trials=2, seed=12, keep=[10**6])
    spread = np.sqrt((np.pi**2 / 6 + 0.9348) / 4 / 10**6)  # trigamma(1) + trigamma(3/2)
    assert (np.abs(deep.log_abs / 10**6 - theory.rapidity_gain(Layer(3))) < 4 * spread).all()
    wide = simulate(Layer(10**7), 1.0, 1000, trials=100, seed=13, keep=[1000])
    assert np.isfinite(wide.log_abs).all() and abs(wide.log_abs.mean() + np.log(np.tan(1))) < 0.1
    for layer in (Layer(10**6, 10**9), Layer(10**7, 10**9)):
        gained = np.diff(simulate(layer, 1.0, 2, seed=14).log_abs)[0]
        assert gained == pytest.approx(theory.rapidity_gain(layer), rel=0.01)


@pytest.mark.parametrize(
    "keep", [[], [6], [-1], [2, 1], [1, 1], [[1]], [0.5], 3, np.array([3, 1], "u8")]
)
def test_layers_to_keep_that_are_none_are_refused(keep):
    with pytest.raises(ValueError, match="^keep: "):
        simulate(Layer(4, 8), 1.0, 5, keep=keep)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(theta=[1.0, 2.0]), r"theta: shape \(2,\)"),
        (dict(trials=10**12), "trials: 1000000000000 .*GiB"),
        (dict(depth=10**12), "depth: .*1000000000000 .*GiB"),
    ],
)
def test_shapes_and_sizes_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        simulate(Layer(4, 8), **{**dict(theta=1.0, depth=5, trials=3), **arguments})


@pytest.mark.parametrize("width, depth", [(2, 5), (8, 40), (50, 200)])
def test_log_lorentz_factor_grows_by_exactly_the_gain_without_selection(width, depth):
    start = pairs.independent_angles(np.random.default_rng(width), 4000, width)
    path = simulate(Layer(width), start, depth, trials=4000, seed=3, keep=[depth])
    log_gamma = np.logaddexp(0, 2 * path.log_abs[:, 0]) / 2
    expected = theory.rapidity_gain(Layer(width)) * (depth + 1)  # the start is one more layer
    assert abs(log_gamma.mean() - expected) < 4 * log_gamma.std() / np.sqrt(4000)


@pytest.mark.parametrize("layer", [Layer(5, 6), Layer(4, 8, "labelled"), Layer(6)], ids=str)
def test_directions_are_those_of_whole_matrices(layer):
    """r on the training input and on two unseen directions, in networks of three dimensions."""
    rng, depth, trials = np.random.default_rng(4), 4, 5000
    unit, drawn = np.eye(3)[np.zeros(trials, int)], []
    for _ in range(depth):
        drawn.append(matrices(rng, layer, unit))
        unit = np.matmul(drawn[-1], unit[:, :, None])[..., 0]
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for W in reversed(drawn):
        unit = np.matmul(unit[:, None], W)[:, 0]
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    r = pairs.directions(layer, depth, inputs=3, trials=trials, seed=5)
    assert np.allclose(np.linalg.norm(r, axis=1), 1) and (r[:, 0] > 0).all()
    for of in (lambda r: r[:, 0], lambda r: r[:, 1], lambda r: r[:, 1] * r[:, 2]):
        assert ks_2samp(of(r), of(unit)).pvalue > 1e-4
