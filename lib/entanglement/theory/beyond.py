"""Beyond selected rows: other networks, and how deep is deep enough."""

from functools import lru_cache

import numpy as np
from scipy import special
from scipy.optimize import brentq

from entanglement.arguments import angles, count, flag, number, numbers
from entanglement.layer import remembered, require
from entanglement.quadrature import hermite, legendre, normal_trapezoid

from .margins import WIDE, excess, mean_log_chi, rapidity_gain

ENTANGLED = 10.0  # median |w| from which pairs count as entangled


def relu_angle(theta, depth):
    """Angle (radians) of a pair after `depth` wide ReLU layers of He scale (Cho and Saul 2009)."""
    theta = angles(theta)
    for _ in range(count("depth", depth, 0)):
        # cos theta' = (sin theta + (pi - theta) cos theta)/pi in half angles: nothing cancels
        less = theta**2 * special.spherical_jn(1, theta) / (2 * np.pi)
        theta = 2 * np.arcsin(np.sqrt(np.sin(theta / 2) ** 2 - less))
    return theta


def relu_typical_angle(width, theta, depth):
    """Typical angle, exp E ln(theta), radians, after 0..depth ReLU layers of `width`: (depth + 1,).

    width: k >= 32. ln(theta) is carried as a normal variable through the wide map; a layer takes
    relu_step's mean from it and adds its variance. Exact for near pairs; from 1 radian on its
    logarithm is right to about 5/width. Ours; Jakub and Nica 2024 have it to that order.
    """
    loss, spread = relu_step(count("width", width, WIDE))
    node, weight = hermite(15)
    mean, variance = np.log(number("theta", theta, 0, np.pi, open=True)), 0.0
    path = [mean]
    for _ in range(count("depth", depth, 0)):
        mapped = np.log(relu_angle(np.minimum(np.exp(mean + np.sqrt(variance) * node), 3.14), 1))
        mean = float(weight @ mapped)
        variance = float(weight @ (mapped - mean) ** 2) + spread
        mean -= loss
        path.append(mean)
    return np.exp(path)


def _halves(active, width):
    """Bin(width, 1/2): the shares of so many."""
    beta = special.betaln(active + 1, width - active + 1)
    return np.exp(-beta - np.log1p(width) - width * np.log(2))


@remembered
def relu_step(width):
    """Mean loss (nats) and variance of ln(angle) of a near pair in a ReLU layer of finite width.

    About 1/width and 2/width. Near inputs share their active units, m ~ Bin(width, 1/2) of them,
    and a layer is an ordinary linear one of width m. Ours.
    """
    width = count("width", width, 8)
    reach = 6 * int(np.ceil(np.sqrt(width)))  # 12 standard deviations
    active = np.arange(max(2, width // 2 - reach), min(width, width // 2 + reach) + 1)
    share = _halves(active, width)
    gain = mean_log_chi(active) - mean_log_chi(active - 1)
    noise = (special.polygamma(1, active / 2) + special.polygamma(1, (active - 1) / 2)) / 4
    return float(share @ gain), float(share @ (noise + gain**2) - (share @ gain) ** 2)


@remembered
def tanh_fixed_point(weight_scale, bias_scale):
    """(q, chi) of a wide tanh network tanh(W f + b), W ~ N(0, weight_scale^2 / width), b ~ N(0,
    bias_scale^2).

    q: variance of W f + b where lengths rest; chi: factor a layer on the squared distance of near
    inputs, ordered < 1 < chaotic. weight_scale in [1e-3, 4], bias_scale in [1e-3, 1]: beyond, tanh
    is too steep for the quadrature; error 2e-5. Source: mean field (Poole et al. 2016, Schoenholz
    et al. 2017).
    """
    weight_scale = number("weight_scale", weight_scale, 1e-3, 4)
    bias_scale = number("bias_scale", bias_scale, 1e-3, 1)
    z, weight = normal_trapezoid(121)

    def excess(q):
        return weight_scale**2 * (weight @ np.tanh(np.sqrt(q) * z) ** 2) + bias_scale**2 - q

    q = brentq(excess, bias_scale**2 / 2, weight_scale**2 + bias_scale**2, xtol=1e-15)
    return float(q), float(weight_scale**2 * (weight @ np.cosh(np.sqrt(q) * z) ** -4.0))


def tanh_angle(theta, depth, weight_scale, bias_scale):
    """Angle (radians) of a pair after 0..depth wide tanh layers, (depth + 1,), lengths at rest.

    sin^2(theta'/2) = E (tanh h - tanh h')^2 / (4 p), p = (q - b^2)/w^2, over h, h' of variance q at
    the angle t with sin^2(t/2) = (w^2 p / q) sin^2(theta/2). Source: Poole et al. 2016.
    """
    q, _ = tanh_fixed_point(weight_scale, bias_scale)
    inside = 1 - bias_scale**2 / q  # share of the variance that the weights bring
    z, weight = normal_trapezoid(121)
    path = [number("theta", theta, 0, np.pi, open=True)]
    for _ in range(count("depth", depth, 0)):
        half = np.sqrt(inside) * np.sin(path[-1] / 2)
        near, apart = np.sqrt(q * (1 - half**2)) * z[:, None], np.sqrt(q) * half * z
        square = weight @ (np.tanh(near + apart) - np.tanh(near - apart)) ** 2 @ weight
        square *= weight_scale**2 / (4 * q * inside)
        path.append(2 * float(np.arcsin(np.sqrt(min(1.0, square)))))
    return np.array(path)


def batch_norm_angle(theta, depth, ratio=1.0):
    """Angle (radians) of two inputs after `depth` wide linear layers, whose units are scaled to
    unit mean square over the two (the mean is left in).

    ratio: of the two lengths, above 0; theta, depth, ratio: arrays that broadcast. w_L = cot(theta)
    sinh(e/2^L) / sinh(e), cosh e = (r + 1/r) / (2 sin theta): they end orthogonal. At r = 1 e is
    the rapidity, and is halved. Exact for wide layers: a layer takes the square root of the Gram
    matrix (E v v^T/|v|^2 of a normal v). Ours.
    """
    theta, depth = angles(theta), numbers("depth", depth, 0)
    ratio = numbers("ratio", ratio, 0, 1e150, open=True)
    size = np.hypot(np.cos(theta), (ratio - 1 / ratio) / 2)  # sin(theta) sinh(e), never 0
    e = np.arcsinh(size / np.sin(theta))
    return np.arctan2(size, np.cos(theta) * np.sinh(e * 0.5**depth))


def batch_norm_spread(width, inputs):
    """Variance over mean squared of the Gram eigenvalues at rest of a batch-normalised network.

    Linear layers, `inputs` inputs. A layer multiplies deviations by inputs/(inputs+2) and draws
    `width` new rows, which adds (inputs-1)/width. Right within 3 % for width >= 4 inputs^2, up to
    21 % low at width = 3 inputs, refused below. Participation rank: inputs / (1 + spread). Ours.
    """
    inputs = count("inputs", inputs, 2)
    width = count("width", width, 3 * inputs)
    return (inputs - 1) / width / (1 - (1 - 1 / width) * (inputs / (inputs + 2)) ** 2)


def attention_angle(theta, depth, sharpness, tokens=2, skip=False):
    """Angle (radians) of equiangular unit tokens after 0..depth wide attention layers, tied keys.

    Returns (depth + 1,). The distance s of the tokens from their mean becomes s f, f = (e^a -
    1)/(e^a + tokens - 1), a = sharpness s^2 tokens/(tokens-1): cubic for small s, so that the
    number of digits lost triples. `skip`: s^2 (1 + f^2), and the squared mean doubles. Ours; that
    the exponent is at most 3 is Dong, Cordonnier and Loukas 2021.
    """
    tokens = count("tokens", tokens, 2)
    theta, skip = number("theta", theta, 0, np.pi, open=True), flag("skip", skip)
    sharpness, spread = number("sharpness", sharpness, 0), tokens / (tokens - 1)
    square = 2 * np.sin(theta / 2) ** 2 / spread
    if square > 1:
        raise ValueError(f"theta: {theta!r} is more than {tokens} tokens can have between any two")
    mean, path = 1 - square, [theta]
    for _ in range(count("depth", depth, 0)):
        a = min(sharpness * square * spread, 700.0)
        factor = (np.expm1(a) / (np.exp(a) + tokens - 1)) ** 2
        square, mean = (square * (1 + factor), 2 * mean) if skip else (square * factor, mean)
        path.append(2 * float(np.arcsin(np.sqrt(square * spread / (mean + square) / 2))))
    return np.array(path)


def skip_growth(width, size=1.0):
    """E ln|u + size g| of a unit vector u and g ~ N(0, 1/width) in R^width, nats; width at least 2.

    What a layer x + size W x adds to the ln of a length; (1/2) ln(1 + size^2) if wide. From the
    non-central chi-square law as a Poisson mixture of central ones. Ours.
    """
    width, size = count("width", width, 2), number("size", size, 0, open=True)
    freedom, share = _mixture(width, width / size**2)
    return float(np.log(size) - np.log(width) / 2 + share @ mean_log_chi(freedom))


def skip_loss(width, size=1.0):
    """Nats that E ln sin(theta) of a pair falls in a layer x + size W x, W ~ N(0, 1/width): about
    0.375/width at size 1, size^2/width if size is small; width at least 4.

    Exact. Any pair has the mean of two orthogonal inputs x, y: E ln|x'| less E ln of what y' has
    besides x', averaged over the angle of x' and the plane that y is normal to. Ours.
    """
    width, size = count("width", width, 4), number("size", size, 0, open=True)
    freedom, share = _mixture(width, width / size**2)
    node, weight = legendre(100)
    lean = min(np.pi / 2, 12 / np.sqrt(width)) * (node + 1) / 2
    freedoms = freedom[:, None]
    logs = (freedoms - 2) * np.log(np.cos(lean)) - special.betaln(0.5, (freedoms - 1) / 2)
    weight = weight * (share @ np.exp(logs))
    beside = []
    for cosine in np.cos(lean):
        rest, part = _mixture(width - 1, width * (cosine / size) ** 2)
        beside.append(part @ mean_log_chi(rest))
    return float(share @ mean_log_chi(freedom) - weight @ np.array(beside) / weight.sum())


def _mixture(freedom, excess):
    """Degrees of freedom, and their shares, whose mixture is a non-central chi-square law."""
    reach = 12 * np.sqrt(excess / 2) + 40
    extra = np.arange(max(0, int(excess / 2 - reach)), int(excess / 2 + reach))
    share = special.xlogy(extra, excess / 2) - excess / 2 - special.gammaln(extra + 1)
    return freedom + 2 * extra, np.exp(share)


def skip_angle(theta, depth, width, size=1.0, tokens=2):
    """Typical angle (radians, any shape) of equiangular tokens after `depth` layers x + size A x V
    whose attention A is uniform, as with untied keys; V ~ N(0, 1/width).

    The mean grows by skip_growth nats a layer; the tokens' distances from it stay. Layer
    normalisation after each layer changes the rate by order 1/width only. Ours; that unscaled
    branches collapse and scaled ones do not: Noci et al. 2022.
    """
    theta, tokens = angles(theta), count("tokens", tokens, 2)
    square = 2 * np.sin(theta / 2) ** 2 * (tokens - 1) / tokens
    if (square > 1).any():
        far = np.max(theta)
        raise ValueError(f"theta: {far} is more than {tokens} tokens can have between any two")
    grown = np.exp(2 * count("depth", depth, 0) * skip_growth(width, size))
    square = square / (square + (1 - square) * grown)
    return 2 * np.arcsin(np.sqrt(square * tokens / (tokens - 1) / 2))


def relu_uniform_rate(width):
    """Nats a layer by which ln|f - f'| of near inputs changes in PyTorch's default ReLU layer.

    relu(W f + b), both uniform within 1/sqrt(width); (1/2) ln(1/6) if wide; width at least 8. Near
    inputs share their active units, m ~ Bin(width, 1/2) of them (a layer without one is left out),
    and only those pass their difference on; sums of many uniform weights count as normal. Ours.
    """
    width = count("width", width, 8)
    active = np.arange(1, width + 1)
    return float(_halves(active, width) @ mean_log_chi(active) - np.log(3 * width) / 2)


def mode_time(strength, depth, size, target):
    """Time at which gradient flow on |H X - Y|^2 / 2, X white, has brought a mode to `strength`.

    From size^N, H = W_N ... W_1. strength: any shape, from size^N to below target; depth N; size:
    of every singular value of every layer at the start (balanced and aligned with the target).
    ds/dt = N s^(2 - 2/N) (target - s). Source: Saxe et al. 2014, Arora et al. 2018.
    """
    strength, depth = numbers("strength", strength), count("depth", depth)
    size, target = number("size", size, 0, open=True), number("target", target, 0, open=True)
    start = size**depth
    if not (start > 0 and (strength >= start).all() and (strength < target).all()):
        ends = f"size^N = {start:.6g} and target {target!r}"
        raise ValueError(f"strength: {strength!r} is not between {ends}")
    node, weight = legendre(120)
    # flat in y = -ln(target/s - 1): dt = dy s^(2/N - 1) / (N target)
    low, high = (-np.log(target / s - 1) for s in (start, strength))
    y = low + (high - low)[..., None] * (node + 1) / 2
    s = target * special.expit(y)
    return (high - low) / 2 * (s ** (2 / depth - 1) @ weight) / (depth * target)


def trained_gain(depth, size, target=1.0):
    """Nats added to ln|cot theta_0| by training on one sample: ln(target) + N ln(1/size).

    A linear network of depth N that starts balanced and aligned with its target grows one mode,
    from size^N to `target`, and leaves all others as they were; depth: any shape. Below a start of
    size 1 every layer adds ln(1/size), as selection adds (1/2) ln M. Ours.
    """
    size, target = number("size", size, 0, open=True), number("target", target, 0, open=True)
    return np.log(target) - numbers("depth", depth, 0) * np.log(size)


def trained_rank(depth, size, width, target=1.0):
    """Effective rank of that trained network: one singular value `target`, width - 1 of size^N."""
    size, target = number("size", size, 0, open=True), number("target", target, 0, open=True)
    width = count("width", width, 2)
    rest = (width - 1) * size ** numbers("depth", depth, 0) / target
    share = 1 / (1 + rest)
    return np.exp(special.entr(share) + special.entr(1 - share) + (1 - share) * np.log(width - 1))


def diffused_rapidity_cdf(rapidity, time):
    """P(|rapidity| <= r) of a pair from 90 degrees, at time depth/width, wide layers, n = k.

    rapidity r > 0, a scalar; time in (0, 300), error 1e-6. The pair's Gram matrix moves as a
    Brownian motion of the hyperbolic plane, and its rapidity is the signed distance from a geodesic
    through the start: drift tanh(r)/2, variance 1 a unit of time. Source: McKean's kernel (1970),
    integrated along the geodesic, which leaves a complete elliptic integral; ours.
    """
    rapidity = number("rapidity", rapidity, 0, open=True)
    time = number("time", time, 0, 300, open=True)
    node, weight = legendre(100)
    reach = np.sqrt(time) * 9 + time / 2
    rapidity = min(rapidity, reach)  # nothing is beyond
    r = rapidity * (node + 1) / 2
    v = (node + 1) / 2
    u = r[:, None] + reach * v**2  # squared: the integrand has a logarithm at u = r
    c, d = np.cosh(u), np.cosh(r)[:, None]
    inner = u * np.exp(-(u**2) / (2 * time)) * special.ellipkm1(2 * d / (c + d)) / np.sqrt(c + d)
    density = np.cosh(r) * (inner * v @ weight)
    scale = 4 * np.sqrt(2) * reach * np.exp(-time / 8) / (2 * np.pi * time) ** 1.5
    return float(scale * rapidity * (density @ weight))


@lru_cache(maxsize=32)
def entangling_time():
    """Depth over width, 5.02, at which half of the pairs are ENTANGLED, wide, n = k. Ours."""
    far = float(np.arcsinh(ENTANGLED))
    return brentq(lambda time: diffused_rapidity_cdf(far, time) - 0.5, far / 20, 4 * far)


@remembered
def depth_to_entangle(layer):
    """Depth L, a float, at which the median |w_L| of independent inputs, d = k, is ENTANGLED.

    Half of the pairs are then within 0.1 radian of correlated or anti-correlated. With selection w
    is normal with the variance of velocity_scale; an ordinary layer (n = k) needs entangling_time /
    (2 rapidity_gain), about 5 k. Rule largest: within 4 % from width 32, 6 % from 8, 10 % from 4,
    30 % below; others up to half as much again. inf where layers do not entangle (M < 1); refused
    between, 0 < k (M - 1) < 0.8, which no pool of largest has. Ours.
    """
    width, gain = require(layer).width, rapidity_gain(layer)
    if not layer.selects:
        return entangling_time() / (2 * gain)
    if gain <= 0:
        return np.inf
    if excess(layer) < 0.8:
        raise ValueError(f"layer: {layer} barely selects, k (M - 1) < 0.8: neither law holds")
    added = 1 / (width * np.expm1(2 * gain))
    growth = ((ENTANGLED / special.ndtri(0.75)) ** 2 + added) / (1 / (width - 1) + added)
    return float(np.log(growth) / (2 * gain))
