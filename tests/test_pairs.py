"""The law of a pair: its arithmetic against mpmath and longdouble with the same draws, its law against dense networks."""

import mpmath
import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import binomtest, cauchy, ks_2samp, kstest
from test_selection import bits, drawn_whole

from entanglement import pairs, selection, theory

TINY = 1e-200
STARTS = [(TINY, False), (TINY, True), (1e-8, True), (1.0, False), (np.pi / 2, False), (2.0, False)]
LAYERS = [(64, 256, "largest"), (8, None, "none"), (64, 80, "signed"), (2, None, "none"), (2, 10, "largest"), (2, 3, "signed")]


def draws(layer, depth, trials=None, seed=1):
    rng = np.random.default_rng(seed)
    shape = (depth,) if trials is None else (depth, trials)
    B = np.sqrt(rng.chisquare(layer[0] - 1, shape))
    return selection.margin_norms(rng, *layer, shape), B, rng.standard_normal(shape)


def start_in_mpmath(theta, opposite):
    return mpmath.cot(mpmath.mpf(theta)) * (-1 if opposite else 1)


@pytest.mark.parametrize("theta, opposite", STARTS)
def test_start_is_the_cotangent(theta, opposite):
    with mpmath.workdps(40):
        w = start_in_mpmath(theta, opposite)
        log_abs, sign = pairs.velocity(theta, opposite)
        assert abs(float(mpmath.log(abs(w)) - log_abs)) < 1e-13 and sign == mpmath.sign(w)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("theta, opposite", STARTS)
def test_a_thousand_layers_against_mpmath(layer, theta, opposite):
    A, B, z = draws(layer, 1000)
    path = pairs.accumulate(pairs.velocity(theta, opposite), A, B, z)
    with mpmath.workdps(50):
        w = start_in_mpmath(theta, opposite)
        for a, b, drawn, log_abs, sign in zip(A, B, z, *path, strict=True):
            w = (mpmath.mpf(a) * w + mpmath.mpf(drawn)) / mpmath.mpf(b)
            assert abs(mpmath.log(abs(w)) - log_abs) < 1e-10
            assert sign == mpmath.sign(w)


def test_a_hundred_thousand_layers_against_longdouble():
    """One layer at a time in extended precision, on (sign, ln|w|). A w near 0 is a difference: there its absolute error counts."""
    cases = (64, 256, "largest"), (64, None, "none"), (64, 80, "signed"), (2, None, "none")
    A, B, z = np.concatenate([draws(layer, 100_000, 2) for layer in cases], axis=2)
    start = pairs.velocity(np.linspace(1, 2, A.shape[1]))
    path = pairs.accumulate(start, A, B, z)
    log_abs, sign = (np.array(part, np.longdouble) for part in start)
    A, B, z = (part.astype(np.longdouble) for part in (A, B, z))
    slow = []
    for a, b, drawn in zip(A, B, z, strict=True):
        unit = np.maximum(log_abs, 0)
        w = (sign * np.exp(log_abs - unit) * a + drawn * np.exp(-unit)) / b
        log_abs, sign = unit + np.log(np.abs(w)), np.sign(w)
        slow.append((log_abs, sign))
    log_abs, sign = np.array(slow).transpose(1, 0, 2)
    error = np.abs(path.log_abs - log_abs) * np.exp(np.minimum(log_abs, 0))
    assert (error[:10_000] < 1e-10).all() and (error[10_000:] < 1e-12 * np.maximum(1, np.abs(log_abs[10_000:]))).all()
    assert (path.sign == sign).all()


def test_one_block_of_layers_or_many(monkeypatch):
    A, B, z = draws((4, 12, "largest"), 300, 5)
    start = pairs.velocity(np.full(5, 1.5))
    path = pairs.accumulate(start, A, B, z)
    for block in (1, 7, 300):
        monkeypatch.setattr(pairs, "BLOCK", block)
        other = pairs.accumulate(start, A, B, z)
        assert np.allclose(path.log_abs, other.log_abs, rtol=1e-12, atol=1e-12) and (path.sign == other.sign).all()


def test_keep_seed_and_shapes():
    arguments = dict(width=6, depth=150, pool=18, trials=7, seed=3)
    path = pairs.simulate(1.0, **arguments)
    assert path.log_abs.shape == path.sign.shape == (7, 151)
    assert np.allclose(path.log_abs[:, 0], -np.log(np.tan(1.0)))
    kept = [0, 1, 63, 64, 65, 128, 149]
    for layers in (kept, np.array(kept, np.uint8), [150], [0], range(151)):
        again = pairs.simulate(1.0, **arguments, keep=layers)
        assert np.array_equal(again, np.array(path)[:, :, list(layers)])
    assert not np.isclose(pairs.simulate(1.0, **{**arguments, "seed": 4}).log_abs[:, 1:], path.log_abs[:, 1:]).any()
    assert pairs.simulate(1.0, 6, 0).log_abs.shape == (1, 1)


def test_an_angle_for_each_trial_and_opposite_starts():
    thetas = np.array([TINY, 1.0, 2.0])
    path = pairs.simulate(thetas, 6, 20, 18, trials=3, seed=1, opposite=True)
    assert np.array_equal(path.sign[:, 0], [-1, -1, 1])
    assert np.allclose(path.log_abs[0, 0], 200 * np.log(10))
    single = pairs.simulate(1.0, 6, 20, 18, trials=3, seed=1, opposite=True)
    assert np.array_equal(single.log_abs[1], path.log_abs[1])


def dense_velocity(rng, trials, theta, width, pool, rule, depth):
    """w after `depth` layers of `trials` dense networks drawn with whole pools, two inputs in the plane."""
    X = np.tile(np.array([[1, 0], [np.cos(theta), np.sin(theta)]]).T, (trials, 1, 1))
    for _ in range(depth):
        W = rng.standard_normal((trials, width, X.shape[1]))
        unit = X[:, :, 0] / np.linalg.norm(X[:, :, 0], axis=1, keepdims=True)
        a = drawn_whole(rng, trials, width, pool, rule)
        W += (a - np.einsum("tkd,td->tk", W, unit))[:, :, None] * unit[:, None]
        X = W @ X
    first = X[:, :, 0] / np.linalg.norm(X[:, :, 0], axis=1, keepdims=True)
    along = np.einsum("tk,tk->t", first, X[:, :, 1])
    return along / np.linalg.norm(X[:, :, 1] - along[:, None] * first, axis=1)


@pytest.mark.parametrize(
    "layer",
    [
        (2, None, "none"),
        (2, 3, "largest"),
        (5, 20, "largest"),
        (12, 36, "signed"),
        (6, 9, "signed"),
        (4, 12, "labelled"),
        (7, None, "none"),
    ],
)
@pytest.mark.parametrize("theta, depth", [(1.0, 1), (2.0, 4)])
def test_law_against_dense_networks(layer, theta, depth):
    path = pairs.simulate(theta, layer[0], depth, *layer[1:], trials=5000, seed=5, keep=[depth])
    w = (path.sign * np.exp(path.log_abs))[:, 0]
    assert ks_2samp(w, dense_velocity(np.random.default_rng(6), 5000, theta, *layer, depth)).pvalue > 1e-4


def test_that_comparison_sees_a_moment_five_percent_off():
    near = next(n for n in range(40, 80) if theory.second_moment(12, n) > 1.05 * theory.second_moment(12, 40))
    path = pairs.simulate(1.0, 12, 6, 40, trials=5000, seed=5, keep=[6])
    w = (path.sign * np.exp(path.log_abs))[:, 0]
    assert ks_2samp(w, dense_velocity(np.random.default_rng(6), 5000, 1.0, 12, near, "largest", 6)).pvalue < 1e-4


@pytest.mark.parametrize(
    "layer",
    [(2, 20, "largest"), (16, 40, "largest"), (512, 1000, "largest"), (30, 120, "labelled"), (10, 60, "signed"), (16, None, "none")],
)
def test_rapidity_gained_a_layer(layer):
    depth = 3000 if layer[1] is None else 500
    trials = 300 if layer[0] < 100 else 40
    path = pairs.simulate(1.0, layer[0], depth, *layer[1:], trials=trials, seed=7, keep=[depth // 5, depth])
    slope = np.diff(path.log_abs, axis=1)[:, 0] / (depth - depth // 5)
    gain, stderr = theory.rapidity_gain(*layer), slope.std() / np.sqrt(trials)
    assert abs(slope.mean() - gain) < 4 * stderr
    assert 4 * stderr < 0.1 * gain  # the comparison has power
    if layer[1]:
        assert slope.mean() == pytest.approx(gain, rel=0.02)


@pytest.mark.parametrize("theta", [0.3, 1.2, np.pi / 2, 2.5])
def test_ordinary_layers_are_a_cosine_hash(theta):
    """P(ends correlated) = 1 - theta/pi at every width, S_inf being standard Cauchy."""
    for width in (2, 5):
        sign = pairs.simulate(theta, width, 400, trials=4000, seed=8, keep=[400]).sign
        assert abs((sign > 0).mean() - theory.correlated_probability(theta)) < 4 * np.sqrt(0.25 / sign.size)
        assert binomtest(int((sign > 0).sum()), sign.size, 1 - theta / np.pi).pvalue > 1e-4


@pytest.mark.parametrize("theta", [1.3, 1.55, 1.7])
def test_selected_layers_are_a_probit(theta):
    width, pool = 200, 400
    M = theory.second_moment(width, pool)
    sign = pairs.simulate(theta, width, 30, pool, trials=3000, seed=9, keep=[30]).sign
    share = ndtr(np.sqrt(width * (M - 1)) / np.tan(theta))
    assert abs((sign > 0).mean() - share) < 4 * np.sqrt(0.25 / sign.size)
    assert theory.correlated_probability(theta, M, width) == pytest.approx(share)


def drawn_sum(layer, depth, trials):
    """S_L = sum_j (z_j/A_j)/Lambda_{j-1}: where w_0 must start for a pair to end at w = 0."""
    A, B, z = draws(layer, depth, trials, seed=10)
    before = np.cumsum(np.log(A / B), axis=0) - np.log(A / B)
    return (z / A * np.exp(-before)).sum(axis=0)


@pytest.mark.parametrize("layer", [(10, 40, "largest"), (20, 60, "labelled"), (30, 200, "signed")])
def test_variance_of_the_drawn_sum(layer):
    rng, width = np.random.default_rng(11), layer[0]
    inverse = np.mean(selection.margin_norms(rng, *layer, 100_000) ** -2.0)
    S = drawn_sum(layer, 40, 5000)
    square = S**2
    assert abs(square.mean() - 1 / (1 / inverse - (width - 1))) < 4 * square.std() / np.sqrt(S.size)
    wide = (2000, 2000 * layer[1] // width, layer[2])
    square = drawn_sum(wide, 25, 400) ** 2
    assert abs(square.mean() - 1 / (2000 * (theory.second_moment(*wide) - 1))) < 4 * square.std() / np.sqrt(400)


def test_drawn_sum_of_ordinary_layers_is_cauchy():
    assert kstest(drawn_sum((4, None, "none"), 300, 5000), cauchy.cdf).pvalue > 1e-4


def test_a_million_layers_and_a_million_units():
    deep = pairs.simulate(1.0, 3, 10**6, trials=2, seed=12, keep=[10**6])
    assert np.isfinite(deep.log_abs).all()
    gain = theory.rapidity_gain(3)
    assert (np.abs(deep.log_abs / 10**6 - gain) < 4 * np.sqrt(0.25 * (np.pi**2 / 6 + 0.9348) / 10**6)).all()  # trigamma(1) + trigamma(3/2)
    wide = pairs.simulate(1.0, 10**6, 1000, trials=100, seed=13, keep=[1000])
    assert np.isfinite(wide.log_abs).all() and abs(wide.log_abs.mean() + np.log(np.tan(1.0))) < 0.1
    selected = pairs.simulate(1.0, 10**6, 2, 10**9, trials=1, seed=14)
    assert np.diff(selected.log_abs)[0] == pytest.approx(theory.rapidity_gain(10**6, 10**9, "largest"), rel=0.01)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(theta=0.0), r"theta: .*0\.0"),
        (dict(theta=np.pi), r"theta: .*3\.14"),
        (dict(theta=np.nan), "theta: .*nan"),
        (dict(theta=[1.0, 2.0]), r"theta: shape \(2,\)"),
        (dict(width=1), "width: 1"),
        (dict(width=2.5), "width: 2.5"),
        (dict(pool=3), "pool: 3"),
        (dict(pool=8, rule="none"), "pool: 8"),
        (dict(pool=10, rule="labelled"), "pool: 10"),
        (dict(rule="biggest"), "rule: 'biggest'"),
        (dict(depth=-1), "depth: -1"),
        (dict(depth=1.5), "depth: 1.5"),
        (dict(trials=0), "trials: 0"),
        (dict(seed=-1), "seed: -1"),
        (dict(seed="x"), "seed: 'x'"),
        *((dict(keep=keep), "keep: ") for keep in ([], [6], [-1], [2, 1], [1, 1], [[1]], [0.5], 3, np.array([3, 1], np.uint64))),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        pairs.simulate(**{**dict(theta=1.0, width=4, depth=5, pool=8, trials=3), **arguments})


def test_labelled_pairs_need_no_labels():
    """The law of w depends on the norm of the margins alone, so a pair's labels do not matter."""
    a = selection.margins(np.random.default_rng(1), 4, 12, "labelled", labels=bits(4))
    assert np.linalg.norm(a) == pytest.approx(selection.margin_norms(np.random.default_rng(1), 4, 12, "labelled"))


@pytest.mark.parametrize("width, depth", [(2, 5), (8, 40), (50, 200)])
def test_log_lorentz_factor_grows_by_exactly_the_gain_without_selection(width, depth):
    start = pairs.independent_angles(np.random.default_rng(width), 4000, width)
    v = pairs.simulate(start, width, depth, rule="none", trials=4000, seed=3, keep=[depth])
    log_gamma = np.logaddexp(0, 2 * v.log_abs[:, 0]) / 2
    expected = theory.rapidity_gain(width) * (depth + 1)  # the start counts as one more layer
    assert abs(log_gamma.mean() - expected) < 4 * log_gamma.std() / np.sqrt(4000)
