"""The dictionary against exact arithmetic and 1000 random mixings; drawn networks against the law
of pairs.
"""

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import ks_2samp

from entanglement import Layer, pairs, spacetime, theory

METRIC = np.diag([1.0, -1.0, -1.0])


def mixings(count):
    """Random matrices of determinant 1, some of them far from the identity."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        Q = rng.standard_normal((2, 2)) * np.exp(rng.normal(0, 1, (2, 1)))
        Q[1] *= np.sign(np.linalg.det(Q))
        yield Q / np.sqrt(np.linalg.det(Q))


def lorentz(Q):
    """The transformation (3, 3) of (t, x, y) that mixing a pair by Q (2, 2), det Q = 1, is."""
    # of the unit events t, x, y
    grams = np.array([[[1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]]], dtype=float)
    a, b, c = ((Q @ grams @ Q.T)[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    return np.array([(a + c) / 2, (a - c) / 2, b])


def test_event_and_interval_are_the_gram_matrix():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 5, 7, 9))
    e = spacetime.event(x, y)
    gram = np.stack([x, y], axis=-2) @ np.stack([x, y], axis=-1)
    assert e.t.shape == (5, 7)
    assert np.allclose(
        [e.t + e.x, e.t - e.x, e.y], [gram[..., 0, 0], gram[..., 1, 1], gram[..., 0, 1]]
    )
    assert spacetime.interval(e) == pytest.approx(np.linalg.det(gram))


def test_length_and_proper_time_of_any_pair_are_one_over_gamma():
    """The identities of the dictionary: no network is needed for them."""
    u, v = np.random.default_rng(9).standard_normal((2, 1000, 8))
    u, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (u, v))
    e = spacetime.event(u, v)
    gamma = 1 / np.sqrt(1 - (e.y / e.t) ** 2)
    rest = np.linalg.norm(v - np.sum(u * v, axis=1, keepdims=True) * u, axis=1)
    assert rest * gamma == pytest.approx(1, abs=1e-12)
    assert np.sqrt(spacetime.interval(e)) / e.t * gamma == pytest.approx(1, abs=1e-12)


def test_mixing_is_a_lorentz_transformation():
    x, y = np.random.default_rng(2).standard_normal((2, 6))
    before = spacetime.event(x, y)
    for Q in mixings(1000):
        L = lorentz(Q)
        after = spacetime.event(*(Q @ np.array([x, y])))
        size = np.abs(L).max() ** 2
        assert np.abs(L.T @ METRIC @ L - METRIC).max() < 1e-12 * size
        assert np.linalg.det(L) == pytest.approx(1, abs=1e-11 * size * np.abs(L).max())
        assert L[0, 0] >= 1 - 1e-12
        moved = np.abs(L @ np.array(before) - np.array(after)).max()
        assert moved < 1e-12 * np.abs(L).max() * before.t
        assert abs(spacetime.interval(after) - spacetime.interval(before)) < 1e-12 * after.t**2


def test_mixings_compose():
    first, second = list(mixings(2))
    both = lorentz(first) @ lorentz(second)
    assert lorentz(first @ second) == pytest.approx(both)


@pytest.mark.parametrize("shift", [-3.0, 0.2, 4.0])
def test_a_boost_adds_to_the_rapidity(shift):
    for theta in (0.3, 1.5, 2.9):
        pair = np.array([[1, 0], [np.cos(theta), np.sin(theta)]])
        e = spacetime.event(*(spacetime.boost(shift) @ pair))
        before = float(pairs.rapidity(pairs.velocity(theta)))
        assert np.arctanh(e.y / e.t) == pytest.approx(before + shift, abs=1e-9)
        assert abs(e.x) < 1e-12 * e.t


@pytest.mark.parametrize("theta", ["1e-200", "1e-9", "0.3", "1.5707963", "2.8"])
@pytest.mark.parametrize("opposite", [False, True])
def test_rapidity_and_lorentz_factor_in_exact_arithmetic(theta, opposite):
    with mpmath.workdps(450):
        exact = mpmath.mpf(float(theta))
        w = mpmath.cot(exact) * (-1 if opposite else 1)
        gamma, phi = mpmath.log(1 / mpmath.sin(exact)), mpmath.asinh(w)
    v = pairs.velocity(float(theta), opposite=opposite)
    found = float(spacetime.log_lorentz_factor(v))
    assert found == pytest.approx(float(gamma), rel=1e-13, abs=1e-15)
    assert float(pairs.rapidity(v)) == pytest.approx(float(phi), rel=1e-13)


LAYERS = [Layer(2, 10), Layer(4, 12), Layer(3, 9, "signed"), Layer(3)]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_drawn_networks_follow_the_law_of_pairs(layer):
    rng, runs, theta, width = np.random.default_rng([layer.width, 5]), 4000, 1.2, layer.width
    start = np.zeros((runs, 2, width))
    start[:, 0, 0] = 2.0
    start[:, 1, :2] = np.cos(theta), np.sin(theta)
    x, y = spacetime.raw_features(layer, start, 3, rng)[:, 3].transpose(1, 0, 2)
    e = spacetime.event(x, y)
    angle = np.arctan(e.y / np.sqrt(spacetime.interval(e)))
    for other, same in ((layer, True), (Layer(width, 3 * layer.pool), False)):
        v = pairs.simulate(other, theta, 3, runs, 6, keep=[3])
        found = np.arctan(v.sign[:, 0] * np.exp(v.log_abs[:, 0]))
        pvalue = ks_2samp(angle, found).pvalue
        assert pvalue > 1e-4 if same else pvalue < 1e-6


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_pairs_with_their_lengths_follow_drawn_networks(layer):
    rng, runs = np.random.default_rng([layer.width, 8]), 4000
    plane = rng.standard_normal((2, runs, 2))
    start = np.zeros((runs, 2, layer.width))
    start[:, :, :2] = plane.transpose(1, 0, 2)
    r, p, q = spacetime.pair(layer, *plane, 3, rng)
    assert r.shape == (4, runs) and (q > 0).all()
    assert r[0] ** 2 == pytest.approx(np.sum(plane[0] ** 2, axis=1))
    assert r[0] * p[0] == pytest.approx(np.sum(plane[0] * plane[1], axis=1))
    assert p[0] ** 2 + q[0] ** 2 == pytest.approx(np.sum(plane[1] ** 2, axis=1))
    x, y = spacetime.raw_features(layer, start, 3, rng)[:, 3].transpose(1, 0, 2)
    r, p, q = r[3], p[3], q[3]
    drawn = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1), np.linalg.norm(x - y, axis=1)
    law = r, np.hypot(p, q), np.hypot(r - p, q)
    for one, other in zip(drawn, law, strict=True):
        assert ks_2samp(one, other).pvalue > 1e-4
        assert ks_2samp(one, 1.1 * other).pvalue < 1e-2


def test_inputs_at_an_angle():
    X = spacetime.at_angle(2.1, 5, (40, 3), np.random.default_rng(3))
    assert X.shape == (40, 4, 5) and np.linalg.norm(X, axis=-1) == pytest.approx(1)
    assert np.einsum("spd,sd->sp", X[:, 1:], X[:, 0]) == pytest.approx(np.cos(2.1))


def test_a_layer_changes_the_interval():
    """Else it would be a Lorentz transformation."""
    start = np.random.default_rng(3).standard_normal((500, 2, 2))
    features = spacetime.raw_features(Layer(2, 10), start, 1, np.random.default_rng(4))
    before, after = (
        spacetime.interval(spacetime.event(features[:, i, 0], features[:, i, 1])) for i in (0, 1)
    )
    assert np.std(np.log(after / before)) > 0.5


def test_the_authors_diagram():
    features = np.random.default_rng(5).standard_normal((3, 5, 2, 4))  # networks, layers, P, width
    points = spacetime.diagram(features, 7.0)
    assert points.shape == (3, 5, 2, 5) and np.linalg.norm(points, axis=-1) == pytest.approx(1)
    raw = np.concatenate([[7.0 * 3], features[1, 3, 0]])
    assert points[1, 3, 0] == pytest.approx(raw / np.linalg.norm(raw))


@pytest.mark.parametrize("start, end", [(0.02, 9.0), (-1.5, -40.0)])
def test_world_line_integrates_the_four_velocity(start, end):
    layer = Layer(2000, 3000)
    gain = theory.rapidity_gain(layer)
    layers = np.log(end / start) / gain
    t = quad(lambda s: np.hypot(1, start * np.exp(gain * s)), 0, layers)[0]
    y = quad(lambda s: start * np.exp(gain * s), 0, layers)[0]
    assert theory.world_line(layer, start, end) == pytest.approx((t, y))


@pytest.mark.parametrize("layer", [Layer(64), Layer(512, 1000)], ids=str)
def test_klein_chord_is_a_stretch_along_the_training_feature(layer):
    x, y = np.array([1.3, 0.0]), np.array([-0.4, 0.9])
    begin = spacetime.event(x, y)
    stretch = np.diag([np.sqrt(theory.second_moment(layer)), 1.0])
    for depth in range(4):
        e = spacetime.event(x, y)
        chord = theory.klein_chord(layer, begin.x / begin.t, begin.y / begin.t, depth)
        assert chord == pytest.approx((e.x / e.t, e.y / e.t))
        slope = begin.y / (begin.t + begin.x)  # of a straight line through (-1, 0)
        assert chord[1] / (1 + chord[0]) == pytest.approx(slope)
        x, y = stretch @ x, stretch @ y


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: spacetime.event([1, 2], [1, 2, 3]), "shapes"),
        (lambda: spacetime.event(1.0, 2.0), "shapes"),
        (lambda: spacetime.event([1, np.nan], [1, 2]), "x: holds nan"),
        (lambda: spacetime.event([1, 2], [1, np.inf]), "y: holds inf"),
        (lambda: spacetime.raw_features(Layer(2, 4), np.ones((2, 2, 3)), 1, RNG), "inputs: shape"),
        (lambda: spacetime.pair(Layer(2, 4), np.ones((2, 3)), np.ones((2, 3)), 1, RNG), "shapes"),
        (lambda: spacetime.at_angle(4.0, 3, (2, 2), RNG), "theta"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
