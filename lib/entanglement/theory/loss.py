"""The authors' loss, what is left of an input, and gradient descent on one sample (E3, E4)."""

import numpy as np
from scipy import special

from .arguments import check_count, check_range


def loss_cdf(loss, scale):
    """P(theta_L/pi <= loss) when w_L ~ N(0, scale^2): Phi(-cot(pi loss)/scale). loss: in [0, 1], any shape. Ours."""
    loss, scale = np.asarray(loss, dtype=float), check_range("scale", scale, 0)
    angle = np.pi * np.clip(loss, 0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = special.ndtr(-np.cos(angle) / np.sin(angle) / scale)
    return np.where(loss <= 0, 0.0, np.where(loss >= 1, 1.0, inside))[()]  # whatever the scale, infinite too


def loss_quantile(q, scale):
    """Loss below which a share q in (0, 1) of the inputs lies, w_L ~ N(0, scale^2). q, scale: arrays that broadcast. Ours."""
    return np.arctan2(1, -scale * special.ndtri(q)) / np.pi


def folded_loss_quantile(q, scale):
    """The same for the folded loss min(theta_L, pi - theta_L)/pi, which is symmetric."""
    return loss_quantile(np.asarray(q) / 2, scale)


def shares_within(edges, scale):
    """Probability (B,) of each bin of the loss between `edges` (B + 1,), increasing; scale: standard deviation of w_L, a number."""
    return np.diff(loss_cdf(edges, scale))


def bits_left(scale, resolution):
    """Entropy in bits of the loss read at a fixed resolution: [0, 1] cut into `resolution` equal bins. 1 bit in the deep limit.

    scale: standard deviation of w_L, a number; resolution: a whole number. Ours.
    """
    share = shares_within(np.linspace(0, 1, check_count("resolution", resolution) + 1), scale)
    return float(special.entr(share).sum() / np.log(2))


def descent_factor(x, rate):
    """Factor 1 - 2 rate |x|^2 by which a gradient step on |W x - t|^2 multiplies the error W x - t; below -1 it diverges."""
    return float(1 - 2 * rate * np.sum(np.square(x)))


def descent_weights(W, x, target, rate, steps):
    """W (k, d) after `steps` gradient steps of size `rate` on |W x - target|^2, x (d,) not 0, target (k,).

    W + (1 - q^steps) (target - W x) x^T / |x|^2, q of descent_factor. Ours.
    """
    x = np.asarray(x, dtype=float)
    return W + (1 - descent_factor(x, rate) ** steps) * np.outer(target - W @ x, x) / (x @ x)


def output_angles(W, count=2000):
    """Angles (radians) of W v for `count` directions v spread evenly on the circle: the law of W x for isotropic x in the plane."""
    angle = 2 * np.pi * (np.arange(count) + 0.5) / count
    first, second = W @ np.array([np.cos(angle), np.sin(angle)])
    return np.arctan2(second, first)


def descent_scores(X, x, target, rate):
    """Mean and sd of the scores (angle of W' x' and the target, over pi) of inputs X (P, d) after one gradient step on |W x - target|^2.

    W starts with entries uniform in (0, 1), (k, d) with many rows: W y has the mean sum(y)/2 in every unit and the variance |y|^2/12.
    rate 0: no step. The sd is over inputs in one network. Ours.
    """
    X, x, target = (np.asarray(value, dtype=float) for value in (X, x, target))
    pulled = 2 * rate * X @ x  # W' x' = W y + pulled target, y = x' - pulled x
    Y, size = X - np.outer(pulled, x), np.linalg.norm(target)
    level = Y.sum(axis=1) / 2
    length = np.sqrt(len(target) * (level**2 + np.sum(Y**2, axis=1) / 12) + 2 * pulled * level * target.sum() + (pulled * size) ** 2)
    score = np.arccos((level * target.sum() + pulled * size**2) / (length * size)) / np.pi
    apart = Y / length[:, None]  # rows of W are random: what inputs differ in moves their scores apart
    noise = np.mean(np.sum((apart - apart.mean(axis=0)) ** 2, axis=1)) / (12 * np.pi**2)
    return float(score.mean()), float(np.sqrt(score.var() + noise))
