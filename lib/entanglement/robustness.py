"""How far an input must move to change sides: certificates, attacks, what carries over.

At every depth the output side of an entangling network is sign<r, x'>, r = H^T u_L / |H^T u_L| with
H = W_L ... W_1 and u_L the training input's unit feature. So the smallest L2 perturbation that
flips it is |<r, x'>|, along r; no attack can do with less. Ours.
"""

import numpy as np

from entanglement import arguments, whole
from entanglement.arguments import count, inputs, number, numbers
from entanglement.lazy import LazyNetwork


def direction(net):
    """The unit vector r (d,) whose sign<r, x'> is the output side, of a fitted network.

    net: DenseNetwork or LazyNetwork. ValueError if it has no training input yet.
    """
    return net.pull_back()


def certificate(net, X, norm=2):
    """Smallest norms (P,) of a perturbation that flips the output side of the rows of X (P, d):
    |<r, x'>|, over |r|_1 for norm inf; exact.

    In the units of X; norm: 2 or np.inf. Nothing smaller flips a side, whatever the attack; a step
    of this size along -sign<r, x'> r, or against sign(r) in every coordinate, reaches the border.
    """
    _check_norm(norm)
    r = direction(net)
    return np.abs(inputs("X", X, net.input_dim) @ r) / (1 if norm == 2 else np.sum(np.abs(r)))


def products(layer, x, depth, rng):
    """Yield, after each layer of many networks at once, H = W_l ... W_1 up to a factor, and u.

    H: (networks, width, d); u: (networks, width), the training inputs' unit features. x: training
    inputs (networks, d), one a network; every pool is drawn whole and sorted. r is along H^T u.
    """
    x = inputs("x", x)
    H, u = np.eye(x.shape[1]), x
    for W in whole.infer(layer, x, depth, rng):
        H, u = W @ H, np.einsum("skd,sd->sk", W, u)
        H = H / np.linalg.norm(H, axis=(1, 2), keepdims=True)
        u = u / np.linalg.norm(u, axis=1, keepdims=True)
        yield H, u


def whole_side_gradient(H, u, X):
    """The gradient that takes inputs of many networks across their borders: a function of the moved
    inputs (networks * P, d), for `pgd` or `climb`.

    H (networks, k, d), u (networks, k): what `products` yields; X: inputs (networks, P, d). Of
    -side cos(theta) it is -side (r - cos(theta) H^T f/|f|)/|f|, f = H x', r = H^T u.
    """
    H, u, X = (numbers(name, value) for name, value in (("H", H), ("u", u), ("X", X)))
    if H.ndim != 3 or not H.size:
        raise ValueError(f"H: shape {H.shape}; want (networks, k, d)")
    if u.shape != H.shape[:2]:
        raise ValueError(f"u: shape {u.shape} beside H of shape {H.shape}; want (networks, k)")
    if X.ndim != 3 or not X.size or X.shape[::2] != H.shape[::2]:
        raise ValueError(f"X: shape {X.shape} beside H of shape {H.shape}; want (networks, P, d)")
    r = np.einsum("skd,sk->sd", H, u)[:, None]
    side = np.sign(np.sum(X * r, axis=2, keepdims=True))

    def gradient(moved):
        feature = moved.reshape(X.shape) @ H.transpose(0, 2, 1)
        norm = np.linalg.norm(feature, axis=2, keepdims=True)
        cosine = feature @ u[:, :, None] / norm
        return (-side * (r - cosine * (feature @ H) / norm) / norm).reshape(moved.shape)

    return gradient


def public_directions(net):
    """Leading right singular vectors of W_l ... W_1, unit rows (depth, d): what anybody reads.

    By 128 steps of power iteration (seven squarings), without the training input or its feature.
    net: a fitted network.
    """
    found = []
    for H, _ in _products(net):
        power = H.T @ H
        for _ in range(7):
            power = power @ power
            power /= np.linalg.norm(power)
        v = power[np.argmax(np.diag(power))]
        found.append(v / np.linalg.norm(v))
    return np.array(found)


def _products(net):
    """W_l ... W_1 up to a factor, and the unit training feature; of a LazyNetwork in its frames."""
    direction(net)  # a LazyNetwork samples all its weights
    if isinstance(net, LazyNetwork):
        H, u, layers = net.basis.T, np.eye(net.input_dim)[0], net.triangles
    else:
        H, u = np.eye(net.input_dim), net.training_input.numpy()
        layers = [W.numpy() for W in net.weights]
    for W in layers:
        H, u = W[:, : len(H)] @ H, W[:, : len(u)] @ u
        H, u = H / np.linalg.norm(H), u / np.linalg.norm(u)
        yield H, u


def climb(gradient, X, rate, steps):
    """Plain gradient ascent from the rows of X (P, d): `steps` steps of rate times the gradient."""
    moved, rate = inputs("X", X).copy(), number("rate", rate, 0)
    for _ in range(count("steps", steps)):
        moved = moved + rate * gradient(moved)
    return moved


def pgd(gradient, X, radius, steps=40, norm=2, limits=None):
    """Projected gradient ascent (Madry et al. 2018) within `radius` of the rows of X (P, d).

    gradient: function from inputs (P, d) to the gradient (P, d) of each row's loss. radius: scalar
    or (P,). norm: 2 or np.inf. limits: (least, greatest) value of a pixel, which X keeps. Steps of
    2.5 radius / steps; the projection is outside the loss.
    """
    X = inputs("X", X)
    _check_norm(norm)
    radius = numbers("radius", radius, 0)
    if radius.shape not in ((), X.shape[:1]):
        raise ValueError(f"radius: shape {radius.shape}; want one number or one a row")
    radius = np.broadcast_to(radius, len(X))[:, None]
    if limits is not None:
        limits = arguments.limits(limits)
        numbers("X", X, *limits)
    moved = X.copy()
    for _ in range(count("steps", steps)):
        moved = moved + 2.5 * radius / steps * _steepest(gradient(moved), norm)
        moved = X + _inside(moved - X, radius, norm)
        if limits is not None:
            moved = np.clip(moved, *limits)  # X is inside, so this only shortens a step
    return moved


def _steepest(gradient, norm):
    """The direction of unit norm along which a loss rises fastest; 0 where the gradient is 0."""
    if norm == np.inf:
        return np.sign(gradient)
    size = np.linalg.norm(gradient, axis=1, keepdims=True)
    return np.divide(gradient, size, out=np.zeros_like(gradient), where=size > 0)


def _inside(step, radius, norm):
    if norm == np.inf:
        return np.clip(step, -radius, radius)
    size = np.linalg.norm(step, axis=1, keepdims=True)
    return step * np.minimum(1, np.divide(radius, size, out=np.ones_like(size), where=size > 0))


def least_score(X, score, radius, limits):
    """Least <score, x'> (P,) that an L_inf attack can reach, within limits; exact.

    X: rows (P, d) within limits; score: (d,) or one a row; limits: (least, greatest) value of a
    pixel. |x' - x| <= radius in every pixel; each goes as far as it may.
    """
    X, score, limits = inputs("X", X), numbers("score", score), arguments.limits(limits)
    if score.shape not in (X.shape[1:], X.shape):
        raise ValueError(f"score: shape {score.shape}; want {X.shape[1:]} or {X.shape}")
    radius = number("radius", radius, 0)
    room = np.where(score > 0, X - limits[0], limits[1] - X)
    return np.sum(X * score - np.abs(score) * np.minimum(radius, room), axis=1)


def velocity_parts(net):
    """p (depth, d), G (depth, d, d) with w_l(x') = <p_l, x'> / sqrt(x'^T G_l x') after each layer.

    p is along r; G = R^T R, R the network less its part along the training input's unit feature.
    Relative error e^(l gain) 1e-16.
    """
    along, squares = [], []
    for H, u in _products(net):
        along.append(u @ H)
        R = H - np.outer(u, along[-1])
        squares.append(R.T @ R)
    return np.array(along), np.array(squares)


def pooled_decidability(genuine, impostor):
    """d' = |difference of means| / sqrt(mean variance) of two sets of scores, and its error.

    genuine, impostor: (R, P), P scores from each of R independent networks, pooled; the error is a
    jackknife over R. Source: Daugman 2000; Efron 1982.
    """
    scores = numbers("genuine", genuine), numbers("impostor", impostor)
    if scores[0].ndim != 2 or scores[0].shape != scores[1].shape or len(scores[0]) < 2:
        shapes = " and ".join(str(score.shape) for score in scores)
        raise ValueError(f"genuine, impostor: shapes {shapes}; want one shape (R, P) with R > 1")
    moments = np.array([[np.mean(s**p, axis=1) for p in (1, 2)] for s in scores])
    networks = moments.shape[2]  # moments: (set, power, network)
    without = (moments.sum(axis=2, keepdims=True) - moments) / (networks - 1)

    def ratio(moments):
        mean, square = moments[:, 0], moments[:, 1]
        return np.abs(mean[0] - mean[1]) / np.sqrt(np.mean(square - mean**2, axis=0))

    error = np.sqrt((networks - 1) * np.var(ratio(without)))
    return float(ratio(moments.mean(axis=2))), float(error)


def _check_norm(norm):
    if norm not in (2, np.inf):
        raise ValueError(f"norm: {norm!r} is not 2 or inf")
