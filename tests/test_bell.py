"""The laws of the Bell test, each against an oracle without its formula: quadrature, series,
simulation, dense matrices.
"""

import copy

import numpy as np
import pytest
from scipy import integrate, linalg, special
from scipy.stats import ks_2samp, kstest

from entanglement import Layer, LazyNetwork, robustness, theory, whole
from entanglement.dense import DenseNetwork
from entanglement.pairs import angle, directions, simulate

STANDARD = np.radians([0, 90, 45, 135])  # a, a', b, b'


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def total_variation(turn, c):
    """Half the integral of the difference of two densities |cos|^c, by the midpoint rule."""
    u = np.pi * (np.arange(200_000) + 0.5) / 200_000
    p, q = np.abs(np.cos(u)) ** c, np.abs(np.cos(u - turn)) ** c
    return np.sum(np.abs(p / p.sum() - q / q.sum())) / 2


# --- closed forms  ----


def test_spin_correlation_is_the_mean_product_of_the_signs():
    r = 2 * np.pi * (np.arange(100_000) + 0.5) / 100_000
    for theta in (-7.0, -0.3, 0.0, 0.2, 1.0, np.pi / 2, 3.0, 4.0, 12.0):
        assert theory.spin_correlation(theta) == pytest.approx(
            np.mean(np.sign(np.cos(r) * np.cos(r - theta))), abs=1e-4
        )
    assert theory.spin_correlation(np.zeros((2, 3))).shape == (2, 3)


def test_chsh_at_the_standard_settings_and_its_bounds(rng):
    assert theory.chsh(theory.spin_correlation, *STANDARD) == pytest.approx(2)
    assert theory.chsh(np.cos, *STANDARD) == pytest.approx(np.sqrt(8))
    settings = rng.uniform(0, 2 * np.pi, (4, 50_000))
    S, Q = theory.chsh(theory.spin_correlation, *settings), theory.chsh(np.cos, *settings)
    assert 2 - 1e-9 < np.abs(S).max() <= 2 + 1e-12 and 2.7 < np.abs(Q).max() <= np.sqrt(8)
    assert np.mean(np.abs(np.abs(S) - 2) < 1e-9) == pytest.approx(
        1 / 12, abs=5e-3
    )  # the same S in every network


def test_chsh_follows_its_four_settings_in_order():
    """Against the definition, with a correlation that has no symmetry."""

    def E(x):
        return np.exp(x)

    a, a_prime, b, b_prime = 0.1, 0.5, 0.9, 1.7
    expected = E(b - a) - E(b_prime - a) + E(b - a_prime) + E(b_prime - a_prime)
    assert theory.chsh(E, a, a_prime, b, b_prime) == pytest.approx(expected)


@pytest.mark.parametrize("c", [-0.5, 0.0, 0.4, 1.0, 3.7, 50.0])
def test_training_correlation_is_that_of_the_density_cos_to_the_c(c):
    def integral(low, high):
        return integrate.quad(
            lambda u: np.cos(u) ** c, low, high, points=(low + high) / 2 * np.ones(1), limit=200
        )[0]

    whole = integral(-np.pi / 2, np.pi / 2)
    for theta in (
        0.1,
        0.7,
        np.pi / 2,
        2.0,
        3.0,
    ):  # equal spins: r has turned by less than pi/2 - theta on the far side
        equal = (
            integral(-np.pi / 2, np.pi / 2 - theta)
            if theta < np.pi / 2
            else integral(theta - np.pi / 2, np.pi / 2)
        )
        assert theory.training_correlation(theta, c) == pytest.approx(
            2 * equal / whole - 1, abs=1e-6
        )
        assert theory.direction_cdf(np.pi / 2 - theta, c) == pytest.approx(equal / whole, abs=1e-6)


def test_training_correlation_has_its_three_limits():
    theta = np.linspace(0.01, 3.13, 40)
    assert theory.training_correlation(theta, 0) == pytest.approx(theory.spin_correlation(theta))
    assert theory.training_correlation(theta, 1) == pytest.approx(np.cos(theta))
    probit = 2 * special.ndtr(np.sqrt(5000) / np.tan(theta)) - 1  # a normal law
    assert theory.training_correlation(theta, 5000) == pytest.approx(probit, abs=1e-3)
    assert theory.training_correlation(theta + 2 * np.pi, 2.5) == pytest.approx(
        theory.training_correlation(-theta, 2.5)
    )


def test_direction_cdf_goes_on_beyond_its_period():
    u = np.linspace(-9, 9, 301)
    assert (np.diff(theory.direction_cdf(u, 2.0)) >= 0).all()
    assert theory.direction_cdf(u + np.pi, 2.0) == pytest.approx(theory.direction_cdf(u, 2.0) + 1)
    assert theory.direction_cdf(np.array([-np.pi / 2, 0, np.pi / 2]), 2.0) == pytest.approx(
        [0, 0.5, 1]
    )


@pytest.mark.parametrize("width, c", [(2, 0.0), (3, 2.5), (7, 1.0), (40, 9.0)])
def test_the_turn_of_r_is_a_fixed_point_of_a_layer_whose_margins_are_chi(width, c, rng):
    """S = (z + B S')/A keeps the law of direction_cdf if A ~ chi_{k+c}: one exact layer, then
    Kolmogorov and Smirnov.
    """
    N = 40_000
    S = rng.standard_normal(N) / np.sqrt(rng.chisquare(1 + c, N))
    A, B = np.sqrt(rng.chisquare(width + c, N)), np.sqrt(rng.chisquare(width - 1, N))
    assert (
        kstest(
            np.arctan((rng.standard_normal(N) + B * S) / A), lambda u: theory.direction_cdf(u, c)
        ).pvalue
        > 1e-4
    )
    assert (
        kstest(np.arctan(1.1 * S), lambda u: theory.direction_cdf(u, c)).pvalue < 1e-4
    )  # it can fail


@pytest.mark.parametrize(
    "layer, depth", [(Layer(2, 3), 40), (Layer(8, 16), 12), (Layer(8, 9), 1), (Layer(5), 200)]
)
def test_turn_cdf_and_leaning_correlation_against_whole_pools(layer, depth):
    rng, N = np.random.default_rng([depth, layer.pool]), 4000
    parts = [whole.directions(layer, np.eye(3)[[0] * 500], depth, rng) for _ in range(8)]
    r = np.concatenate(parts)[:, :2]
    turn = np.arctan(r[:, 1] / r[:, 0])
    assert kstest(turn, lambda u: theory.turn_cdf(layer, u, depth)).pvalue > 1e-4
    assert kstest(1.3 * turn, lambda u: theory.turn_cdf(layer, u, depth)).pvalue < 1e-4
    for first, second in ((0.3, 1.1), (1.0, 1.9), (-2.0, 0.5), (-0.4, 3.9)):
        signs = [r @ (np.cos(angle), np.sin(angle)) > 0 for angle in (first, second)]
        measured = np.mean(np.where(signs[0] == signs[1], 1, -1))
        law = theory.leaning_correlation(layer, first, second, depth)
        assert abs(measured - law) < 4 * np.sqrt((1 - law**2) / N) + 1e-3


def test_turn_cdf_has_its_limits():
    turn = np.linspace(-9, 9, 301)
    law = theory.turn_cdf(Layer(8, 12), turn)
    assert (np.diff(law) >= -1e-12).all()
    assert theory.turn_cdf(Layer(8, 12), turn + np.pi) == pytest.approx(law + 1)
    assert theory.turn_cdf(Layer(8), turn) == pytest.approx(turn / np.pi + 0.5, abs=3e-4)
    wide = Layer(1000, 1003)
    c = theory.excess(wide)
    assert theory.turn_cdf(wide, turn) == pytest.approx(theory.direction_cdf(turn, c), abs=1e-3)
    theta = np.linspace(-4, 4, 30)
    law = theory.leaning_correlation(wide, 0, theta)
    assert law == pytest.approx(theory.training_correlation(theta, c), abs=2e-3)


def test_leaning_correlation_never_passes_two(rng):
    a, a_prime, b, b_prime = rng.uniform(0, 2 * np.pi, (4, 2000))

    def E(first, second):
        return theory.leaning_correlation(Layer(8, 16), first, second, 12)

    S = E(a, b) - E(a, b_prime) + E(a_prime, b) + E(a_prime, b_prime)
    assert 2 - 1e-6 < np.abs(S).max() <= 2 + 1e-12


@pytest.mark.parametrize("width", [1, 2, 7])
def test_layer_cosine_is_the_mean_over_matrices(width, rng):
    """Whole matrices; theta in a plane, so two columns are all that inputs see."""
    W, N = rng.standard_normal((2, 100_000, width)), 100_000
    for theta in (0.4, np.pi / 4, 2.0):
        other = np.cos(theta) * W[0] + np.sin(theta) * W[1]
        norms = np.linalg.norm(W[0], axis=1) * np.linalg.norm(other, axis=1)
        cosine = np.sum(W[0] * other, axis=1) / norms
        error = cosine.std() / np.sqrt(N)
        assert abs(cosine.mean() - theory.layer_cosine(width, theta)) < 4 * error


def test_layer_cosine_has_its_limits():
    theta = np.linspace(0, np.pi, 30)
    assert theory.layer_cosine(1, theta) == pytest.approx(theory.spin_correlation(theta))
    wide = np.cos(theta) * (1 - np.sin(theta) ** 2 / 300)
    assert theory.layer_cosine(150, theta) == pytest.approx(wide, abs=1e-5)


@pytest.mark.parametrize("c", [0.0, 0.5, 1.0, 6.0])
def test_setting_distance_is_a_total_variation_and_bounds_chsh(c, rng):
    for turn in (0.0, 0.3, np.pi / 2, 2.2, 5.0, -1.0):
        assert theory.setting_distance(turn, c) == pytest.approx(total_variation(turn, c), abs=1e-4)

    def E(theta):
        return theory.training_correlation(theta, c)

    settings = rng.uniform(0, 2 * np.pi, (4, 20_000))
    bound = 2 * (1 + theory.setting_distance(settings[1] - settings[0], c))
    assert (np.abs(theory.chsh(E, *settings)) <= bound + 1e-9).all()
    assert theory.chsh(E, *STANDARD) == pytest.approx(
        2 * (1 + theory.setting_distance(np.pi / 2, c))
    )


def test_one_row_thrown_away_imitates_a_singlet():
    c = 2000 * (theory.finite_second_moment(Layer(2000, 2001)) - 1)
    assert c == pytest.approx(1, abs=0.01)
    assert theory.chsh(lambda t: theory.training_correlation(t, c), *STANDARD) == pytest.approx(
        np.sqrt(8), abs=0.01
    )


def test_mean_cosine_against_its_fourier_series():
    """sin^2(t)/2 d^2/dt^2 couples cos(nt) to cos((n +- 2)t): the same equation without a grid in
    theta.
    """
    n = np.arange(1, 800, 2)
    step = np.diag(-(n**2) / 4.0) + np.diag(n[:-1] ** 2 / 8.0, -1) + np.diag(n[1:] ** 2 / 8.0, 1)
    step[0, 0] += 1 / 8  # cos(-t) = cos(t)
    theta = np.array([0.1, np.pi / 4, 1.3, 2.5])
    for time in (0.05, 0.7, 3.0):
        series = linalg.expm(time * step)[:, 0] @ np.cos(np.outer(n, theta))
        assert theory.mean_cosine(theta, [time])[0] == pytest.approx(series, abs=2e-4)


def test_mean_cosine_starts_at_the_cosine_and_ends_on_the_line():
    theta = np.linspace(0, np.pi, 9)
    first, last = theory.mean_cosine(theta, [0, 200])
    assert first == pytest.approx(np.cos(theta), abs=1e-6) and last == pytest.approx(
        theory.spin_correlation(theta), abs=1e-4
    )


@pytest.mark.parametrize("depth", [20, 100])
def test_mean_cosine_and_the_martingale_against_pairs(depth):
    width, N = 64, 20_000
    theta = angle(simulate(Layer(width), 1.0, depth, trials=N, seed=depth, keep=[depth]))[:, 0]
    law = theory.mean_cosine(1.0, [2 * depth * theory.rapidity_gain(Layer(width))])[0]
    assert abs(np.cos(theta).mean() - law) < 4 * np.cos(theta).std() / np.sqrt(N)
    assert abs(theta.mean() - 1.0) < 4 * theta.std() / np.sqrt(N)


@pytest.mark.parametrize("theta", [0.4, np.pi / 4, 2.0])
def test_mean_unseen_cosine_against_a_product_quadrature(theta):
    """Gauss and Hermite in two independent normals, not in polar coordinates."""
    node, weight = np.polynomial.hermite_e.hermegauss(150)
    first = node[:, None]
    second = np.cos(theta) * first + np.sin(theta) * node
    scale, time = np.array([0.1, 0.5, 1.5]), np.array([0.0, 0.2, 0.1])
    for s, t, law in zip(scale, time, theory.mean_unseen_cosine(theta, scale, time)):
        rest = theory.mean_cosine(theta, [t])[0]
        cosine = (s**2 * first * second + rest) / np.sqrt(
            (1 + (s * first) ** 2) * (1 + (s * second) ** 2)
        )
        assert law == pytest.approx(weight @ cosine @ weight / (2 * np.pi), abs=1e-4)
    ends = theory.mean_unseen_cosine(theta, [1e-9, 1e4], [0, 0])
    assert ends == pytest.approx([np.cos(theta), theory.spin_correlation(theta)], abs=2e-3)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: theory.spin_correlation(np.inf), "theta"),
        (lambda: theory.spin_correlation("x"), "theta"),
        (lambda: theory.training_correlation(1.0, -1.0), "excess"),
        (lambda: theory.training_correlation(np.nan, 1.0), "theta"),
        (lambda: theory.direction_cdf(0.1, np.nan), "excess"),
        (lambda: theory.direction_cdf(np.nan, 1.0), "turn"),
        (lambda: theory.setting_distance(1.0, -0.5), "excess"),
        (lambda: theory.leaning_correlation(Layer(8), np.inf, 1.0), "first"),
        (lambda: theory.leaning_correlation(Layer(8), 0.0, 1.0, 2.5), "depth"),
        (lambda: theory.turn_cdf(Layer(5000), 1.0), "layer"),
        (lambda: theory.turn_cdf(Layer(8), np.nan), "turn"),
        (lambda: theory.layer_cosine(0, 1.0), "width"),
        (lambda: theory.layer_cosine(8, -0.1), "theta"),
        (lambda: directions(Layer(4), 2, inputs=5), "inputs"),
        (lambda: directions(Layer(4), 2, inputs=1), "inputs"),
        (lambda: directions(Layer(4), 0), "depth"),
        (lambda: directions(Layer(4, 3), 2), "pool"),
    ],
)
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call()


# --- one network for both parties  ----


def test_copies_of_one_network_keep_bells_bound_at_every_layer(rng):
    """A theorem: S of spins is 2 or -2, whatever the settings; the copies never meet."""
    for seed in range(10):
        x, *plane = np.linalg.qr(rng.standard_normal((16, 3)))[0].T
        alice = LazyNetwork(Layer(16, 40), 8, seed=seed).fit(x)
        alice.transform(plane)  # weights are drawn where an input looks, so before the copy
        bob = copy.deepcopy(alice)
        at = rng.uniform(0, 2 * np.pi, 4)
        X = np.outer(np.cos(at), plane[0]) + np.outer(np.sin(at), plane[1])
        a, b = alice.trajectory(X[:2]).sign, bob.trajectory(X[2:]).sign
        S = a[:, 0] * (b[:, 0] - b[:, 1]) + a[:, 1] * (b[:, 0] + b[:, 1])
        assert (np.abs(S[1:]) == 2).all()


@pytest.mark.parametrize("j", [1, 4])
def test_the_trap_is_its_distance(j):
    """At the standard settings S is 2 (1 + distance), in the sample too: the same events."""
    r = directions(Layer(8, 8 + j), 120, trials=4000, seed=j)
    line = np.arctan2(r[:, 1], r[:, 0]) + np.repeat(STANDARD[:2], 2000)
    s = np.where(np.cos(np.subtract.outer(STANDARD, line)) > 0, 1, -1)
    first, second = s[:, :2000], s[:, 2000:]
    S = first[0] * (first[2] - first[3]) + second[1] * (second[2] + second[3])
    nearer = np.abs(np.cos(line)) > np.abs(np.sin(line))  # to a than to a'
    assert S.mean() == pytest.approx(2 * (1 + nearer[:2000].mean() - nearer[2000:].mean()))


# --- directions  ----


@pytest.mark.parametrize("width, pool, depth", [(5, None, 1), (5, 20, 3), (40, 60, 2)])
def test_directions_have_the_law_of_dense_networks(width, pool, depth):
    """r of dense matrices, projected on the training input and two orthogonal directions,
    two-sample tests.
    """
    x = np.eye(width)
    dense = np.array(
        [
            robustness.direction(DenseNetwork(Layer(width, pool), depth, seed=i).fit(x[0]))[:3]
            for i in range(600)
        ]
    )
    dense /= np.linalg.norm(dense, axis=1)[:, None]
    drawn = directions(Layer(width, pool), depth, inputs=3, trials=20_000, seed=2)
    assert np.linalg.norm(drawn, axis=1) == pytest.approx(1) and (drawn[:, 0] > 0).all()
    for coordinate in range(3):
        assert ks_2samp(dense[:, coordinate], drawn[:, coordinate]).pvalue > 1e-4
    assert ks_2samp(dense[:, 1] * dense[:, 2], drawn[:, 1] * drawn[:, 2]).pvalue > 1e-4


def test_directions_give_the_sides_that_pairs_give():
    theta, N = 1.2, 20_000
    r = directions(Layer(40, 80), 6, trials=N, seed=3)
    from_r = np.mean(np.cos(theta) * r[:, 0] + np.sin(theta) * r[:, 1] > 0)
    from_pairs = np.mean(simulate(Layer(40, 80), theta, 6, trials=N, seed=4, keep=[6]).sign > 0)
    assert abs(from_r - from_pairs) < 4 * np.sqrt(from_r * (1 - from_r) * 2 / N)


def test_directions_in_a_plane_orthogonal_to_the_training_input_are_uniform():
    r = directions(Layer(33, 99), 4, inputs=3, trials=20_000, seed=5)
    assert kstest(np.arctan2(r[:, 2], r[:, 1]) / (2 * np.pi) + 0.5, "uniform").pvalue > 1e-4


def test_directions_follow_their_seed():
    first, again, other = (directions(Layer(8), 3, trials=5, seed=s) for s in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_directions_of_a_pool_of_one_row_more_have_the_law_of_cos():
    """The deep limit of selection `largest`, n = k + 1, against c = k (M - 1)."""
    c = 32 * (theory.finite_second_moment(Layer(32, 33)) - 1)
    r = directions(Layer(32, 33), 420, trials=4000, seed=6)
    assert kstest(np.arctan2(r[:, 1], r[:, 0]), lambda u: theory.direction_cdf(u, c)).pvalue > 1e-4
