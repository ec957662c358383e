"""Classifiers as defences: exact worst cases, attacks that never beat them, and the law of r."""

import numpy as np
import pytest

from entanglement import Layer, LazyNetwork, data, defences, robustness, theory
from entanglement.defences import Decoder, Linear, attack, named, tilted, train

LIMITS = (0.0, 16.0)
LAYER, DEPTH = Layer(64, 307), 8


@pytest.fixture(scope="module")
def digits():
    """Forty images with their labels, the mean, and ten class means less that."""
    X, y = data.digits()
    mean = X[40:].mean(axis=0)
    enrolled = np.array([X[40:][y[40:] == c].mean(axis=0) for c in range(10)]) - mean
    return X[:40], y[:40], mean, enrolled


def decoder(digits, parts=defences.drawn_parts, layer=LAYER, seed=1):
    _, _, mean, enrolled = digits
    return Decoder(*parts(layer, enrolled, DEPTH, np.random.default_rng(seed)), mean)


@pytest.fixture(scope="module")
def perceptron(digits):
    X, y, *_ = digits
    return train(X, y, np.random.default_rng(2), LIMITS, 1.0, hidden=16, steps=30)


@pytest.mark.parametrize("radius", [0, 0.5, 1, 2, 5])
def test_certified_is_the_worst_corner_and_no_attack_beats_it(digits, radius):
    X, y, *_ = digits
    linear = decoder(digits).linear
    holds = linear.certified(X, y, radius, LIMITS)
    for x, label, held in zip(X, y, holds, strict=True):
        lead = linear.rows[label] - np.delete(linear.rows, label, axis=0)
        worst = np.clip(x - radius * np.sign(lead), *LIMITS)  # one corner a rival
        assert held == (np.sum(lead * (worst - linear.centre), axis=1) > 0).all()
    for norm_attack in (
        attack(linear, X, y, radius, np.random.default_rng(3), LIMITS, rounds=2),
        robustness.pgd(_uphill(linear, y), X, radius, 30, np.inf, LIMITS),
    ):
        assert (named(linear, norm_attack) == y)[holds].all()
    assert 0 < holds.mean() < 1 or radius in (0, 5)


def _uphill(defence, labels):
    """Gradient, for pgd, of the best rival's lead over the label."""

    def gradient(A):
        scores, slope = defence(A)
        scores[np.arange(len(A)), labels] = -np.inf
        return slope(scores.argmax(axis=1), labels)

    return gradient


def test_attack_of_a_linear_score_finds_the_worst_case(digits):
    X, y, *_ = digits
    linear = decoder(digits).linear
    for radius in (0.5, 1, 2):
        moved = attack(linear, X, y, radius, np.random.default_rng(4), LIMITS)
        assert np.array_equal(named(linear, moved) == y, linear.certified(X, y, radius, LIMITS))


def test_attacked_images_stay_near_and_within_limits(digits, perceptron):
    X, y, *_ = digits
    moved = attack(perceptron, X, y, 1.5, np.random.default_rng(5), LIMITS, rounds=2)
    assert np.abs(moved - X).max() <= 1.5 + 1e-12
    assert moved.min() >= 0 and moved.max() <= 16
    assert np.array_equal(attack(perceptron, X, y, 0, np.random.default_rng(5), LIMITS), X)


@pytest.mark.parametrize("kind", ["linear", "decoder", "perceptron"])
def test_slopes_are_the_gradients_of_the_scores(digits, perceptron, kind):
    X, y, *_ = digits
    own = decoder(digits)
    defence = {"linear": own.linear, "decoder": own, "perceptron": perceptron}[kind]
    A, first, second = X + 0.1, y, (y + 3) % 10
    found, row = defence(A)[1](first, second), np.arange(len(A))
    for pixel in (10, 37):
        step = 1e-5 * np.eye(64)[pixel]
        up, down = (defence(A + sign * step)[0] for sign in (1, -1))
        lead = (up - down)[row, first] - (up - down)[row, second]
        assert lead / 2e-5 == pytest.approx(found[:, pixel], rel=1e-4, abs=1e-6)


def test_weight_gradients_are_those_of_the_loss(digits, perceptron):
    X, y, *_ = digits

    def loss():
        scores = perceptron(X)[0]
        return np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(y)), y])

    by_weight, by_image = perceptron.by_weights(X, y), perceptron.by_images(X, y)
    for weight, slope in zip(perceptron.weights, by_weight, strict=True):
        at = (0,) * weight.ndim
        kept = weight[at]
        values = []
        for sign in (1, -1):
            weight[at] = kept + sign * 1e-5
            values.append(loss())
        weight[at] = kept
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope[at], rel=1e-4, abs=1e-8)
    scores, slope = perceptron(X)  # d loss / dx = sum_c p_c grad(s_c - s_y) / P
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    by_class = [p[:, c, None] * slope(np.full(len(y), c), y) for c in range(10)]
    # `by_images` is by the pixels on [-1, 1], an eighth of a grey level each
    assert by_image / 8 == pytest.approx(np.sum(by_class, axis=0) / len(y), abs=1e-10)


def test_training_fits_and_adversarial_training_hardens():
    X, y = data.digits()
    X, y, unseen, truth = X[:600], y[:600], X[600:800], y[600:800]
    nets = [train(X, y, np.random.default_rng(6), LIMITS, radius) for radius in (0.0, 2.0)]
    kept = []
    for net in nets:
        assert np.mean(named(net, X) == y) > 0.97
        moved = attack(net, unseen, truth, 2, np.random.default_rng(7), LIMITS)
        kept.append(np.mean(named(net, moved) == truth))
    assert kept[1] > kept[0] + 0.2


def test_parts_hold_the_law_of_the_angle(digits):
    """Whole pools, the 64-dimensional law and LazyNetwork: cos^2 of r and x as the closed form."""
    enrolled = digits[3]
    unit = enrolled / np.linalg.norm(enrolled, axis=1, keepdims=True)
    law = theory.direction_cosine(LAYER, 64, DEPTH) ** 2
    for parts in (defences.whole_parts, defences.drawn_parts):
        rows = [decoder(digits, parts, seed=[8, i]).linear.rows for i in range(20)]
        cosines = np.sum(np.array(rows) * unit, axis=2).ravel() ** 2
        assert np.mean(cosines) == pytest.approx(law, abs=5 * cosines.std() / np.sqrt(200))
        assert cosines.std() < 0.1


def test_parts_give_the_velocities_of_a_network(digits):
    """drawn_parts against LazyNetwork in law: the median ln|w| of images at one angle."""
    X, _, mean, enrolled = digits
    x, z = enrolled[:1], X[:1] - mean
    drawn, lazy = [], []
    for i in range(300):
        p, G = defences.drawn_parts(LAYER, x, 4, np.random.default_rng([9, i]))
        drawn.append((p @ z[0] / np.sqrt(z[0] @ G[0] @ z[0]))[0])
        log_abs, sign = LazyNetwork(LAYER, 4, seed=i).fit(x[0]).proper_velocity(z)
        lazy.append(sign[0] * np.exp(log_abs[0]))
    means = [np.mean(np.arcsinh(w)) for w in (drawn, lazy)]
    errors = [np.std(np.arcsinh(w)) / np.sqrt(300) for w in (drawn, lazy)]
    assert abs(means[0] - means[1]) < 4.5 * np.hypot(*errors)


def test_whole_parts_are_those_of_the_matrices(digits):
    """w of velocity parts equals the angle that whole matrices make."""
    from entanglement import whole

    X, _, mean, enrolled = digits
    layer = Layer(16, 80)
    p, G = defences.whole_parts(layer, enrolled, 3, np.random.default_rng(10))
    pairs = np.concatenate([enrolled[:, None], np.tile(X[:5] - mean, (10, 1, 1))], axis=1)
    features = whole.features(layer, pairs, 3, np.random.default_rng(10))
    cosine = np.einsum("ck,cpk->cp", features[:, 0], features[:, 1:])
    w = Decoder(p, G, mean)(X[:5])[0].T
    assert w == pytest.approx(cosine / np.sqrt(1 - cosine**2), rel=1e-6)


def test_tilted_vectors_have_their_angle_and_no_other_direction():
    x = np.random.default_rng(11).standard_normal((2000, 5)) * 3
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rows = tilted(x, 0.7, np.random.default_rng(12))
    cosine = np.sum(rows * unit, axis=1)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(2000))
    assert cosine == pytest.approx(np.full(2000, 1 / np.hypot(1, 0.7)))
    across = rows - cosine[:, None] * unit
    assert np.abs(across.mean(axis=0)).max() < 5 * across.std() / np.sqrt(2000)
    assert tilted(x, 0.0, np.random.default_rng(12)) == pytest.approx(unit)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("X", {"X": np.full((3, 64), 17.0)}),
        ("X", {"X": np.zeros(64)}),
        ("labels", {"labels": [0, 1]}),
        ("labels", {"labels": [0, 1, 2.5]}),
        ("labels", {"labels": [0, 1, 10]}),
        ("radius", {"radius": -1}),
        ("radius", {"radius": np.nan}),
        ("limits", {"limits": (16, 0)}),
        ("rivals", {"rivals": 0}),
        ("rounds", {"rounds": 1.5}),
        ("steps", {"steps": 0}),
    ],
)
def test_attack_refuses_nonsense_by_name(digits, name, change):
    X, y, *_ = digits
    valid = dict(X=X[:3], labels=y[:3], radius=1, rng=np.random.default_rng(1), limits=LIMITS)
    with pytest.raises(ValueError, match=f"^{name}: "):
        attack(decoder(digits).linear, **valid | change)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("labels", {"labels": [0, 1]}),
        ("labels", {"labels": [0, -1, 2]}),
        ("labels", {"labels": ["a", "b", "c"]}),
        ("radius", {"radius": -1}),
        ("rate", {"rate": np.inf}),
        ("hidden", {"hidden": 0}),
        ("steps", {"steps": 2.5}),
        ("limits", {"limits": [0.0]}),
    ],
)
def test_train_refuses_nonsense_by_name(digits, name, change):
    X, y, *_ = digits
    valid = dict(X=X[:3], labels=y[:3], rng=np.random.default_rng(1), limits=LIMITS)
    with pytest.raises(ValueError, match=f"^{name}: "):
        train(**valid | change)


def test_drawn_parts_want_a_width_of_the_input_dimension(digits):
    with pytest.raises(ValueError, match="^layer: "):
        defences.drawn_parts(Layer(32, 154), digits[3], 3, np.random.default_rng(1))
    with pytest.raises(ValueError, match="^tangent: "):
        tilted(digits[3], -1.0, np.random.default_rng(1))
    with pytest.raises(ValueError, match="^rows: "):
        Linear(np.ones((10, 3)), np.ones(4))
