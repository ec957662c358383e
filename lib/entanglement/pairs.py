"""Exact-law simulation of pairs: a training input and one other, at any width and depth.

One layer is w -> (A w + z) / B for the proper velocity w = cot(theta), with A the norm of the margins, B ~ chi_{k-1}
and z ~ N(0, 1) independent. Carried as (sign, ln|w|), so that nothing over- or underflows. Ours.
"""

from typing import NamedTuple

import numpy as np

from entanglement.selection import margin_norms
from entanglement.theory import check_count, check_layer, check_theta, rapidity_of_log

BLOCK = 64  # layers summed at a time
DRAWN = 1_000_000  # draws of a kind held at a time


class Velocity(NamedTuple):
    """Proper velocity as ln|w| and sign, arrays of one shape."""

    log_abs: np.ndarray
    sign: np.ndarray


def velocity(theta, opposite=False):
    """Proper velocity cot(theta) of an angle in (0, pi), radians, any shape; of pi - theta if `opposite`.

    `opposite` reaches angles nearer to pi than floats do: velocity(1e-200, opposite=True) stands at pi - 1e-200.
    """
    theta = check_theta(theta)
    cosine = np.cos(theta)
    return Velocity(np.log(np.abs(cosine)) - np.log(np.sin(theta)), np.where(cosine < 0, -1.0, 1.0) * (-1.0 if opposite else 1.0))


def angle(velocity):
    """theta in [0, pi] (radians) of a Velocity, any shape; small angles keep their relative precision."""
    small = np.arctan(np.exp(-velocity.log_abs))
    return np.where(velocity.sign < 0, np.pi - small, small)


def rapidity(velocity):
    """Rapidity arsinh(w) in nats, sign kept, of a Velocity, any shape: about ln|w| + ln 2 once |w| >> 1."""
    return velocity.sign * rapidity_of_log(velocity.log_abs)


def independent_angles(rng, trials, input_dim):
    """Angles (trials,) in radians of independent Gaussian inputs in R^d: their w_0 is Student t_{d-1} / sqrt(d-1)."""
    freedom = check_count("input_dim", input_dim, 2) - 1
    return np.arctan2(np.sqrt(rng.chisquare(freedom, trials)), rng.standard_normal(trials))


def accumulate(start, A, B, z):
    """Proper velocities after each of the layers given by A, B > 0 and z, all of shape (layers, ...).

    start: a Velocity of shape (...), or broadcastable to it. Returns a Velocity of shape (layers, ...).
    Within a block w_l = Lambda_l (w_0 + S_l), the cumulative form of notebook 01, section 2; blocks are short, so Lambda cannot overflow.
    """
    log_ratio = np.log(A / B)
    log_abs, sign = np.empty(A.shape), np.empty(A.shape)
    for first in range(0, len(A), BLOCK):
        part = slice(first, first + BLOCK)
        log_growth = np.cumsum(log_ratio[part], axis=0)
        drawn = np.cumsum(z[part] / A[part] * np.exp(log_ratio[part] - log_growth), axis=0)
        unit = np.maximum(start.log_abs, 0)
        total = start.sign * np.exp(start.log_abs - unit) + np.exp(-unit) * drawn
        log_abs[part] = unit + log_growth + np.log(np.abs(total))
        sign[part] = np.sign(total)
        start = Velocity(log_abs[part][-1], sign[part][-1])
    return Velocity(log_abs, sign)


def simulate(theta, width, depth, pool=None, rule="largest", trials=1, seed=0, keep=None, opposite=False):
    """Proper velocities of `trials` pairs, each through its own network, exact in law at every width and depth.

    theta: starting angle in radians, a scalar or one per trial; measured from pi if `opposite`. pool=None: ordinary layers.
    seed: whatever default_rng takes.
    keep: the layers to return, increasing, 0..depth (default: all of them); others are not stored.
    Returns a Velocity of shape (trials, depth + 1), or (trials, len(keep)). The draws depend on seed, trials and depth, not on `keep`.
    """
    width, pool, rule = check_layer(width, pool, rule)
    depth, trials = check_count("depth", depth, 0), check_count("trials", trials)
    keep = _check_keep(keep, depth)
    if np.ndim(theta) > 0 and np.shape(theta) != (trials,):
        raise ValueError(f"theta: shape {np.shape(theta)} is neither a scalar nor ({trials},), one angle a trial")
    state = velocity(np.broadcast_to(theta, trials), opposite)
    kept = Velocity(np.empty((len(keep), trials)), np.empty((len(keep), trials)))
    _store(kept, keep, 0, Velocity(*(part[None] for part in state)))
    from_margins, from_chi, from_normal = _generator(seed).spawn(3)
    step = int(np.clip(DRAWN // trials, 1, BLOCK))
    for first in range(0, depth, step):
        shape = (min(step, depth - first), trials)
        A = margin_norms(from_margins, width, pool, rule, shape)
        B = np.sqrt(from_chi.chisquare(width - 1, shape))
        path = accumulate(state, A, B, from_normal.standard_normal(shape))
        _store(kept, keep, first + 1, path)
        state = Velocity(path.log_abs[-1], path.sign[-1])
    return Velocity(kept.log_abs.T, kept.sign.T)


def directions(width, depth, pool=None, rule="largest", inputs=2, trials=1, seed=0):
    """The direction r that decides every side, sign<r, x'>, of `trials` networks, seen from a few inputs; exact in law at every depth.

    Returns unit vectors (trials, inputs): r projected on the training input (first, positive) and on orthonormal unseen directions,
    2 <= inputs <= width. seed: whatever default_rng takes. Source: the first row of T_L ... T_1, T upper triangular with A, chi_{k-1},
    chi_{k-2}, ... on the diagonal and N(0, 1) above it; layers are alike, so the product is taken backwards, one row at a time.
    """
    width, pool, rule = check_layer(width, pool, rule)
    depth, inputs, trials = check_count("depth", depth), check_count("inputs", inputs, 2), check_count("trials", trials)
    if inputs > width:
        raise ValueError(f"inputs: {inputs} is more than width {width}")
    rng = _generator(seed)
    row = np.zeros((inputs, trials))
    row[0] = 1
    for _ in range(depth):
        for j in range(inputs - 1, 0, -1):
            drawn = np.sum(row[:j] * rng.standard_normal((j, trials)), axis=0)
            row[j] = row[j] * np.sqrt(rng.chisquare(width - j, trials)) + drawn
        row[0] *= margin_norms(rng, width, pool, rule, trials)
        row /= np.linalg.norm(row, axis=0)
    return row.T


def _generator(seed):
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ValueError(f"seed: {seed!r} is none for NumPy's default_rng ({error})") from error


def _store(kept, keep, first, path):
    """Copy from `path`, whose first row is layer `first`, the layers that are to be kept."""
    begin, end = np.searchsorted(keep, (first, first + len(path.sign)))
    for target, source in zip(kept, path, strict=True):
        target[begin:end] = source[keep[begin:end] - first]


def _check_keep(keep, depth):
    if keep is None:
        return np.arange(depth + 1)
    keep = np.asarray(keep)
    if keep.ndim != 1 or not keep.size or keep.dtype.kind not in "iu" or keep[0] < 0 or keep[-1] > depth or (keep[1:] <= keep[:-1]).any():
        raise ValueError(f"keep: {keep!r} is not an increasing list of layers between 0 and depth {depth}")
    return keep
