"""Exact-law simulation of pairs: a training input and one other, at any width and depth.

One layer is w -> (A w + z)/B for the proper velocity w = cot(theta), with A the norm of the
margins, B ~ chi_{k-1} and z ~ N(0, 1) independent. Carried as (ln|w|, sign), so that nothing over-
or underflows. Ours.
"""

from typing import NamedTuple

import numpy as np

from entanglement import arguments
from entanglement.layer import require
from entanglement.theory.geometry import rapidity_of_log
from entanglement.theory.margins import WIDE, log_norm_quantile

BLOCK = 64  # layers summed at a time
REACH = 600.0  # nats that they may add up to, so that exp stays in range
DRAWN = 1_000_000  # draws of a kind held at a time
MARGINS = 4_000_000  # margins held at a time


class Velocity(NamedTuple):
    """Proper velocity as ln|w| and sign, arrays of one shape."""

    log_abs: np.ndarray
    sign: np.ndarray


def step(w, A, B, z):
    """One layer, w -> (A w + z) / B, of a Velocity; arrays of one shape, A, B > 0."""
    A, B = (arguments.numbers(name, one, 0, open=True) for name, one in (("A", A), ("B", B)))
    z = arguments.numbers("z", z)
    size = np.maximum(w.log_abs, 0)  # taken out, so that exp stays in range
    image = A * w.sign * np.exp(w.log_abs - size) + z * np.exp(-size)
    with np.errstate(divide="ignore"):
        return Velocity(size + np.log(np.abs(image)) - np.log(B), np.sign(image))


def accumulate(start, A, B, z):
    """Velocities after each of the layers A, B > 0 and z, (layers, ...): `step` made fast.

    start: a Velocity of shape (...), or broadcastable to it. Returns a Velocity of shape (layers,
    ...). Within a block w_l = Lambda_l (w_0 + S_l), Lambda_l = prod A_j/B_j, S_l = sum_j
    (z_j/A_j)/Lambda_{j-1}: two cumulative sums.
    """
    A, B = (arguments.numbers(name, one, 0, open=True) for name, one in (("A", A), ("B", B)))
    z = arguments.numbers("z", z)
    if not A.ndim or not A.shape == B.shape == z.shape:
        raise ValueError(
            f"A, B, z: shapes {A.shape}, {B.shape}, {z.shape}; want one shape (layers, ...)"
        )
    log_ratio = np.log(A / B)
    block = int(np.clip(REACH / np.abs(log_ratio).max(initial=1e-9), 1, BLOCK))
    log_abs, sign = np.empty(A.shape), np.empty(A.shape)
    for first in range(0, len(A), block):
        part = slice(first, first + block)
        log_growth = np.cumsum(log_ratio[part], axis=0)
        drawn = np.cumsum(z[part] / A[part] * np.exp(log_ratio[part] - log_growth), axis=0)
        size = np.maximum(start.log_abs, 0)
        total = start.sign * np.exp(start.log_abs - size) + np.exp(-size) * drawn
        log_abs[part] = size + log_growth + np.log(np.abs(total))
        sign[part] = np.sign(total)
        start = Velocity(log_abs[part][-1], sign[part][-1])
    return Velocity(log_abs, sign)


def simulate(layer, theta, depth, trials=1, seed=0, keep=None, opposite=False):
    """Proper velocities of `trials` pairs, a network each, exact in law at every width and depth.

    theta: starting angle in radians, a scalar or one per trial; measured from pi if `opposite`.
    seed: whatever default_rng takes. keep: the layers to return, increasing, 0..depth (default: all
    of them); others are not stored. Returns a Velocity of shape (trials, depth + 1), or (trials,
    len(keep)). The draws depend on seed, trials and depth, not on `keep`. ValueError naming the
    argument; a result that would not fit in memory is refused with its size.
    """
    require(layer)
    depth, trials = arguments.count("depth", depth, 0), arguments.count("trials", trials)
    keep = _check_keep(keep, depth)
    theta = arguments.angles(theta)
    if theta.shape not in ((), (trials,)):
        want = f"neither a scalar nor ({trials},), one angle a trial"
        raise ValueError(f"theta: shape {theta.shape} is {want}")
    size = 16 * trials * (len(keep) + 8)
    arguments.memory("trials", f"{trials} trials of {len(keep)} layers", size)
    state = velocity(np.broadcast_to(theta, trials), opposite)
    kept = Velocity(np.empty((len(keep), trials)), np.empty((len(keep), trials)))
    _store(kept, keep, 0, Velocity(*(part[None] for part in state)))
    from_margins, from_chi, from_normal = arguments.generator(seed).spawn(3)
    stride = int(np.clip(DRAWN // trials, 1, BLOCK))
    for first in range(0, depth, stride):
        shape = (min(stride, depth - first), trials)
        A = margin_norms(layer, from_margins, shape)
        B = np.sqrt(from_chi.chisquare(layer.width - 1, shape))
        path = accumulate(state, A, B, from_normal.standard_normal(shape))
        _store(kept, keep, first + 1, path)
        state = Velocity(path.log_abs[-1], path.sign[-1])
    return Velocity(kept.log_abs.T, kept.sign.T)


def margin_norms(layer, rng, size=()):
    """A = norm of the margins of independent layers, of shape `size`; rng: NumPy Generator.

    From width 32 on theory feeds the simulation: O(1) each, from theory's quantile function. Margin
    by margin below.
    """
    width, size = require(layer).width, arguments.shape("size", size)
    if not layer.selects:
        return np.sqrt(rng.chisquare(width, size))
    if width >= WIDE:
        return np.exp(log_norm_quantile(layer)(rng.standard_normal(size)))
    norms = np.empty(size)
    flat, stride = norms.reshape(-1), MARGINS // width
    for first in range(0, flat.size, stride):
        part = flat[first : first + stride]
        part[:] = np.linalg.norm(layer.law.magnitudes(rng, width, layer.pool, part.shape), axis=-1)
    return norms


def directions(layer, depth, inputs=2, trials=1, seed=0):
    """The direction r of `trials` networks, seen from a few inputs; exact in law.

    Every side is sign<r, x'>. Returns unit vectors (trials, inputs): r projected on the training
    input (first, positive) and on orthonormal unseen directions, 2 <= inputs <= width. seed:
    whatever default_rng takes. Source: the first row of T_L ... T_1, T upper triangular with A,
    chi_{k-1}, chi_{k-2}, ... on the diagonal and N(0, 1) above it; layers are alike, so the product
    is taken backwards, one row at a time.
    """
    width, depth = require(layer).width, arguments.count("depth", depth)
    inputs, trials = arguments.count("inputs", inputs, 2, width), arguments.count("trials", trials)
    rng = arguments.generator(seed)
    row = np.zeros((inputs, trials))
    row[0] = 1
    for _ in range(depth):
        for j in range(inputs - 1, 0, -1):
            drawn = np.sum(row[:j] * rng.standard_normal((j, trials)), axis=0)
            row[j] = row[j] * np.sqrt(rng.chisquare(width - j, trials)) + drawn
        row[0] *= margin_norms(layer, rng, trials)
        row /= np.linalg.norm(row, axis=0)
    return row.T


def velocity(theta, opposite=False):
    """Proper velocity cot(theta), theta in (0, pi), radians, any shape; `opposite`: of pi - theta.

    `opposite` reaches angles nearer to pi than floats do, such as pi - 1e-200.
    """
    theta = arguments.angles(theta)
    cosine = np.cos(theta)
    sign = np.where(cosine < 0, -1.0, 1.0) * (-1.0 if arguments.flag("opposite", opposite) else 1.0)
    return Velocity(np.log(np.abs(cosine)) - np.log(np.sin(theta)), sign)


def angle(velocity):
    """theta in [0, pi] (radians) of a Velocity, any shape; right however small."""
    small = np.arctan(np.exp(-velocity.log_abs))
    return np.where(velocity.sign < 0, np.pi - small, small)


def rapidity(velocity):
    """Rapidity arsinh(w) in nats, sign kept, of a Velocity, any shape; ln|w| + ln 2 far out."""
    return velocity.sign * rapidity_of_log(velocity.log_abs)


def independent_angles(rng, trials, input_dim):
    """Angles (trials,) in radians of independent Gaussian inputs in R^d: their w_0 is Student
    t_{d-1} / sqrt(d-1).
    """
    freedom = arguments.count("input_dim", input_dim, 2) - 1
    trials = arguments.count("trials", trials)
    return np.arctan2(np.sqrt(rng.chisquare(freedom, trials)), rng.standard_normal(trials))


def _store(kept, keep, first, path):
    """Copy from `path`, whose first row is layer `first`, the layers that are to be kept."""
    begin, end = np.searchsorted(keep, (first, first + len(path.sign)))
    for target, source in zip(kept, path, strict=True):
        target[begin:end] = source[keep[begin:end] - first]


def _check_keep(keep, depth):
    if keep is None:
        arguments.memory("depth", f"every one of {depth} layers", 8 * depth)
        return np.arange(depth + 1)
    arguments.real("keep", keep)
    keep = np.asarray(keep)
    increasing = (
        keep.ndim == 1 and keep.size and keep.dtype.kind in "iu" and (keep[1:] > keep[:-1]).all()
    )
    if not increasing or keep[0] < 0 or keep[-1] > depth:
        raise ValueError(
            f"keep: {keep!r} is not an increasing list of layers between 0 and depth {depth}"
        )
    return keep
