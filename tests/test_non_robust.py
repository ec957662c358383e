"""The closed forms of notebook 07 against quadrature, drawn matrices and dense networks."""

import numpy as np
import pytest
from attacks import side_gradient
from scipy import special
from scipy.integrate import quad

from entanglement import Layer, margin_norms, pairs, robustness, theory, whole
from entanglement.dense import DenseNetwork


def close(values, predicted):
    """Within 4 standard errors of the mean of independent values, (R, ...)."""
    values = np.asarray(values, dtype=float)
    return np.all(
        np.abs(values.mean(axis=0) - predicted)
        < 4 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    )


def cosines_with_sample(width, depth, pool, rule, d, count):
    found = []
    for seed in range(count):
        x = np.random.default_rng([seed, 1]).standard_normal(d)
        net = DenseNetwork(Layer(width, pool, rule), depth, seed=seed).fit(x)
        found.append(robustness.direction(net) @ x / np.linalg.norm(x))
    return np.array(found)


@pytest.mark.parametrize("layer", [(64, 408, "largest"), (40, 50, "signed"), (32, 4096, "largest")])
def test_inverse_moments_against_the_quantile_function_of_the_norm(layer):
    z, weight = np.polynomial.hermite_e.hermegauss(40)
    A = np.exp(theory.log_norm_quantile(Layer(*layer))(z))
    for power, moment in zip((2, 4), theory.inverse_norm_moments(Layer(*layer)), strict=True):
        assert weight @ A**-power / weight.sum() == pytest.approx(moment, rel=1e-6)


@pytest.mark.parametrize("layer", [(6, None, "none"), (5, 12, "largest"), (6, 24, "labelled")])
def test_inverse_moments_against_drawn_norms(layer):
    A = margin_norms(Layer(*layer), np.random.default_rng(1), 200_000)
    moments = theory.inverse_norm_moments(Layer(*layer))
    assert close(A**-2, moments[0])
    assert layer[2] == "none" or close(
        A**-4, moments[1]
    )  # without selection at width 6 its variance is infinite
    assert moments[1] > moments[0] ** 2


def test_inverse_moments_need_width_five():
    with pytest.raises(ValueError, match="width"):
        theory.inverse_norm_moments(Layer(4, 8))


@pytest.mark.parametrize(
    "layer",
    [
        (24, 1, 96, "largest", 7),
        (24, 4, 96, "largest", 30),
        (30, 3, None, "none", 9),
        (16, 5, 80, "signed", 8),
    ],
)
def test_direction_tangent_over_dense_networks(layer):
    width, depth, pool, rule, d = layer
    tangent = 1 / cosines_with_sample(*layer, 300) ** 2 - 1
    mean, variance = theory.direction_tangent(Layer(width, pool, rule), d, depth)
    assert close(tangent, mean)
    assert close((tangent - tangent.mean()) ** 2, variance)


def test_direction_tangent_has_the_limits_of_the_pair_law():
    deep, _ = theory.direction_tangent(Layer(64, 408), 2, 300)
    assert deep == pytest.approx(
        1 / (1 / theory.inverse_norm_moments(Layer(64, 408))[0] - 63), rel=1e-10
    )
    wide = theory.direction_tangent(Layer(20_000, 40_000), 500, 7)[0]
    M = theory.second_moment(Layer(20_000, 40_000))
    assert wide == pytest.approx(499 * (1 - M**-7) / (20_000 * (M - 1)), rel=1e-3)
    assert theory.direction_tangent(Layer(10), 4, 1)[0] == pytest.approx(3 / 8)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("layer", [(24, 2, 96, "largest", 7), (40, 6, None, "none", 12)])
def test_direction_cosine_over_dense_networks(layer, power):
    width, depth, pool, rule, d = layer
    predicted = theory.direction_cosine(Layer(width, pool, rule), d, depth, power=power)
    assert close(cosines_with_sample(*layer, 300) ** power, predicted**power)


def test_direction_cosine_is_exact_at_depth_one_and_right_in_the_wide_deep_limit():
    T = np.random.default_rng(2).chisquare(4, 400_000) / np.random.default_rng(3).chisquare(
        12, 400_000
    )
    assert close(1 / (1 + T), 12 / 16) and theory.direction_cosine(
        Layer(12), 5, 1
    ) ** 2 == pytest.approx(12 / 16, rel=1e-3)
    wide = theory.training_cosine(Layer(4000, 16_000), 4000)
    assert theory.direction_cosine(Layer(4000, 16_000), 4000, 60) == pytest.approx(wide, rel=2e-3)


def test_random_steps_in_two_and_three_dimensions():
    step = np.array([0.5, 1, 1.5, 4, 1e6])
    share = 1 / np.maximum(step, 1)
    assert np.allclose(theory.random_step_success(step, 2), np.arccos(share) / np.pi)
    assert np.allclose(theory.random_step_success(step, 3), (1 - share) / 2)


@pytest.mark.parametrize("distance, slope", [(0.3, 0.2), (1.0, 1.0), (0.5, 40.0)])
def test_climb_time_is_the_integral(distance, slope):
    integral = quad(lambda w: (1 + w * w) ** 1.5, 0, slope * distance)[0] / slope**2
    assert theory.climb_time(distance, slope) == pytest.approx(integral, rel=1e-9)


@pytest.mark.parametrize("depth, pool", [(7, 256), (14, 80)])
def test_climb_success_over_dense_networks(depth, pool):
    shares = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        net = DenseNetwork(Layer(64, pool), depth, seed=seed).fit(rng.standard_normal(64))
        X = rng.standard_normal((80, 64))
        ends = robustness.climb(side_gradient(net, X), X, 0.3, 10)
        shares.append(np.mean(net.proper_velocity(ends).sign != net.proper_velocity(X).sign))
    predicted = theory.climb_success(Layer(64, pool), 64, depth, 3.0)
    assert 0.2 < predicted < 0.9 and np.mean(shares) == pytest.approx(
        predicted, abs=4 * np.sqrt(predicted * (1 - predicted) / 800)
    )
    assert (
        theory.climb_success(Layer(64, pool), 64, depth, 1e-12)
        < 0.05
        < 0.999
        < theory.climb_success(Layer(64, pool), 64, depth, 1e9)
    )


@pytest.mark.parametrize("d", [200, 800])
def test_leading_cosine_of_a_wide_layer(d):
    width, pool = 400, 2400
    x = np.random.default_rng(4).standard_normal(d)
    net = DenseNetwork(Layer(width, pool), 1, seed=4).fit(x)
    leading = robustness.public_directions(net)[0] @ x / np.linalg.norm(x)
    assert abs(leading) == pytest.approx(theory.leading_cosine(Layer(width, pool), d), abs=0.03)
    assert (
        theory.leading_cosine(Layer(400, 500), 400) == theory.leading_cosine(Layer(400), 400) == 0
    )


@pytest.mark.parametrize("shared", [1, 3])
def test_shared_cosine_of_networks_that_share_their_first_layers(shared):
    layer, rng = Layer(48, 192), np.random.default_rng([19, shared])
    *_, (H, u) = robustness.products(layer, rng.standard_normal((400, 48)), shared, rng)
    ends = [whole.directions(layer, u, 5 - shared, rng) for _ in range(2)]
    r = [np.einsum("skd,sk->sd", H, v) for v in ends]
    cosines = np.sum(r[0] * r[1], axis=1) / np.prod(np.linalg.norm(r, axis=2), axis=0)
    assert close(cosines, theory.shared_cosine(layer, 48, 5, shared))


@pytest.mark.parametrize("width, d, shared", [(6, 6, 0), (6, 6, 5), (5, 9, 3), (9, 4, 1)])
def test_prefix_sine_of_drawn_matrices(width, d, shared):
    rng = np.random.default_rng(6)
    y = rng.standard_normal((2, 20_000, width if shared else d))
    for layer in range(shared):
        W = rng.standard_normal((20_000, width, d if layer == shared - 1 else width))
        y = np.einsum("pij,tpi->tpj", W, y)
    y /= np.linalg.norm(y, axis=2, keepdims=True)
    sine = np.linalg.norm(y[1] - np.sum(y[0] * y[1], axis=1, keepdims=True) * y[0], axis=1)
    assert close(np.log(sine), theory.prefix_log_sine(width, d, shared))


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95])
def test_transfer_probability_of_drawn_normals(q):
    g, e = np.random.default_rng(7).standard_normal((2, 200_000))
    h = q * g + np.sqrt(1 - q * q) * e
    for step in (0.3, 1, 1.7, 20):
        assert close(h * (h - step * q * g) < 0, theory.transfer_probability(step, q))
    assert theory.transfer_probability(0, q) == pytest.approx(0, abs=1e-15)
    assert theory.transfer_probability(1e9, q) == pytest.approx(0.5 + np.arcsin(q) / np.pi)


def test_training_transfer_over_dense_networks():
    width, depth, pool, d = 24, 4, 72, 20
    flips, steps = [], (1.2, 1.6, 2.5)
    for seed in range(250):
        x = np.random.default_rng([seed, 8]).standard_normal(d)
        first, second = (
            robustness.direction(DenseNetwork(Layer(width, pool), depth, seed=2 * seed + i).fit(x))
            for i in (0, 1)
        )
        flips.append([(x - s * (x @ first) * first) @ second < 0 for s in steps])
    predicted = np.array(
        [theory.training_transfer_probability(Layer(width, pool), d, depth, s) for s in steps]
    )
    assert (
        np.abs(np.mean(flips, axis=0) - predicted) < 4 * np.sqrt(predicted * (1 - predicted) / 250)
    ).all()
    assert 0.02 < predicted[0] < predicted[1] < predicted[2] < 0.99


@pytest.mark.parametrize("d", [3, 4, 12])
def test_training_transfer_of_drawn_directions(d):
    rng, count = np.random.default_rng(13), 100_000
    tangent = np.zeros((2, count))  # the perpetuity, drawn
    for freedom in (23, 23, d - 1):
        tangent = (
            rng.chisquare(freedom, (2, count))
            / margin_norms(Layer(24, 48), rng, (2, count)) ** 2
            * (1 + tangent)
        )
    v = rng.standard_normal((2, count, d - 1))
    v /= np.linalg.norm(v, axis=2, keepdims=True)
    between = (1 + np.sqrt(tangent[0] * tangent[1]) * np.sum(v[0] * v[1], axis=1)) * (
        1 + tangent[0]
    ) ** -0.5
    for step in (1.05, 1.2, 1.7):
        flips = np.mean(step * between > np.sqrt(1 + tangent[0]))
        assert flips == pytest.approx(
            theory.training_transfer_probability(Layer(24, 48), d, 3, step), abs=0.01
        )


@pytest.mark.parametrize("depth, rule", [(1, "signed"), (4, "signed"), (3, "largest")])
def test_score_moments_against_the_exact_law_of_pairs(depth, rule):
    start = np.repeat([0.4, 1.0, 2.0], 40_000)
    w = pairs.simulate(
        Layer(64, 408, rule), np.arctan2(1, start), depth, trials=len(start), seed=9, keep=[depth]
    )
    score = pairs.angle(w)[:, 0] / np.pi
    moments = theory.score_moments(Layer(64, 408, rule), [0.4, 1.0, 2.0], depth)
    assert np.allclose([score.mean(), np.mean(score**2)], moments, rtol=[0.01, 0.02])
    measured, _ = robustness.pooled_decidability(score[:, None], 1 - score[:, None])
    assert measured == pytest.approx(theory.decidability(*moments), rel=0.02)


def test_decidability_of_two_normals():
    mean, sd = 0.3, 0.1
    assert theory.decidability(mean, mean**2 + sd**2) == pytest.approx((1 - 2 * mean) / sd)


@pytest.mark.parametrize("rate", [0.0, 0.003, 0.05])
def test_descent_scores_over_drawn_matrices(rate):
    rng = np.random.default_rng(10)
    d, outputs = 30, 200
    x, target, X = (
        rng.random(d),
        rng.random(outputs),
        rng.random((50, d)) * (rng.random((50, d)) < 0.5),
    )
    measured = []
    for _ in range(60):
        out = X @ theory.descent_weights(rng.random((outputs, d)), x, target, rate, 1).T
        score = (
            np.arccos(out @ target / np.linalg.norm(out, axis=1) / np.linalg.norm(target)) / np.pi
        )
        measured.append((score.mean(), score.std()))
    mean, sd = theory.descent_scores(X, x, target, rate)
    assert np.mean(measured, axis=0)[0] == pytest.approx(
        mean, abs=4 * np.std(measured, axis=0)[0] / np.sqrt(60) + 1e-4
    )
    assert np.mean(measured, axis=0)[1] == pytest.approx(sd, rel=0.06)


def test_scores_of_a_flipped_input_are_the_mirror_image():
    net = DenseNetwork(Layer(20, 60), 3, seed=11).fit(np.random.default_rng(11).standard_normal(12))
    X = np.random.default_rng(12).standard_normal((50, 12))
    scores = [pairs.angle(net.proper_velocity(s * X)) / np.pi for s in (1, -1)]
    assert np.allclose(scores[0] + scores[1], 1, atol=1e-13)


def test_hash_bits_and_scores_of_every_flip_are_mirrored_in_whole_networks():
    """The theorem behind E15, at the setting of its digits."""
    from entanglement import data, whole

    rng = np.random.default_rng(14)
    X = data.digits()[0][rng.choice(1797, (3, 20), replace=False)]
    both = np.concatenate([X, -X[:, 1:]], axis=1)
    scores = pairs.angle(whole.velocities(Layer(64, 408, "signed"), both, 5, rng)) / np.pi
    assert np.allclose(scores[..., :19] + scores[..., 19:], 1, atol=1e-12)
    bits = whole.features(Layer(64, 408, "signed"), both, 5, rng) > 0
    assert (bits[:, 1:20] != bits[:, 20:]).all()


@pytest.mark.parametrize("epsilon", [0.0, 0.4, 1.5])
def test_robust_usefulness_is_the_exact_line(epsilon):
    """E[min y f] = (<r, m> - epsilon)/sigma: what pgd reaches on real digits."""
    from entanglement import data

    X, digit = data.digits(centred=True)
    X, y = X[digit < 2] / 16, np.where(digit[digit < 2] == 0, 1, -1)
    r = np.random.default_rng(15).standard_normal(64)
    r /= np.linalg.norm(r)
    attacked = robustness.pgd(lambda moved: np.outer(-y, r), X, epsilon, steps=5)
    assert np.mean(y * (attacked @ r)) == pytest.approx(r @ (y @ X / len(y)) - epsilon, abs=1e-9)


@pytest.mark.parametrize("layer", [(24, 1, 96, 7), (16, 6, 32, 5), (9, 4, None, 12)])
def test_certified_share_over_whole_networks(layer):
    from entanglement import whole

    width, depth, pool, d = layer
    rng, theta = np.random.default_rng(16), np.radians([0, 40, 75, 90, 180])
    x = rng.standard_normal((400, d))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    r = whole.directions(Layer(width, pool), x, depth, rng)
    v = rng.standard_normal((400, 60, d))
    v -= np.sum(v * x[:, None], axis=2, keepdims=True) * x[:, None]
    v /= np.linalg.norm(v, axis=2, keepdims=True)
    predicted = theory.certified_share(Layer(width, pool), theta, d, depth)
    for angle, share in zip(theta, predicted, strict=True):
        X = np.cos(angle) * x[:, None] + np.sin(angle) * v
        assert close(np.mean(np.einsum("spd,sd->sp", X, r) ** 2, axis=1), share**2)
    assert predicted[0] == pytest.approx(
        theory.direction_cosine(Layer(width, pool), d, depth), rel=1e-9
    )


def test_certified_share_of_inputs_that_know_nothing_of_the_sample():
    """Averaged over independent directions it is 1/d, whatever the layer."""
    from scipy import special

    levels = special.betaincinv(0.5, 15.5, (np.arange(4000) + 0.5) / 4000)  # cos^2
    for layer in (Layer(64, 408), Layer(64)):
        share = theory.certified_share(layer, np.arccos(np.sqrt(levels)), 32, 4)
        assert np.mean(share**2) == pytest.approx(1 / 32, rel=2e-3)


@pytest.mark.parametrize("pool, depth", [(408, 10), (1600, 15), (1600, 20)])
def test_climb_success_finds_the_farthest_start(pool, depth):
    """Also where it is nearer than a thousandth of a standard deviation."""
    layer, time = Layer(16, pool), 20.0
    tangent = theory.direction_tangent(layer, 64, depth)[0]
    slope = np.exp(theory.rapidity_gain(layer) * depth) * np.sqrt((1 + tangent) / 63)
    start = np.sqrt(2) * special.erfinv(theory.climb_success(layer, 64, depth, time))
    assert theory.climb_time(start, slope) == pytest.approx(time, rel=1e-6)
    start = np.sqrt(2) * special.erfinv(theory.climb_success(layer, 64, depth, time, 1))
    assert time * slope * (1 + (slope * start) ** 2) ** -1.5 == pytest.approx(start, rel=1e-6)


def test_few_plain_steps_take_up_to_one_and_three_over_n_times_as_long():
    """climb_success with steps: slower than the limit, by a time that is bounded."""
    layer, slope_free = Layer(64, 408), (64, 9)
    for steps in (1, 2, 5, 20):
        for time in (0.5, 20.0, 400.0):
            counted = theory.climb_success(layer, *slope_free, time, steps)
            assert counted <= theory.climb_success(layer, *slope_free, time) + 1e-3
            assert (
                counted >= theory.climb_success(layer, *slope_free, time / (1 + 3 / steps)) - 1e-3
            )
    assert theory.climb_success(layer, *slope_free, 20.0, 2000) == pytest.approx(
        theory.climb_success(layer, *slope_free, 20.0), abs=1e-3
    )


def test_one_large_step_over_whole_networks():
    """What review measured: 0.86, 0.44, 0.15 where the law of small steps says 0.95, 0.56, 0.23."""
    rng, layer = np.random.default_rng(18), Layer(64, 408)
    for depth in (4, 7, 10):
        X = rng.standard_normal((60, 51, 64))
        *_, (H, u) = robustness.products(layer, X[:, 0], depth, rng)
        X, r = X[:, 1:], np.einsum("skd,sk->sd", H, u)[:, None]
        moved = robustness.climb(robustness.whole_side_gradient(H, u, X), X.reshape(-1, 64), 20, 1)
        turned = np.mean(np.sum(moved.reshape(X.shape) * r, 2) * np.sum(X * r, 2) < 0, axis=1)
        assert close(turned, theory.climb_success(layer, 64, depth, 20.0, 1))
        assert not close(turned, theory.climb_success(layer, 64, depth, 20.0))


@pytest.mark.parametrize("layer, depth, d", [((24, 96), 3, 20), ((12, None), 2, 9)])
def test_mean_transfer_over_whole_networks(layer, depth, d):
    from entanglement import whole

    rng, step = np.random.default_rng(19), np.array([0.5, 1.5, 8])
    x, X = rng.standard_normal((800, d)), rng.standard_normal((800, 40, d))
    r, r2 = (whole.directions(Layer(*layer), x, depth, rng) for _ in range(2))
    first, second = (np.einsum("spd,sd->sp", X, v) for v in (r, r2))
    second_after = second - step[:, None, None] * first * np.sum(r * r2, axis=1)[:, None]
    turned = np.mean(second * second_after < 0, axis=2).T
    assert close(turned, theory.mean_transfer_probability(Layer(*layer), d, depth, step))
