"""The authors' loss, what is left of an input, and gradient descent on one sample (E3, E4)."""

import numpy as np
from scipy import special

from entanglement.arguments import count, inputs, number, numbers, one_input, real


def loss_cdf(loss, scale):
    """P(theta_L/pi <= loss) when w_L ~ N(0, scale^2): Phi(-cot(pi loss)/scale). Ours.

    loss: real numbers, any shape (0 below 0, 1 above 1); scale >= 0, inf allowed; arrays broadcast.
    """
    loss, scale = numbers("loss", loss), _scale(scale)
    angle = np.pi * np.clip(loss, 0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = special.ndtr(-np.cos(angle) / np.sin(angle) / scale)
    return np.where(loss <= 0, 0.0, np.where(loss >= 1, 1.0, inside))[()]  # whatever the scale


def loss_quantile(q, scale):
    """Loss below which a share q in (0, 1) lies, w_L ~ N(0, scale^2); arrays broadcast. Ours."""
    return np.arctan2(1, -_scale(scale) * special.ndtri(numbers("q", q, 0, 1, open=True))) / np.pi


def folded_loss_quantile(q, scale):
    """The same for the folded loss min(theta_L, pi - theta_L)/pi, which is symmetric."""
    return loss_quantile(numbers("q", q, 0, 1, open=True) / 2, scale)


def shares_within(edges, scale):
    """Share (B,) of the loss in each bin of increasing `edges` (B + 1,), w_L ~ N(0, scale^2)."""
    edges = numbers("edges", edges)
    if edges.ndim != 1 or len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError(f"edges: {edges} are not at least two increasing numbers")
    return np.diff(loss_cdf(edges, scale))


def bits_left(scale, resolution):
    """Entropy (bits) of the loss read in `resolution` equal bins of [0, 1]; 1 when deep.

    scale: standard deviation of w_L >= 0; resolution: a whole number. Ours.
    """
    if _scale(scale).ndim:
        raise ValueError(f"scale: {scale!r} is not one number")
    share = shares_within(np.linspace(0, 1, count("resolution", resolution, 1, 10**7) + 1), scale)
    return float(special.entr(share).sum() / np.log(2))


def descent_factor(x, rate):
    """Factor 1 - 2 rate |x|^2 of the error W x - t in a step on |W x - t|^2; below -1 it diverges.

    x: (d,) not 0; rate: a number of 0 or more.
    """
    return float(1 - 2 * number("rate", rate, 0) * np.sum(np.square(one_input("x", x))))


def descent_weights(W, x, target, rate, steps):
    """W (k, d) after `steps` gradient steps on |W x - target|^2, x (d,) not 0, target (k,).

    W + (1 - q^steps) (target - W x) x^T/|x|^2, q of descent_factor. Ours.
    """
    W, x, target = _shaped(W, x, target)
    shrunk = descent_factor(x, rate) ** count("steps", steps, 0)
    return W + (1 - shrunk) * np.outer(target - W @ x, x) / (x @ x)


def output_angles(W, directions=2000):
    """Angles (radians) of W v, W (2, 2), for `directions` unit vectors v even on the circle.

    W: (2, 2).
    """
    W = numbers("W", W)
    if W.shape != (2, 2):
        raise ValueError(f"W: shape {W.shape}; want (2, 2)")
    turns = (np.arange(count("directions", directions)) + 0.5) / directions
    first, second = W @ np.array([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)])
    return np.arctan2(second, first)


def descent_scores(X, x, target, rate):
    """Mean and sd of the scores of inputs after one gradient step on |W x - target|^2.

    A score is the angle of W' x' and the target, over pi. X: (P, d); x: (d,) not 0; target: (k,), k
    large; rate >= 0 (0: no step). W starts with entries uniform in (0, 1), so that W y has the mean
    sum(y)/2 in every unit and the variance |y|^2/12. The sd is over inputs in one network. Ours.
    """
    x, target = one_input("x", x), one_input("target", target)
    X, rate = inputs("X", X, len(x)), number("rate", rate, 0)
    pulled = 2 * rate * X @ x  # W' x' = W y + pulled target, y = x' - pulled x
    Y, size = X - np.outer(pulled, x), np.linalg.norm(target)
    level = Y.sum(axis=1) / 2
    square = len(target) * (level**2 + np.sum(Y**2, axis=1) / 12)
    length = np.sqrt(square + 2 * pulled * level * target.sum() + (pulled * size) ** 2)
    score = np.arccos((level * target.sum() + pulled * size**2) / (length * size)) / np.pi
    apart = Y / length[:, None]  # rows of W are random: what inputs differ in parts their scores
    noise = np.mean(np.sum((apart - apart.mean(axis=0)) ** 2, axis=1)) / (12 * np.pi**2)
    return float(score.mean()), float(np.sqrt(score.var() + noise))


def _scale(scale):
    scale = real("scale", scale)
    if not (scale >= 0).all():
        raise ValueError(f"scale: {scale[~(scale >= 0)].flat[0]} is not 0 or more")
    return scale


def _shaped(W, x, target):
    """W (k, d), x (d,), target (k,) as float arrays that fit."""
    W, x, target = numbers("W", W), one_input("x", x), numbers("target", target)
    if W.ndim != 2 or W.shape[1] != len(x):
        raise ValueError(f"W: shape {W.shape} does not fit x of {len(x)}")
    if target.shape != W.shape[:1]:
        raise ValueError(f"target: shape {target.shape}; want ({len(W)},)")
    return W, x, target
