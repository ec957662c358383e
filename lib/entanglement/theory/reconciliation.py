"""A picture under a mask, and who reads it: pixel errors, hash bits, two unseen inputs."""

import numpy as np
from scipy import special
from scipy.integrate import trapezoid

from entanglement.arguments import angles, count, number, numbers
from entanglement.layer import require
from entanglement.quadrature import hermite, legendre, normal_density, normal_trapezoid

from .chain import mean_after
from .law import LARGE_DIM, noise_scale
from .margins import WIDE, log_chi_variance, shares

HUGE = 1e150  # velocities up to here have squares


def mask_error(theta, strength, width):
    """Root mean square error of a pixel, 2 strength sin(theta/2)/sqrt(k), in pixel units, that is
    left when a mask, `strength` times a unit feature (k,), is taken off by another's.

    theta: angle of the two features in [0, pi], radians, any shape; added instead of taken off: at
    pi - theta. strength >= 0. Exact. Ours.
    """
    size = 2 * number("strength", strength, 0) / np.sqrt(count("width", width))
    return size * np.sin(angles(theta, closed=True) / 2)


def mean_log_mask_error(scale, strength, width):
    """E ln of mask_error in nats, with the better of the two signs, for a normal w_L.

    scale: its standard deviation, any shape, in (0, 1e150); strength > 0. Error 2e-6. Ours.
    """
    scale = numbers("scale", scale, 0, HUGE, open=True)
    number("strength", strength, 0, open=True)
    reach = np.arcsinh(9 * scale)
    t = np.linspace(0 * reach, reach, 4001)
    density = 2 * normal_density(np.sinh(t) / scale) / scale * np.cosh(t)
    log_error = np.log(mask_error(np.arctan2(1, np.sinh(t)), strength, width))
    return trapezoid(density * log_error, dx=reach / 4000, axis=0)


def angle_of_unseen(first, second, cosine):
    """Angle (radians) of two unseen inputs' features from their velocities, `first` and `second`.

    cosine: in [-1, 1], of what is left of the two beside the training feature; arrays broadcast. An
    identity of spherical trigonometry; small angles and those near pi keep their precision.
    """
    first, second = numbers("first", first, -HUGE, HUGE), numbers("second", second, -HUGE, HUGE)
    cosine = numbers("cosine", cosine, -1, 1)
    square = (first - second) ** 2 + 2 * first * second * (1 - cosine) + 1 - cosine**2
    return np.arctan2(np.sqrt(np.maximum(square, 0)), first * second + cosine)


def opposite_probability(first, second, cosine, deviation):
    """P((w + S)(w' + S') < 0): two unseen inputs end on opposite sides; normal S and S'.

    first, second: w and w' at the input; deviation > 0: of S and S', 1/sqrt(k(M-1)) for wide, deep
    layers; cosine: their correlation, in [-0.99, 0.99], that of what is left of the two beside the
    training input. Arrays broadcast; error 1e-9. Source: Plackett 1954, by Gauss-Legendre.
    """
    deviation = numbers("deviation", deviation, 0, open=True)
    a, b, c = np.broadcast_arrays(
        numbers("first", first) / deviation,
        numbers("second", second) / deviation,
        numbers("cosine", cosine, -0.99, 0.99),
    )
    node, weight = legendre(100)
    t = np.arcsin(c)[..., None] * (node + 1) / 2
    height = a[..., None] ** 2 + b[..., None] ** 2 - 2 * (a * b)[..., None] * np.sin(t)
    slope = np.exp(-height / (2 * np.cos(t) ** 2)) @ weight
    both = special.ndtr(a) * special.ndtr(b) + np.arcsin(c) / (4 * np.pi) * slope
    return special.ndtr(a) + special.ndtr(b) - 2 * both


def folded_error(layer, depth, start=0.0, spread=0.0):
    """(mean, standard deviation) over networks of the folded share of wrong pixels min(e, 1 - e).

    A pixel is a hash bit of the last layer: given w before that layer and the share that its rule
    keeps, pixels err independently. depth: L >= 1, any shape. start, spread: the proper velocity of
    decoder and key at the input is N(start, spread^2): (0, 1/sqrt(d-1)) for independent inputs of d
    >= 32, (cot theta, 0) at an angle. Every width and pool, n = k too; relative error 1e-3, 1e-2
    below width 32. Ours.
    """
    width = require(layer).width

    def moments(flip, weight):
        beyond = _beyond_half(flip, width)  # min(x, k-x)^2 is x^2 less k (2x-k)^+
        square = flip * (1 - flip) / width + flip**2 - beyond
        return np.stack([(flip - beyond) @ weight, square @ weight])

    mean, square = _over_networks(layer, moments, depth, start, spread)
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


def folded_error_cdf(layer, depth, error, start=0.0, spread=0.0):
    """Share of networks whose folded share of wrong pixels is at most `error`, in [0, 1/2); else as
    folded_error. Error 3e-3, and 2e-2 for a given start (spread = 0) beyond width 2500.
    """
    width = require(layer).width
    if number("error", error, 0, 0.5) == 0.5:
        raise ValueError(f"error: {error!r} is outside [0, 1/2)")
    most = np.floor(width * error + 1e-9)

    def inside(flip, weight):
        return (special.bdtr(most, width, flip) + special.bdtr(most, width, 1 - flip)) @ weight

    return np.clip(_over_networks(layer, inside, depth, start, spread), 0, 1)


def bit_errors_cdf(layer, theta, limit):
    """P(at most `limit` bits sign(a) of a layer's kept rows differ at angle theta); exact.

    Layer(bits, pool): the bits of the largest of `pool` independent coordinates at correlation
    cos(theta). theta (radians), limit >= 0: arrays that broadcast. Given the share that is kept
    bits err independently: binomials, mixed. Ours.
    """
    (p, weight), width = shares(layer), layer.width
    theta, limit = angles(theta), np.minimum(numbers("limit", limit, 0), width)
    flip = np.clip(layer.law.flip(theta[..., None], p), 0, 1)
    return special.bdtr(np.floor(limit)[..., None], width, flip) @ weight


def nearer_probability(layer, start, depth, input_dim):
    """Chance that |w_L| from |w_0| = start exceeds that of an independent Gaussian input: the AUC.

    In the same network, in log space. depth: L >= 0, any shape; input_dim: d >= 32; width >= 32;
    error 0.015 there, 0.01 from 64, for L << 2k. The A are common and cancel; left are S, and the
    difference of their ln B, normal of variance L psi'((k-1)/2)/2. Ours.
    """
    width, depth = require(layer, WIDE).width, numbers("depth", depth, 0)
    start = number("start", start, 0)
    spread = (count("input_dim", input_dim, LARGE_DIM) - 1) ** -0.5
    (z, weight), (t, t_weight) = normal_trapezoid(801), hermite(21)
    chances = []
    for layers in depth.ravel():
        noise = noise_scale(layer, layers)
        apart = np.exp(np.sqrt(2 * layers * log_chi_variance(width - 1)) * t)
        near = np.abs(start + noise * z)[:, None] * apart
        far = np.hypot(spread, noise)
        chances.append(weight @ (2 * special.ndtr(near / far) - 1) @ t_weight)
    return np.reshape(chances, depth.shape)


def _beyond_half(flip, width):
    """E (2 x - 1)^+ of the share x of wrong bits among `width` independent ones."""
    half = width // 2
    upper = 2 * flip * special.bdtrc(half - 1, width - 1, flip)
    return upper - special.bdtrc(half, width, flip)


def _over_networks(layer, function, depth, start, spread):
    """Average of function(flip, weight) over networks, flip (W, P) the chances of a wrong bit at w
    of the last layer's input and at shares of this weight (P,).
    """
    depth = numbers("depth", depth, 1)
    if (depth % 1).any():
        raise ValueError(f"depth: {depth[depth % 1 > 0].flat[0]:g} is not a whole number")
    start, spread = number("start", start, -HUGE, HUGE), number("spread", spread, 0, HUGE)
    z, normal = normal_trapezoid(801) if spread else (np.zeros(1), np.ones(1))
    p, weight = (part[::8] for part in shares(layer))

    def at(w):
        flip = layer.law.flip(np.arctan2(1, w)[:, None], p)
        return function(np.clip(flip, 0, 1), weight / weight.sum())

    return mean_after(layer, at, depth.astype(int) - 1, start + spread * z, normal)
