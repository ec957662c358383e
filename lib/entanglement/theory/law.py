"""The one law of a pair, w -> (A w + z)/B: limits, sides, bits."""

import numpy as np
from scipy import special

from entanglement.arguments import angles, count, numbers, real
from entanglement.layer import require
from entanglement.quadrature import legendre, normal_density

from .direction import WIDEST_GRID, layer_excess, log_norms, noises
from .margins import WIDE, finite_second_moment, rapidity_gain, second_moment, shares

LARGE_DIM = 32  # input dimension from which the start w_0 of an independent input counts as normal


def wide_angle(layer, theta, depth=1):
    """Angle after `depth` wide layers, radians: tan(theta) -> tan(theta)/sqrt(M) a layer, without
    the noise 1/sqrt(k).

    theta in (0, pi), depth >= 0: arrays that broadcast. Ours.
    """
    theta, M, depth = angles(theta), second_moment(layer), numbers("depth", depth, 0)
    shrunk = np.exp(-np.abs(np.log(M)) * depth / 2)  # of the smaller side: no overflow
    near, far = (shrunk, 1.0) if M >= 1 else (1.0, shrunk)
    return np.arctan2(near * np.sin(theta), far * np.cos(theta))


def velocity_scale(layer, depth, input_dim):
    """Standard deviation of the normal law that w_L of independent inputs has, to order L/k, 1/d.

    depth: L >= 0, any shape; input_dim: d >= 32, or inf: a start at 90 degrees; width >= 32. The
    square starts at 1/(d-1) and a layer multiplies it by g = exp(2 rapidity_gain) and adds 1/k:
    g^L/(d-1) + (g^L - 1)/(k (g-1)). inf beyond 1e154. Its E ln|w_L| is right within 0.02 nats for
    k (M-1) > 50, 0.3 min(1, L/k) + 0.02 else; deep, ln|w_L| is as much broader as the growth
    varies, L log_growth_variance (0.36 at (64, 128), L = 30). Ours.
    """
    rate, depth = 2 * rapidity_gain(require(layer, WIDE)), numbers("depth", depth, 0)
    start = 0.0 if input_dim == np.inf else 1 / (count("input_dim", input_dim, LARGE_DIM) - 1)
    with np.errstate(over="ignore"):  # which loss_cdf takes
        added = depth if rate == 0 else np.expm1(rate * depth) / np.expm1(rate)
        return np.sqrt(np.exp(rate * depth) * start + added / layer.width)


def noise_scale(layer, depth):
    """Standard deviation of S_L in w_L = Lambda_L (w_0 + S_L), wide; g = exp(2 gain).

    sqrt((1 - g^-L)/(k (g-1))). depth: L >= 0, any shape; about 1/sqrt(k (M-1)) once deep. Refused
    where it passes 1e154 (gain < 0, deep). Ours.
    """
    rate, depth = 2 * rapidity_gain(require(layer, 3)), numbers("depth", depth, 0)
    if (-rate * depth > 700).any():
        raise ValueError(f"depth: {depth.max():g} layers of {layer} lose over 350 nats")
    added = depth if rate == 0 else -np.expm1(-rate * depth) / np.expm1(rate)
    return np.sqrt(added / layer.width)


def mean_log_velocity(scale):
    """E ln|w| (nats) of w ~ N(0, scale^2), scale > 0, any shape: ln(scale) - (gamma + ln 2)/2."""
    return np.log(numbers("scale", scale, 0, open=True)) - (np.euler_gamma + np.log(2)) / 2


def mean_log_lorentz_factor(scale):
    """E ln gamma = -E ln sin(theta), nats, of w ~ N(0, scale^2), scale > 0, any shape; to 1e-8.

    Without selection no quadrature is needed: it grows by exactly rapidity_gain a layer. Ours.
    """
    scale = numbers("scale", scale, 0, open=True)
    reach = np.arcsinh(9 * scale)
    t = np.linspace(-reach, reach, 2001)
    density = normal_density(np.sinh(t) / scale) / scale * np.cosh(t)
    return np.sum(density * np.log(np.cosh(t)), axis=0) * (t[1] - t[0])


def correlated_probability(layer, theta):
    """Probability that a pair from theta (radians, any shape) ends correlated, w -> +inf, deep.

    1 - theta/pi without selection: a deep random linear network is a one-bit cosine hash. In
    general the side is that of w_0 + S: E Phi(w_0/sd) over the standard deviations of S, error
    1e-4; Phi(sqrt(k (M-1)) cot theta), as taken for k (M-1) > 100, where the error is 1e-3. 1/2
    where the gain is not above 0; refused beyond width 4096 where k (M-1) < 100. Ours.
    """
    theta = angles(theta)
    if not require(layer).selects:
        return 1 - theta / np.pi
    w = 1 / np.tan(theta)
    if layer_excess(layer) > 100 or rapidity_gain(layer) <= 0:
        return special.ndtr(np.sqrt(max(layer_excess(layer), 0)) * w)
    if layer.width > WIDEST_GRID:
        raise ValueError(f"layer: {layer} is too wide for one that barely selects")
    noise, weight = noises(layer, None)
    return special.ndtr(w[..., None] / noise) @ weight


def bit_flip_probability(layer, theta):
    """Probability that a hash bit sign(a) differs between x and an input at angle theta to it.

    theta: any shape, radians. Exact at every width: the flip at a given share p, averaged over p ~
    Beta(k+1, n-k). theta/pi without selection; (2/kappa) int_q^inf phi(a) Phi(-a cot theta) da for
    wide layers of rule `largest`. Ours.
    """
    theta, (p, weight) = angles(theta), (part[::4] for part in shares(layer))  # smooth in p: few do
    return np.minimum(layer.law.flip(theta[..., None], p) @ weight / weight.sum(), 1.0)


def layer_cdf(layer, start, w):
    """P(w_1 <= w) after one layer from w_0 = start: E Phi(B w - A w_0), (P, W); error 1e-4. Ours.

    start: (P,); w: (W,), -inf and inf allowed. A by 41 nodes of its quantile function, B by 64
    Gauss-Legendre nodes. Source: w_1 = (A w_0 + z)/B, a noncentral Student t for each A.
    """
    freedom = require(layer).width - 1
    start, w = np.atleast_1d(numbers("start", start)), np.atleast_1d(real("w", w))
    if np.isnan(w).any():
        raise ValueError("w: holds nan")
    low, high = np.maximum(0, np.sqrt(freedom) - 7), np.sqrt(freedom) + 7
    node, weight = legendre(64)
    B = low + (high - low) * (node + 1) / 2
    scale = (freedom / 2 - 1) * np.log(2) + special.gammaln(freedom / 2)
    weight = weight * np.exp(special.xlogy(freedom - 1, B) - B**2 / 2 - scale)
    reach, law = np.multiply.outer(w, B), 0.0
    for log_A, share in zip(*log_norms(layer)):  # one at a time, for memory
        law = law + share * (special.ndtr(reach - np.exp(log_A) * start[:, None, None]) @ weight)
    return law / weight.sum()


def mean_log_shifted(mean, scale):
    """E ln|v|, nats, v ~ N(mean, scale^2), scale > 0; they broadcast; relative error 1e-10. Ours.

    With m = |mean|/scale it is ln(scale) - (gamma + ln 2)/2 + sqrt(2) int_0^m D(t/sqrt 2) dt, D
    Dawson's integral, whose integrand is E 1/(t + Z).
    """
    scale = numbers("scale", scale, 0, open=True)
    m = np.abs(numbers("mean", mean)) / scale
    node, weight = legendre(120)
    t = np.minimum(m, 20)[..., None] * (node + 1) / 2
    near = np.minimum(m, 20) * (special.dawsn(t / np.sqrt(2)) @ weight) / np.sqrt(2)
    far = np.maximum(m, 20)
    powers = ((1 / 2, 2), (3 / 4, 4), (15 / 6, 6), (105 / 8, 8))
    beyond = np.log(far / 20) + sum(c * (20.0**-p - far**-p) for c, p in powers)
    return np.log(scale) - (np.euler_gamma + np.log(2)) / 2 + near + beyond


def mean_log_velocity_from(layer, start, depth):
    """E ln|w_L| in nats over networks, for a given proper velocity `start` at the input.

    start, depth: arrays that broadcast, depth whole. gain L + E ln|start + S|, S normal given its
    standard deviation. Error 1e-3 at every width and pool, 1e-4 for k (M-1) > 50; beyond width 4096
    that of velocity_scale. Refused where deep layers barely select. Ours.
    """
    start, depth = np.broadcast_arrays(numbers("start", start), numbers("depth", depth, 1))
    mean = np.array(rapidity_gain(layer) * depth)
    for layers in np.unique(depth):
        here, layers = depth == layers, count("depth", layers)
        narrow = layer.width <= WIDEST_GRID
        law = noises(layer, layers) if narrow else ([noise_scale(layer, layers)], [1.0])
        for noise, weight in zip(*law):  # one at a time, for memory
            mean[here] += weight * mean_log_shifted(start[here], noise)
    return mean[()]


def mean_square_velocity(layer, input_dim, depth):
    """E w_L^2 over networks and independent Gaussian inputs, exact at every width above 3.

    v -> (E A^2 v + 1)/(k-3) a layer. input_dim: d > 3; depth: L >= 0, any shape. Starts at 1/(d-3);
    rests at 1/(k - 3 - E A^2) where that is positive. Ours.
    """
    width, start = require(layer, 4).width, 1 / (count("input_dim", input_dim, 4) - 3)
    factor = width * finite_second_moment(layer) / (width - 3)
    growth = np.power(factor, numbers("depth", depth, 0))
    return growth * start + (growth - 1) / (factor - 1) / (width - 3)
