"""The certificate against networks of both kinds, and attacks against the certificate."""

import numpy as np
import pytest
from attacks import side_gradient

from entanglement import Layer, robustness
from entanglement.dense import DenseNetwork
from entanglement.lazy import LazyNetwork

NETWORKS = [  # width, depth, pool, rule, input dimension
    (30, 1, 60, "largest", 20),
    (30, 3, 60, "largest", 50),
    (12, 8, None, "none", 30),
    (16, 40, 64, "largest", 16),
    (10, 6, 30, "labelled", 8),
    (10, 5, 40, "signed", 12),
]


def fitted(kind, width, depth, pool, rule, d, seed=3):
    x = np.random.default_rng(seed).standard_normal(d)
    labels = np.where(np.arange(width) % 3, 1, -1) if rule == "labelled" else None
    return kind(Layer(width, pool, rule), depth, seed=seed).fit(x, labels), x


def side(net, X):
    return net.proper_velocity(X).sign


@pytest.mark.parametrize("kind", [DenseNetwork, LazyNetwork])
@pytest.mark.parametrize("layer", NETWORKS)
def test_a_straight_step_flips_just_beyond_the_certificate_and_not_before(kind, layer):
    net, _ = fitted(kind, *layer)
    X = 3 * np.random.default_rng(4).standard_normal((200, layer[-1]))
    r, radius, before = robustness.direction(net), robustness.certificate(net, X), side(net, X)
    assert np.linalg.norm(r) == pytest.approx(1)
    towards = -np.sign(X @ r)[:, None] * r
    assert (side(net, X + (1 + 1e-6) * radius[:, None] * towards) == -before).all()
    assert (side(net, X + (1 - 1e-6) * radius[:, None] * towards) == before).all()


def test_lazy_and_dense_agree_on_the_pull_back():
    """One answer from two formulas: the lazy network's own matrix, column by column from its
    features.
    """
    net, x = fitted(LazyNetwork, 16, 1, 64, "largest", 9)
    net.transform(np.eye(9))
    W = net.frames[0] @ net.triangles[0] @ net.basis.T
    along = W.T @ net.transform(x[None])[0]
    assert np.allclose(robustness.direction(net), along / np.linalg.norm(along), atol=1e-12)


THREE = [(40, 1, 120), (64, 4, 400), (48, 12, 300)]


@pytest.mark.parametrize("layer", THREE)
def test_no_attack_beats_the_certificate_and_pgd_comes_within_two_percent(layer):
    width, depth, pool = layer
    rng = np.random.default_rng(depth)
    net = DenseNetwork(Layer(width, pool), depth, seed=depth).fit(rng.standard_normal(32))
    X = rng.standard_normal((200, 32))
    radius, before = robustness.certificate(net, X), side(net, X)
    for _ in range(20):
        step = rng.standard_normal(X.shape)
        step *= (1 - 1e-6) * radius[:, None] / np.linalg.norm(step, axis=1, keepdims=True)
        assert (side(net, X + step) == before).all()
    for unit in (True, False):
        gradient = side_gradient(net, X, unit)
        assert (
            side(net, robustness.pgd(gradient, X, (1 - 1e-6) * radius, steps=40)) == before
        ).all()
    assert (side(net, robustness.pgd(gradient, X, 1.02 * radius, steps=40)) == -before).all()
    gradient = side_gradient(net, X)  # on the cosine its steps overshoot
    assert (side(net, robustness.pgd(gradient, X, 1.1 * radius, steps=40)) == -before).all()


@pytest.mark.parametrize("unit", [True, False])
def test_side_gradient_is_the_slope_of_the_loss(unit):
    net, x = fitted(DenseNetwork, 10, 3, 30, "largest", 6)
    X = np.random.default_rng(5).standard_normal((4, 6))
    slope = side_gradient(net, X, unit)(X)

    def loss(X):
        feature = X
        for W in net.weights:
            feature = feature @ W.numpy().T / np.sqrt(len(W))
        return -side(net, X) * (
            feature @ net.transform(x[None])[0] / (np.linalg.norm(feature, axis=1) if unit else 1)
        )

    for i, step in enumerate(1e-6 * np.eye(6)):
        assert np.allclose(
            (loss(X + step) - loss(X - step)) / 2e-6, slope[:, i], rtol=1e-6, atol=1e-9
        )


def test_plain_gradients_fade_with_depth_and_climb_is_their_sum():
    X = np.random.default_rng(6).standard_normal((100, 20))
    shares = []
    for depth in (1, 12):
        net, _ = fitted(DenseNetwork, 30, depth, 200, "largest", 20)
        ends = robustness.climb(side_gradient(net, X), X, 1.0, 20)
        shares.append(np.mean(side(net, ends) != side(net, X)))
    assert shares[0] > 0.9 and shares[1] < 0.5
    assert np.allclose(robustness.climb(lambda moved: np.ones_like(moved), X, 0.5, 3), X + 1.5)


@pytest.mark.parametrize("kind", [DenseNetwork, LazyNetwork])
def test_public_directions_are_leading_singular_vectors_and_become_the_direction(kind):
    net, _ = fitted(kind, 24, 14, 96, "largest", 10)
    found = robustness.public_directions(net)
    first = net.weights[0].numpy() if kind is DenseNetwork else net.triangles[0] @ net.basis.T
    assert abs(found[0] @ np.linalg.svd(first)[2][0]) == pytest.approx(1, abs=1e-6)
    assert abs(found[-1] @ robustness.direction(net)) == pytest.approx(1, abs=1e-6)


def test_decidability_against_its_definition_and_its_spread():
    rng = np.random.default_rng(8)
    runs = []
    for _ in range(200):
        shift = 0.3 * rng.standard_normal((30, 1))  # scores of a network have something in common
        genuine, impostor = (
            shift + rng.standard_normal((2, 30, 20)) + np.array([0, 2])[:, None, None]
        )
        runs.append(robustness.pooled_decidability(genuine, impostor))
        expected = abs(genuine.mean() - impostor.mean()) / np.sqrt(
            (genuine.var() + impostor.var()) / 2
        )
        assert runs[-1][0] == pytest.approx(expected)
    values, errors = np.transpose(runs)
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda net: robustness.direction(DenseNetwork(Layer(4), 1)), "net"),
        (lambda net: robustness.velocity_parts(LazyNetwork(Layer(4), 1)), "net"),
        (lambda net: robustness.pgd(lambda X: X, np.full((2, 4), 3.0), 0.1, limits=(0, 1)), "X: 3"),
        (lambda net: robustness.certificate(net, np.ones((2, 3))), "X"),
        (lambda net: robustness.pgd(lambda X: X, np.ones((2, 4)), -1.0), "radius"),
        (lambda net: robustness.pgd(lambda X: X, np.ones((2, 4)), 1.0, norm=1), "norm"),
        (lambda net: robustness.climb(lambda X: X, np.ones((2, 4)), 1.0, 0), "steps"),
        (lambda net: robustness.pooled_decidability(np.ones((1, 5)), np.ones((1, 5))), "genuine"),
        (lambda net: robustness.pooled_decidability(np.ones((3, 5)), np.ones((3, 4))), "impostor"),
    ],
)
def test_refusals_name_the_argument(call, name):
    net, _ = fitted(DenseNetwork, 6, 2, 24, "largest", 4)
    with pytest.raises(ValueError, match=name):
        call(net)


@pytest.mark.parametrize("kind", [DenseNetwork, LazyNetwork])
@pytest.mark.parametrize("layer", NETWORKS)
def test_the_same_small_step_in_every_coordinate_flips_just_beyond_the_radius(kind, layer):
    net, _ = fitted(kind, *layer)
    X = 3 * np.random.default_rng(6).standard_normal((200, layer[-1]))
    r, before = robustness.direction(net), side(net, X)
    step = robustness.certificate(net, X, np.inf)[:, None] * -np.sign(X @ r)[:, None] * np.sign(r)
    assert (side(net, X + (1 + 1e-6) * step) == -before).all()
    assert (side(net, X + (1 - 1e-6) * step) == before).all()
    for _ in range(20):  # no other step inside the cube does it
        other = np.random.default_rng(7).uniform(-1, 1, X.shape) * np.abs(step)
        assert (side(net, X + (1 - 1e-6) * other) == before).all()


def test_pgd_in_the_largest_coordinate_reaches_the_radius_and_no_less():
    net, _ = fitted(DenseNetwork, 40, 3, 160, "largest", 32)
    X = np.random.default_rng(8).standard_normal((100, 32))
    radius, before = robustness.certificate(net, X, np.inf), side(net, X)
    gradient = side_gradient(net, X)
    for share, flipped in ((1 - 1e-6, 1), (1.05, -1)):
        moved = robustness.pgd(gradient, X, share * radius, steps=40, norm=np.inf)
        assert (side(net, moved) == flipped * before).all()


def test_products_and_gradients_of_whole_networks_are_those_of_torch():
    """Its matrices in a DenseNetwork: the same r, features and gradients."""
    import torch

    from entanglement import whole

    layer, rng = Layer(10, 30), np.random.default_rng(9)
    x, X = rng.standard_normal((2, 6)), rng.standard_normal((2, 4, 6))
    weights = list(whole.infer(layer, x, 3, np.random.default_rng(10)))
    *_, (H, u) = robustness.products(layer, x, 3, np.random.default_rng(10))
    gradient = robustness.whole_side_gradient(H, u, X)(X.reshape(-1, 6)).reshape(X.shape)
    for i in range(2):
        net = DenseNetwork(layer, 3, seed=1).fit(x[i])
        net.weights = [torch.from_numpy(W[i].copy()) for W in weights]
        r = robustness.direction(net)
        along = H[i].T @ u[i]
        assert np.allclose(r, along / np.linalg.norm(along), atol=1e-10)
        assert np.allclose(gradient[i], side_gradient(net, X[i])(X[i]), atol=1e-10)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda H, u, X: robustness.whole_side_gradient(H, u[:, :3], X), "u"),
        (lambda H, u, X: robustness.whole_side_gradient(H[0], u, X), "H"),
        (lambda H, u, X: robustness.whole_side_gradient(H, u, X[:, :, :3]), "X"),
        (lambda H, u, X: list(robustness.products(Layer(4, 8), X, 2, None)), "x"),
    ],
)
def test_whole_networks_refuse_by_name(call, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        call(np.ones((2, 5, 6)), np.ones((2, 5)), np.ones((2, 3, 6)))
