"""Masks, pads, what is public, and the code-offset, against brute force and dense networks; and the
closed forms behind them.
"""

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import erf

from entanglement import Layer, margin_norms, theory
from entanglement.dense import DenseNetwork
from entanglement.lazy import LazyNetwork
from entanglement.pairs import Velocity, accumulate, independent_angles, simulate
from entanglement.reconciliation import (
    bch,
    bit_error,
    enrol,
    folded,
    guessed_key,
    mask,
    pad,
    pixel_errors,
    public_rows,
    recover,
    stream,
)


def agrees(values, predicted):
    """The mean of independent repeats is within 4 standard errors of a prediction; of shares, at
    least the binomial one.
    """
    spread = np.std(values, ddof=1)
    if np.asarray(values).dtype == bool:
        spread = max(spread, np.sqrt(predicted * (1 - predicted)))
    error = spread / np.sqrt(len(values))
    assert abs(np.mean(values) - predicted) <= 4 * error, (np.mean(values), predicted, error)


# --- the authors' scheme


@pytest.fixture(scope="module")
def scheme():
    """(network, key, message, published, a network inferred from the same key)."""
    rng = np.random.default_rng(1)
    key, message = rng.standard_normal(400), rng.choice([-1.0, 1.0], 400)
    nets = [LazyNetwork(Layer(400, 640), 60, seed=seed).fit(key) for seed in (2, 3)]
    return nets[0], key, message, mask(message, pad(nets[0], key[None])[0]), nets[1]


def test_key_and_strangers_recover_the_message_up_to_sign(scheme):
    net, key, message, published, _ = scheme
    X = np.vstack([key, np.random.default_rng(4).standard_normal((3, 400)), np.ones(400)])
    errors = bit_error(mask(published, pad(net, X)), message)
    assert errors[0] == 0 and folded(errors).max() == 0
    assert (bit_error(mask(published, pad(net, -X)), message) == 1 - errors).all()


def test_published_is_masked_and_another_network_does_not_unmask_it(scheme):
    _, key, message, published, other = scheme
    for decoded in (published, mask(published, pad(other, key[None])[0])):
        assert abs(bit_error(decoded, message) - 0.5) < 4 * 0.5 / np.sqrt(400)


def test_pad_is_the_sign_of_the_feature_at_any_layer():
    net, X = (
        DenseNetwork(Layer(32, 64), 5, seed=1).fit(np.arange(1.0, 17)),
        np.random.default_rng(2).standard_normal((3, 16)),
    )
    assert (pad(net, X, 2) == np.sign(net.transform(X, 2))).all() and set(pad(net, X).ravel()) == {
        -1.0,
        1.0,
    }
    assert (pad(net, X) != pad(net, X, 2)).any()


@pytest.mark.parametrize("bad", [[0.0, 1.0], [1.0, np.nan], [2.0, -2.0], 1.0, "x"])
def test_messages_are_signs(bad):
    for call in (lambda: mask(bad, [1, -1]), lambda: bit_error(bad, [1, -1])):
        with pytest.raises(ValueError, match="message|decoded"):
            call()
    with pytest.raises(ValueError, match="pad: shape"):
        mask([1, -1, 1], [1, -1])


def test_pixel_errors_have_the_flip_probability_of_their_velocity():
    w = np.repeat([0.3, -0.3, 2.0], 300)
    errors = pixel_errors(
        Layer(256, 400), Velocity(np.log(np.abs(w)), np.sign(w)), np.random.default_rng(5)
    ).reshape(3, 300)
    for e, (w, inverted) in zip(errors, ((0.3, False), (0.3, True), (2.0, False)), strict=True):
        p = float(theory.bit_flip_probability(Layer(256, 400), np.arctan(1 / w)))
        agrees(e, 1 - p if inverted else p)


# --- its law


def binomial_fold(p, count):
    """E min(X, count - X) / count, X ~ Binomial(count, p), by summation."""
    x = np.arange(count + 1)
    return stats.binom.pmf(x, count, p) @ np.minimum(x, count - x) / count


def flip_by_quadrature(w, width, pool):
    q = stats.norm.isf(width / pool / 2)
    return (
        2
        * pool
        / width
        * integrate.quad(lambda a: stats.norm.pdf(a) * stats.norm.cdf(-a * w), q, 12)[0]
    )


@pytest.mark.parametrize(("start", "spread"), [(0.0, 0.1), (0.4, 0.05), (0.4, 0.0)])
def test_folded_error_of_one_layer(start, spread):
    z = np.linspace(-6, 6, 41)
    each = [
        binomial_fold(flip_by_quadrature(abs(start + spread * zi), 300, 420), 300)
        for zi in (z if spread else z[:1] * 0)
    ]
    weight = stats.norm.pdf(z) / stats.norm.pdf(z).sum() if spread else np.ones(1)
    assert theory.folded_error(Layer(300, 420), 1, start=start, spread=spread)[0] == pytest.approx(
        weight @ each, abs=1e-3
    )  # the share that is kept varies, there not


@pytest.mark.parametrize(
    ("width", "pool", "depth", "theta"),
    [(256, 409, 7, None), (2500, 2700, 185, None), (625, 875, 12, 1.3)],
)
def test_folded_error_of_many_layers(width, pool, depth, theta):
    rng = np.random.default_rng([6, width])
    start = dict(spread=1 / np.sqrt(width - 1)) if theta is None else dict(start=1 / np.tan(theta))
    theta = independent_angles(rng, 10_000, width) if theta is None else theta
    w = simulate(Layer(width, pool), theta, depth, trials=10_000, seed=7, keep=[depth - 1]).log_abs[
        :, 0
    ]
    errors = folded(
        rng.binomial(width, theory.bit_flip_probability(Layer(width, pool), np.arctan(np.exp(-w))))
        / width
    )
    mean, deviation = theory.folded_error(Layer(width, pool), depth, **start)
    agrees(errors, mean)
    agrees(errors**2, mean**2 + deviation**2)
    for error in (0, 0.05, 0.48):
        agrees(errors <= error, theory.folded_error_cdf(Layer(width, pool), depth, error, **start))


def test_folded_error_is_that_of_dense_networks():
    rng, errors = np.random.default_rng(8), []
    for seed in range(80):
        key, stranger = rng.standard_normal((2, 64))
        pads = pad(DenseNetwork(Layer(64, 128), 6, seed=seed).fit(key), np.array([key, stranger]))
        errors.append(folded(bit_error(pads[1], pads[0])))
    agrees(errors, theory.folded_error(Layer(64, 128), 6, spread=1 / np.sqrt(63))[0])


def test_folded_error_over_depths_is_that_of_each():
    depths = np.array([1, 3, 40])
    together = theory.folded_error(Layer(100, 150), depths, spread=0.1)
    for i, depth in enumerate(depths):
        assert np.allclose(
            [part[i] for part in together],
            theory.folded_error(Layer(100, 150), int(depth), spread=0.1),
            rtol=1e-12,
        )
    with pytest.raises(ValueError, match="depth: 0"):
        theory.folded_error(Layer(100, 150), 0, spread=0.1)
    with pytest.raises(ValueError, match="error: 0.5"):
        theory.folded_error_cdf(Layer(100, 150), 3, 0.5, spread=0.1)


def test_orthogonal_inputs_start_with_coin_tosses():
    assert theory.folded_error(Layer(400, 640), 1)[0] == pytest.approx(
        0.5 - np.sqrt(1 / (2 * np.pi * 400)), abs=1e-4
    )


def test_variance_of_log_growth():
    rng = np.random.default_rng(9)
    growth = (
        np.log(margin_norms(Layer(64, 100), rng, 100_000)) - np.log(rng.chisquare(63, 100_000)) / 2
    )
    agrees((growth - growth.mean()) ** 2, theory.log_growth_variance(Layer(64, 100)))


def test_nearer_probability():
    assert theory.nearer_probability(Layer(100, 160), 0.1, 0, 50) == pytest.approx(
        erf(0.1 * 7 / np.sqrt(2)), abs=1e-9
    )
    rng, layers, trials = np.random.default_rng(10), 12, 20_000
    w = np.array([np.full(trials, 0.1), np.tan(np.pi / 2 - independent_angles(rng, trials, 400))])
    A = margin_norms(Layer(400, 640), rng, (layers, 1, trials))
    B, z = (
        np.sqrt(rng.chisquare(399, (layers, 2, trials))),
        rng.standard_normal((layers, 2, trials)),
    )
    bob, eve = accumulate(Velocity(np.log(np.abs(w)), np.sign(w)), A + 0 * B, B, z).log_abs[-1]
    agrees(bob > eve, theory.nearer_probability(Layer(400, 640), 0.1, layers, 400))


@pytest.mark.parametrize("pool", [15, 40])
def test_bit_errors_of_the_largest_coordinates(pool):
    rng, theta = np.random.default_rng(11), 0.9
    x, noise = rng.standard_normal((2, 40_000, pool))
    kept = np.argsort(-np.abs(x), axis=1)[:, :15]
    a, b = (
        np.take_along_axis(v, kept, axis=1) for v in (x, np.cos(theta) * x + np.sin(theta) * noise)
    )
    wrong = (a * b < 0).sum(axis=1)
    for limit in (0, 2, 4):
        agrees(wrong <= limit, float(theory.bit_errors_cdf(Layer(15, pool), theta, limit)))


def test_impostors_face_fair_coins():
    limits = np.array([3, 7, 9])
    assert np.allclose(
        theory.bit_errors_cdf(Layer(15, 40), np.pi / 2, limits),
        stats.binom.cdf(limits, 15, 0.5),
        rtol=1e-10,
    )


# --- what is public


def test_public_rows_have_the_law_of_dense_ones():
    rng, squares, across = np.random.default_rng(12), [], []
    for _ in range(60):
        x = rng.standard_normal(20)
        weights = public_rows(Layer(32, 80), x, 2, rng)
        second = weights[0] @ x / np.linalg.norm(weights[0] @ x)
        squares.append(
            [np.mean((weights[0] @ x) ** 2) / (x @ x), np.mean((weights[1] @ second) ** 2)]
        )
        across.append(
            [
                np.mean((W - np.outer(W @ u, u) / (u @ u)) ** 2) * s / (s - 1)
                for W, u, s in zip(weights, (x, second), (20, 32), strict=True)
            ]
        )
    for values, predicted in (
        (np.array(squares), theory.finite_second_moment(Layer(32, 80))),
        (np.array(across), 1.0),
    ):
        for layer in (0, 1):
            agrees(values[:, layer], predicted)


def test_guessed_key_is_the_first_singular_vector():
    rng = np.random.default_rng(13)
    weights = public_rows(Layer(40, 100), rng.standard_normal(40), 6, rng)
    first = np.linalg.svd(np.linalg.multi_dot(weights[::-1]))[2][0]
    assert abs(guessed_key(rng, weights, 40) @ first) > 1 - 1e-9


@pytest.mark.parametrize("ratio", [1, 3])
def test_guessed_key_has_the_predicted_cosine(ratio):
    rng, cosines = np.random.default_rng([14, ratio]), []
    for _ in range(60):
        key = rng.standard_normal(64)
        cosines.append(
            guessed_key(rng, public_rows(Layer(64, 64 * ratio), key, 16, rng), 10)
            @ key
            / np.linalg.norm(key)
        )
    agrees(np.square(cosines), theory.training_cosine(Layer(64, 64 * ratio), 64) ** 2)


# --- the code


@pytest.mark.parametrize(("corrects", "key_bits"), [(7, 24), (11, 16)])
def test_code_leaves_the_bits_of_the_standard_table(corrects, key_bits):
    """Dimensions of primitive BCH codes of 63 bits: Lin and Costello, appendix."""
    code = bch(63, corrects)
    assert (code.n, code.k, code.t) == (63, key_bits, corrects)


@pytest.mark.parametrize(
    ("length", "corrects", "message"),
    [
        (100, 2, "length: 100"),
        (15, 0, "corrects: 0"),
        (15, 8, "corrects: 8"),
        (15, 1.5, "corrects: 1.5"),
    ],
)
def test_impossible_codes_are_refused(length, corrects, message):
    with pytest.raises(ValueError, match=message):
        bch(length, corrects)


# --- the code-offset


@pytest.fixture(scope="module")
def enrolled():
    rng, code = np.random.default_rng(17), bch(63, 7)
    key = rng.standard_normal(200)
    return key, *enrol(rng, key, code), code


def test_enrolment_publishes_where_margins_are_largest_and_no_sign(enrolled):
    key, bits, helper, code = enrolled
    assert (
        set(helper.kept) == set(np.argsort(-np.abs(key))[:63])
        and (bits == (key[helper.kept] > 0)).all()
    )
    codeword = bits ^ helper.offset
    assert code.detect(codeword.astype(np.uint8)) == 0 and (bits != helper.offset).any()
    mirrored, again = enrol(np.random.default_rng(18), -key, code)
    assert (again.kept == helper.kept).all() and (mirrored == ~bits).all()


@pytest.mark.parametrize("flipped", [0, 7, 8, 20])
def test_recovers_within_reach_and_is_refused_beyond(enrolled, flipped):
    key, bits, helper, code = enrolled
    noisy = np.tile(key, (20, 1))
    for i, row in enumerate(noisy):
        row[np.random.default_rng(i).choice(helper.kept, flipped, replace=False)] *= -1
    recovered, accepted = recover(noisy, helper, code)
    assert (accepted == (flipped <= 7)).all() and (recovered[accepted] == bits).all()


def test_a_negative_is_no_key(enrolled):
    key, _, helper, code = enrolled
    assert not recover(-key[None], helper, code)[1].any()


def test_one_wrong_bit_leaves_nothing_of_the_pad(enrolled):
    bits = enrolled[1]
    near = bits.copy()
    near[5] ^= True
    assert (
        (stream(bits, 2500) == stream(bits, 2500)).all()
        and set(stream(bits, 13)) <= {-1.0, 1.0}
        and len(stream(bits, 13)) == 13
    )
    assert abs(bit_error(stream(near, 2500), stream(bits, 2500)) - 0.5) < 4 * 0.5 / 50


def test_a_key_with_too_few_coordinates_is_refused():
    with pytest.raises(ValueError, match="x: 10 coordinates"):
        enrol(np.random.default_rng(19), np.ones(10), bch(15, 2))


def test_copies_too_short_and_signs_for_bits_are_refused(enrolled):
    key, bits, helper, code = enrolled
    with pytest.raises(ValueError, match="X: 20 columns"):
        recover(key[None, :20], helper, code)
    with pytest.raises(ValueError, match=r"bits: array\(\["):
        stream(np.where(bits, 1.0, -1.0), 16)
