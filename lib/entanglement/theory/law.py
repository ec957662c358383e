"""The one law of a pair, w -> (A w + z)/B: limits, sides, bits."""

import numpy as np
from scipy import special
from scipy.stats import chi, norm

from .arguments import check_count, check_layer, check_range, check_theta
from .margins import finite_second_moment
from .quadrature import legendre


def wide_angle(theta, second_moment, depth=1):
    """Angle after `depth` wide layers, radians: tan(theta) -> tan(theta) / sqrt(M) a layer.

    theta, depth: arrays that broadcast; second_moment: M, a number above 0. Ours.
    """
    theta = check_theta(theta)
    growth = np.exp(-np.abs(np.log(second_moment)) * depth / 2)  # of the smaller side: no overflow at any depth
    near, far = (growth, 1.0) if second_moment >= 1 else (1.0, growth)
    return np.arctan2(near * np.sin(theta), far * np.cos(theta))


def velocity_scale(depth, gain, width, input_dim):
    """Standard deviation of w_L for two independent Gaussian inputs, wide layers (w_L is then normal).

    depth: any shape. gain: rapidity a layer in nats, rapidity_gain or (1/2) ln M. The variance starts at 1/(d-1) and a layer
    multiplies it by g = exp(2 gain) and adds 1/k: g^L / (d-1) + (g^L - 1) / (k (g - 1)). Ours.
    """
    rate, depth = 2 * gain, np.asarray(depth, dtype=float)
    with np.errstate(over="ignore"):  # infinite beyond 1e308, which loss_cdf takes
        added = depth if rate == 0 else np.expm1(rate * depth) / np.expm1(rate)
        return np.sqrt(np.exp(rate * depth) / (input_dim - 1) + added / width)


def noise_scale(depth, gain, width):
    """Standard deviation of S_L in w_L = Lambda_L (w_0 + S_L), wide layers: sqrt((1 - g^-L) / (k (g - 1))), g = exp(2 gain).

    depth: any shape; gain: rapidity a layer in nats, of any sign; about 1/sqrt(k (M - 1)) once deep. Ours.
    """
    rate, depth = 2 * gain, check_range("depth", depth, 0)
    return np.sqrt((depth if rate == 0 else -np.expm1(-rate * depth) / np.expm1(rate)) / width)


def mean_log_velocity(scale):
    """E ln|w| in nats for a normal w of standard deviation `scale` (any shape): ln(scale) - (gamma + ln 2)/2."""
    return np.log(scale) - (np.euler_gamma + np.log(2)) / 2


def mean_log_lorentz_factor(scale):
    """E ln gamma = -E ln sin(theta) in nats for a normal w of standard deviation `scale` (any shape), by quadrature in arsinh w.

    Without selection no quadrature is needed: it grows by exactly rapidity_gain a layer, at every depth and width.
    """
    reach = np.arcsinh(9 * np.asarray(scale, dtype=float))
    t = np.linspace(-reach, reach, 2001)
    density = norm.pdf(np.sinh(t) / scale) / scale * np.cosh(t)
    return np.sum(density * np.log(np.cosh(t)), axis=0) * (t[1] - t[0])


def side_change_probability(second_moment, width=None, input_dim=None):
    """Share of random pairs that end on the other side of 90 degrees: arctan(1/sqrt(rho))/pi, rho = k(M-1)/(d-1).

    d = k, hence rho = M - 1, unless both width and input_dim are given. Wide: k (M-1) >> 1; 1/2 where M <= 1. Ours.
    """
    return float(np.arctan2(1, np.sqrt(_rho(second_moment, width, input_dim))) / np.pi)


def training_cosine(second_moment, width, input_dim):
    """Root mean square over networks of cos(r, x), r the one neuron that a deep network amounts to.

    sqrt(rho/(1+rho)), rho = k(M-1)/(d-1), wide: k (M-1) >> 1; 1/sqrt(d) at M = 1, 0 below it. Ours.
    """
    if second_moment < 1:
        return 0.0
    rho = _rho(second_moment, width, input_dim)
    return float(np.sqrt(rho / (1 + rho))) if rho else float(input_dim**-0.5)


def correlated_probability(theta, second_moment=1.0, width=None):
    """Probability that a pair starting at theta ends correlated (w -> +inf). theta: any shape, radians.

    1 - theta/pi without selection (M = 1, L >> 2k): a deep random linear network is a one-bit cosine hash.
    Phi(sqrt(k (M-1)) cot theta) with selection, which needs `width` and k (M-1) >> 1; 1/2 for M < 1, where w forgets its start. Ours.
    """
    theta = check_theta(theta)
    if second_moment < 1:
        return np.full_like(theta, 0.5)
    if second_moment == 1:
        return 1 - theta / np.pi
    return special.ndtr(np.sqrt(check_count("width", width) * (second_moment - 1)) / np.tan(theta))


def bit_flip_probability(theta, width, pool, rule="largest"):
    """Probability that a hash bit sign(a) differs between x and an input at angle theta to it at the layer's input, wide layer.

    theta: any shape, radians. theta/pi without selection. Source: Craig's form of the bivariate normal orthant,
    (2/kappa) int_q^inf phi(a) Phi(-a cot theta) da = int_0^theta exp(-q^2 / (2 sin^2 t)) dt / (pi kappa).
    """
    theta = check_theta(theta)
    width, pool, rule = check_layer(width, pool, rule)
    if pool == width:
        return theta / np.pi
    if rule == "labelled":
        return _craig_largest_of(theta, pool // width)
    kappa = width / pool
    if rule == "largest":
        return craig(theta, -special.ndtri(kappa / 2)) / (np.pi * kappa)
    q = -special.ndtri(kappa)
    tail = craig(theta, q) / (2 * np.pi)
    return (tail if q >= 0 else theta / np.pi - tail) / kappa


def layer_cdf(w, start, norms, width):
    """P(w_1 <= w) after one layer of any width k >= 2 from w_0 = start: E Phi(B w - A w_0), B ~ chi_{k-1}.

    w: (W,); start: (P,); norms: (A,) equally likely values of the norm A of the margins. Returns (P, W). Exact for given norms;
    B by 64 Gauss-Legendre nodes. Source: w_1 = (A w_0 + z)/B, a noncentral Student t for each A; ours.
    """
    freedom = check_count("width", width, 2) - 1
    low, high = np.maximum(0, np.sqrt(freedom) - 7), np.sqrt(freedom) + 7
    node, weight = legendre(64)
    B = low + (high - low) * (node + 1) / 2
    weight = weight * chi.pdf(B, freedom)
    pushed = np.multiply.outer(start, norms)[:, None, :, None]
    inside = special.ndtr(np.multiply.outer(w, B)[None, :, None, :] - pushed)
    return inside.mean(axis=2) @ (weight / weight.sum())


def mean_log_shifted(mean, scale):
    """E ln|v| in nats for v ~ N(mean, scale^2); arrays broadcast, scale > 0.

    With m = |mean|/scale it is ln(scale) - (gamma + ln 2)/2 + sqrt(2) int_0^m D(t/sqrt 2) dt, D Dawson's integral, whose
    integrand is E 1/(t + Z). Relative error 1e-10. Ours.
    """
    mean, scale = np.broadcast_arrays(np.abs(mean), np.asarray(scale, dtype=float))
    m = mean / scale
    node, weight = legendre(120)
    t = np.minimum(m, 20)[..., None] * (node + 1) / 2
    near = np.minimum(m, 20) * (special.dawsn(t / np.sqrt(2)) @ weight) / np.sqrt(2)
    far = np.maximum(m, 20)
    beyond = np.log(far / 20) + sum(c * (20.0**-p - far**-p) for c, p in ((1 / 2, 2), (3 / 4, 4), (15 / 6, 6), (105 / 8, 8)))
    return np.log(scale) - (np.euler_gamma + np.log(2)) / 2 + near + beyond


def mean_log_velocity_from(start, depth, gain, width):
    """E ln|w_L| in nats over networks, for a given proper velocity `start` at the input; wide layers.

    start, depth: arrays that broadcast (depth >= 1); gain: rapidity a layer in nats, of any sign. w_L = e^(gain L) (start + S),
    S normal of variance (1 - g^-L) / (k (g - 1)), g = exp(2 gain). Ours.
    """
    return gain * np.asarray(depth, dtype=float) + mean_log_shifted(start, noise_scale(depth, gain, width))


def mean_square_velocity(depth, width, input_dim, pool=None, rule="none"):
    """E w_L^2 over networks and independent Gaussian inputs, exact at every width above 3: v -> (E A^2 v + 1) / (k - 3) a layer.

    depth: any shape. Starts at 1/(d-3), d > 3; rests at 1/(k - 3 - E A^2) where that is positive. Ours.
    """
    width, start = check_count("width", width, 4), 1 / (check_count("input_dim", input_dim, 4) - 3)
    factor = width * finite_second_moment(width, pool, rule) / (width - 3)
    growth = np.power(factor, np.asarray(depth, dtype=float))
    return growth * start + (growth - 1) / (factor - 1) / (width - 3)


def _rho(second_moment, width=None, input_dim=None):
    gain = max(float(second_moment) - 1, 0.0)
    if width is None or input_dim is None:
        return gain
    return check_count("width", width) * gain / (check_count("input_dim", input_dim, 2) - 1)


def craig(theta, q):
    """int_0^theta exp(-q^2 / (2 sin^2 t)) dt by Gauss-Legendre."""
    node, weight = legendre(200)
    t = theta[..., None] * (node + 1) / 2
    with np.errstate(over="ignore"):
        return theta / 2 * (np.exp(-((q / np.sin(t)) ** 2) / 2) @ weight)


def _craig_largest_of(theta, count):
    """E Phi(-|a| cot theta), a the largest of m normals: m/(2 pi) int_0^theta int |y| exp(-y^2/2) Phi(y sin t)^(m-1) dy dt."""
    node, weight = legendre(100)
    y = 5 * (node + 1)
    a = y * np.sin(theta[..., None, None] * (node[:, None] + 1) / 2)
    either = np.exp((count - 1) * special.log_ndtr(a)) + np.exp((count - 1) * special.log_ndtr(-a))
    return count * theta / (4 * np.pi) * (either @ (5 * weight * y * np.exp(-(y**2) / 2)) @ weight)
