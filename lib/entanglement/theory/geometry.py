"""Spacetime (our dictionary), rapidity and curvature."""

import numpy as np
from scipy import special


def world_line(velocity, start, gain):
    """(t, y) reached from the origin with depth as proper time while w grows from `start` to `velocity`, one sign, wide layers.

    dw = gain w, dt = sqrt(1 + w^2), dy = w for each layer; velocity: any shape, |velocity| >= |start| > 0; in layers. Ours.
    """

    def height(w):
        return np.sqrt(1 + w**2) - np.arcsinh(1 / np.abs(w))

    return (height(velocity) - height(start)) / gain, (velocity - start) / gain


def klein_chord(start_x, start_y, second_moment, depth):
    """Klein disk position ((a-c)/(a+c), 2b/(a+c)) of a pair after `depth` wide layers, from its start; depth: any shape.

    start_x, start_y: its position, any shape, start_x > -1; second_moment: M. A layer keeps b/a and
    shrinks what c has beyond b^2/a by M: a straight chord away from (-1, 0), ending on the rim. Ours.
    """
    b, c = start_y / (1 + start_x), (1 - start_x) / (1 + start_x)  # at a = 1
    c = b**2 + (c - b**2) * np.exp(-np.log(second_moment) * np.asarray(depth, dtype=float))
    return (1 - c) / (1 + c), 2 * b / (1 + c)


def rapidity_of_log(log_abs):
    """Rapidity arsinh(w) in nats of w = exp(log_abs) > 0, any shape; no overflow: ln w + ln 2 for large w, w for small."""
    log_abs = np.asarray(log_abs, dtype=float)
    large = np.maximum(log_abs, 0)
    return np.where(log_abs > 0, large + np.log1p(np.sqrt(1 + np.exp(-2 * large))), np.arcsinh(np.exp(np.minimum(log_abs, 0))))[()]


def rapidity_staircase(rapidity, gain, depth):
    """Rapidity after `depth` layers without noise: w -> exp(gain) w a layer, from the rapidity at the start; nats.

    rapidity, depth: any shapes that broadcast; gain: rapidity_gain or (1/2) ln M. The noiseless law of wide_angle, in log space
    and so at any distance: 0 (90 degrees) stays, 460 is an angle of 2e-200, -460 one of pi - 2e-200. Ours.
    """
    size = np.abs(np.asarray(rapidity, dtype=float))
    with np.errstate(divide="ignore"):
        log_start = size + np.log(-np.expm1(-2 * size)) - np.log(2)
    return np.sign(rapidity) * rapidity_of_log(log_start + gain * np.asarray(depth))


def gaussian_curvature(first, second):
    """Gaussian curvature (1/area) of a surface in R^m from its derivatives: (<h_11, h_22> - |h_12|^2) / det g.

    first: (m, 2) tangents; second: (m, 2, 2) second derivatives; h their part normal to the surface, g = first^T first.
    Source: Gauss 1827, in the form for any m. ValueError where the tangents are dependent.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    frame, R = np.linalg.qr(first)
    area = abs(R[0, 0] * R[1, 1])
    if not area > 0:
        raise ValueError("first: dependent tangents, no surface here")
    h = second - np.einsum("ia,ja,jbc->ibc", frame, frame, second)
    return float((h[:, 0, 0] @ h[:, 1, 1] - h[:, 0, 1] @ h[:, 0, 1]) / area**2)


def mean_random_cosine(input_dim):
    """E |cos| of a random direction with any fixed one in R^d: Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)); cos^2 is Beta(1/2, (d-1)/2)."""
    half = np.asarray(input_dim) / 2
    return np.exp(special.gammaln(half) - special.gammaln(half + 0.5)) / np.sqrt(np.pi)
