"""Notebook 06: laws of a masked message against simulation and quadrature, worst cases against
brute force, attacks that stay inside; what cannot come out otherwise; faces that show nobody.
"""

import numpy as np
import pytest
import torch
from scipy import integrate
from scipy.stats import norm

from entanglement import Layer, data, robustness, theory, whole
from entanglement.defences import Decoder
from entanglement.dense import DenseNetwork
from entanglement.lazy import LazyNetwork
from entanglement.pairs import angle, independent_angles, simulate
from entanglement.reconciliation import aimed_share, opposite_share, typical_residue

BOX = (0.0, 16.0)


# --- theory


def unit_rows(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def test_mask_error_is_what_is_left_of_the_mask():
    rng = np.random.default_rng(1)
    u, v = unit_rows(rng.standard_normal((2, 50)))
    left = np.sqrt(np.mean((7 * u - 7 * v) ** 2))
    assert theory.mask_error(np.arccos(u @ v), 7.0, 50) == pytest.approx(left)
    assert theory.mask_error(np.pi, 100.0, 2500) == pytest.approx(4)


@pytest.mark.parametrize("scale", [0.05, 1.0, 300.0])
def test_mean_log_mask_error_by_adaptive_quadrature(scale):
    def integrand(t):
        return 2 * norm.pdf(t) * np.log(theory.mask_error(np.arctan2(1, scale * t), 100.0, 2500))

    exact = sum(
        integrate.quad(integrand, *part, limit=400)[0] for part in ((0, 1e-3), (1e-3, 1), (1, 40))
    )
    assert theory.mean_log_mask_error(scale, 100.0, 2500) == pytest.approx(exact, abs=2e-6)
    scales = np.array([scale, 2 * scale])
    assert theory.mean_log_mask_error(scales, 100.0, 2500)[0] == pytest.approx(exact, abs=2e-6)


def test_the_masks_of_pairs_leave_what_theory_says():
    """E13 in small: photograph through networks inferred from noise, better sign."""
    k, n, depth, trials = 100, 140, 30, 4000
    theta = independent_angles(np.random.default_rng(2), trials, k)
    w = simulate(Layer(k, n), theta, depth, trials=trials, seed=5, keep=[depth])
    folded = np.minimum(angle(w), np.pi - angle(w))[:, 0]
    log_error = np.log(theory.mask_error(folded, 100.0, k))
    law = theory.mean_log_mask_error(theory.velocity_scale(Layer(k, n), depth, k), 100.0, k)
    assert (
        abs(log_error.mean() - law) < 4 * log_error.std() / np.sqrt(trials) + 0.01
    )  # 0.01: w is nearly normal at k = 100


@pytest.mark.parametrize("k, n, d", [(3, 5, 2), (12, 17, 40), (40, 40, 6)])
def test_typical_residue_at_any_width(k, n, d):
    depth, trials = 8, 20000
    theta = independent_angles(np.random.default_rng(3), trials, d)
    w = simulate(Layer(k, n), theta, depth, trials=trials, seed=6, keep=[0, depth])
    folded = np.minimum(angle(w), np.pi - angle(w))
    log_residue = np.log(2 * np.sin(folded / 2))
    for i, L in enumerate((0, depth)):
        error = log_residue[:, i].std() / np.sqrt(trials)
        law = np.log(typical_residue(Layer(k, n), L, d))
        assert abs(log_residue[:, i].mean() - law) < 4 * error + 0.005


def test_typical_residue_of_wide_layers():
    one = Layer(2500, 3500)
    limit = theory.mean_log_mask_error(theory.velocity_scale(one, 100, 2500), 100, 2500)
    assert np.log(2 * typical_residue(one, 100, 2500)) == pytest.approx(limit, abs=2e-3)


def test_shares_of_sides_and_of_aimed_steps_by_whole_matrices():
    """Another width, dimension, depth than the notebook's."""
    one, d, depth, count = Layer(10, 30), 24, 3, 3000
    a, b, c, step, rng = 0.3, -0.1, 0.5, 0.2, np.random.default_rng(16)
    r = whole.directions(one, np.repeat(np.eye(d)[:1], count, axis=0), depth, rng)
    first, second = a * r[:, 0] + r[:, 1], b * r[:, 0] + c * r[:, 1] + np.sqrt(1 - c**2) * r[:, 2]
    v = unit_rows(rng.standard_normal((count, d)))
    aimed = np.abs(np.sum(r * v, axis=1)) < step * np.abs(r[:, 0])
    opposite = opposite_share(one, d, depth, a, b, c)
    for found, law in ((first * second < 0, opposite), (aimed, aimed_share(one, d, depth, step))):
        assert abs(found.mean() - law) < 4 * np.sqrt(law * (1 - law) / count)


def test_what_cannot_come_out_otherwise():
    """A change of the published picture stays; v with a minus is -v with a plus."""
    k, rng = 60, np.random.default_rng(4)
    x, v, message, change = rng.standard_normal((4, k))
    net = LazyNetwork(Layer(k, 90), 5, seed=7).fit(x)
    u, f, g = net.transform(np.array([x, v, -v]))
    published = message + 30 * u
    assert np.allclose((published + change - 30 * f) - (published - 30 * f), change)
    assert np.allclose(published - 30 * f, published + 30 * g)


def test_noise_flips_an_isotropic_side_as_often_as_it_turns_the_input():
    rng, flips = np.random.default_rng(5), []
    v = rng.uniform(size=20)
    moved = v + 0.8 * rng.standard_normal(20)
    turn = np.arccos(v @ moved / np.linalg.norm(v) / np.linalg.norm(moved))
    for seed in range(1500):
        net = LazyNetwork(Layer(20, 28), 6, seed=seed).fit(rng.standard_normal(20))
        side = net.proper_velocity(np.array([v, moved])).sign
        flips.append(side[0] != side[1])
    law = turn / np.pi
    assert abs(np.mean(flips) - law) < 4 * np.sqrt(law * (1 - law) / 1500)


def test_drawn_faces_are_alike_and_always_the_same():
    few, many = data.drawn_faces(3, (30, 20)), data.drawn_faces(12, (30, 20))
    assert few.shape == (3, 30, 20) and np.array_equal(few, many[:3])
    assert many.min() >= 0 and many.max() <= 1
    rows = unit_rows(np.array([data.standardised(face).ravel() for face in many]))
    cosines = (rows @ rows.T)[np.triu_indices(12, 1)]
    assert cosines.min() > 0 and cosines.max() < 0.999


def test_the_message_comes_back_through_the_right_network_only():
    k, rng = 400, np.random.default_rng(14)
    message, x, v = (
        data.standardised(data.photograph("cat", (20, 20)), columns=True).ravel(),
        *rng.standard_normal((2, k)),
    )
    right, wrong = (LazyNetwork(Layer(k, 4 * k), 30, seed=seed).fit(x) for seed in (3, 4))
    published = message + 40 * right.transform(x[None])[0]

    def errors(net):
        f = 40 * net.transform(v[None])[0]
        return sorted(np.sqrt(np.mean((published + sign * f - message) ** 2)) for sign in (-1, 1))

    assert np.sqrt(np.mean((published - message) ** 2)) == pytest.approx(2)  # the mask is on
    assert errors(right)[0] < 1e-3 and errors(right)[1] == pytest.approx(4, rel=1e-3)
    assert errors(wrong) == pytest.approx([theory.mask_error(np.pi / 2, 40, k)] * 2, rel=0.15)


def test_angle_of_unseen_inputs_is_that_of_their_features():
    rng = np.random.default_rng(6)
    net = LazyNetwork(Layer(40, 120), 3, seed=1).fit(rng.standard_normal(40))
    X = rng.standard_normal((2, 40))
    f = np.vstack([net.transform(net.basis[:, 0][None]), net.transform(X)])
    rest = unit_rows(f[1:] - np.outer(f[1:] @ f[0], f[0]))
    log_abs, sign = net.proper_velocity(X)
    first, second = sign * np.exp(log_abs)
    assert theory.angle_of_unseen(first, second, rest[0] @ rest[1]) == pytest.approx(
        np.arccos(f[1] @ f[2]), abs=1e-12
    )
    assert theory.angle_of_unseen(1e9, 1e9, 0.0) == pytest.approx(np.sqrt(2) * 1e-9, rel=1e-6)
    assert np.pi - theory.angle_of_unseen(-1e5, 1e5, 0.3) == pytest.approx(
        np.sqrt(2 + 0.6) * 1e-5, rel=1e-5
    )


@pytest.mark.parametrize(
    "first, second, cosine",
    [(0.0, 0.0, 0.4), (0.02, -0.01, -0.6), (0.03, 0.001, 0.9), (-0.005, 0.2, 0.0)],
)
def test_opposite_probability_by_two_dimensional_quadrature(first, second, cosine):
    scale = 0.01

    def both_positive(t):  # given S = scale t, the other is normal with mean cosine S
        return norm.pdf(t) * norm.cdf(
            (second + cosine * scale * t) / (scale * np.sqrt(1 - cosine**2))
        )

    both = integrate.quad(both_positive, -first / scale, 40, limit=400)[0]
    exact = norm.cdf(first / scale) + norm.cdf(second / scale) - 2 * both
    assert theory.opposite_probability(first, second, cosine, scale) == pytest.approx(
        exact, abs=1e-8
    )
    if not first and not second:
        assert exact == pytest.approx(np.arccos(cosine) / np.pi, abs=1e-8)


def test_sides_of_unseen_pairs_differ_as_often_as_theory_says():
    """E14 in small, over networks: three inputs at chosen cotangents to the training input."""
    k, n, count = 64, 307, 500
    deviation = 1 / np.sqrt(k * (theory.second_moment(Layer(k, n)) - 1))
    cotangents = deviation * np.array([1.5, -0.5, 0.4])
    X = np.zeros((3, k))
    X[:, 0], X[0, 1], X[1, [1, 2]], X[2, 3] = cotangents, 1, (0.6, 0.8), 1
    signs = np.array(
        [
            LazyNetwork(Layer(k, n), 12, seed=i).fit(np.eye(k)[0]).proper_velocity(X).sign
            for i in range(count)
        ]
    )
    for i, j, cosine in ((0, 1, 0.6), (0, 2, 0.0)):
        law = theory.opposite_probability(cotangents[i], cotangents[j], cosine, deviation)
        share = np.mean(signs[:, i] != signs[:, j])
        assert abs(share - law) < 4 * np.sqrt(law * (1 - law) / count)


@pytest.mark.parametrize("depth", [1, 6])
def test_mean_square_tangent_of_networks(depth):
    rng = np.random.default_rng(7)
    k, d, found = 24, 12, []
    for seed in range(150):
        x = rng.standard_normal(d)
        G = robustness.velocity_parts(DenseNetwork(Layer(k, 60), depth, seed=seed).fit(x))[1][-1]
        Z = rng.standard_normal((20, d))
        Z = unit_rows(Z - np.outer(Z @ x, x) / (x @ x))
        found.append(np.mean(np.sum((Z @ G) ** 2, axis=1) / np.sum(Z @ G * Z, axis=1) ** 2 - 1))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - theory.mean_square_tangent(Layer(k), d, depth)) < 4 * error
    assert error < 0.05 * np.mean(found)


# --- worst cases and attacks


def test_least_score_is_reached_and_never_undercut():
    rng = np.random.default_rng(8)
    X, score = rng.uniform(*BOX, (6, 5)), rng.standard_normal(5)
    least = robustness.least_score(X, score, 3.0, BOX)
    corners = np.array(np.meshgrid(*[[-3.0, 3.0]] * 5)).reshape(5, -1).T
    brute = np.min(np.clip(X[:, None] + corners, *BOX) @ score, axis=1)
    assert np.allclose(least, brute)
    found = robustness.pgd(lambda A: np.tile(-score, (len(A), 1)), X, 3.0, 20, np.inf, BOX)
    assert np.allclose(found @ score, least)
    assert np.allclose(robustness.least_score(X, np.tile(score, (6, 1)), 3.0, BOX), least)


def trained():
    """A small torch classifier of digits, its gradient, and 60 images that it names rightly."""
    X, y = data.digits()
    rng = np.random.default_rng(9)
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 24), torch.nn.ReLU(), torch.nn.Linear(24, 10)
    ).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.from_numpy(0.15 * rng.standard_normal(p.shape)))
    images, labels = torch.from_numpy(X[:900]), torch.from_numpy(y[:900])
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(images / 16), labels)
        for p, g in zip(
            model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
        ):
            p.data.sub_(0.8 * g)
    right = (
        np.flatnonzero(model(torch.from_numpy(X[900:]) / 16).argmax(dim=1).numpy() == y[900:])[:60]
        + 900
    )
    assert len(right) == 60
    return model, X[right], y[right]


@pytest.fixture(scope="module")
def classifier():
    model, X, y = trained()

    def losses(A):
        return torch.nn.functional.cross_entropy(
            model(A / 16), torch.from_numpy(y), reduction="none"
        )

    def gradient(A):
        A = torch.tensor(A, requires_grad=True)
        return torch.autograd.grad(losses(A).sum(), A)[0].numpy()

    return model, X, y, gradient, lambda A: losses(torch.from_numpy(A)).detach().numpy()


@pytest.mark.parametrize("norm_, radius", [(np.inf, 2.0), (2, 8.0)])
def test_pgd_stays_in_the_ball_and_the_box_and_raises_the_loss(classifier, norm_, radius):
    model, X, y, gradient, losses = classifier
    A = robustness.pgd(gradient, X, radius, 15, norm_, BOX)
    assert (np.linalg.norm(A - X, ord=norm_, axis=1) <= radius * (1 + 1e-12)).all()
    assert A.min() >= BOX[0] and A.max() <= BOX[1]
    assert (losses(A) > losses(X)).all()
    noise = np.clip(
        X
        + radius
        * np.sign(np.random.default_rng(10).standard_normal(X.shape))
        / (1 if norm_ == np.inf else 8),
        *BOX,
    )
    assert np.mean(losses(A)) > 3 * np.mean(losses(noise))
    assert (robustness.pgd(gradient, X, 0.0, 3, norm_, BOX) == X).all()


def test_the_gradient_is_asked_at_the_projected_image_only(classifier):
    """The projection is outside the loss: pixels that were clamped inside would hide their
    gradient.
    """
    _, X, _, gradient, _ = classifier
    asked = []

    def watched(A):
        asked.append(A.copy())
        return gradient(A)

    robustness.pgd(watched, X, 5.0, 6, np.inf, BOX)
    assert all(
        A.min() >= BOX[0] and A.max() <= BOX[1] and np.abs(A - X).max() <= 5 + 1e-12 for A in asked
    )
    assert (asked[0] == X).all() and np.any(
        gradient(X)[X == 0] != 0
    )  # also where a pixel sits on the border


@pytest.mark.parametrize("norm_, radius", [(np.inf, 1.5), (2, 6.0)])
def test_pgd_agrees_with_the_adversarial_robustness_toolbox(classifier, norm_, radius):
    pytest.importorskip("art", reason="the extra adversarial-robustness-toolbox is not installed")
    from art.attacks.evasion import ProjectedGradientDescentNumpy
    from art.estimators.classification import PyTorchClassifier

    model, X, y, gradient, _ = classifier

    class Scaled(torch.nn.Module):
        def forward(self, x):
            return model(x.double() / 16)

    theirs = PyTorchClassifier(
        Scaled(),
        torch.nn.CrossEntropyLoss(),
        input_shape=(64,),
        nb_classes=10,
        clip_values=BOX,
        device_type="cpu",
    )
    attack = ProjectedGradientDescentNumpy(
        theirs, norm=norm_, eps=radius, eps_step=2.5 * radius / 20, max_iter=20, verbose=False
    )
    other = attack.generate(X.astype(np.float32), y=np.eye(10)[y])
    ours = robustness.pgd(gradient, X, radius, 20, norm_, BOX)
    success, their_success = (
        np.mean(model(torch.tensor(A).double() / 16).argmax(dim=1).numpy() != y)
        for A in (ours, other)
    )
    assert 0.2 < success < 1 and abs(success - their_success) <= 2 / len(y)


# --- the decoder of one network


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(11)
    return DenseNetwork(Layer(30, 140), 6, seed=2).fit(
        rng.standard_normal(20)
    ), rng.standard_normal((7, 20))


def test_velocity_parts_give_the_proper_velocities(network):
    net, X = network
    path = net.trajectory(X)
    p, G = robustness.velocity_parts(net)
    w, _ = Decoder(p, G, np.zeros(20))(X)
    assert np.allclose(w.T, (path.sign * np.exp(path.log_abs))[1:], rtol=1e-9)
    assert abs(p[-1] @ robustness.direction(net)) == pytest.approx(np.linalg.norm(p[-1]))


def test_velocity_gradient_against_torch(network):
    """Autograd through the network's own matrices."""
    net, X = network
    _, slope = Decoder(*robustness.velocity_parts(net), np.zeros(20))(X)
    found = slope(np.full(7, 5), np.full(7, 4))  # w of layer 6 less w of layer 5
    A = torch.tensor(X, requires_grad=True)
    y, u, w = A.T, net.training_input, []
    for W in net.weights:
        y, u = W @ y, W @ u / (W @ u).norm()
        along = u @ y
        w.append((along / (y - torch.outer(u, along)).norm(dim=0)).sum())
    (by_torch,) = torch.autograd.grad(w[5] - w[4], A)
    assert found.shape == X.shape
    assert np.allclose(found, by_torch, rtol=1e-7, atol=1e-9 * np.abs(found).max())


# --- a reader's picture


def test_standardised():
    picture = np.random.default_rng(12).uniform(size=(49, 4))
    whole, columns = data.standardised(picture), data.standardised(picture, columns=True)
    assert whole.mean() == pytest.approx(0, abs=1e-12) and whole.std() == pytest.approx(1)
    assert np.allclose(columns.mean(axis=0), 0) and np.allclose(columns.std(axis=0), 1)
    picture[:, 2] = 0.1
    assert 0 < picture[:, 2].std() < 1e-15  # rounding, not contrast
    assert (data.standardised(picture, columns=True)[:, 2] == 0).all()
    with pytest.raises(ValueError, match="picture: it is constant in every column"):
        data.standardised(np.tile([0.1, 0.7], (5, 1)), columns=True)
    with pytest.raises(ValueError, match="picture: it is constant, nothing"):
        data.standardised(np.full((5, 5), 0.3))


@pytest.mark.parametrize("mode", ["RGBA", "1", "L", "I;16"])
def test_pictures_of_any_mode_become_messages(tmp_path, mode):
    from PIL import Image

    grey = Image.fromarray(np.uint8(np.random.default_rng(13).integers(0, 256, (31, 90))))
    path = tmp_path / "mine.png"
    (Image.fromarray(np.uint16(grey) * 200) if mode == "I;16" else grey.convert(mode)).save(path)
    assert np.abs(data.standardised(data.own_input(path, (50, 50)), columns=True).mean()) < 1e-12
