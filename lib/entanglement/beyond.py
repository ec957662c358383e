"""Networks that do not select rows: activations, batch normalisation, self-attention, and linear
networks trained by gradients.

A Gaussian matrix acts on N vectors through their span alone, so it is drawn there: exactly its law,
at a cost that grows with the width and not with its square. Features are arrays (trials, N, width):
one network a trial, N inputs (or tokens) through the same matrices. Ours.
"""

import numpy as np

from entanglement.arguments import angles as check_angles
from entanglement.arguments import count as check_count
from entanglement.arguments import flag, number, numbers, stack

FEATURES = ("trials", "N", "width")
WEIGHTS = ("layers", "width", "width")


def pairs_at(theta, width, trials):
    """`trials` copies of two unit inputs at an angle theta (radians, a scalar), as features
    (trials, 2, width).
    """
    theta = check_angles(theta)
    pair = np.zeros((check_count("trials", trials), 2, check_count("width", width, 2)))
    pair[:, 0, 0] = 1
    pair[:, 1, :2] = np.stack([np.cos(theta), np.sin(theta)], axis=-1)
    return pair


def tokens_at(theta, count, width, trials):
    """`trials` copies of `count` unit tokens with the angle theta (radians) between any two, as
    (mean, rest) for `attention`.
    """
    count, width = check_count("count", count, 2), check_count("width", width, count + 1)
    square = (
        2 * np.sin(check_angles(theta) / 2) ** 2 * (count - 1) / count
    )  # of the distance from the mean
    if square > 1:
        raise ValueError(f"theta: {theta!r} is more than {count} tokens can have between any two")
    trials = check_count("trials", trials)
    mean, rest = np.zeros((trials, 1, width)), np.zeros((trials, count, width))
    mean[:, 0, -1] = np.sqrt(1 - square)
    rest[:, :, :count] = np.sqrt(square * count / (count - 1)) * (np.eye(count) - 1 / count)
    return mean, rest


def images(rng, features, scale=1.0):
    """W f of the N features f of every trial, (trials, N, width), under a fresh width x width
    matrix W ~ N(0, scale^2 / width).
    """
    features, scale = stack("features", features, *FEATURES), number("scale", scale, 0)
    R = np.linalg.qr(np.swapaxes(features, -1, -2), mode="r")
    R = (
        R * np.copysign(1, np.diagonal(R, axis1=-2, axis2=-1))[..., None]
    )  # QR leaves the signs of its columns open
    width = features.shape[-1]
    g = rng.standard_normal((*R.shape[:-1], width))
    return np.swapaxes(R, -1, -2) @ g * (scale / np.sqrt(width))


def angles(features):
    """Angle in radians of the first two features of every trial, (trials,); relative precision down
    to 1e-12 or so.
    """
    features = stack("features", features, *FEATURES)
    R = np.linalg.qr(np.swapaxes(features[:, :2], 1, 2), mode="r")
    return np.arctan2(np.abs(R[:, 1, 1]), R[:, 0, 1] * np.sign(R[:, 0, 0]))


def effective_rank(singular_values):
    """exp of the entropy of the singular values (along the last axis), scaled to sum to 1: m equal
    ones give m (Roy and Vetterli 2007).
    """
    singular_values = numbers("singular_values", singular_values, 0)
    if not singular_values.ndim or not singular_values.size:
        raise ValueError(f"singular_values: shape {singular_values.shape}; want (..., N)")
    share = singular_values / np.sum(singular_values, axis=-1, keepdims=True)
    return np.exp(-np.sum(share * np.log(np.where(share > 0, share, 1)), axis=-1))


def feature_rank(features):
    """Effective rank of the N unit features of every trial, (trials,)."""
    features = stack("features", features, *FEATURES)
    unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
    return effective_rank(np.linalg.svd(unit, compute_uv=False))


def walk(layer, features, depth, measure=angles, keep=None):
    """`measure` of the features at the layers in `keep` (default 0..depth), stacked along the first
    axis; layer: features -> features.
    """
    depth = check_count("depth", depth, 0)
    keep = range(depth + 1) if keep is None else stack("keep", keep, "layers")
    keep = {check_count("keep", layers, 0, depth) for layers in keep}
    found = [measure(features)] if 0 in keep else []
    for layers in range(1, depth + 1):
        features = layer(features)
        if layers in keep:
            found.append(measure(features))
    return np.array(found)


# --- layers: rng first, features last  ----


def linear(rng, features):
    """An ordinary random layer."""
    return images(rng, features)


def relu(rng, features):
    """A random layer with ReLU, at the scale that keeps lengths (He et al. 2015)."""
    return np.maximum(images(rng, features, np.sqrt(2)), 0)


def tanh(rng, features, weight_scale, bias_scale):
    """tanh(W f + b), W ~ N(0, weight_scale^2 / width), b ~ N(0, bias_scale^2), for features of
    entries of order 1.
    """
    features = stack("features", features, *FEATURES)
    weight_scale, bias_scale = (
        number("weight_scale", weight_scale, 0),
        number("bias_scale", bias_scale, 0),
    )
    bias = bias_scale * rng.standard_normal((len(features), 1, features.shape[-1]))
    return np.tanh(images(rng, features, weight_scale) + bias)


def batch_normalised(rng, features):
    """A random layer whose units are scaled to unit mean square over the N inputs of the batch; the
    mean is left in.
    """
    h = images(rng, features)
    return h / np.sqrt(np.mean(h**2, axis=1, keepdims=True))


def attention(rng, tokens, sharpness, tied=True, skip=False):
    """One self-attention layer on (mean, rest): the mean token (trials, 1, d) and the n tokens'
    differences from it, (trials, n, d).

    Values, queries and keys by fresh Gaussian matrices of variance 1/d; `tied`: queries are the
    keys. Logits are sharpness times <query, key>. `skip`: the input is added. Kept apart, mean and
    rest lose no digits however near the tokens come.
    """
    (mean, rest), sharpness = tokens, number("sharpness", sharpness, 0)
    tied, skip = flag("tied", tied), flag("skip", skip)
    keys = images(rng, np.concatenate([mean, rest], axis=1))
    queries = keys if tied else images(rng, np.concatenate([mean, rest], axis=1))
    logits = (
        sharpness * (queries[:, :1] + queries[:, 1:]) @ np.swapaxes(keys[:, 1:], 1, 2)
    )  # a row's constant drops out
    excess = np.expm1(
        logits - logits.max(axis=2, keepdims=True)
    )  # softmax weights less an equal share, which draws nothing from rest
    drawn = excess @ rest / (rest.shape[1] + excess.sum(axis=2, keepdims=True))
    common = drawn.mean(axis=1, keepdims=True)
    values = images(rng, np.concatenate([mean + common, drawn - common], axis=1))
    old = (mean, rest) if skip else (0, 0)
    return old[0] + values[:, :1], old[1] + values[:, 1:]


def token_angles(tokens):
    """Angle in radians of the first two tokens of every trial, (trials,), from (mean, rest); right
    however small.
    """
    mean, rest = tokens
    first, step = mean[:, 0] + rest[:, 0], rest[:, 1] - rest[:, 0]
    R = np.linalg.qr(np.stack([first, step], axis=2), mode="r")
    return np.arctan2(np.abs(R[:, 0, 0] * R[:, 1, 1]), np.sum(first * (first + step), axis=1))


def residual(tokens):
    """Root mean square distance of the tokens of every trial from their mean, (trials,)."""
    return np.sqrt(np.mean(np.sum(tokens[1] ** 2, axis=2), axis=1))


# --- linear networks trained by gradients  ----


def orthogonal_weights(rng, depth, width, size):
    """`depth` random rotations or reflections of R^width times `size`, (depth, width, width): a
    balanced start.
    """
    depth, width, size = (
        check_count("depth", depth),
        check_count("width", width),
        number("size", size, 0),
    )
    Q, R = np.linalg.qr(rng.standard_normal((depth, width, width)))
    return size * Q * np.sign(np.diagonal(R, axis1=1, axis2=2))[:, None]


def end_to_end(weights):
    """The product W_N ... W_1 of weights (N, width, width)."""
    weights = stack("weights", weights, *WEIGHTS)
    H = weights[0]
    for W in weights[1:]:
        H = W @ H
    return H


def gradient(weights, X, Y):
    """Gradient (N, width, width) of |H X - Y|^2 / 2, H the product of the weights; X, Y: (width,
    samples).
    """
    return _gradient(*_fitting(weights, X, Y))


def _fitting(weights, X, Y):
    weights, X = stack("weights", weights, *WEIGHTS), stack("X", X, "width", "samples")
    Y = stack("Y", Y, "width", "samples")
    if weights.shape[1:] != (len(X), len(X)):
        raise ValueError(f"weights: shape {weights.shape} does not fit X of {X.shape}")
    if Y.shape != X.shape:
        raise ValueError(f"Y: shape {Y.shape}; want {X.shape}, as X has")
    return weights, X, Y


def _gradient(weights, X, Y):
    before, after = [np.eye(len(X))], [np.eye(len(X))]
    for W, V in zip(weights[:-1], weights[:0:-1], strict=True):
        before.append(W @ before[-1])
        after.append(after[-1] @ V)
    error = (weights[-1] @ before[-1] @ X - Y) @ X.T
    return np.array([A.T @ error @ B.T for A, B in zip(after[::-1], before, strict=True)])


def descend(weights, X, Y, rate, steps, flow=False):
    """Weights after `steps` gradient steps of size `rate` on |H X - Y|^2 / 2; `flow`: Runge-Kutta
    steps of the limit of small steps.
    """
    steps, rate, flow = check_count("steps", steps, 0), number("rate", rate, 0), flag("flow", flow)
    weights, X, Y = _fitting(weights, X, Y)
    for _ in range(steps):
        first = -_gradient(weights, X, Y)
        if flow:
            second = -_gradient(weights + rate / 2 * first, X, Y)
            third = -_gradient(weights + rate / 2 * second, X, Y)
            fourth = -_gradient(weights + rate * third, X, Y)
            first = (first + 2 * second + 2 * third + fourth) / 6
        weights = weights + rate * first
    return weights


def drift(before, after):
    """Largest change of W_{j+1}^T W_{j+1} - W_j W_j^T, which gradient flow conserves, over the
    largest |W_j W_j^T| (Frobenius norms).
    """

    def balance(W):
        return np.swapaxes(W[1:], 1, 2) @ W[1:] - W[:-1] @ np.swapaxes(W[:-1], 1, 2)

    before, after = stack("before", before, *WEIGHTS), stack("after", after, *WEIGHTS)
    if before.shape != after.shape:
        raise ValueError(f"before, after: shapes {before.shape}, {after.shape}; want one")
    size = np.linalg.norm(after @ np.swapaxes(after, 1, 2), axis=(1, 2)).max()
    return float(
        np.linalg.norm(balance(after) - balance(before), axis=(1, 2)).max(initial=0) / size
    )
