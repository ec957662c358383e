"""Volumes of features at any depth, curvature, and the closed forms of one shared point, each
against an oracle; and what cannot come out otherwise (notebook 04 checks only what could).
"""

import mpmath
import numpy as np
import pytest
import torch
from scipy.special import ndtr

from entanglement import (
    Layer,
    independent_angles,
    margins,
    simulate,
    theory,
    whole,
)

X = np.random.default_rng(1).standard_normal((5, 7))
CASES = [
    (Layer(6, 30), 300),
    (Layer(4, 300), 300),
    (Layer(8), 300),
    (Layer(10, 14, "signed"), 600),
    (Layer(4, 24, "labelled"), 300),
]


# --- volumes  ----


@pytest.mark.parametrize("layer", [Layer(5, 20), Layer(8, 10, "signed"), Layer(4)])
def test_log_volumes_of_whole_pools(layer):
    """Against the Gram determinants of the same features."""
    inputs = np.tile(X[:4], (200, 1, 1))
    found = whole.log_volumes(layer, inputs, 5, np.random.default_rng(7))
    for L, U in enumerate(whole.layers(layer, inputs, 5, np.random.default_rng(7)), start=1):
        gram = U[:, 1:] @ U[:, 1:].transpose(0, 2, 1)
        assert found[L] == pytest.approx(np.linalg.slogdet(gram)[1] / 2, abs=1e-6)


@pytest.mark.parametrize("layer", [Layer(8, 32), Layer(10, 50, "signed")])
def test_the_excess_falls_with_the_predicted_slope(layer):
    rng, first, last = np.random.default_rng(9), 20, 100
    volume = whole.log_volumes(layer, rng.standard_normal((100, 4, 8)), last, rng)
    slopes = (volume[first] - volume[last]) / (last - first)
    error = np.std(slopes) / np.sqrt(len(slopes))
    assert abs(np.mean(slopes) - theory.excess_slope(layer)) < 4 * error
    assert error < 0.02 * theory.excess_slope(layer)


# --- closed forms  ----


@pytest.mark.parametrize(
    "mean, scale",
    [
        (0.0, 1.0),
        (0.3, 1.0),
        (-2.0, 0.5),
        (5.0, 1.0),
        (19.0, 1.0),
        (21.0, 1.0),
        (1e3, 2.0),
        (1e-9, 1e-3),
    ],
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


@pytest.mark.parametrize("layer", [Layer(64, 256), Layer(64), Layer(64, 80, "signed")])
def test_mean_log_velocity_from_averages_to_the_law_of_random_starts(layer):
    """Averaged over normal starts of variance 1/(d-1) it is that for independent inputs, which is
    off by what velocity_scale says.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    for depth in (1, 3, 30):
        average = (
            weight @ theory.mean_log_velocity_from(layer, z / np.sqrt(63), depth) / weight.sum()
        )
        law = theory.mean_log_velocity(theory.velocity_scale(layer, depth, 64))
        off = 0.02 + 0.3 * depth / 64 * (theory.excess(layer) < 50)
        assert average == pytest.approx(law, abs=off)


def torus(u, v, R=3.0, r=1.0):
    """First and second derivatives, of a torus put in R^4, and its curvature cos v / (r (R + r cos
    v)).
    """
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
    assert theory.gaussian_curvature(
        turn @ first, np.einsum("ij,jkl->ikl", turn, second)
    ) == pytest.approx(expected, abs=1e-12)


def tanh_network(*widths):
    """Weights of a random tanh network, normal with standard deviation 1.5/sqrt(fan-in)."""
    rng = np.random.default_rng(8)
    return [
        rng.standard_normal((b, a)) * 1.5 / np.sqrt(a)
        for a, b in zip(widths, widths[1:], strict=False)
    ]


def derivatives(weights, x):
    """First and second derivatives, (m, 2), (m, 2, 2), of a tanh network of two layers, by hand."""
    one, two = weights
    h = np.tanh(one @ x)
    y = np.tanh(two @ h)
    inner = two @ ((1 - h**2)[:, None] * one)
    second = np.einsum("ij,j,ja,jb->iab", two, -2 * h * (1 - h**2), one, one)
    second = second - 2 * y[:, None, None] * inner[:, :, None] * inner[:, None, :]
    return (1 - y**2)[:, None] * inner, (1 - y**2)[:, None, None] * second


def riemann(f, x):
    """Metric g_ab, Christoffel symbols of the first kind (c; a, b) and R_abcd of f's pull-back
    metric at x (d,), by automatic differentiation of the metric alone (intrinsic).
    """

    def metric(at):
        J = torch.func.jacfwd(f)(at)
        return J.T @ J

    at = torch.tensor(x)
    g = metric(at)
    d = torch.func.jacfwd(metric)(at)
    dd = torch.func.jacfwd(torch.func.jacfwd(metric))(at)
    first = (
        torch.einsum("bca->cab", d) + torch.einsum("acb->cab", d) - torch.einsum("abc->cab", d)
    ) / 2
    half = torch.einsum("adbc->abcd", dd) - torch.einsum("bdac->abcd", dd)
    product = torch.einsum("ef,ebc,fad->abcd", torch.linalg.inv(g), first, first)
    R = (
        (half + torch.einsum("badc->abcd", half)) / 2
        + product
        - torch.einsum("abdc->abcd", product)
    )
    return g.numpy(), first.numpy(), R.numpy()


def autodiff_curvature(f, x):
    g, _, R = riemann(f, x)
    return R[0, 1, 0, 1] / np.linalg.det(g)


def brioschi(metric, x, step):
    """K from finite differences of the metric on a 3 x 3 grid (Brioschi's formula)."""
    grid = np.array([[metric(x + step * np.array([i, j])) for j in (-1, 0, 1)] for i in (-1, 0, 1)])
    E, F, G = grid[:, :, 0, 0], grid[:, :, 0, 1], grid[:, :, 1, 1]
    u, v = (
        (lambda Q: (Q[2, 1] - Q[0, 1]) / (2 * step)),
        (lambda Q: (Q[1, 2] - Q[1, 0]) / (2 * step)),
    )
    twice = (E[1, 2] - 2 * E[1, 1] + E[1, 0] + G[2, 1] - 2 * G[1, 1] + G[0, 1]) / step**2
    mixed = (F[2, 2] - F[2, 0] - F[0, 2] + F[0, 0]) / (4 * step**2)
    e, f, g = E[1, 1], F[1, 1], G[1, 1]
    one = [
        [mixed - twice / 2, u(E) / 2, u(F) - v(E) / 2],
        [v(F) - u(G) / 2, e, f],
        [v(G) / 2, f, g],
    ]
    other = [[0, v(E) / 2, u(G) / 2], [v(E) / 2, e, f], [u(G) / 2, f, g]]
    return (np.linalg.det(one) - np.linalg.det(other)) / (e * g - f**2) ** 2


@pytest.mark.parametrize("x", [(0.1, 0.3), (-0.8, 0.3), (0.9, -0.5)])
def test_gaussian_curvature_is_that_of_the_metric(x):
    """Gauss's theorema egregium: bending against two oracles that see the metric alone."""
    weights = tanh_network(2, 8, 8)
    one, two = map(torch.from_numpy, weights)
    x = np.array(x)
    expected = theory.gaussian_curvature(*derivatives(weights, x))
    assert abs(expected) > 1e-3
    assert autodiff_curvature(lambda t: torch.tanh(two @ torch.tanh(one @ t)), x) == pytest.approx(
        expected, abs=1e-8
    )

    def metric(at):
        J = derivatives(weights, at)[0]
        return J.T @ J

    richardson = (
        4 * brioschi(metric, x, 5e-4) - brioschi(metric, x, 1e-3)
    ) / 3  # no error of order step^2
    assert richardson == pytest.approx(expected, abs=1e-5)


def test_a_square_tanh_network_is_flat_in_disguise():
    weights = tanh_network(2, 2, 2)
    one, two = map(torch.from_numpy, weights)
    for x in np.random.default_rng(9).uniform(-1, 1, (20, 2)):
        assert theory.gaussian_curvature(*derivatives(weights, x)) == pytest.approx(0, abs=1e-9)
        g, first, R = riemann(lambda t: torch.tanh(two @ torch.tanh(one @ t)), x)
        assert R[0, 1, 0, 1] / np.linalg.det(g) == pytest.approx(0, abs=1e-6)
        assert np.abs(first).max() > 1e-3  # the metric does vary


@pytest.mark.parametrize("layer", [Layer(8, 24), Layer(8)])
def test_the_metric_of_a_linear_network_is_constant_and_flat(layer):
    H = np.eye(3)
    for (W,) in whole.infer(layer, X[:1, :3], 4, np.random.default_rng(10)):
        H = W @ H
    T = torch.from_numpy(H)
    for x in X[:, :3]:
        g, first, R = riemann(lambda t: T @ t, x)
        assert g == pytest.approx(H.T @ H) and not first.any() and not R.any()


@pytest.mark.parametrize("depth", [1, 4])
def test_unit_features_have_curvature_one(depth):
    H = np.eye(3)
    for (W,) in whole.infer(Layer(8, 24), X[:1, :3], depth, np.random.default_rng(11)):
        H = W @ H
    T, origin, plane = map(torch.from_numpy, (H, X[0, :3].copy(), X[1:3, :3].T.copy()))

    def unit(t):
        y = T @ (origin + plane @ t)
        return y / torch.linalg.norm(y)

    for x in np.random.default_rng(12).uniform(-0.2, 0.2, (5, 2)):
        assert autodiff_curvature(unit, x) == pytest.approx(1, abs=1e-4)  # g is nearly singular


def test_gaussian_curvature_needs_a_surface():
    with pytest.raises(ValueError, match="first: dependent"):
        theory.gaussian_curvature(np.zeros((3, 2)), np.zeros((3, 2, 2)))


@pytest.mark.parametrize("layer", [Layer(16, 20, "signed"), Layer(20), Layer(24, 60)])
def test_mean_square_velocity_against_simulated_pairs(layer):
    theta = independent_angles(np.random.default_rng(5), 40_000, 9)
    w2 = np.exp(2 * simulate(layer, theta, 3, trials=40_000, seed=6).log_abs)
    error = w2.std(axis=0) / 200
    assert (
        np.abs(w2.mean(axis=0) - theory.mean_square_velocity(layer, 9, np.arange(4))) < 4 * error
    ).all()


def test_mean_square_velocity_rests_where_selection_lowers_the_margins():
    layer = Layer(32, 40, "signed")
    M = theory.finite_second_moment(layer)
    assert theory.mean_square_velocity(layer, 5, 10_000) == pytest.approx(1 / (29 - 32 * M))
    with pytest.raises(ValueError, match="input_dim"):
        theory.mean_square_velocity(Layer(32), 3, 1)


@pytest.mark.parametrize("d", [2, 3, 16, 1024])
def test_mean_random_cosine_against_its_integral(d):
    with mpmath.workdps(30):
        edges = [0, min(1, 3 / d**0.5), 1] if d > 9 else [0, 1]  # of cos t, density sin(t)^(d-2)
        angles = [mpmath.acos(edge) for edge in reversed(edges)]
        top = mpmath.quad(lambda t: mpmath.cos(t) * mpmath.sin(t) ** (d - 2), angles)
        assert theory.mean_random_cosine(d) == pytest.approx(
            float(top / mpmath.quad(lambda t: mpmath.sin(t) ** (d - 2), angles)), rel=1e-9
        )


# --- one neuron  ----


@pytest.mark.parametrize("layer", [Layer(6, 20), Layer(6), Layer(6, 8, "signed")])
def test_sides_are_those_of_one_direction_at_every_depth(layer):
    inputs = np.random.default_rng(13).standard_normal((20, 9, 5))
    for depth in (1, 3, 8):
        r = whole.directions(layer, inputs[:, 0], depth, np.random.default_rng(14))
        U = whole.features(layer, inputs, depth, np.random.default_rng(14))
        ends = np.sign(np.einsum("spk,sk->sp", U[:, 1:], U[:, 0]))
        assert (ends == np.sign(np.einsum("spd,sd->sp", inputs[:, 1:], r))).all()


def squares_of_sorted_features(points=60):
    """E u_(i)^2 of the 3 largest of 5 |normals| over their length, by quadrature."""
    node, weight = np.polynomial.legendre.leggauss(points)
    node, weight = 8 * (node + 1) / 2, 4 * weight
    a, s, t = np.meshgrid(node, (node / 8), (node / 8), indexing="ij")  # a > b = a s > c = b t
    b = a * s
    c = b * t
    density = (
        2 / np.pi * np.sqrt(2 / np.pi) * np.exp(-(a**2 + b**2 + c**2) / 2) * a * b
    )  # Jacobian a, b
    mass = 60 * density * (2 * ndtr(c) - 1) ** 2
    mass = mass * np.einsum("i,j,k->ijk", weight, weight / 8, weight / 8)
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    return [np.sum(mass * one**2 / (a**2 + b**2 + c**2)) for one in (a, b, c)]


def test_successive_training_features_in_the_scripts_order():
    """E cos^2 is the sum of the squared means of u_(i)^2: k = 3 of n = 5, rows descending."""
    predicted = np.sum(np.square(squares_of_sorted_features()))
    assert predicted == pytest.approx(0.4435, abs=5e-4)
    squares = np.sort(margins(Layer(3, 5), np.random.default_rng(15), 100_000) ** 2, axis=1)
    law = np.sum((squares / squares.sum(axis=1, keepdims=True)).mean(axis=0) ** 2)
    assert law == pytest.approx(predicted, abs=0.003)
    u, found = np.random.default_rng(16).standard_normal((300, 3)), []
    for W in whole.infer(Layer(3, 5), u, 30, np.random.default_rng(17)):
        new = np.einsum("skd,sd->sk", W, u)
        new = new / np.linalg.norm(new, axis=1, keepdims=True)
        found.append(np.sum(u * new, axis=1) ** 2)
        u = new
    cosine = np.mean(found[1:], axis=0)
    assert abs(cosine.mean() - predicted) < 4 * cosine.std() / np.sqrt(300)
    assert cosine.mean() > 0.4  # 1/3 in random order
