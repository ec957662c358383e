"""Many small networks at once, every pool drawn whole and sorted (NumPy): for checks.

Of the table of rules it reads rank alone; nothing here knows the law of a pair.
"""

import numpy as np

from entanglement import arguments
from entanglement.layer import require
from entanglement.network import DEPENDENT
from entanglement.pairs import Velocity


def infer(layer, x, depth, rng):
    """Yield the matrices (networks, width, .) of one layer after the other of independent networks.

    x: training inputs (networks, d), one a network; rng: NumPy Generator. Kept rows stand in
    descending order of their rank, as in the authors' scripts. ValueError for rule `labelled`, and
    for pools that memory cannot hold.
    """
    if require(layer).law.labelled:
        raise ValueError(f"layer: {layer} needs labels, use a DenseNetwork")
    x, depth = arguments.inputs("x", x), arguments.count("depth", depth)
    size = 16 * len(x) * layer.pool * max(x.shape[1], layer.width)
    arguments.memory("x", f"{len(x)} whole pools of {layer}", size)
    network = np.arange(len(x))[:, None]
    for _ in range(depth):
        rows = rng.standard_normal((len(x), layer.pool, x.shape[1]))
        rank = layer.law.rank(np.einsum("snd,sd->sn", rows, x))
        W = rows[network, np.argsort(-rank, axis=1)[:, : layer.width]]
        yield W
        x = np.einsum("skd,sd->sk", W, x)
        x = x / np.linalg.norm(x, axis=1, keepdims=True)


def layers(layer, inputs, depth, rng):
    """Yield the unit features (networks, P, width) of `inputs` (networks, P, d) after each layer,
    the first of the P the training input.
    """
    X = _inputs(inputs)
    for W in infer(layer, X[:, 0], depth, rng):
        X = X @ W.transpose(0, 2, 1)
        X = X / np.linalg.norm(X, axis=2, keepdims=True)
        yield X


def features(layer, inputs, depth, rng):
    """The last of `layers`: unit features (networks, P, width) after `depth` layers."""
    *_, last = layers(layer, inputs, depth, rng)
    return last


def log_volumes(layer, inputs, depth, rng):
    """ln of the volume that the unit features but the training one span: (depth + 1, networks).

    inputs: (networks, P, d), the first of the P the training input, P - 1 at most the width and d.
    The frame is made orthonormal after every layer (Benettin et al. 1980): no depth is too deep.
    """
    X = _inputs(inputs)
    F = X[:, 1:].transpose(0, 2, 1)
    (frame, T), norm = np.linalg.qr(F), np.linalg.norm(F, axis=1)
    found = [_log_edges(T, norm)]
    for W in infer(layer, X[:, 0], depth, rng):
        F = W @ (F / norm[:, None])
        (frame, T), norm = np.linalg.qr(W @ frame), np.linalg.norm(F, axis=1)
        found.append(_log_edges(T, norm))
    return np.cumsum(found, axis=0)


def velocities(layer, inputs, depth, rng):
    """Velocity (networks, depth + 1, P - 1) of inputs with their network's training input.

    inputs: (networks, P, d), the first of the P the training input. Each pair carries its own
    orthonormal frame and w as p e^q, q >= 0, so that no angle is lost to cancellation.
    """
    X = _inputs(inputs)
    unit, X = X[:, 0] / np.linalg.norm(X[:, 0], axis=1, keepdims=True), X[:, 1:]
    along, rest, norm = _split(unit, X)
    if (norm <= DEPENDENT * np.linalg.norm(X, axis=2)).any():
        raise ValueError("inputs: one is on the line of its training input")
    frame, p, q = rest / norm[..., None], along / norm, np.zeros(norm.shape)
    path = [(p, q)]
    for W in infer(layer, unit, depth, rng):
        image = np.einsum("skd,sd->sk", W, unit)
        A = np.linalg.norm(image, axis=1, keepdims=True)
        unit = image / A
        drawn, rest, norm = _split(unit, frame @ W.transpose(0, 2, 1))
        frame, p = rest / norm[..., None], (A * p + drawn * np.exp(-q)) / norm
        grown = np.maximum(np.abs(p), 1)
        p, q = p / grown, q + np.log(grown)
        path.append((p, q))
    p, q = (np.stack(part, axis=1) for part in zip(*path, strict=True))
    return Velocity(np.log(np.abs(p)) + q, np.sign(p))


def directions(layer, x, depth, rng):
    """Unit vectors r (networks, d) along H^T u_L, H = W_L ... W_1: sign<r, x'> is the side of x'.

    x: training inputs (networks, d).
    """
    u = arguments.inputs("x", x)
    matrices = []
    for W in infer(layer, u, depth, rng):
        matrices.append(W)
        u = np.einsum("skd,sd->sk", W, u)
        u = u / np.linalg.norm(u, axis=1, keepdims=True)
    for W in reversed(matrices):
        u = np.einsum("skd,sk->sd", W, u)
        u = u / np.linalg.norm(u, axis=1, keepdims=True)
    return u


def _inputs(inputs):
    X = arguments.numbers("inputs", inputs)
    if X.ndim != 3 or X.shape[1] < 2 or not X.size:
        raise ValueError(
            f"inputs: shape {X.shape}; want (networks, P, d), the training input first, P > 1"
        )
    return X


def _split(unit, X):
    """Components (networks, P) of X along unit (networks, d), the rest, norms; Gram-Schmidt."""
    first = np.einsum("spd,sd->sp", X, unit)
    rest = X - first[..., None] * unit[:, None]
    second = np.einsum("spd,sd->sp", rest, unit)
    rest = rest - second[..., None] * unit[:, None]
    return first + second, rest, np.linalg.norm(rest, axis=2)


def _log_edges(T, norm):
    """ln of the product of the edges, the diagonals of T (networks, P, P), over norm."""
    return np.sum(np.log(np.abs(np.diagonal(T, axis1=1, axis2=2))) - np.log(norm), axis=1)
