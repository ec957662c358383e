"""Pairs of features as events of Minkowski space (our dictionary), and the authors' diagram.

The Gram matrix [[a, b], [b, c]] of a pair (x, y) is the event t = (a + c)/2, x = (a - c)/2, y = b,
with the interval t^2 - x^2 - y^2 = det = (|x| |y| sin theta)^2: timelike if the pair is
independent, lightlike if it is dependent. Mixing the two features by Q in SL(2, R) is a Lorentz
transformation. A layer acts on the other side of the pair and is none. For unit features the
velocity is cos theta, the Lorentz factor 1/sin theta, the proper velocity cot theta.
"""

from typing import NamedTuple

import numpy as np

from entanglement import arguments, whole
from entanglement.arguments import angles, count, number, numbers, real
from entanglement.layer import require
from entanglement.pairs import margin_norms


class Event(NamedTuple):
    """An event (t, x, y), arrays of one shape."""

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray


def event(x, y):
    """The event of the pair (x, y); arrays (..., d) give an Event of shape (...).

    ValueError for shapes that differ, NaN or inf.
    """
    x, y = real("x", x), real("y", y)
    if x.shape != y.shape or not x.ndim:
        raise ValueError(f"x, y: shapes {x.shape} and {y.shape}; want one shape (..., d) of both")
    for name, value in (("x", x), ("y", y)):
        if not np.isfinite(value).all():
            bad = value[~np.isfinite(value)].flat[0]
            raise ValueError(f"{name}: holds {bad}, want finite numbers")
    a, b, c = (np.sum(u * v, axis=-1) for u, v in ((x, x), (x, y), (y, y)))
    return Event((a + c) / 2, (a - c) / 2, b)


def interval(event):
    """t^2 - x^2 - y^2 of (t, x, y), any shape: the squared area (|x| |y| sin theta)^2 of the pair.

    To rounding of t^2.
    """
    t, x, y = event
    space = np.hypot(x, y)
    return (t - space) * (t + space)


def log_lorentz_factor(velocity):
    """ln gamma = ln(1 + w^2)/2 of a pair of unit features, a Velocity of any shape."""
    return np.logaddexp(0, 2 * velocity.log_abs) / 2


def boost(rapidity):
    """The symmetric Q (2, 2) in SL(2, R) that adds `rapidity` (nats) to a pair of equal lengths."""
    half = number("rapidity", rapidity) / 2
    return np.array([[np.cosh(half), np.sinh(half)], [np.sinh(half), np.cosh(half)]])


def at_angle(theta, input_dim, shape, rng):
    """A unit training input and unit inputs at `theta` (radians) to it, in random directions.

    shape: (networks, P). Returns (networks, P + 1, input_dim), as whole.velocities takes them;
    input_dim >= 2; theta in (0, pi).
    """
    theta, input_dim = angles(theta), count("input_dim", input_dim, 2)
    networks, P = arguments.shape("shape", shape, 1, 2)
    X = rng.standard_normal((networks, P + 1, input_dim))
    X[:, 0] /= np.linalg.norm(X[:, 0], axis=-1, keepdims=True)
    X[:, 1:] -= np.einsum("spd,sd->sp", X[:, 1:], X[:, 0])[..., None] * X[:, :1]
    X[:, 1:] /= np.linalg.norm(X[:, 1:], axis=-1, keepdims=True)
    X[:, 1:] = np.cos(theta) * X[:, :1] + np.sin(theta) * X[:, 1:]
    return X


def pair(layer, first, second, depth, rng):
    """Features of pairs with their lengths, from the law: (r, p, q), each (depth + 1, trials).

    first, second: the training input and the other, (trials, 2), in the plane that they span. The
    training feature is (r, 0), the other (p, q), q >= 0, in an orthonormal frame of that layer;
    r -> A r, p -> A p + z q, q -> B q. Exact at every width, until floats end (e^700). Ours.
    """
    first, second = numbers("first", first), numbers("second", second)
    if first.ndim != 2 or first.shape[1] != 2 or first.shape != second.shape:
        raise ValueError(f"first, second: shapes {first.shape}, {second.shape}; want (trials, 2)")
    r = np.linalg.norm(first, axis=1)
    q = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / r
    path = [(r, np.sum(first * second, axis=1) / r, q)]
    for _ in range(count("depth", depth, 0)):
        r, p, q = path[-1]
        A, z = margin_norms(layer, rng, len(r)), rng.standard_normal(len(r))
        path.append((A * r, A * p + z * q, np.sqrt(rng.chisquare(layer.width - 1, len(r))) * q))
    return tuple(np.stack(part) for part in zip(*path, strict=True))


def raw_features(layer, inputs, depth, rng):
    """Features without normalisation, in a network each: (networks, depth + 1, P, width).

    inputs: (networks, P, width), the first of the P the training input. Pools are drawn whole and
    the kept rows stand in descending order of the margin, as in the authors' scripts; for small
    widths. rule: `largest`, `signed`, or `none` with pool None.
    """
    X = numbers("inputs", inputs)
    if X.ndim != 3 or X.shape[2] != require(layer).width:
        raise ValueError(f"inputs: shape {X.shape}; want (networks, P, {layer.width})")
    path = [X]
    if count("depth", depth, 0):
        for W in whole.infer(layer, X[:, 0], depth, rng):
            path.append(path[-1] @ W.transpose(0, 2, 1))
    return np.stack(path, axis=1)


def diagram(features, constant):
    """The authors' spacetime points [l c; x_l] / norm: (..., layers, P, k + 1).

    features: (..., layers, P, k), l = 0, 1, ...; constant: their c.
    """
    features = numbers("features", features)
    if features.ndim < 3 or not features.size:
        raise ValueError(f"features: shape {features.shape}; want (..., layers, P, k)")
    time = number("constant", constant) * np.arange(features.shape[-3], dtype=float)[:, None, None]
    time = np.broadcast_to(time, (*features.shape[:-1], 1))
    points = np.concatenate([time, features], axis=-1)
    return points / np.linalg.norm(points, axis=-1, keepdims=True)
