"""Other networks: their closed forms against quadrature, brute force and drawn matrices."""

from functools import partial

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import norm

from entanglement import Layer, beyond, theory
from entanglement.pairs import independent_angles, rapidity, simulate
from entanglement.theory.margins import mean_log_chi


def within(values, predicted, errors=4.0):
    """The mean of independent values agrees with a prediction to `errors` standard errors."""
    values = np.asarray(values, dtype=float)
    return abs(values.mean() - predicted) < errors * values.std(ddof=1) / np.sqrt(len(values))


def rng(*label):
    return np.random.default_rng([9, *label])


# --- the engine  ----


def test_images_are_those_of_one_gaussian_matrix_a_trial():
    F = rng(1).standard_normal((1, 3, 5))
    drawn = beyond.images(rng(2), np.repeat(F, 4000, axis=0), 2.0)
    gram = np.einsum("tik,tjk->ij", drawn, drawn) / 4000 / 4
    assert np.allclose(gram, F[0] @ F[0].T, rtol=0.1, atol=0.15)
    one = beyond.images(rng(3), np.concatenate([F, F[:, :1] + F[:, 1:2]], axis=1))[0]
    assert np.allclose(one[0] + one[1], one[3])


def test_angles_are_precise_when_small_and_at_both_ends():
    for theta in (1e-12, 1e-3, 1.0, 3.0, np.pi - 1e-9):
        assert beyond.angles(beyond.pairs_at(theta, 7, 2)) == pytest.approx(theta, rel=1e-9)
    pair = rng(4).standard_normal((6, 2, 9))
    cosine = np.sum(pair[:, 0] * pair[:, 1], axis=1) / np.prod(np.linalg.norm(pair, axis=2), axis=1)
    assert np.cos(beyond.angles(pair)) == pytest.approx(cosine, abs=1e-14)


def test_walk_keeps_the_layers_asked_for():
    grown = beyond.walk(lambda x: x + 1, 0, 5, measure=lambda x: x)
    assert list(grown) == [0, 1, 2, 3, 4, 5]
    assert list(beyond.walk(lambda x: x + 1, 0, 5, measure=lambda x: x, keep=[0, 4])) == [0, 4]


def test_effective_rank_counts_equal_singular_values():
    assert beyond.effective_rank(np.array([[3.0, 3, 3, 0], [1, 0, 0, 0]])) == pytest.approx([3, 1])
    assert beyond.feature_rank(np.eye(6)[None, :4] * [[5.0], [1], [2], [9]]) == pytest.approx([4])


# --- activations  ----


def test_relu_gain_against_its_own_layer():
    logs = np.log(
        beyond.walk(partial(beyond.relu, rng(5)), beyond.pairs_at(1e-6, 24, 4000), 2, keep=[0, 2])
    )
    assert within((logs[0] - logs[1]) / 2, theory.relu_step(24)[0])
    assert theory.relu_step(10**6)[0] == pytest.approx(1e-6, rel=1e-4)  # 1/width for wide layers
    brute = [
        sum(np.log(np.linalg.norm(rng(6, i).standard_normal(m))) for i in range(400))
        for m in (11, 12)
    ]
    assert mean_log_chi(12) - mean_log_chi(11) == pytest.approx(
        (brute[1] - brute[0]) / 400, abs=0.02
    )


def test_relu_typical_angle_in_wide_and_finite_networks():
    assert theory.relu_typical_angle(10**7, 1.0, 20)[-1] == pytest.approx(
        theory.relu_angle(1.0, 20), rel=1e-5
    )
    logs = np.log(
        beyond.walk(partial(beyond.relu, rng(7)), beyond.pairs_at(1.0, 48, 600), 60, keep=[60])[0]
    )
    assert within(logs, np.log(theory.relu_typical_angle(48, 1.0, 60)[-1]))


def test_uniform_relu_layers_lose_as_predicted_and_end_at_one_end():
    start = rng(30).standard_normal((400, 1, 32)) + 1e-5 * rng(31).standard_normal((400, 2, 32))
    gaps = beyond.walk(
        partial(beyond.relu_uniform, rng(32)),
        start,
        12,
        lambda F: np.log(np.linalg.norm(F[:, 0] - F[:, 1], axis=1)),
        [4, 12],
    )
    assert within((gaps[1] - gaps[0]) / 8, theory.relu_uniform_rate(32))
    assert theory.relu_uniform_rate(10**5) == pytest.approx(np.log(1 / 6) / 2, abs=1e-4)
    for layer in (beyond.relu, beyond.relu_uniform):
        ends = beyond.angles(layer(rng(33), beyond.pairs_at(3.1, 20, 50)))
        assert (ends < np.pi / 2 + 1e-9).all()


def test_relu_angle_to_five_digits():
    cosines = [np.cos(theory.relu_angle(1.0, L)) for L in (1, 2, 5, 20)]
    assert cosines == pytest.approx([0.63617, 0.70330, 0.81917, 0.95621], abs=1e-5)


def test_tanh_fixed_point_against_quadrature_and_a_long_network():
    for scale in (0.7, 1.3, 2.5):
        q, chi = theory.tanh_fixed_point(scale, 0.3)
        z = np.linspace(-12, 12, 20_001)
        t, weight = np.tanh(np.sqrt(q) * z), norm.pdf(z) * (z[1] - z[0])
        assert q == pytest.approx(scale**2 * (weight @ t**2) + 0.09, rel=1e-7)
        assert chi == pytest.approx(scale**2 * (weight @ (1 - t**2) ** 2), rel=1e-6)
        f = np.ones((1, 1, 800))
        for _ in range(20):
            f = beyond.tanh(rng(8), f, scale, 0.3)
        assert scale**2 * np.mean(f**2) + 0.09 == pytest.approx(q, rel=0.2)


@pytest.mark.parametrize("scale", [0.9, 2.5])
def test_tanh_angle_against_simulation_and_its_slope(scale):
    q, chi = theory.tanh_fixed_point(scale, 0.3)
    inputs = beyond.pairs_at(1.0, 400, 40) * np.sqrt(400 * (q - 0.09)) / scale
    runs = beyond.walk(
        partial(beyond.tanh, rng(9), weight_scale=scale, bias_scale=0.3), inputs, 8, keep=[1, 8]
    )
    law = theory.tanh_angle(1.0, 8, scale, 0.3)
    assert law[0] == 1.0 and within(runs[0], law[1]) and within(runs[1], law[8])
    assert theory.tanh_angle(1e-6, 1, scale, 0.3)[1] / 1e-6 == pytest.approx(np.sqrt(chi), rel=1e-5)


# --- batch normalisation  ----


def test_batch_norm_with_the_mean_left_in_halves_the_rapidity():
    for i, theta in enumerate((0.2, 1.2, 2.9)):
        run = beyond.walk(
            partial(beyond.batch_normalised, rng(10, i), centred=False),
            beyond.pairs_at(theta, 400, 60),
            2,
            keep=[1, 2],
        )
        law = theory.batch_norm_angle(theta, [0, 1, 2])
        assert law[0] == pytest.approx(theta) and np.arctanh(np.cos(law[2])) == pytest.approx(
            np.arctanh(np.cos(theta)) / 4
        )
        assert all(
            within(np.arctanh(np.cos(run[j])), np.arctanh(np.cos(law[j + 1])), 5) for j in (0, 1)
        )


def test_batch_norm_makes_a_pair_opposite_and_a_batch_a_simplex():
    pair = beyond.batch_normalised(rng(34), beyond.pairs_at(0.3, 9, 5))
    assert np.allclose(pair[:, 0], -pair[:, 1]) and np.allclose(np.abs(pair), 1)
    near = 1 + 1e-6 * rng(35).standard_normal((10, 4, 400))
    far = beyond.walk(partial(beyond.batch_normalised, rng(36)), near, 4, lambda F: F, [4])[0]
    assert np.allclose(far.mean(axis=1), 0, atol=1e-12)
    unit = far / np.linalg.norm(far, axis=2, keepdims=True)
    assert within(np.sum(unit[:, 0] * unit[:, 1], axis=1), -1 / 3)


@pytest.mark.parametrize("centred", [True, False])
def test_batch_norm_spread_at_rest(centred):
    for N, k in ((3, 64), (5, 128)):
        layer = partial(beyond.batch_normalised, rng(11, N), centred=centred)
        start, free = rng(12, N).standard_normal((250, N, k)), N - centred
        square = beyond.walk(
            layer, start, 14, lambda F: np.linalg.svd(F, compute_uv=False) ** 2, keep=[14]
        )[0][:, :free]
        spread = square.var(axis=1) / square.mean(axis=1) ** 2
        assert within(spread, theory.batch_norm_spread(k, free))


# --- attention  ----


def test_attention_against_softmax_of_the_same_matrices():
    tokens = beyond.tokens_at(1.0, 3, 40, 1)
    mean, rest = beyond.attention(rng(15), tokens, 2.0)
    K, V = rng(15).standard_normal((2, 40, 40)) / np.sqrt(40)
    X = (tokens[0] + tokens[1])[0]
    weights = np.exp(2 * (X @ K) @ (X @ K).T)
    expected = weights / weights.sum(axis=1, keepdims=True) @ X @ V
    assert np.allclose((mean + rest)[0], expected, atol=1e-12)
    assert np.allclose(rest.mean(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("count, skip", [(2, False), (6, False), (2, True)])
def test_attention_angle_against_simulation(count, skip):
    tokens = beyond.tokens_at(1.0, count, 400, 40)
    runs = beyond.walk(
        partial(beyond.attention, rng(16, count), sharpness=3.0, skip=skip),
        tokens,
        2,
        beyond.token_angles,
    )
    law = theory.attention_angle(1.0, 2, 3.0, count, skip)
    assert (
        runs[0] == pytest.approx(1.0)
        and within(np.log(runs[1]), np.log(law[1]), 5)
        and within(np.log(runs[2]), np.log(law[2]), 5)
    )


def test_attention_cubes_small_distances():
    small = theory.attention_angle(1e-3, 1, 2.0, 5)[1]
    assert small / theory.attention_angle(5e-4, 1, 2.0, 5)[1] == pytest.approx(8, rel=1e-5)
    runs = beyond.attention(
        rng(17), beyond.tokens_at(2e-8, 2, 400, 30), 4.0
    )  # far below what float64 sees in a cosine
    assert within(beyond.residual(runs), 4 * np.sin(1e-8) ** 3, 5)


# --- skip connections  ----


@pytest.mark.parametrize("size", [1.0, 0.25])
def test_skip_laws_are_exact_at_small_widths(size):
    for k in (4, 9):
        x, y = size * rng(37, k).standard_normal((2, 200_000, k)) / np.sqrt(k)
        x[:, 0] += 1
        y[:, 1] += 1
        xx, yy, xy = np.sum(x * x, axis=1), np.sum(y * y, axis=1), np.sum(x * y, axis=1)
        assert within(np.log(xx) / 2, theory.skip_growth(k, size))
        assert within(-np.log1p(-(xy**2) / xx / yy) / 2, theory.skip_loss(k, size))
    assert theory.skip_growth(10**6, size) == pytest.approx(np.log1p(size**2) / 2, abs=1e-6)
    assert theory.skip_loss(10**5) * 10**5 == pytest.approx(0.375, rel=1e-3)
    assert theory.skip_loss(64, 0.01) * 64 == pytest.approx(1e-4, rel=3e-3)


def test_skip_angle_against_attention_without_sharpness():
    for count in (2, 5):
        wide = theory.attention_angle(0.5, 6, 0.0, count, True)[-1]
        assert theory.skip_angle(0.5, 6, 10**6, 1.0, count) == pytest.approx(wide, rel=1e-5)
        tokens = beyond.tokens_at(0.5, count, 48, 200)
        layer = partial(beyond.attention, rng(38, count), sharpness=0.0, tied=False, skip=True)
        theta = beyond.walk(layer, tokens, 6, beyond.token_angles, [6])[0]
        assert within(np.log(theta), np.log(theory.skip_angle(0.5, 6, 48, 1.0, count)))


# --- trained linear networks  ----


def test_gradient_against_finite_differences():
    r = rng(18)
    weights, X, Y = (
        r.standard_normal((3, 4, 4)),
        r.standard_normal((4, 2)),
        r.standard_normal((4, 2)),
    )

    def loss(W):
        return np.sum((beyond.end_to_end(W) @ X - Y) ** 2) / 2

    expected = np.empty_like(weights)
    for index in np.ndindex(weights.shape):
        step = np.zeros_like(weights)
        step[index] = 1e-5
        expected[index] = (loss(weights + step) - loss(weights - step)) / 2e-5
    assert np.allclose(beyond.gradient(weights, X, Y), expected, rtol=1e-6, atol=1e-6)
    many = beyond.gradient(np.stack([weights, 2 * weights]), np.stack([X, X]), np.stack([Y, Y]))
    assert np.allclose(many[0], expected, rtol=1e-6, atol=1e-6)
    assert np.allclose(many[1], beyond.gradient(2 * weights, X, Y))


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_mode_time_against_an_ode_solver(depth):
    def flow(t, s):
        return depth * s ** (2 - 2 / depth) * (1.5 - s)

    ode = solve_ivp(flow, (0, 30), [0.7**depth], rtol=1e-10, atol=1e-12, dense_output=True)
    times = theory.mode_time(np.array([0.75, 1.2, 1.49]), depth, 0.7, 1.5)
    assert ode.sol(times)[0] == pytest.approx([0.75, 1.2, 1.49], rel=1e-7)
    assert theory.mode_time(0.7**depth, depth, 0.7, 1.5) == pytest.approx(0, abs=1e-14)


def test_training_follows_the_balanced_law():
    before = beyond.orthogonal_weights(rng(19), 3, 4, 6, 0.6)
    x = np.broadcast_to(np.eye(6)[:, :1], (3, 6, 1))
    target = 1.3 * beyond.end_to_end(before) @ x / 0.6**4
    time = float(theory.mode_time(1.2, 4, 0.6, 1.3))
    after = beyond.descend(before, x, target, time / 4000, 4000)
    values = np.linalg.svd(beyond.end_to_end(after), compute_uv=False)
    assert values[:, 0] == pytest.approx(1.2, abs=2e-3)
    assert values[:, 1:] == pytest.approx(0.6**4, rel=1e-9)  # at any rate: one sample, one mode
    assert beyond.effective_rank(values) == pytest.approx(
        [theory.trained_rank(4, 0.6, 6, s) for s in values[:, 0]], rel=1e-6
    )
    other = np.array([[np.cos(0.8)], [np.sin(0.8)], *[[0.0]] * 4])
    H = beyond.end_to_end(after)
    theta = beyond.angles(np.stack([H @ x, H @ other], axis=1)[..., 0])
    gained = [theory.trained_gain(4, 0.6, s) for s in values[:, 0]]
    assert np.log(np.tan(0.8) / np.tan(theta)) == pytest.approx(gained, rel=1e-6)
    low, high = after[:, :-1], after[:, 1:]
    assert np.allclose(np.swapaxes(high, 2, 3) @ high, low @ np.swapaxes(low, 2, 3), atol=1e-3)


# --- how deep is deep enough  ----


def test_rapidity_of_ordinary_networks_diffuses_on_the_hyperbolic_plane():
    for time in (0.5, 5.0):
        depth = round(time * 200)
        w = simulate(Layer(200), np.pi / 2, depth, trials=1500, seed=[22, depth], keep=[depth])
        far = np.abs(rapidity(w))[:, 0]
        for r in (0.5, 1.5, 3.0):
            share = theory.diffused_rapidity_cdf(r, time)
            assert (
                abs(np.mean(far <= r) - share) < 4 * np.sqrt(share * (1 - share) / 1500) + 0.005
            )  # width 200 is not infinite
    assert theory.diffused_rapidity_cdf(40.0, 2.0) == pytest.approx(1, abs=1e-9)
    assert theory.diffused_rapidity_cdf(1e-3, 1e-2) == pytest.approx(
        0.01 * np.sqrt(2 / np.pi), rel=1e-2
    )


def test_entangling_time_against_the_diffusion_on_a_grid():
    """Median of |phi| for d phi = tanh(phi)/2 dt + dW by repeated convolution."""
    h, dt = 0.05, 0.02
    x = np.arange(-14, 14 + h / 2, h)
    step = (
        np.exp(-((x[:, None] - x - dt * np.tanh(x) / 2) ** 2) / (2 * dt))
        * h
        / np.sqrt(2 * np.pi * dt)
    )
    p = np.where(np.abs(x) < h / 2, 1 / h, 0.0)
    p = np.linalg.matrix_power(step, round(theory.entangling_time() / dt)) @ p
    weight = np.clip((np.arcsinh(10) - np.abs(x)) / h + 0.5, 0, 1)
    assert (p * weight).sum() * h == pytest.approx(0.5, abs=4e-3)


@pytest.mark.parametrize("width, pool", [(64, 64), (48, 96), (1000, 10_000), (40, 4_000_000)])
def test_depth_to_entangle_is_where_half_of_the_pairs_are_beyond(width, pool):
    predicted = theory.depth_to_entangle(Layer(width, pool))
    low, trials = int(predicted), 4000 if pool > width else 8000
    w = simulate(
        Layer(width, pool),
        independent_angles(rng(23), trials, width),
        low + 1,
        trials=trials,
        seed=24,
        keep=[low, low + 1],
    )
    medians = np.median(w.log_abs, axis=0)
    if pool > width:
        reached = low + (np.log(10) - medians[0]) / (medians[1] - medians[0])
        assert reached == pytest.approx(predicted, rel=0.02)
    else:
        assert np.mean(w.log_abs[:, 0] >= np.log(10)) == pytest.approx(
            0.5, abs=4 * 0.5 / np.sqrt(trials)
        )


def test_depth_to_entangle_where_layers_do_not():
    assert theory.depth_to_entangle(Layer(64, 80, "signed")) == np.inf
    assert (
        theory.depth_to_entangle(Layer(64, 640))
        < theory.depth_to_entangle(Layer(64, 128))
        < theory.depth_to_entangle(Layer(64))
    )


# --- refusals  ----


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: beyond.pairs_at(0.0, 4, 1), "theta: "),
        (lambda: beyond.pairs_at(1.0, 1, 1), "width: 1"),
        (lambda: beyond.tokens_at(2.5, 5, 9, 1), "theta: 2.5"),
        (lambda: beyond.tokens_at(1.0, 1, 9, 1), "count: 1"),
        (lambda: beyond.walk(None, None, -1), "depth: -1"),
        (lambda: beyond.descend(np.ones((1, 1, 1)), 1, 1, 0.1, 2.5), "steps: 2.5"),
        (lambda: theory.relu_step(3), "width: 3"),
        (lambda: theory.tanh_fixed_point(1.0, 0.0), "bias_scale"),
        (lambda: theory.attention_angle(2.5, 1, 1.0, 5), "theta: 2.5"),
        (lambda: theory.skip_angle(2.5, 1, 8, 1.0, 5), "theta: 2.5"),
        (lambda: theory.skip_loss(3), "width: 3"),
        (lambda: theory.skip_growth(8, 0.0), "size: 0"),
        (lambda: theory.relu_uniform_rate(7), "width: 7"),
        (lambda: theory.batch_norm_spread(5, 1), "inputs: 1"),
        (lambda: theory.mode_time(1.5, 2, 0.5, 1.0), "strength: "),
        (lambda: theory.mode_time(0.9, 2, 1.0, 1.0), "strength: "),
        (lambda: theory.depth_to_entangle(Layer(8, 4)), "pool: 4"),
        (lambda: theory.depth_to_entangle(Layer(8, 16, "best")), "rule: 'best'"),
    ],
)
def test_refusals_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
