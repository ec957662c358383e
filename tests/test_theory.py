"""Closed forms against the integrals that define them, brute force, QR, and the values of the paper's settings."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import digamma
from scipy.stats import chi, norm
from test_selection import SELECTING, drawn_whole

from entanglement import theory

EULER = 0.5772156649015329


def kept_density(width, pool, rule):
    """Density of a kept row's margin, wide layer (up to the labels' signs), and the points where it breaks."""
    share = width / pool
    if rule == "labelled":
        return lambda a: norm.pdf(a) * norm.cdf(a) ** (1 / share - 1) / share, [0]
    q = norm.isf(share / 2 if rule == "largest" else share)
    if rule == "largest":
        return lambda a: norm.pdf(a) / share * (abs(a) >= q), [-q, 0, q]
    return lambda a: norm.pdf(a) / share * (a >= q), [0, q]


def average(of, width, pool, rule):
    density, breaks = kept_density(width, pool, rule)
    return quad(lambda a: of(a) * density(a), -13, 13, points=breaks, limit=400, epsabs=1e-13)[0]


WIDE = [
    (2500, 2700, "largest"),
    (512, 5000, "largest"),
    (100, 10**7, "largest"),
    (10, 13, "signed"),
    (10, 20, "signed"),
    (10, 500, "signed"),
    (10, 20, "labelled"),
    (10, 70, "labelled"),
]


@pytest.mark.parametrize("layer", WIDE)
def test_second_moment_is_the_integral_that_defines_it(layer):
    assert average(np.square, *layer) == pytest.approx(theory.second_moment(*layer), rel=1e-8)
    assert average(lambda a: 1, *layer) == pytest.approx(1, rel=1e-8)


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
    assert theory.second_moment(width, pool, rule) == pytest.approx(M, abs=6e-5)


def test_signed_entangles_only_beyond_twice_the_width():
    moments = [theory.second_moment(100, n, "signed") for n in (101, 120, 199, 200, 201, 400)]
    assert all(M < 1 for M in moments[:3]) and moments[3] == pytest.approx(1) and all(M > 1 for M in moments[4:])


@pytest.mark.parametrize("layer", SELECTING + [(40, 60, "largest")])
def test_finite_moment_and_log_norm_against_pools_drawn_whole(layer):
    a = drawn_whole(np.random.default_rng(1), 100_000, *layer)
    for sample, value in (
        ((a**2).mean(axis=1), theory.finite_second_moment(*layer)),
        (np.log(np.linalg.norm(a, axis=1)), theory.mean_log_norm(*layer)),
    ):
        assert abs(sample.mean() - value) < 4 * sample.std() / np.sqrt(len(a))


@pytest.mark.parametrize("width", [2, 3, 16, 10**6])
def test_log_norm_without_selection_is_chi(width):
    value = (np.log(2) + digamma(width / 2)) / 2
    for pool, rule in ((None, "largest"), (width, "signed"), (width, "none"), (width, "labelled")):
        assert theory.mean_log_norm(width, pool, rule) == pytest.approx(value, rel=1e-14)
        assert theory.finite_second_moment(width, width, "none") == 1


@pytest.mark.parametrize("m", [2, 3, 20])
def test_log_norm_of_two_units_against_its_double_integral(m):
    """k = 2, `labelled`: E ln sqrt(a^2 + b^2) of two independent maxima, in polar coordinates."""
    node, weight = np.polynomial.legendre.leggauss(400)
    r, r_weight = 7 * (node + 1), 7 * weight
    angle, angle_weight = np.pi * (node + 1), np.pi * weight
    density = lambda a: m * norm.pdf(a) * norm.cdf(a) ** (m - 1)  # noqa: E731
    both = density(np.outer(r, np.cos(angle))) * density(np.outer(r, np.sin(angle)))
    assert theory.mean_log_norm(2, 2 * m, "labelled") == pytest.approx((r_weight * r * np.log(r)) @ both @ angle_weight, abs=1e-5)


@pytest.mark.parametrize("layer", [(100_000, 300_000, "largest"), (100_000, 500_000, "labelled"), (100_000, 130_000, "signed")])
def test_finite_values_become_the_wide_ones(layer):
    M = theory.second_moment(*layer)
    assert theory.finite_second_moment(*layer) == pytest.approx(M, rel=1e-4)
    assert theory.rapidity_gain(*layer) == pytest.approx(np.log(M) / 2, rel=1e-4)


def test_gain_of_an_ordinary_layer():
    assert theory.rapidity_gain(2) == pytest.approx((-EULER - (-EULER - 2 * np.log(2))) / 2)
    for width in (3, 64, 1000):
        assert theory.rapidity_gain(width, None, "largest") == pytest.approx((digamma(width / 2) - digamma((width - 1) / 2)) / 2)
    assert theory.rapidity_gain(10**4) == pytest.approx(0.5e-4, rel=1e-3)


@pytest.mark.parametrize("width, pool, rule", [(6, None, "none"), (16, 48, "largest"), (16, 24, "signed")])
def test_exponents_against_qr_of_products(width, pool, rule):
    """Three random directions through networks with dense matrices; `signed` has its spike below the second exponent."""
    rng, chains, depth, settled = np.random.default_rng(2), 200, 300, 150
    unit = np.eye(width)[np.zeros(chains, int)]
    frame = np.linalg.qr(rng.standard_normal((chains, width, 3)))[0]
    stretch = np.zeros((chains, 3))
    for layer in range(depth):
        W = rng.standard_normal((chains, width, width))
        a = drawn_whole(rng, chains, width, pool, rule)
        W += np.einsum("tk,tj->tkj", a - np.einsum("tkj,tj->tk", W, unit), unit)
        unit = np.einsum("tkj,tj->tk", W, unit)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        frame, R = np.linalg.qr(W @ frame)
        if layer >= settled:
            stretch += np.log(np.abs(np.diagonal(R, axis1=1, axis2=2))) / (depth - settled)
    stderr = stretch.std(axis=0) / np.sqrt(chains)
    assert (np.abs(stretch.mean(axis=0) - theory.exponents_in_force(width, pool, rule)[:3]) < 4 * stderr).all()
    slope = stretch @ [2, -1, -1]
    assert abs(slope.mean() - theory.excess_slope(width, pool, rule)) < 4 * slope.std() / np.sqrt(chains)
    if rule == "none":
        assert (np.abs(stretch.mean(axis=0) - theory.lyapunov_exponents(width)[:3]) < 4 * stderr).all()


def test_exponents_are_newmans():
    assert theory.lyapunov_exponents(1) == pytest.approx([-(EULER + np.log(2)) / 2])
    assert theory.lyapunov_exponents(2) == pytest.approx([(np.log(2) - EULER) / 2, -(EULER + np.log(2)) / 2])
    assert theory.lyapunov_exponents(20) == pytest.approx([mean_log_chi(20 - i) for i in range(20)], rel=1e-8)


def mean_log_chi(freedom):
    return quad(lambda x: np.log(x) * chi.pdf(x, freedom), 0, np.inf)[0]


def test_excess_slope_uses_the_exponents_in_force():
    free = theory.lyapunov_exponents(16)
    assert theory.excess_slope(16) == pytest.approx(2 * free[0] - free[1] - free[2])
    spike = theory.mean_log_norm(16, 64, "largest")
    assert theory.excess_slope(16, 64, "largest") == pytest.approx(2 * spike - free[1] - free[2])
    assert theory.mean_log_norm(16, 24, "signed") < free[3]  # the spike is not among the first three
    assert theory.excess_slope(16, 24, "signed") == pytest.approx(2 * free[1] - free[2] - free[3])


@pytest.mark.parametrize("pool, share", [(6000, 15.33), (7000, 14.88), (8000, 14.52), (9000, 14.22), (10000, 13.97)])
def test_side_changes_of_the_authors_pairs(pool, share):
    M = theory.second_moment(512, pool)
    assert 100 * theory.side_change_probability(M) == pytest.approx(share, abs=0.005)
    assert theory.side_change_probability(M, 512, 513) == pytest.approx(theory.side_change_probability(M))


def test_side_changes_are_those_of_correlated_pairs():
    """Averaged over theta of two independent Gaussian inputs: a share of change is P(ends on the other side)."""
    M, width, d = 2.5, 40, 400
    w = lambda z: z / np.sqrt(d - 1)  # noqa: E731  wide: cot theta is normal
    other = lambda z: theory.correlated_probability(np.arctan2(1, w(z)), M, width)  # noqa: E731  of a pair with w < 0
    assert theory.side_change_probability(M, width, d) == pytest.approx(2 * quad(lambda z: norm.pdf(z) * other(z), -9, 0)[0], rel=1e-6)
    assert theory.side_change_probability(1) == 0.5


def test_training_cosine():
    assert theory.training_cosine(1, 64, 100) == pytest.approx(0.1)
    assert theory.training_cosine(4, 64, 65) == pytest.approx(np.sqrt(1 - 1 / 4))
    assert theory.training_cosine(3, 10, 10**6) == pytest.approx(np.sqrt(20 / (20 + 10**6 - 1)))


@pytest.mark.parametrize("layer", [*WIDE, (10, 10 * 300, "labelled")])
@pytest.mark.parametrize("theta", [0.3, 1.2, np.pi / 2, 2.8])
def test_bit_flips_are_the_integral_that_defines_them(layer, theta):
    value = average(lambda a: norm.cdf(-abs(a) / np.tan(theta)), *layer)
    assert theory.bit_flip_probability(theta, *layer) == pytest.approx(value, rel=1e-7, abs=1e-13)


@pytest.mark.parametrize("layer", [(400, 480, "largest"), (400, 480, "signed"), (400, 1600, "signed"), (400, 1200, "labelled")])
def test_bit_flips_of_layers_drawn_whole(layer):
    rng = np.random.default_rng(3)
    a = drawn_whole(rng, 500, *layer)
    theta = np.array([0.2, 1.0, 2.0])
    b = np.cos(theta[:, None, None]) * a + np.sin(theta[:, None, None]) * rng.standard_normal((3, *a.shape))
    flipped = (a * b < 0).mean(axis=2)
    error = flipped.mean(axis=1) - theory.bit_flip_probability(theta, *layer)
    assert (np.abs(error) < 4 * flipped.std(axis=1) / np.sqrt(500)).all()


@pytest.mark.parametrize("rule", ["largest", "signed", "labelled"])
def test_bit_flips_near_zero_and_pi(rule):
    """Small angles: density of the kept margins at 0, times 2 tan(theta) E max(z, 0); 0 where nothing is kept there."""
    width, pool = (10, 15) if rule == "signed" else (10, 20)
    density = kept_density(width, pool, rule)[0](0)
    for theta in (1e-200, 1e-9, 1e-4):
        expected = density * 2 * theta / np.sqrt(2 * np.pi)
        assert theory.bit_flip_probability(theta, width, pool, rule) == pytest.approx(expected, rel=1e-3, abs=0)
        if theta > 1e-16:
            assert theory.bit_flip_probability(np.pi - theta, width, pool, rule) == pytest.approx(1 - expected, abs=1e-6)
    assert theory.bit_flip_probability(1.0, 10, 10, rule) == theory.bit_flip_probability(1.0, 10, None, rule) == pytest.approx(1 / np.pi)


def test_relu_angles():
    for depth, cosine in ((1, 0.63617), (2, 0.70330), (5, 0.81917), (20, 0.95621)):
        assert np.cos(theory.relu_angle(1.0, depth)) == pytest.approx(cosine, abs=5e-6)
    for depth, ratio in ((20, 0.39), (100, 0.77), (1000, 0.967)):
        angle = theory.relu_angle(1.0, depth)
        assert 2 * np.sin(angle / 2) ** 2 / (9 * np.pi**2 / (2 * depth**2)) == pytest.approx(ratio, abs=6e-3)
    assert theory.relu_angle(1.0, 0) == 1.0


def test_relu_kernel_against_its_integral_and_small_angles():
    for theta in (0.3, 1.5, 3.0):
        kernel = quad(
            lambda t, theta=theta: max(np.cos(t), 0) * max(np.cos(t - theta), 0),
            -np.pi,
            np.pi,
            points=[-np.pi / 2, theta - np.pi / 2, np.pi / 2],
        )[0]
        assert np.cos(theory.relu_angle(theta, 1)) == pytest.approx(kernel / (np.pi / 2), rel=1e-8)
    tiny = np.array([1e-12, 1e-9, 1e-6])
    assert theory.relu_angle(tiny, 1) == pytest.approx(tiny * (1 - tiny / (3 * np.pi)), rel=1e-12)


@pytest.mark.parametrize("M", [0.8, 1.0, 4.0])
def test_wide_angle_iterates_one_layer(M):
    theta = np.array([1e-3, 0.5, 1.57, 2.0, 3.1])
    angle = theta
    for _ in range(6):
        angle = np.where(angle < np.pi / 2, 0, np.pi) + np.arctan(np.tan(angle) / np.sqrt(M))
    assert theory.wide_angle(theta, M, 6) == pytest.approx(angle, abs=1e-9)
    assert theory.wide_angle([1.0, 2.0], M, 10**6) == pytest.approx({0.8: [np.pi / 2] * 2, 1.0: [1, 2], 4.0: [0, np.pi]}[M])


@pytest.mark.parametrize("M", [0.7, 1.0, 1 + 1e-9, 3.0])
def test_velocity_scale_is_the_wide_recursion(M):
    variance = [1 / 49]
    for _ in range(30):
        variance.append(M * variance[-1] + 1 / 200)
    gain = np.log(M) / 2
    assert theory.velocity_scale(np.arange(31), gain, 200, 50) ** 2 == pytest.approx(variance, rel=1e-9)


@pytest.mark.parametrize("M, variance", [(0.7, 1 / 200 / 0.3), (1.0, 1 / 49 + 10**9 / 200), (3.0, np.inf)])
def test_velocity_scale_far_down(M, variance):
    assert theory.velocity_scale(10**9, np.log(M) / 2, 200, 50) ** 2 == pytest.approx(variance)


@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0, 50.0, 1e4])
def test_mean_log_lorentz_factor(scale):
    inner = quad(lambda z: np.log1p((scale * z) ** 2) * norm.pdf(z), 0, 1 / scale, limit=200)[0] if scale > 0.1 else 0
    outer = quad(lambda z: np.log1p((scale * z) ** 2) * norm.pdf(z), 1 / scale if scale > 0.1 else 0, 12, limit=200)[0]
    assert theory.mean_log_lorentz_factor(scale) == pytest.approx(inner + outer, rel=1e-6)
    assert theory.mean_log_lorentz_factor(np.array([scale, 2.0]))[0] == pytest.approx(inner + outer, rel=1e-6)


@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
def test_loss_cdf_density_shares(scale):
    edges = np.array([0, 1e-3, 0.2, 0.5, 0.6, 0.999, 1])

    def density(loss):
        w = 1 / np.tan(np.pi * loss)
        return norm.pdf(w / scale) * np.pi * (1 + w**2) / scale

    integral = [quad(density, a, b, epsabs=1e-12)[0] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    assert theory.shares_within(edges, scale) == pytest.approx(integral, abs=1e-8)
    assert theory.loss_cdf([-1, 0, 0.5, 1, 2], scale) == pytest.approx([0, 0, 0.5, 1, 1])
    loss = np.arctan2(1, scale * np.random.default_rng(4).standard_normal(100_000)) / np.pi
    assert abs((loss < 0.2).mean() - theory.loss_cdf(0.2, scale)) < 4 * np.sqrt(0.25 / loss.size)


def test_bits_left():
    assert theory.bits_left(1e12, 256) == pytest.approx(1, abs=1e-6)
    assert theory.bits_left(np.inf, 10) == 1
    assert theory.bits_left(np.inf, 1) == 0
    share = np.diff([norm.cdf(-1 / np.tan(np.pi * x) / 2) for x in (1e-12, 0.25, 0.5, 0.75, 1 - 1e-12)])
    assert theory.bits_left(2.0, 4) == pytest.approx(-(share * np.log2(share)).sum())


def test_correlated_probability():
    theta = np.array([1e-6, 0.5, np.pi / 2, 3.0])
    assert theory.correlated_probability(theta) == pytest.approx(1 - theta / np.pi)
    assert theory.correlated_probability(theta, 0.7, 50) == pytest.approx(0.5)
    assert theory.correlated_probability(theta, 3.0, 50) == pytest.approx(norm.cdf(10 / np.tan(theta)))


BAD_LAYERS = [
    ((1, 8, "largest"), "width: 1"),
    ((2.5, 8, "largest"), "width: 2.5"),
    (("8", 8, "largest"), "width: '8'"),
    ((True, 8, "largest"), "width: True"),
    ((np.nan, 8, "largest"), "width: nan"),
    ((4, 3, "largest"), "pool: 3 .*width 4"),
    ((4, np.inf, "largest"), "pool: inf"),
    ((4, 8, "none"), "pool: 8 .*width 4"),
    ((4, 10, "labelled"), "pool: 10 .*width 4"),
    ((4, 8, "biggest"), "rule: 'biggest'"),
    ((4, None, None), "rule: None"),
]


@pytest.mark.parametrize("layer, message", BAD_LAYERS)
@pytest.mark.parametrize("form", ["second_moment", "finite_second_moment", "mean_log_norm", "rapidity_gain", "exponents_in_force"])
def test_impossible_layers_are_refused_by_name(form, layer, message):
    with pytest.raises(ValueError, match=message):
        getattr(theory, form)(*layer)


@pytest.mark.parametrize("theta", [0.0, np.pi, -1.0, 4.0, np.nan, np.inf, [1.0, 0.0]])
def test_angles_outside_are_refused_by_name(theta):
    for call in (
        lambda: theory.bit_flip_probability(theta, 4, 8),
        lambda: theory.correlated_probability(theta),
        lambda: theory.relu_angle(theta, 3),
        lambda: theory.wide_angle(theta, 2.0),
    ):
        with pytest.raises(ValueError, match=f"theta: .*{np.ravel(theta)[-1]}"):
            call()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: theory.lyapunov_exponents(0), "width: 0"),
        (lambda: theory.excess_slope(2), "width: 2"),
        (lambda: theory.relu_angle(1.0, -1), "depth: -1"),
        (lambda: theory.relu_angle(1.0, 1.5), "depth: 1.5"),
        (lambda: theory.bits_left(1.0, 0), "resolution: 0"),
        (lambda: theory.correlated_probability(1.0, 2.0), "width: None"),
        (lambda: theory.training_cosine(2.0, 8, 1), "input_dim: 1"),
        (lambda: theory.bit_flip_probability(1.0, 4, 10, "labelled"), "pool: 10"),
        (lambda: theory.loss_cdf(0.3, -1.0), "scale: -1"),
        (lambda: theory.noise_scale([3, -1], 0.1, 8), "depth: -1"),
        (lambda: theory.noise_scale(np.nan, 0.1, 8), "depth: nan"),
        (lambda: theory.log_norm_quantile(64, 64), "pool: 64"),
        (lambda: theory.log_growth_variance(16, 64), "width: 16"),
        (lambda: theory.shared_cosine(5, 3, 64, 64, 128), "shared: 5"),
        (lambda: theory.random_step_success(-2, 64), "step: -2"),
        (lambda: theory.leading_cosine(np.nan, 1.0), "second_moment: nan"),
        (lambda: theory.mean_square_tangent(3, 64, 1), "input_dim: 1"),
        (lambda: theory.folded_error(3, 64, 128, spread=-1.0), "spread: -1"),
        (lambda: theory.mean_cosine([4.0], [1.0]), "theta: 4"),
    ],
)
def test_other_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
