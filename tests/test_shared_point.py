"""Volumes of features at any depth, and the closed forms of curvature and of one shared point, each against an oracle."""

import mpmath
import numpy as np
import pytest
from test_selection import bits

from entanglement import theory
from entanglement.dense import DenseNetwork
from entanglement.lazy import DEPENDENT, LazyNetwork
from entanglement.pairs import independent_angles, simulate

X = np.random.default_rng(1).standard_normal((5, 7))
CASES = [(6, 300, 30, "largest"), (4, 300, 300, "largest"), (8, 300, None, "none"), (10, 600, 14, "signed"), (4, 300, 24, "labelled")]


def volume_in_mpmath(net, rows, layers):
    """ln of the volume of unit features at `layers`, from the same weights in 800 digits."""
    found = {}
    with mpmath.workdps(800):
        C = net.basis.T @ (rows / np.linalg.norm(rows, axis=1)[:, None]).T
        F = mpmath.matrix(np.where(np.abs(C) > DEPENDENT, C, 0).tolist())
        for layer, T in enumerate([None, *net.triangles]):
            F = F if T is None else mpmath.matrix(T.tolist()) * F
            if layer in layers:
                gram = F.T * F
                norms = sum(mpmath.log(gram[j, j]) for j in range(gram.rows))
                found[layer] = float((mpmath.log(mpmath.det(gram)) - norms) / 2)
    return found


# --- volumes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width, depth, pool, rule", CASES)
@pytest.mark.parametrize("rows", [(1, 2), (1, 2, 3), (1, 2, 0)])  # the training input is row 0
def test_log_volume_against_its_own_layers_in_mpmath(width, depth, pool, rule, rows):
    net = LazyNetwork(width, depth, pool, rule, seed=2).fit(X[0], bits(width))
    net.transform(X[:4])
    measured = net.log_volume(X[list(rows)])
    assert measured.shape == (depth + 1,)
    for layer, expected in volume_in_mpmath(net, X[list(rows)], (0, 1, 7, depth // 2, depth)).items():
        assert abs(measured[layer] - expected) < 1e-10 * max(1, abs(expected)), layer


def test_log_volume_of_a_pair_is_its_sine():
    net = LazyNetwork(12, 500, 48, seed=3).fit(X[0])
    log_abs = net.trajectory(X[1:2]).log_abs[:, 0]
    assert net.log_volume(X[:2]) == pytest.approx(-np.logaddexp(0, 2 * log_abs) / 2, abs=1e-11)


@pytest.mark.parametrize("width, m", [(3, 2), (3, 3), (9, 4)])
def test_log_volume_against_the_gram_determinant_of_dense_features(width, m):
    """The same features in float64: law-free, any weights."""
    net = LazyNetwork(width, 5, 3 * width, seed=4).fit(X[0])
    volume = net.log_volume(X[:m])
    for layer in range(1, 6):
        U = net.transform(X[:m], layer)
        assert volume[layer] == pytest.approx(np.linalg.slogdet(U @ U.T)[1] / 2, abs=1e-6)


def test_the_mean_log_volume_is_that_of_dense_networks():
    lazy = [LazyNetwork(5, 6, 20, seed=s).fit(X[0]).log_volume(X[1:4])[-1] for s in range(150)]
    dense = []
    for s in range(150):
        U = DenseNetwork(5, 6, 20, seed=1000 + s).fit(X[0]).transform(X[1:4])
        dense.append(np.linalg.slogdet(U @ U.T)[1] / 2)
    error = np.hypot(np.std(lazy), np.std(dense)) / np.sqrt(150)
    assert abs(np.mean(lazy) - np.mean(dense)) < 4 * error


def test_log_volume_neither_sees_order_nor_scale_nor_earlier_inputs():
    net, other = (LazyNetwork(6, 80, 18, seed=5).fit(X[0]) for _ in range(2))
    expected = net.log_volume(X[1:4])
    other.transform(X[1:])
    assert other.log_volume(X[[3, 1, 2]] * [[-1], [1e-200], [1e200]]) == pytest.approx(expected, abs=1e-11)
    assert net.log_volume(X[1:2]) == pytest.approx(np.zeros(81), abs=1e-12)


def test_no_volume():
    net = LazyNetwork(3, 4, 9, seed=6).fit(X[0])
    assert (net.log_volume([X[1], -3 * X[1]]) == -np.inf).all()
    assert (net.log_volume([X[0], X[1], X[0] - 2 * X[1]]) == -np.inf).all()
    more = net.log_volume(X[:4])  # four inputs in three dimensions
    assert np.isfinite(more[0]) and (more[1:] == -np.inf).all()
    flat = LazyNetwork(6, 3, 9, seed=6).fit([1.0, 2])
    assert (flat.log_volume([[1.0, 0], [0, 1], [1, 1]]) == -np.inf).all()
    with pytest.raises(ValueError, match="X: shape"):
        net.log_volume(np.ones((2, 3)))


@pytest.mark.parametrize("width, pool, rule", [(32, 128, "largest"), (64, 2000, "largest"), (40, 200, "signed")])
def test_the_excess_falls_with_the_predicted_slope(width, pool, rule):
    first, last = 20, 400
    slopes = []
    for s in range(12):
        volume = LazyNetwork(width, last, pool, rule, seed=s).fit(X[0]).log_volume(X[1:4])
        slopes.append((volume[first] - volume[last]) / (last - first))
    predicted = theory.excess_slope(width, pool, rule)
    assert np.mean(slopes) == pytest.approx(predicted, rel=0.02)
    assert np.mean(slopes) > 5 * theory.excess_slope(width)  # an ordinary layer's, without the spike


# --- closed forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mean, scale", [(0.0, 1.0), (0.3, 1.0), (-2.0, 0.5), (5.0, 1.0), (19.0, 1.0), (21.0, 1.0), (1e3, 2.0), (1e-9, 1e-3)]
)
def test_mean_log_shifted_against_mpmath(mean, scale):
    def density(v):
        return mpmath.log(abs(v)) * mpmath.npdf(v, mean, scale)

    edges = sorted({0.0, *(mean + scale * np.array([-12.0, -6, -3, -1, 0, 1, 3, 6, 12]))})
    expected = float(mpmath.quad(density, edges))
    assert theory.mean_log_shifted(mean, scale) == pytest.approx(expected, abs=1e-9)


def test_mean_log_shifted_broadcasts_and_meets_mean_log_velocity():
    assert theory.mean_log_shifted(np.zeros((2, 1)), [1.0, 2, 3]) == pytest.approx(
        np.tile(theory.mean_log_velocity(np.array([1.0, 2, 3])), (2, 1))
    )


@pytest.mark.parametrize("gain", [0.4, 0.0, -0.1])
def test_mean_log_velocity_from_averages_to_the_law_of_random_starts(gain):
    """Averaged over normal starts of variance 1/(d-1) it is the closed form for independent inputs."""
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    for depth in (1, 3, 30):
        average = weight @ theory.mean_log_velocity_from(z / np.sqrt(63), depth, gain, 64) / weight.sum()
        assert average == pytest.approx(theory.mean_log_velocity(theory.velocity_scale(depth, gain, 64, 64)), abs=2e-3)


def torus(u, v, R=3.0, r=1.0):
    """First and second derivatives, of a torus put in R^4, and its curvature cos v / (r (R + r cos v))."""
    s, c, S, C = np.sin(u), np.cos(u), np.sin(v), np.cos(v)
    ring = R + r * C
    first = np.array([[-ring * s, -r * S * c], [ring * c, -r * S * s], [0, r * C], [0, 0]])
    mixed = [r * S * s, -r * S * c, 0, 0]
    second = np.array(
        [
            [[-ring * c, mixed[0]], [mixed[0], -r * C * c]],
            [[-ring * s, mixed[1]], [mixed[1], -r * C * s]],
            [[0, 0], [0, -r * S]],
            [[0, 0], [0, 0]],
        ]
    )
    return first, second, C / (r * ring)


@pytest.mark.parametrize("u, v", [(0.1, 0.2), (2.0, 1.5), (4.0, 3.0)])
def test_gaussian_curvature_of_a_torus(u, v):
    first, second, expected = torus(u, v)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((4, 4)))[0]
    assert theory.gaussian_curvature(turn @ first, np.einsum("ij,jkl->ikl", turn, second)) == pytest.approx(expected, abs=1e-12)


def test_gaussian_curvature_needs_a_surface():
    with pytest.raises(ValueError, match="first: dependent"):
        theory.gaussian_curvature(np.zeros((3, 2)), np.zeros((3, 2, 2)))


@pytest.mark.parametrize("width, pool, rule", [(16, 20, "signed"), (20, None, "none"), (24, 60, "largest")])
def test_mean_square_velocity_against_simulated_pairs(width, pool, rule):
    theta = independent_angles(np.random.default_rng(5), 40_000, 9)
    w2 = np.exp(2 * simulate(theta, width, 3, pool, rule, trials=40_000, seed=6).log_abs)
    error = w2.std(axis=0) / 200
    assert (np.abs(w2.mean(axis=0) - theory.mean_square_velocity(np.arange(4), width, 9, pool, rule)) < 4 * error).all()


def test_mean_square_velocity_rests_where_selection_lowers_the_margins():
    M = theory.finite_second_moment(32, 40, "signed")
    assert theory.mean_square_velocity(10_000, 32, 5, 40, "signed") == pytest.approx(1 / (29 - 32 * M))
    with pytest.raises(ValueError, match="input_dim"):
        theory.mean_square_velocity(1, 32, 3)


@pytest.mark.parametrize("d", [2, 3, 16, 1024])
def test_mean_random_cosine_against_its_integral(d):
    with mpmath.workdps(30):
        edges = [0, min(1, 3 / d**0.5), 1] if d > 9 else [0, 1]  # of cos t, density sin(t)^(d-2)
        angles = [mpmath.acos(edge) for edge in reversed(edges)]
        top = mpmath.quad(lambda t: mpmath.cos(t) * mpmath.sin(t) ** (d - 2), angles)
        assert theory.mean_random_cosine(d) == pytest.approx(float(top / mpmath.quad(lambda t: mpmath.sin(t) ** (d - 2), angles)), rel=1e-9)
