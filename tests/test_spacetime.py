"""The dictionary against exact arithmetic and 1000 random mixings; the drawn networks against the law of pairs."""

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import ks_2samp

from entanglement import Layer
from entanglement import pairs, spacetime, theory

METRIC = np.diag([1.0, -1.0, -1.0])


def mixings(count):
    """Random matrices of determinant 1, some of them far from the identity."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        S = rng.standard_normal((2, 2)) * np.exp(rng.normal(0, 1, (2, 1)))
        S[1] *= np.sign(np.linalg.det(S))
        yield S / np.sqrt(np.linalg.det(S))


def test_event_and_interval_are_the_gram_matrix():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 5, 7, 9))
    e = spacetime.event(x, y)
    gram = np.stack([x, y], axis=-2) @ np.stack([x, y], axis=-1)
    assert e.t.shape == (5, 7)
    assert np.allclose([e.t + e.x, e.t - e.x, e.y], [gram[..., 0, 0], gram[..., 1, 1], gram[..., 0, 1]])
    assert spacetime.interval(e) == pytest.approx(np.linalg.det(gram))


def test_mixing_is_a_lorentz_transformation():
    x, y = np.random.default_rng(2).standard_normal((2, 6))
    before = spacetime.event(x, y)
    for S in mixings(1000):
        L = spacetime.lorentz(S)
        after = spacetime.event(*(S @ np.array([x, y])))
        size = np.abs(L).max() ** 2
        assert np.abs(L.T @ METRIC @ L - METRIC).max() < 1e-12 * size
        assert np.linalg.det(L) == pytest.approx(1, abs=1e-11 * size * np.abs(L).max()) and L[0, 0] >= 1 - 1e-12
        assert np.abs(L @ np.array(before) - np.array(after)).max() < 1e-12 * np.abs(L).max() * before.t
        assert abs(spacetime.interval(after) - spacetime.interval(before)) < 1e-12 * after.t**2


def test_mixings_compose():
    first, second = list(mixings(2))
    assert spacetime.lorentz(first @ second) == pytest.approx(spacetime.lorentz(first) @ spacetime.lorentz(second))


@pytest.mark.parametrize("shift", [-3.0, 0.2, 4.0])
def test_a_boost_adds_to_the_rapidity(shift):
    for theta in (0.3, 1.5, 2.9):
        pair = np.array([[1, 0], [np.cos(theta), np.sin(theta)]])
        e = spacetime.event(*(spacetime.boost(shift) @ pair))
        assert np.arctanh(e.y / e.t) == pytest.approx(float(pairs.rapidity(pairs.velocity(theta))) + shift, abs=1e-9)
        assert abs(e.x) < 1e-12 * e.t


@pytest.mark.parametrize("theta", ["1e-200", "1e-9", "0.3", "1.5707963", "2.8"])
@pytest.mark.parametrize("opposite", [False, True])
def test_rapidity_and_lorentz_factor_in_exact_arithmetic(theta, opposite):
    with mpmath.workdps(450):
        exact = mpmath.mpf(float(theta))
        w = mpmath.cot(exact) * (-1 if opposite else 1)
        gamma, phi = mpmath.log(1 / mpmath.sin(exact)), mpmath.asinh(w)
    v = pairs.velocity(float(theta), opposite=opposite)
    assert float(spacetime.log_lorentz_factor(v)) == pytest.approx(float(gamma), rel=1e-13, abs=1e-15)
    assert float(pairs.rapidity(v)) == pytest.approx(float(phi), rel=1e-13)


@pytest.mark.parametrize("width, pool, rule", [(2, 10, "largest"), (4, 12, "largest"), (3, 9, "signed"), (3, None, "largest")])
def test_drawn_networks_follow_the_law_of_pairs(width, pool, rule):
    rng, runs, theta = np.random.default_rng([width, 5]), 4000, 1.2
    start = np.zeros((runs, 2, width))
    start[:, 0, 0] = 2.0
    start[:, 1, :2] = np.cos(theta), np.sin(theta)
    x, y = spacetime.raw_features(Layer(width, pool or width, rule if pool else "none"), start, 3, rng)[:, 3].transpose(1, 0, 2)
    e = spacetime.event(x, y)
    w = e.y / np.sqrt(spacetime.interval(e))
    v = pairs.simulate(Layer(width, pool, rule), theta, 3, trials=runs, seed=6, keep=[3])
    assert ks_2samp(np.arctan(w), np.arctan(v.sign[:, 0] * np.exp(v.log_abs[:, 0]))).pvalue > 1e-4
    other = pairs.simulate(Layer(width, 3 * (pool or width)), theta, 3, trials=runs, seed=6, keep=[3])
    assert ks_2samp(np.arctan(w), np.arctan(other.sign[:, 0] * np.exp(other.log_abs[:, 0]))).pvalue < 1e-6


def test_a_layer_changes_the_interval():
    """Else it would be a Lorentz transformation."""
    start = np.random.default_rng(3).standard_normal((500, 2, 2))
    features = spacetime.raw_features(Layer(2, 10), start, 1, np.random.default_rng(4))
    before, after = (spacetime.interval(spacetime.event(features[:, i, 0], features[:, i, 1])) for i in (0, 1))
    assert np.std(np.log(after / before)) > 0.5


def test_the_authors_diagram():
    features = np.random.default_rng(5).standard_normal((3, 5, 2, 4))  # networks, layers, inputs, width
    points = spacetime.diagram(features, 7.0)
    assert points.shape == (3, 5, 2, 5) and np.linalg.norm(points, axis=-1) == pytest.approx(1)
    raw = np.concatenate([[7.0 * 3], features[1, 3, 0]])
    assert points[1, 3, 0] == pytest.approx(raw / np.linalg.norm(raw))


@pytest.mark.parametrize("start, end", [(0.02, 9.0), (-1.5, -40.0)])
def test_world_line_integrates_the_four_velocity(start, end):
    gain = 0.3
    layers = np.log(end / start) / gain
    t = quad(lambda s: np.hypot(1, start * np.exp(gain * s)), 0, layers)[0]
    y = quad(lambda s: start * np.exp(gain * s), 0, layers)[0]
    assert theory.world_line(end, start, gain) == pytest.approx((t, y))


@pytest.mark.parametrize("second_moment", [1.0, 2.5])
def test_klein_chord_is_a_stretch_along_the_training_feature(second_moment):
    x, y = np.array([1.3, 0.0]), np.array([-0.4, 0.9])
    begin = spacetime.event(x, y)
    stretch = np.diag([np.sqrt(second_moment), 1.0])
    for depth in range(4):
        e = spacetime.event(x, y)
        chord = theory.klein_chord(begin.x / begin.t, begin.y / begin.t, second_moment, depth)
        assert chord == pytest.approx((e.x / e.t, e.y / e.t))
        assert chord[1] / (1 + chord[0]) == pytest.approx(begin.y / (begin.t + begin.x))  # a straight line through (-1, 0)
        x, y = stretch @ x, stretch @ y


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: spacetime.event([1, 2], [1, 2, 3]), "shapes"),
        (lambda: spacetime.event(1.0, 2.0), "shapes"),
        (lambda: spacetime.event([1, np.nan], [1, 2]), "x: holds nan"),
        (lambda: spacetime.event([1, 2], [1, np.inf]), "y: holds inf"),
        (lambda: spacetime.lorentz(np.eye(3)), "Q: "),
        (lambda: spacetime.lorentz([[2, 0], [0, 1]]), "determinant 1"),
        (lambda: spacetime.raw_features(Layer(2, 4), np.ones((2, 2, 3)), 1, np.random.default_rng(0)), "inputs: shape"),
        (lambda: spacetime.raw_features(Layer(3, 2), np.ones((2, 2, 3)), 1, np.random.default_rng(0)), "pool: 2"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
