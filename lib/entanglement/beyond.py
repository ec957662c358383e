"""Networks that do not select rows, random and trained; every weight of every one is drawn.

Features are arrays (trials, N, width): one network a trial, N inputs (or tokens) through it. Ours.
"""

import numpy as np

from entanglement.arguments import angles as check_angles
from entanglement.arguments import count as check_count
from entanglement.arguments import flag, memory, number, numbers, stack

FEATURES = ("trials", "N", "width")


def pairs_at(theta, width, trials):
    """`trials` copies of two unit inputs at an angle theta (radians), (trials, 2, width)."""
    theta = check_angles(theta)
    pair = np.zeros((check_count("trials", trials), 2, check_count("width", width, 2)))
    pair[:, 0, 0] = 1
    pair[:, 1, :2] = np.stack([np.cos(theta), np.sin(theta)], axis=-1)
    return pair


def tokens_at(theta, count, width, trials):
    """`trials` copies of `count` unit tokens, theta (radians) between any two: (mean, rest)."""
    count, width = check_count("count", count, 2), check_count("width", width, count + 1)
    # of the distance from the mean
    square = 2 * np.sin(check_angles(theta) / 2) ** 2 * (count - 1) / count
    if square > 1:
        raise ValueError(f"theta: {theta!r} is more than {count} tokens can have between any two")
    trials = check_count("trials", trials)
    mean, rest = np.zeros((trials, 1, width)), np.zeros((trials, count, width))
    mean[:, 0, -1] = np.sqrt(1 - square)
    rest[:, :, :count] = np.sqrt(square * count / (count - 1)) * (np.eye(count) - 1 / count)
    return mean, rest


def images(rng, features, scale=1.0):
    """W f of the features f (trials, N, width), a fresh W ~ N(0, scale^2 / width) each trial."""
    features, scale = stack("features", features, *FEATURES), number("scale", scale, 0)
    trials, _, width = features.shape
    memory("features", f"{trials} matrices of width {width}", 16 * trials * width**2)
    return features @ rng.standard_normal((trials, width, width)) * (scale / np.sqrt(width))


def angles(features):
    """Angle (radians) of the first two features of a trial, (trials,); relative precision 1e-12."""
    features = stack("features", features, *FEATURES)
    R = np.linalg.qr(np.swapaxes(features[:, :2], 1, 2), mode="r")
    return np.arctan2(np.abs(R[:, 1, 1]), R[:, 0, 1] * np.sign(R[:, 0, 0]))


def effective_rank(singular_values):
    """exp of the entropy of singular values (..., N), their sum 1 (Roy and Vetterli 2007)."""
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
    """`measure` of features that `layer` maps on, at the layers in `keep` (default 0..depth)."""
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


def relu_uniform(rng, features):
    """relu(W f + b), weights and biases uniform within 1/sqrt(width): PyTorch's default layer."""
    features = stack("features", features, *FEATURES)
    trials, _, width = features.shape
    drawn = rng.uniform(-1, 1, (trials, width + 1, width)) / np.sqrt(width)
    return np.maximum(features @ drawn[:, 1:] + drawn[:, :1], 0)


def tanh(rng, features, weight_scale, bias_scale):
    """tanh(W f + b), W ~ N(0, weight_scale^2 / width), b ~ N(0, bias_scale^2); f of order 1."""
    features = stack("features", features, *FEATURES)
    weight_scale = number("weight_scale", weight_scale, 0)
    bias_scale = number("bias_scale", bias_scale, 0)
    bias = bias_scale * rng.standard_normal((len(features), 1, features.shape[-1]))
    return np.tanh(images(rng, features, weight_scale) + bias)


def batch_normalised(rng, features, centred=True):
    """A random linear layer with batch normalisation (Ioffe and Szegedy 2015): every unit has mean
    0 and mean square 1 over the N inputs. `centred` False leaves the mean in.
    """
    h = images(rng, features)
    if flag("centred", centred):
        h = h - h.mean(axis=1, keepdims=True)
    return h / np.sqrt(np.mean(h**2, axis=1, keepdims=True))


def attention(rng, tokens, sharpness, tied=True, skip=False):
    """One self-attention layer on (mean, rest), mean (trials, 1, d), differences (trials, n, d).

    Values, queries and keys by fresh Gaussian matrices of variance 1/d; `tied`: queries are the
    keys. Logits are sharpness times <query, key>. `skip`: the input is added. Kept apart, mean and
    rest lose no digits however near the tokens come.
    """
    (mean, rest), sharpness = tokens, number("sharpness", sharpness, 0)
    tied, skip = flag("tied", tied), flag("skip", skip)
    keys = images(rng, np.concatenate([mean, rest], axis=1))
    queries = keys if tied else images(rng, np.concatenate([mean, rest], axis=1))
    # a row's constant drops out
    logits = sharpness * (queries[:, :1] + queries[:, 1:]) @ np.swapaxes(keys[:, 1:], 1, 2)
    # softmax weights less an equal share, which draws nothing from rest
    excess = np.expm1(logits - logits.max(axis=2, keepdims=True))
    drawn = excess @ rest / (rest.shape[1] + excess.sum(axis=2, keepdims=True))
    common = drawn.mean(axis=1, keepdims=True)
    values = images(rng, np.concatenate([mean + common, drawn - common], axis=1))
    old = (mean, rest) if skip else (0, 0)
    return old[0] + values[:, :1], old[1] + values[:, 1:]


def token_angles(tokens):
    """Angle (radians) of the first two tokens of every trial, (trials,); right however small."""
    mean, rest = tokens
    first, step = mean[:, 0] + rest[:, 0], rest[:, 1] - rest[:, 0]
    R = np.linalg.qr(np.stack([first, step], axis=2), mode="r")
    return np.arctan2(np.abs(R[:, 0, 0] * R[:, 1, 1]), np.sum(first * (first + step), axis=1))


def residual(tokens):
    """Root mean square distance of the tokens of every trial from their mean, (trials,)."""
    return np.sqrt(np.mean(np.sum(tokens[1] ** 2, axis=2), axis=1))


# --- linear networks trained by gradient descent  ----


def orthogonal_weights(rng, trials, depth, width, size):
    """Random rotations or reflections times `size`, (trials, depth, width, width): balanced."""
    trials, depth = check_count("trials", trials), check_count("depth", depth)
    width, size = check_count("width", width), number("size", size, 0)
    Q, R = np.linalg.qr(rng.standard_normal((trials, depth, width, width)))
    return size * Q * np.sign(np.diagonal(R, axis1=-2, axis2=-1))[..., None, :]


def end_to_end(weights):
    """The product W_N ... W_1 of weights (..., N, width, width): (..., width, width)."""
    weights = _weights(weights)
    H = weights[..., 0, :, :]
    for layer in range(1, weights.shape[-3]):
        H = weights[..., layer, :, :] @ H
    return H


def gradient(weights, X, Y):
    """Gradient, as weights, of |H X - Y|^2 / 2, H their product; X, Y: (..., width, samples)."""
    return _gradient(*_fitting(weights, X, Y))


def descend(weights, X, Y, rate, steps):
    """Weights after `steps` steps of gradient descent of size `rate` on |H X - Y|^2 / 2."""
    steps, rate = check_count("steps", steps, 0), number("rate", rate, 0)
    weights, X, Y = _fitting(weights, X, Y)
    for _ in range(steps):
        weights = weights - rate * _gradient(weights, X, Y)
    return weights


def _weights(weights):
    weights = numbers("weights", weights)
    if weights.ndim < 3 or not weights.size or weights.shape[-1] != weights.shape[-2]:
        raise ValueError(f"weights: shape {weights.shape}; want (..., layers, width, width)")
    return weights


def _fitting(weights, X, Y):
    weights, X, Y = _weights(weights), numbers("X", X), numbers("Y", Y)
    if X.ndim != weights.ndim - 1 or not X.size or X.shape[:-1] != weights[..., 0, :, 0].shape:
        raise ValueError(f"X: shape {X.shape} does not fit weights of {weights.shape}")
    if Y.shape != X.shape:
        raise ValueError(f"Y: shape {Y.shape}; want {X.shape}, as X has")
    return weights, X, Y


def _gradient(weights, X, Y):
    layers = np.moveaxis(weights, -3, 0)
    F = [X]
    for W in layers:
        F.append(W @ F[-1])
    error, parts = F[-1] - Y, []
    for W, f in zip(layers[::-1], F[-2::-1], strict=True):
        parts.append(error @ np.swapaxes(f, -1, -2))
        error = np.swapaxes(W, -1, -2) @ error
    return np.stack(parts[::-1], axis=-3)
