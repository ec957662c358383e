"""Closed forms against the integrals that define them, QR, and the paper's settings; those that
depend on a layer meet whole matrices in test_edges as well.
"""

import numpy as np
import pytest
from rules_table import RULES, matrices
from scipy.integrate import quad
from scipy.special import digamma
from scipy.stats import chi, norm

from entanglement import Layer, theory

EULER = 0.5772156649015329
MILLION = 10**6
WIDE = [  # wide enough for the finite width to change nothing that is compared
    Layer(5 * MILLION, 5400 * 1000),
    Layer(MILLION, 10 * MILLION),
    Layer(MILLION, 10**11),
    Layer(10 * MILLION, 13 * MILLION, "signed"),
    Layer(10 * MILLION, 20 * MILLION, "signed"),
    Layer(10 * MILLION, 500 * MILLION, "signed"),
    Layer(10, 20, "labelled"),
    Layer(10, 70, "labelled"),
]


def average(of, layer):
    """Mean over a kept row's margin, wide layer."""
    density = RULES[layer.rule].density(layer.kept)
    breaks = RULES[layer.rule].breaks(layer.kept)
    inside = lambda a: of(a) * density(a)  # noqa: E731
    return quad(inside, -13, 13, points=breaks, limit=400, epsabs=1e-13)[0]


def within(sample, value, errors=4):
    """Whether the mean of independent draws along the first axis is `value`."""
    return np.all(
        np.abs(sample.mean(axis=0) - value) <= errors * sample.std(axis=0) / np.sqrt(len(sample))
    )


@pytest.mark.parametrize("layer", WIDE, ids=str)
def test_second_moment_is_the_integral_that_defines_it(layer):
    assert average(np.square, layer) == pytest.approx(theory.second_moment(layer), rel=1e-8)
    assert average(lambda a: 1, layer) == pytest.approx(1, rel=1e-8)


@pytest.mark.parametrize(
    "width, pool, rule, M",
    [
        (2500, 2700, "largest", 1.0798),
        (512, 1000, "largest", 1.8242),
        (512, 5000, "largest", 4.3529),
        (256, 16384, "largest", 7.6429),
        *((8, 8 * m, "labelled", M) for m, M in enumerate([1, 1, 1.2757, 1.5513, 1.8000], 1)),
        (8, 16, "signed", 1),
        (8, 8, "largest", 1),
        (8, None, "signed", 1),
    ],
)
def test_second_moment_at_known_settings(width, pool, rule, M):
    assert theory.second_moment(Layer(width, pool, rule)) == pytest.approx(M, abs=6e-5)


def test_signed_entangles_only_beyond_twice_the_width():
    moments = [
        theory.second_moment(Layer(100, n, "signed")) for n in (101, 120, 199, 200, 201, 400)
    ]
    assert max(moments[:3]) < 1 < min(moments[4:]) and moments[3] == pytest.approx(1)


@pytest.mark.parametrize("width", [2, 3, 16, 2047, 2048, 10**6])
def test_log_norm_without_selection_is_chi(width):
    value = (np.log(2) + digamma(width / 2)) / 2
    assert theory.mean_log_norm(Layer(width)) == pytest.approx(value, rel=1e-12)
    assert theory.finite_second_moment(Layer(width)) == 1


@pytest.mark.parametrize("m", [2, 3, 20])
def test_log_norm_of_two_units_against_its_double_integral(m):
    """k = 2, `labelled`: E ln sqrt(a^2 + b^2) of two independent maxima, in polar coordinates."""
    node, weight = np.polynomial.legendre.leggauss(400)
    r, r_weight = 7 * (node + 1), 7 * weight
    angle, angle_weight = np.pi * (node + 1), np.pi * weight
    density = RULES["labelled"].density(1 / m)
    both = density(np.outer(r, np.cos(angle))) * density(np.outer(r, np.sin(angle)))
    expected = (r_weight * r * np.log(r)) @ both @ angle_weight
    assert theory.mean_log_norm(Layer(2, 2 * m, "labelled")) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("layer", WIDE[:6] + [Layer(10**7, 10**15)], ids=str)
def test_finite_values_become_the_wide_ones(layer):
    M = theory.second_moment(layer)
    assert theory.finite_second_moment(layer) == pytest.approx(M, rel=1e-6)
    assert theory.rapidity_gain(layer) == pytest.approx(np.log(M) / 2, abs=2e-6)


@pytest.mark.parametrize("width", [100, 2047, 2048, 10**5, 10**7])
def test_gain_where_one_row_is_left_out(width):
    """n = k + 1 leaves out the smallest of n: A^2 is chi^2_n less very little."""
    gain = theory.rapidity_gain(Layer(width, width + 1))
    assert gain * (width - 1) == pytest.approx(1, rel=4 / width**2 + 1e-9)
    excess = theory.excess(Layer(width, width + 1))
    least = np.pi / ((width + 2) * (width + 3))  # E min^2, near 0 the normals are uniform
    assert excess == pytest.approx(1 - least, abs=25 / width**4 + 2e-8)


def test_gain_of_an_ordinary_layer():
    assert theory.rapidity_gain(Layer(2)) == pytest.approx(np.log(2))
    for width in (3, 64, 1000, 5000):
        expected = (digamma(width / 2) - digamma((width - 1) / 2)) / 2
        assert theory.rapidity_gain(Layer(width)) == pytest.approx(expected, rel=1e-10)
    assert theory.rapidity_gain(Layer(10**7)) == pytest.approx(0.5e-7, rel=1e-6)


@pytest.mark.parametrize(
    "layer", [Layer(6), Layer(3, 4), Layer(16, 48), Layer(16, 24, "signed")], ids=str
)
def test_exponents_against_qr_of_products(layer):
    """Three random directions through whole matrices; `signed` has its spike below the second."""
    rng, chains, depth, settled = np.random.default_rng(2), 200, 300, 150
    unit = np.eye(layer.width)[np.zeros(chains, int)]
    frame = np.linalg.qr(rng.standard_normal((chains, layer.width, 3)))[0]
    stretch = np.zeros((chains, 3))
    for number in range(depth):
        W = matrices(rng, layer, unit)
        unit = np.matmul(W, unit[:, :, None])[..., 0]
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        frame, R = np.linalg.qr(W @ frame)
        if number >= settled:
            stretch += np.log(np.abs(np.diagonal(R, axis1=1, axis2=2))) / (depth - settled)
    assert within(stretch, theory.exponents_in_force(layer)[:3])
    assert within(stretch @ [2, -1, -1], theory.excess_slope(layer))


def test_exponents_are_newmans():
    log_chi = [
        quad(lambda x, m=m: np.log(x) * chi.pdf(x, m), 0, np.inf)[0] for m in range(20, 0, -1)
    ]
    assert theory.lyapunov_exponents(1) == pytest.approx([-(EULER + np.log(2)) / 2])
    assert theory.lyapunov_exponents(20) == pytest.approx(log_chi, rel=1e-8)
    assert theory.exponents_in_force(Layer(20)) == pytest.approx(log_chi, rel=1e-8)


def test_excess_slope_uses_the_exponents_in_force():
    free = theory.lyapunov_exponents(16)
    assert theory.excess_slope(Layer(16)) == pytest.approx(2 * free[0] - free[1] - free[2])
    spike = theory.mean_log_norm(Layer(16, 64))
    assert theory.excess_slope(Layer(16, 64)) == pytest.approx(2 * spike - free[1] - free[2])
    low = Layer(16, 24, "signed")
    assert theory.mean_log_norm(low) < free[3]  # the spike is not among the first three
    assert theory.excess_slope(low) == pytest.approx(2 * free[1] - free[2] - free[3])


@pytest.mark.parametrize(
    "pool, share", [(6000, 15.33), (7000, 14.88), (8000, 14.52), (9000, 14.22), (10000, 13.97)]
)
def test_side_changes_of_the_authors_pairs(pool, share):
    """Widths differ from the wide limit, arctan(1/sqrt(M-1))/pi, in the second digit behind."""
    layer = Layer(512, pool)
    assert 100 * theory.side_change_probability(layer, 512) == pytest.approx(share, abs=0.03)
    wide = np.arctan(1 / np.sqrt(theory.second_moment(layer) - 1)) / np.pi
    assert 100 * wide == pytest.approx(share, abs=0.005)


def test_side_changes_are_those_of_correlated_pairs():
    """Averaged over theta of independent Gaussian inputs: the chance to end on the other side."""
    layer, d = Layer(64, 160), 400
    z = np.linspace(-9, 0, 2001)
    turned = theory.correlated_probability(layer, np.arctan2(np.sqrt(d - 1), z))
    changed = 2 * np.trapezoid(norm.pdf(z) * turned, z)
    assert theory.side_change_probability(layer, d) == pytest.approx(changed, rel=2e-3)


def test_training_cosine():
    assert theory.training_cosine(Layer(64), 100) == pytest.approx(0.1)
    layer = Layer(64, 256)
    M = theory.second_moment(layer)
    assert theory.training_cosine(layer, 65) == pytest.approx(np.sqrt(1 - 1 / M))
    rho = 64 * (M - 1) / (10**6 - 1)
    assert theory.training_cosine(layer, 10**6) == pytest.approx(np.sqrt(rho / (1 + rho)))
    assert theory.training_cosine(Layer(64, 80, "signed"), 10) == 0


@pytest.mark.parametrize("layer", [*WIDE, Layer(10, 10 * 300, "labelled")], ids=str)
@pytest.mark.parametrize("theta", [0.3, 1.2, np.pi / 2, 2.8])
def test_bit_flips_are_the_integral_that_defines_them(layer, theta):
    value = average(lambda a: norm.cdf(-abs(a) / np.tan(theta)), layer)
    flips = theory.bit_flip_probability(layer, theta)
    assert flips == pytest.approx(value, rel=1e-4, abs=1e-13)


@pytest.mark.parametrize("layer", [WIDE[0], WIDE[3], WIDE[6]], ids=str)
def test_bit_flips_near_zero_and_pi(layer):
    """Small angles: density of the kept margins at 0, times 2 tan(theta) E max(z, 0)."""
    density = RULES[layer.rule].density(layer.kept)(0)
    for theta in (1e-200, 1e-9, 1e-4):
        expected = density * 2 * theta / np.sqrt(2 * np.pi)
        flips = theory.bit_flip_probability(layer, theta)
        assert flips == pytest.approx(expected, rel=1e-3, abs=0)
        if theta > 1e-16:
            far = theory.bit_flip_probability(layer, np.pi - theta)
            assert far == pytest.approx(1 - expected, abs=1e-6) and far <= 1
    assert theory.bit_flip_probability(Layer(10), 1.0) == pytest.approx(1 / np.pi)


def test_relu_angles():
    for depth, cosine in ((1, 0.63617), (2, 0.70330), (5, 0.81917), (20, 0.95621)):
        assert np.cos(theory.relu_angle(1.0, depth)) == pytest.approx(cosine, abs=5e-6)
    for depth, ratio in ((20, 0.39), (100, 0.77), (1000, 0.967)):
        angle = theory.relu_angle(1.0, depth)
        wide = 9 * np.pi**2 / (2 * depth**2)
        assert 2 * np.sin(angle / 2) ** 2 / wide == pytest.approx(ratio, abs=6e-3)
    assert theory.relu_angle(1.0, 0) == 1.0


@pytest.mark.parametrize("theta", [0.3, 1.5, 3.0])
def test_relu_kernel_against_its_integral(theta):
    both = lambda t: max(np.cos(t), 0) * max(np.cos(t - theta), 0)  # noqa: E731
    breaks = [-np.pi / 2, theta - np.pi / 2, np.pi / 2]
    kernel = quad(both, -np.pi, np.pi, points=breaks)[0] / (np.pi / 2)
    assert np.cos(theory.relu_angle(theta, 1)) == pytest.approx(kernel, rel=1e-8)


def test_relu_at_small_angles():
    tiny = np.array([1e-12, 1e-9, 1e-6])
    small = tiny * (1 - tiny / (3 * np.pi))
    assert theory.relu_angle(tiny, 1) == pytest.approx(small, rel=1e-12)


@pytest.mark.parametrize(
    "layer, limit",
    [
        (Layer(8, 12, "signed"), [np.pi / 2, np.pi / 2]),
        (Layer(8), [1, 2]),
        (Layer(8, 40), [0, np.pi]),
    ],
    ids=str,
)
def test_wide_angle_iterates_one_layer(layer, limit):
    theta = np.array([1e-3, 0.5, 1.57, 2.0, 3.1])
    angle, M = theta, theory.second_moment(layer)
    for _ in range(6):
        angle = np.where(angle < np.pi / 2, 0, np.pi) + np.arctan(np.tan(angle) / np.sqrt(M))
    assert theory.wide_angle(layer, theta, 6) == pytest.approx(angle, abs=1e-9)
    assert theory.wide_angle(layer, [1.0, 2.0], 10**6) == pytest.approx(limit)


SLOW = [Layer(200, 230, "signed"), Layer(200), Layer(200, 400, "signed"), Layer(200, 600)]


@pytest.mark.parametrize("layer", SLOW, ids=str)
def test_velocity_scale_is_the_wide_recursion(layer):
    variance, growth = [1 / 49], np.exp(2 * theory.rapidity_gain(layer))
    for _ in range(30):
        variance.append(growth * variance[-1] + 1 / 200)
    scale = theory.velocity_scale(layer, np.arange(31), 50)
    assert scale**2 == pytest.approx(variance, rel=1e-9)
    deep = 1 / (200 * (1 - growth)) if growth < 1 else np.inf
    assert theory.velocity_scale(layer, 10**9, 50) ** 2 == pytest.approx(deep)
    if growth > 1:  # w_L = Lambda (w_0 + S), so the variance is Lambda^2 (1/(d-1) + that of S)
        noise = theory.noise_scale(layer, np.arange(31)) ** 2
        whole = growth ** np.arange(31) * (1 / 49 + noise)
        assert whole == pytest.approx(variance, rel=1e-9)


@pytest.mark.parametrize(
    "layer", [Layer(32, 33), Layer(64), Layer(64, 80, "signed"), Layer(64, 128), Layer(40, 4000)]
)
def test_velocity_scale_is_off_by_no_more_than_it_says(layer):
    """From what is exact, averaged over normal starts of variance 1/(d-1)."""
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    depth = np.array([1, 10, 30, 100])
    exact = theory.mean_log_velocity_from(layer, z / np.sqrt(63), depth[:, None]) @ weight
    off = theory.mean_log_velocity(theory.velocity_scale(layer, depth, 64)) - exact / weight.sum()
    barely = 0.3 * np.minimum(1, depth / layer.width) * (theory.excess(layer) < 50)
    assert (np.abs(off) < 0.02 + barely).all()


@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0, 50.0, 1e4])
def test_mean_log_lorentz_factor(scale):
    of = lambda z: np.log1p((scale * z) ** 2) * norm.pdf(z)  # noqa: E731
    split = min(1 / scale, 5)
    expected = quad(of, 0, split, limit=200)[0] + quad(of, split, 12, limit=200)[0]
    assert theory.mean_log_lorentz_factor(scale) == pytest.approx(expected, rel=1e-6)
    assert theory.mean_log_lorentz_factor([scale, 2.0])[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
def test_loss_cdf_density_shares(scale):
    edges = np.array([0, 1e-3, 0.2, 0.5, 0.6, 0.999, 1])

    def density(loss):
        w = 1 / np.tan(np.pi * loss)
        return norm.pdf(w / scale) * np.pi * (1 + w**2) / scale

    integral = [quad(density, a, b, epsabs=1e-12)[0] for a, b in zip(edges, edges[1:])]
    assert theory.shares_within(edges, scale) == pytest.approx(integral, abs=1e-8)
    assert theory.loss_cdf([-1, 0, 0.5, 1, 2], scale) == pytest.approx([0, 0, 0.5, 1, 1])
    loss = np.arctan2(1, scale * np.random.default_rng(4).standard_normal(100_000)) / np.pi
    assert (loss < 0.2).mean() == pytest.approx(theory.loss_cdf(0.2, scale), abs=0.006)


def test_bits_left():
    assert theory.bits_left(1e12, 256) == pytest.approx(1, abs=1e-6)
    assert theory.bits_left(np.inf, 10) == 1
    assert theory.bits_left(np.inf, 1) == 0
    ends = (1e-12, 0.25, 0.5, 0.75, 1 - 1e-12)
    share = np.diff([norm.cdf(-1 / np.tan(np.pi * x) / 2) for x in ends])
    assert theory.bits_left(2.0, 4) == pytest.approx(-(share * np.log2(share)).sum())


def test_correlated_probability():
    theta = np.array([1e-6, 0.5, np.pi / 2, 3.0])
    assert theory.correlated_probability(Layer(50), theta) == pytest.approx(1 - theta / np.pi)
    low, high = Layer(50, 70, "signed"), Layer(200, 600)
    assert theory.correlated_probability(low, theta) == pytest.approx(0.5)
    wide = norm.cdf(np.sqrt(200 * (theory.second_moment(high) - 1)) / np.tan(theta))
    assert theory.correlated_probability(high, theta) == pytest.approx(wide, abs=2e-3)
