"""A picture under a mask, and who reads it: pixel errors, hash bits, two unseen inputs."""

from functools import lru_cache

import numpy as np
from scipy import special
from scipy.integrate import trapezoid
from scipy.interpolate import CubicSpline
from scipy.stats import norm

from entanglement.arguments import angles, count, number, numbers
from entanglement.layer import require
from entanglement.quadrature import hermite, legendre, normal_trapezoid

from .law import bit_flip_probability, noise_scale
from .margins import WIDE, log_chi_variance, log_growth_variance, rapidity_gain, shares


def mask_error(theta, strength, width):
    """Root mean square error of a pixel that is left when a mask, `strength` times a unit feature (k,), is taken off by another's.

    theta: angle of the two features, radians in [0, pi], any shape. 2 strength sin(theta/2) / sqrt(k), in pixel units; added instead of
    taken off: at pi - theta. Ours.
    """
    return 2 * strength / np.sqrt(width) * np.sin(angles(theta, closed=True) / 2)


def mean_log_mask_error(scale, strength, width):
    """E ln of mask_error in nats with the better of the two signs, for a normal w_L of standard deviation `scale` (any shape). Ours."""
    reach = np.arcsinh(9 * np.asarray(scale, dtype=float))
    w = np.sinh(np.linspace(0 * reach, reach, 4001))
    density = 2 * norm.pdf(w / scale) / scale * np.sqrt(1 + w**2)
    log_error = np.log(mask_error(np.arctan2(1, w), strength, width))
    return trapezoid(density * log_error, dx=reach / 4000, axis=0)


def angle_of_unseen(first, second, cosine):
    """Angle (radians) of two unseen inputs' features whose proper velocities to the training input's are `first` and `second`.

    cosine: of what is left of the two beside the training feature; arrays broadcast. An identity of spherical trigonometry; small
    angles and those near pi keep their precision.
    """
    across = np.sqrt((first - second) ** 2 + 2 * first * second * (1 - cosine) + 1 - np.square(cosine))
    return np.arctan2(across, first * second + cosine)


def opposite_probability(first, second, cosine, deviation):
    """P((w + S)(w' + S') < 0): two unseen inputs end on opposite sides of the training input; arrays broadcast.

    first, second: w and w' at the input; S, S' normal of standard deviation `deviation`, 1/sqrt(k(M-1)) for wide layers, with
    correlation `cosine`, as of what is left of the two beside the training input. Source: Plackett 1954, by Gauss-Legendre; error 1e-9
    for |cosine| <= 0.99.
    """
    a, b, c = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (first / deviation, second / deviation, cosine)))
    node, weight = legendre(100)
    t = np.arcsin(c)[..., None] * (node + 1) / 2
    height = a[..., None] ** 2 + b[..., None] ** 2 - 2 * (a * b)[..., None] * np.sin(t)
    both = special.ndtr(a) * special.ndtr(b) + np.arcsin(c) / (4 * np.pi) * (np.exp(-height / (2 * np.cos(t) ** 2)) @ weight)
    return special.ndtr(a) + special.ndtr(b) - 2 * both


def folded_error(layer, depth, start=0.0, spread=0.0):
    """(mean, standard deviation) over networks of the folded share of wrong pixels min(e, 1 - e) after `depth` layers.

    A pixel is a hash bit of the last layer; given w at that layer's input pixels err independently, with bit_flip_probability.
    depth: any shape, 1 or more. start, spread: the proper velocity of decoder and key at the input is N(start, spread^2): (0, 1/sqrt(d-1))
    for independent inputs, (cot theta, 0) at an angle. Rule `largest`, pool > width; wide: off by 3 % at width 64, by 0.3 % at 256. Ours.
    """

    def moments(p):
        middle, noise = p - 0.5, np.sqrt(p * (1 - p) / layer.width)
        above = noise * np.sqrt(2 / np.pi) * np.exp(-((middle / noise) ** 2) / 2) + middle * (1 - 2 * special.ndtr(-middle / noise))
        mean = 0.5 - above  # of a folded normal: for many pixels the binomial is one wherever folding matters
        return np.array([mean, mean - 0.25 + middle**2 + noise**2])

    mean, square = _over_networks(moments, layer, depth, start, spread)
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


def folded_error_cdf(layer, depth, error, start=0.0, spread=0.0):
    """Share of networks whose folded share of wrong pixels is at most `error` (a number in [0, 1/2)); else as folded_error."""
    if not 0 <= error < 0.5:
        raise ValueError(f"error: {error!r} is outside [0, 1/2)")
    width = require(layer, WIDE, selects=True).width
    most = np.floor(width * error + 1e-9)

    def more(p):
        return 1 - special.bdtr(most, width, p) - special.bdtr(most, width, 1 - p)

    return np.clip(1 - _over_networks(more, layer, depth, start, spread), 0, 1)


def folded_error_quantile(layer, depth, q, start=0.0, spread=0.0):
    """Smallest folded share of wrong pixels that a share q of the networks keeps to; depth a number, else as folded_error."""
    q, width = number("q", q, 0, 1), require(layer).width
    low, high = 0, (width - 1) // 2
    while low < high:
        middle = (low + high) // 2
        enough = folded_error_cdf(layer, depth, middle / width, start, spread) >= q
        low, high = (low, middle) if enough else (middle + 1, high)
    return low / width


def bit_errors_cdf(layer, theta, limit):
    """P(at most `limit` of the `bits` largest of `pool` independent margins change sign at correlation cos(theta)), exact.

    limit, theta (radians): arrays that broadcast. Given the selection's tail p ~ Beta(k+1, n-k) bits err independently: binomials, mixed.
    """
    theta, limit, (p, weight) = angles(theta), numbers("limit", limit, 0), shares(layer)
    flip = np.clip(layer.law.flip(theta[..., None], p), 0, 1)
    return special.bdtr(np.floor(limit)[..., None], layer.width, flip) @ weight


def nearer_probability(layer, start, depth, input_dim):
    """Chance that |w_L| of an input starting at |w_0| = start exceeds that of an independent Gaussian one, same network; wide layers.

    depth: any shape. The amplifications A are common to both and cancel; left are S, and the difference of their ln B, normal of variance
    L psi'((k-1)/2)/2 while L << 2k. This is the AUC of the two in log space. Ours.
    """
    start, input_dim = number("start", start, 0), count("input_dim", input_dim, 2)
    (z, weight), (t, t_weight) = normal_trapezoid(801), hermite(21)
    width, depth = require(layer, WIDE).width, numbers("depth", depth, 0)
    shares = []
    for layers in np.ravel(depth):
        noise = noise_scale(layer, layers)
        near = np.abs(start + noise * z)[:, None] * np.exp(np.sqrt(2 * layers * log_chi_variance(width - 1)) * t)
        shares.append(weight @ (2 * special.ndtr(near / np.hypot((input_dim - 1) ** -0.5, noise)) - 1) @ t_weight)
    return np.reshape(shares, np.shape(depth))


def _over_networks(function, layer, depth, start, spread):
    """Average over networks of a function of the flip probability that vanishes with it, at w = w_(depth-1); shape (..., *depth)."""
    require(layer, WIDE, selects=True)
    start, spread = number("start", start), number("spread", spread, 0)
    log_flip, gain = _log_flip(layer), rapidity_gain(layer)
    first, last = log_flip.x[[0, -1]]
    z, weight = hermite(21)
    averages = []
    for layers in np.ravel(numbers("depth", depth, 1)) - 1:
        sd = np.hypot(spread, noise_scale(layer, layers))
        if sd == 0:
            averages.append(function(np.exp(log_flip(np.clip(np.log(max(abs(start), 1e-300)), first, last)))))
            continue
        step = min(0.01, sd / (4 * abs(start))) if start else 0.01
        log_w = np.arange(first, last, step)
        w = np.exp(log_w - gain * layers - np.sqrt(layers * log_growth_variance(layer)) * z[:, None])  # before Lambda
        density = weight @ ((np.exp(-(((w - start) / sd) ** 2) / 2) + np.exp(-(((w + start) / sd) ** 2) / 2)) * w / sd) / np.sqrt(2 * np.pi)
        averages.append(function(np.exp(log_flip(log_w))) @ density * step)
    averages = np.moveaxis(np.array(averages), 0, -1)
    return averages.reshape(averages.shape[:-1] + np.shape(depth))


@lru_cache(maxsize=32)
def _log_flip(layer):
    """ln bit_flip_probability at w = cot(theta) as a function of ln w, from w = 1e-7 to where it is below 1e-30."""
    log_w = np.linspace(np.log(1e-7), np.log(12 / layer.law.threshold(layer.kept)), 800)
    return CubicSpline(log_w, np.log(bit_flip_probability(layer, np.arctan(np.exp(-log_w)))))
