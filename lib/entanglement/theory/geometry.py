"""Spacetime (our dictionary), rapidity and curvature."""

import numpy as np
from scipy import special

from entanglement.arguments import numbers, real

from .margins import rapidity_gain, second_moment


def world_line(layer, start, velocity):
    """(t, y) from the origin with depth as proper time, w from `start` to `velocity`; in layers.

    Ours. One sign, |velocity| >= |start| > 0, any shape; wide layers that gain: dw = gain w, dt =
    sqrt(1 + w^2), dy = w a layer.
    """
    start, velocity = numbers("start", start), numbers("velocity", velocity)
    gain = rapidity_gain(layer)
    if not gain > 0:
        raise ValueError(f"layer: {layer} gains {gain:g} nats a layer, want more than 0")
    if (start == 0).any():
        raise ValueError("start: 0 stays 0")
    if (velocity / start < 1).any():
        raise ValueError(f"velocity: {velocity.min():g} to {velocity.max():g} is not beyond start")

    def height(w):
        return np.sqrt(1 + w**2) - np.arcsinh(1 / np.abs(w))

    return (height(velocity) - height(start)) / gain, (velocity - start) / gain


def klein_chord(layer, start_x, start_y, depth):
    """Klein disk position ((a-c)/(a+c), 2b/(a+c)) of a pair after `depth` wide layers. Ours.

    start_x, start_y: within the disk, start_x^2 + start_y^2 <= 1 and start_x > -1; depth >= 0;
    arrays that broadcast. A layer keeps b/a and shrinks what c has beyond b^2/a by M: a straight
    chord away from (-1, 0), ending on the rim.
    """
    start_x, start_y = numbers("start_x", start_x, -1, 1), numbers("start_y", start_y, -1, 1)
    if (start_x == -1).any() or (start_x**2 + start_y**2 > 1 + 1e-12).any():
        point = f"{start_x} with start_y {start_y}"
        raise ValueError(f"start_x: {point} is not in the disk, or at (-1, 0)")
    b, c = start_y / (1 + start_x), (1 - start_x) / (1 + start_x)  # at a = 1
    c = b**2 + (c - b**2) * np.exp(-np.log(second_moment(layer)) * numbers("depth", depth, 0))
    return (1 - c) / (1 + c), 2 * b / (1 + c)


def rapidity_of_log(log_abs):
    """Rapidity arsinh(w) in nats of w = exp(log_abs) > 0, any shape; no overflow."""
    log_abs = real("log_abs", log_abs)
    if np.isnan(log_abs).any():
        raise ValueError("log_abs: holds nan")
    large = np.maximum(log_abs, 0)
    far = large + np.log1p(np.sqrt(1 + np.exp(-2 * large)))
    return np.where(log_abs > 0, far, np.arcsinh(np.exp(np.minimum(log_abs, 0))))[()]


def rapidity_staircase(layer, rapidity, depth):
    """Rapidity (nats) after `depth` layers without noise: w -> exp(rapidity_gain) w. Ours.

    rapidity: at the start; rapidity, depth: arrays that broadcast, depth >= 0. In log space and so
    at any distance: 0 (90 degrees) stays, 460 is an angle of 2e-200, -460 one of pi - 2e-200.
    """
    rapidity, depth = numbers("rapidity", rapidity), numbers("depth", depth, 0)
    size = np.abs(rapidity)
    with np.errstate(divide="ignore"):
        log_start = size + np.log(-np.expm1(-2 * size)) - np.log(2)
    return np.sign(rapidity) * rapidity_of_log(log_start + rapidity_gain(layer) * depth)


def gaussian_curvature(first, second):
    """Gaussian curvature (1/area) of a surface in R^m: (<h_11, h_22> - |h_12|^2)/det g.

    first: (m, 2) tangents; second: (m, 2, 2) second derivatives; h their part normal to the
    surface, g = first^T first. Source: Gauss 1827, for any m. ValueError for dependent tangents.
    """
    first, second = numbers("first", first), numbers("second", second)
    if first.ndim != 2 or first.shape[1] != 2 or len(first) < 2:
        raise ValueError(f"first: shape {first.shape}; want (m, 2), m >= 2")
    if second.shape != (*first.shape, 2):
        raise ValueError(f"second: shape {second.shape}; want {(*first.shape, 2)}")
    frame, R = np.linalg.qr(first)
    area = abs(R[0, 0] * R[1, 1])
    if not area > 0:
        raise ValueError("first: dependent tangents, no surface here")
    h = second - np.einsum("ia,ja,jbc->ibc", frame, frame, second)
    return float((h[:, 0, 0] @ h[:, 1, 1] - h[:, 0, 1] @ h[:, 0, 1]) / area**2)


def mean_random_cosine(input_dim):
    """E |cos| of a random direction with a fixed one in R^d, d = input_dim >= 1, any shape.

    Gamma(d/2)/(sqrt(pi) Gamma((d+1)/2)): cos^2 is Beta(1/2, (d-1)/2).
    """
    half = numbers("input_dim", input_dim, 1) / 2
    return np.exp(special.gammaln(half) - special.gammaln(half + 0.5)) / np.sqrt(np.pi)
