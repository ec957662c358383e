"""Every closed form of the notebooks; no random numbers, no torch.

Symbols: k width, n pool, d input dimension, L depth, M second moment of a kept margin, theta the angle of a pair,
w = cot(theta) its proper velocity, A = norm of a layer's margins, B ~ chi_{k-1}, z ~ N(0, 1).
"Ours" marks a derivation of this companion; the layer itself is the authors' (arXiv 2309.15669).
"""

from functools import lru_cache
from numbers import Real

import numpy as np
from scipy import special
from scipy.integrate import trapezoid
from scipy.interpolate import CubicSpline
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq
from scipy.stats import binom, chi, norm

RULES = ("none", "largest", "signed", "labelled")


# --- arguments -------------------------------------------------------------------------------------------------------


def check_count(name, value, least=1):
    """`value` as an int; ValueError naming it unless it is a whole number of at least `least`."""
    if not isinstance(value, Real) or isinstance(value, bool) or value % 1 != 0 or value < least:
        raise ValueError(f"{name}: {value!r} is not a whole number of at least {least}")
    return int(value)


def check_numbers(name, value):
    """`value` as a float array; ValueError naming it unless it holds real numbers."""
    try:
        if np.iscomplexobj(value):
            raise TypeError("complex numbers")
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: not an array of real numbers ({error})") from error


def check_layer(width, pool=None, rule="none"):
    """(width, pool, rule) of a layer, with pool=None turned into an ordinary layer; ValueError names what is wrong."""
    width = check_count("width", width, 2)
    if rule not in RULES:
        raise ValueError(f"rule: {rule!r} is not one of {RULES}")
    if pool is None:
        return width, width, "none"
    pool = check_count("pool", pool)
    if pool < width:
        raise ValueError(f"pool: {pool} is less than width {width}")
    if rule == "none" and pool > width:
        raise ValueError(f"pool: {pool} is more than width {width}, but rule 'none' keeps every row")
    if rule == "labelled" and pool % width:
        raise ValueError(f"pool: {pool} is not a multiple of width {width}, as rule 'labelled' needs")
    return width, pool, rule


def check_theta(theta):
    """`theta` as a float array (radians); ValueError unless all of it lies in the open interval (0, pi)."""
    theta = check_numbers("theta", theta)
    inside = (theta > 0) & (theta < np.pi)
    if not inside.all():
        raise ValueError(f"theta: {theta[~inside].flat[0]!r} is outside (0, pi)")
    return theta


# --- the selected margins --------------------------------------------------------------------------------------------


def second_moment(width, pool, rule="largest"):
    """M = E[a^2] of a kept row's margin, wide layer at fixed n/k.

    width, pool: k and n (None: an ordinary layer, M = 1). Returns a float: 1 without selection; below 1 a wide layer does not entangle.
    Source: truncated normal (`largest`, `signed`), largest of n/k normals (`labelled`); ours.
    """
    width, pool, rule = check_layer(width, pool, rule)
    if pool == width:
        return 1.0
    if rule == "labelled":
        a, weight = _largest_of(pool // width)
        return float(weight @ a**2)
    return float(_truncated_moment(width / pool, rule))


def finite_second_moment(width, pool, rule="largest"):
    """M = E[a^2] at finite n, exact: the wide value averaged over the threshold's tail p ~ Beta(k+1, n-k). Ours."""
    width, pool, rule = check_layer(width, pool, rule)
    if pool == width or rule == "labelled":
        return second_moment(width, pool, rule)
    p, weight = _tails(width, pool)
    return float(weight @ _truncated_moment(p, rule))


def mean_log_norm(width, pool=None, rule="none"):
    """E ln A of the norm of a layer's margins, in nats; exact at every width and pool.

    Source: E ln S = ln c + integral of (exp(-t) - E exp(-t S / c)) / t dt (Frullani) with the Laplace transform of S = A^2; ours.
    """
    width, pool, rule = check_layer(width, pool, rule)
    if pool == width:
        return float(_mean_log_chi(width))
    scale = width * second_moment(width, pool, rule)
    step = 0.05
    t = np.exp(np.arange(-40, 40, step))
    return 0.5 * (np.log(scale) + step * np.sum(np.exp(-t) - _laplace(t / scale, width, pool, rule)))


@lru_cache(maxsize=32)
def log_norm_quantile(width, pool, rule="largest"):
    """ln A (nats) as a function of a standard normal score: its quantile function, a CubicSpline; width >= 32, pool > width.

    exp of it at z ~ N(0, 1) has the law of A, to 1e-8 in probability. Source: characteristic function, inverted (Gil-Pelaez 1951); ours.
    """
    width, pool, rule = check_layer(check_count("width", width, 32), pool, rule)
    mean = width * finite_second_moment(width, pool, rule)
    nudge = 0.1 * np.sqrt(width) / mean  # small against 1 / deviation, which only has to be near
    deviation = np.sqrt(-2 * np.log(np.abs(_laplace(np.array([1j * nudge]), width, pool, rule)[0]))) / nudge
    step = np.pi / 20  # the law of (A^2 - mean) / deviation is inverted on a circle of 40
    t = step * (np.arange(256) + 0.5)
    wave = _laplace(-1j * t / deviation, width, pool, rule) * np.exp(-1j * t * mean / deviation) / t
    x = np.arange(-7, 10, 0.05)
    below = 0.5 - step / np.pi * np.imag(np.exp(-1j * np.outer(x, t)) @ wave)
    inside = (below > 1e-9) & (below < 1 - 1e-9)
    return CubicSpline(special.ndtri(below[inside]), np.log(mean + deviation * x[inside]) / 2)


def _truncated_moment(p, rule):
    """E[a^2] of a standard normal in its outer tail of probability p (both sides for `largest`, the upper for `signed`)."""
    q = -special.ndtri(p / 2 if rule == "largest" else p)
    return 1 + (2 if rule == "largest" else 1) * q * norm.pdf(q) / p


def _tails(width, pool):
    """Nodes and weights for an average over p ~ Beta(k+1, n-k): a trapezoid in the normal quantile."""
    z = np.linspace(-7, 7, 113)
    weight = norm.pdf(z)
    return special.betaincinv(width + 1, pool - width, special.ndtr(z)), weight / weight.sum()


def _largest_of(count):
    """Nodes and weights for an average over the largest of `count` standard normals."""
    a = np.linspace(-12, 12, 4801)
    weight = np.exp(norm.logpdf(a) + (count - 1) * special.log_ndtr(a))
    return a, weight / weight.sum()


def _laplace(t, width, pool, rule):
    """E exp(-t A^2), A^2 a sum of k squared margins, for an array t with a real part of 0 or more."""
    root = np.sqrt(1 + 2 * t)
    if rule == "labelled":
        y = np.linspace(-12, 12, 1201)[:, None]
        one = np.exp(norm.logpdf(y) + (pool // width - 1) * special.log_ndtr(y / root)).sum(axis=0) * (y[1, 0] - y[0, 0])
        return (pool / width * one / root) ** width
    p, weight = _tails(width, pool)
    sides = 2 if rule == "largest" else 1
    q = -special.ndtri(p / sides)
    log_one = np.log(sides / p)[:, None] + special.log_ndtr(-q[:, None] * root) - np.log(root)
    return weight @ np.exp(width * log_one)


# --- one law: rates and limits ---------------------------------------------------------------------------------------


def lyapunov_exponents(width):
    """The k Lyapunov exponents of an ordinary (`none`) layer, descending, nats per layer. Source: Newman 1986."""
    return _mean_log_chi(check_count("width", width) - np.arange(width))


def exponents_in_force(width, pool=None, rule="none"):
    """The same with selection: lambda_1 replaced by E ln A, the spike; descending, nats per layer. Ours."""
    exponents = lyapunov_exponents(width)
    exponents[0] = mean_log_norm(width, pool, rule)
    return np.sort(exponents)[::-1]


def rapidity_gain(width, pool=None, rule="none"):
    """Rapidity gained a layer, E ln A - E ln B, nats per layer, exact at finite width; (1/2) ln M for wide layers. Ours."""
    return float(mean_log_norm(width, pool, rule) - _mean_log_chi(width - 1))


def excess_slope(width, pool=None, rule="none"):
    """Decay of the spherical excess of a triple, 2 lambda_1 - lambda_2 - lambda_3 of the exponents in force, nats per layer."""
    first, second, third = exponents_in_force(check_count("width", width, 3), pool, rule)[:3]
    return float(2 * first - second - third)


def wide_angle(theta, second_moment, depth=1):
    """Angle after `depth` wide layers, radians: tan(theta) -> tan(theta) / sqrt(M) a layer. theta: any shape."""
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

    sqrt(rho/(1+rho)), rho = k(M-1)/(d-1), wide: k (M-1) >> 1; 1/sqrt(d) at M = 1. Ours.
    """
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
        return _craig(theta, -special.ndtri(kappa / 2)) / (np.pi * kappa)
    q = -special.ndtri(kappa)
    tail = _craig(theta, q) / (2 * np.pi)
    return (tail if q >= 0 else theta / np.pi - tail) / kappa


def relu_angle(theta, depth):
    """Angle of a pair after `depth` wide ReLU layers of He scale, radians. Source: arc-cosine kernel (Cho and Saul 2009)."""
    theta = check_theta(theta)
    for _ in range(check_count("depth", depth, 0)):
        # cos theta' = (sin theta + (pi - theta) cos theta)/pi in half angles: no cancellation at small theta
        theta = 2 * np.arcsin(np.sqrt(np.sin(theta / 2) ** 2 - theta**2 * special.spherical_jn(1, theta) / (2 * np.pi)))
    return theta


def _mean_log_chi(freedom):
    return (np.log(2) + special.digamma(np.asarray(freedom) / 2)) / 2


def _rho(second_moment, width=None, input_dim=None):
    gain = max(float(second_moment) - 1, 0.0)
    if width is None or input_dim is None:
        return gain
    return check_count("width", width) * gain / (check_count("input_dim", input_dim, 2) - 1)


def _craig(theta, q):
    """int_0^theta exp(-q^2 / (2 sin^2 t)) dt by Gauss-Legendre."""
    node, weight = _legendre(200)
    t = theta[..., None] * (node + 1) / 2
    with np.errstate(over="ignore"):
        return theta / 2 * (np.exp(-((q / np.sin(t)) ** 2) / 2) @ weight)


@lru_cache(maxsize=8)
def _legendre(count):
    """Nodes and weights of Gauss-Legendre."""
    return np.polynomial.legendre.leggauss(count)


def _craig_largest_of(theta, count):
    """E Phi(-|a| cot theta), a the largest of m normals: m/(2 pi) int_0^theta int |y| exp(-y^2/2) Phi(y sin t)^(m-1) dy dt."""
    node, weight = np.polynomial.legendre.leggauss(100)
    y = 5 * (node + 1)
    a = y * np.sin(theta[..., None, None] * (node[:, None] + 1) / 2)
    either = np.exp((count - 1) * special.log_ndtr(a)) + np.exp((count - 1) * special.log_ndtr(-a))
    return count * theta / (4 * np.pi) * (either @ (5 * weight * y * np.exp(-(y**2) / 2)) @ weight)


# --- the loss, and what is left of the input -------------------------------------------------------------------------


def loss_cdf(loss, scale):
    """P(theta_L/pi <= loss) when w_L ~ N(0, scale^2): Phi(-cot(pi loss)/scale). loss: in [0, 1], any shape. Ours."""
    loss = np.asarray(loss, dtype=float)
    angle = np.pi * np.clip(loss, 0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = special.ndtr(-np.cos(angle) / np.sin(angle) / scale)
    return np.where(loss <= 0, 0.0, np.where(loss >= 1, 1.0, inside))[()]  # whatever the scale, infinite too


def loss_quantile(q, scale):
    """Loss below which a share q of the inputs lies, w_L ~ N(0, scale^2). scale: any shape."""
    return np.arctan2(1, -scale * special.ndtri(q)) / np.pi


def folded_loss_quantile(q, scale):
    """The same for the folded loss min(theta_L, pi - theta_L)/pi."""
    return np.arctan2(1, -scale * special.ndtri(q / 2)) / np.pi


def shares_within(edges, scale):
    """Probability of each bin of the loss between `edges` (B + 1 of them)."""
    return np.diff(loss_cdf(edges, scale))


def bits_left(scale, resolution):
    """Entropy in bits of the loss read at a fixed resolution: [0, 1] cut into `resolution` equal bins. 1 bit in the deep limit."""
    share = shares_within(np.linspace(0, 1, check_count("resolution", resolution) + 1), scale)
    return float(special.entr(share).sum() / np.log(2))


# --- gradient descent on one sample (E3, E4) -------------------------------------------------------------------------


def descent_factor(x, rate):
    """Factor 1 - 2 rate |x|^2 by which a gradient step on |W x - t|^2 multiplies the error W x - t; below -1 it diverges."""
    return float(1 - 2 * rate * np.sum(np.square(x)))


def descent_weights(W, x, target, rate, steps):
    """W after `steps` gradient steps on |W x - target|^2: W + (1 - q^steps) (target - W x) x^T / |x|^2, q the factor above."""
    x = np.asarray(x, dtype=float)
    return W + (1 - descent_factor(x, rate) ** steps) * np.outer(target - W @ x, x) / (x @ x)


def output_angles(W, count=2000):
    """Angles (radians) of W v for `count` directions v spread evenly on the circle: the law of W x for isotropic x in the plane."""
    angle = 2 * np.pi * (np.arange(count) + 0.5) / count
    first, second = W @ np.array([np.cos(angle), np.sin(angle)])
    return np.arctan2(second, first)


# --- spacetime: our dictionary ---------------------------------------------------------------------------------------


def world_line(velocity, start, gain):
    """(t, y) reached from the origin with depth as proper time while w grows from `start` to `velocity`, one sign, wide layers.

    dw = gain w, dt = sqrt(1 + w^2), dy = w for each layer; velocity: any shape, |velocity| >= |start| > 0; in layers. Ours.
    """

    def height(w):
        return np.sqrt(1 + w**2) - np.arcsinh(1 / np.abs(w))

    return (height(velocity) - height(start)) / gain, (velocity - start) / gain


def klein_chord(start_x, start_y, second_moment, depth):
    """Klein disk position ((a-c)/(a+c), 2b/(a+c)) of a pair after `depth` wide layers, from its start; depth: any shape.

    A layer keeps b/a and shrinks what c has beyond b^2/a by M: a straight chord away from (-1, 0), ending on the rim. Ours.
    """
    b, c = start_y / (1 + start_x), (1 - start_x) / (1 + start_x)  # at a = 1
    c = b**2 + (c - b**2) * np.exp(-np.log(second_moment) * np.asarray(depth, dtype=float))
    return (1 - c) / (1 + c), 2 * b / (1 + c)


# --- distant features: rapidity and one narrow layer (notebook 02) ------------------------------------------------------


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


def layer_cdf(w, start, norms, width):
    """P(w_1 <= w) after one layer of any width k >= 2 from w_0 = start: E Phi(B w - A w_0), B ~ chi_{k-1}.

    w: (W,); start: (P,); norms: (A,) equally likely values of the norm A of the margins. Returns (P, W). Exact for given norms;
    B by 64 Gauss-Legendre nodes. Source: w_1 = (A w_0 + z)/B, a noncentral Student t for each A; ours.
    """
    freedom = check_count("width", width, 2) - 1
    low, high = np.maximum(0, np.sqrt(freedom) - 7), np.sqrt(freedom) + 7
    node, weight = np.polynomial.legendre.leggauss(64)
    B = low + (high - low) * (node + 1) / 2
    weight = weight * chi.pdf(B, freedom)
    pushed = np.multiply.outer(start, norms)[:, None, :, None]
    inside = special.ndtr(np.multiply.outer(w, B)[None, :, None, :] - pushed)
    return inside.mean(axis=2) @ (weight / weight.sum())


# --- one point, and how flat -----------------------------------------------------------------------------------------


def mean_log_shifted(mean, scale):
    """E ln|v| in nats for v ~ N(mean, scale^2); arrays broadcast, scale > 0.

    With m = |mean|/scale it is ln(scale) - (gamma + ln 2)/2 + sqrt(2) int_0^m D(t/sqrt 2) dt, D Dawson's integral, whose
    integrand is E 1/(t + Z). Relative error 1e-10. Ours.
    """
    mean, scale = np.broadcast_arrays(np.abs(mean), np.asarray(scale, dtype=float))
    m = mean / scale
    node, weight = np.polynomial.legendre.leggauss(120)
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
    depth, rate = np.asarray(depth, dtype=float), 2 * gain
    variance = depth if rate == 0 else -np.expm1(-rate * depth) / np.expm1(rate)
    return gain * depth + mean_log_shifted(start, np.sqrt(variance / width))


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


def mean_square_velocity(depth, width, input_dim, pool=None, rule="none"):
    """E w_L^2 over networks and independent Gaussian inputs, exact at every width above 3: v -> (E A^2 v + 1) / (k - 3) a layer.

    depth: any shape. Starts at 1/(d-3), d > 3; rests at 1/(k - 3 - E A^2) where that is positive. Ours.
    """
    width, start = check_count("width", width, 4), 1 / (check_count("input_dim", input_dim, 4) - 3)
    factor = width * finite_second_moment(width, pool, rule) / (width - 3)
    growth = np.power(factor, np.asarray(depth, dtype=float))
    return growth * start + (growth - 1) / (factor - 1) / (width - 3)


def mean_random_cosine(input_dim):
    """E |cos| of a random direction with any fixed one in R^d: Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)); cos^2 is Beta(1/2, (d-1)/2)."""
    half = np.asarray(input_dim) / 2
    return np.exp(special.gammaln(half) - special.gammaln(half + 0.5)) / np.sqrt(np.pi)


# --- a Bell test -----------------------------------------------------------------------------------------------------


def spin_correlation(theta):
    """E s(a) s(b) of the sides of two unseen inputs at angle theta: 1 - 2 theta/pi for theta in [0, pi], a triangle wave beyond.

    theta: any real numbers, any shape, radians. Exact at every width and depth, with or without selection, if the direction r that
    decides the sides is isotropic in the plane of the inputs: a random plane, or one orthogonal to the training input.
    Source: the arcsine law of Sheppard 1899 (Grothendieck's identity).
    """
    return 1 - 2 * np.abs(np.remainder(_check_angles("theta", theta) + np.pi, 2 * np.pi) - np.pi) / np.pi


def chsh(correlation, a, a_prime, b, b_prime):
    """S = E(a, b) - E(a, b') + E(a', b) + E(a', b') for a correlation that is a function of the angle between two settings.

    a, a_prime, b, b_prime: settings in radians, shapes that broadcast. Source: Clauser, Horne, Shimony and Holt 1969.
    """
    return correlation(b - a) - correlation(b_prime - a) + correlation(b - a_prime) + correlation(b_prime - a_prime)


def direction_cdf(turn, excess):
    """P(r within the plane, as a line, has turned by less than `turn` from the training input), counted from -pi/2; deep limit.

    turn: any real numbers, radians, any shape; the law has period pi and grows by 1 each. excess: c = E A^2 - k = k (M - 1), above -1.
    The density is proportional to |cos turn|^c. Source: the tangent S of the turn obeys S = (z + B S')/A, solved by N(0, 1)/chi_{1+c}
    exactly, at every width, if A ~ chi_{k+c} (beta-gamma algebra); and so for wide layers at any c (Dufresne 1990). Ours.
    """
    turn = _check_angles("turn", turn)
    excess = _check_excess(excess)
    whole = np.round(turn / np.pi)
    rest = turn - np.pi * whole
    return whole + 0.5 + np.sign(rest) * special.betainc(0.5, (1 + excess) / 2, np.sin(rest) ** 2) / 2


def training_correlation(theta, excess):
    """E s(x) s(x') of the training input and another at angle theta, deep limit: sign(cos theta) I_{cos^2 theta}(1/2, (1+c)/2).

    theta: any real numbers, radians, any shape. excess: c = k (M - 1), above -1. c = 0: 1 - 2 theta/pi; c = 1: cos theta;
    large c: 2 Phi(sqrt(c) cot theta) - 1, of correlated_probability. I is the regularised incomplete beta function. Ours.
    """
    cosine = np.cos(_check_angles("theta", theta))
    return np.sign(cosine) * special.betainc(0.5, (1 + _check_excess(excess)) / 2, cosine**2)


def setting_distance(turn, excess):
    """Total variation distance in [0, 1] between the laws of r, as a line, of networks inferred from two inputs `turn` apart.

    turn: any real numbers, radians, any shape; excess: c = k (M - 1) >= 0. For turn in [0, pi] and E of training_correlation it is
    E(turn/2) + E((pi - turn)/2) - 1. |S| <= 2 (1 + distance) whatever the settings of the other party. Ours.
    """
    if not excess >= 0:
        raise ValueError(f"excess: {excess!r} is not a number of at least 0")
    half = np.remainder(_check_angles("turn", turn), np.pi) / 2
    return training_correlation(half, excess) + training_correlation(np.pi / 2 - half, excess) - 1


def mean_cosine(theta, time):
    """E cos theta_L of a pair that starts at theta, rule `none`, wide layers, at time 2 L rapidity_gain, about L/k.

    theta: (P,) in [0, pi], radians; time: (T,) of 0 and more. Returns (T, P): from cos theta to 1 - 2 theta/pi. The angle is a
    martingale, d theta = sin(theta) dW, so the mean obeys df/dt = sin^2(theta)/2 d^2f/d theta^2; on a grid of 400, error below 1e-4. Ours.
    """
    grid = np.linspace(0, np.pi, 401)
    rate = (np.sin(grid[1:-1]) / (grid[1] - grid[0])) ** 2 / 2
    value, vector = eigh_tridiagonal(-2 * rate, np.sqrt(rate[1:] * rate[:-1]))
    start = (np.cos(grid) - spin_correlation(grid))[1:-1] / np.sqrt(rate)  # the straight line stays, what is beyond it decays
    decayed = np.exp(np.multiply.outer(time, value)) * (vector.T @ start)
    inside = decayed @ vector.T * np.sqrt(rate)
    return CubicSpline(grid, np.pad(inside, ((0, 0), (1, 1))), axis=1)(theta) + spin_correlation(theta)


def mean_unseen_cosine(theta, scale, time):
    """E cos of the features of two unseen inputs at angle theta in a plane orthogonal to the training input; wide layers, L << k.

    theta: a number in [0, pi], radians. scale: (S,) standard deviations of their proper velocities, velocity_scale at input_dim = inf;
    time: (S,), see mean_cosine. The velocities are normal with correlation cos theta; the rest of the features walks like any
    pair without selection. From cos theta to 1 - 2 theta/pi. Error of the quadrature 1e-4. Ours.
    """
    turn = np.pi * (np.arange(720) + 0.5) / 720
    node, weight = np.polynomial.legendre.leggauss(60)
    size = np.exp(7.5 * node - 5)  # of a Rayleigh variable
    weight = weight * size**2 * np.exp(-(size**2) / 2)
    first, second = np.cos(turn), np.cos(turn - theta)

    def mean(s, rest):
        v = (s * size[:, None]) ** 2
        cosine = (v * first * second + rest) / np.sqrt((1 + v * first**2) * (1 + v * second**2))
        return weight @ cosine.mean(axis=1) / weight.sum()

    return np.array([mean(s, rest) for s, rest in zip(scale, mean_cosine(theta, time), strict=True)])


def _check_angles(name, value):
    value = check_numbers(name, value)
    if not np.isfinite(value).all():
        raise ValueError(f"{name}: holds {value[~np.isfinite(value)].flat[0]}, want finite angles in radians")
    return value


def _check_excess(excess):
    if not excess > -1:
        raise ValueError(f"excess: {excess!r} is not a number above -1")
    return excess


# --- a message under a mask (notebook 06) ----------------------------------------------------------------------------


def mask_error(theta, strength, width):
    """Root mean square error of a pixel that is left when a mask, `strength` times a unit feature (k,), is taken off by another's.

    theta: angle of the two features, radians in [0, pi], any shape. 2 strength sin(theta/2) / sqrt(k), in pixel units; added instead of
    taken off: at pi - theta. Ours.
    """
    return 2 * strength / np.sqrt(width) * np.sin(np.asarray(theta, dtype=float) / 2)


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
    node, weight = np.polynomial.legendre.leggauss(100)
    t = np.arcsin(c)[..., None] * (node + 1) / 2
    height = a[..., None] ** 2 + b[..., None] ** 2 - 2 * (a * b)[..., None] * np.sin(t)
    both = special.ndtr(a) * special.ndtr(b) + np.arcsin(c) / (4 * np.pi) * (np.exp(-height / (2 * np.cos(t) ** 2)) @ weight)
    return special.ndtr(a) + special.ndtr(b) - 2 * both


def mean_square_tangent(depth, width, input_dim):
    """E |t|^2, where the gradient of ln|R x'| with respect to x' is (e + t)/|x'_rest|: e the unit rest of x' beside x, t across it.

    R x' is what the network makes of the rest beside the training feature. A layer, backwards: T -> (k-2)/(k-3) (1 + T), the first one
    with d-2 for k-2; about L for d = k, so that a log-velocity becomes sqrt(L) times as steep. depth: any shape; k > 3. Ours.
    """
    width, depth = check_count("width", width, 4), np.asarray(depth, dtype=float)
    q = (width - 2) / (width - 3)
    return (input_dim - 2) / (width - 3) * (q**depth - 1) / (q - 1)


# --- robustness: the direction r that decides the side (notebook 07) ----------------------------------------------------


@lru_cache(maxsize=32)
def inverse_norm_moments(width, pool=None, rule="none"):
    """(E A^-2, E A^-4) of the norm A of a layer's margins, width >= 5; exact at every width and pool.

    Source: E A^-2p = int_0^inf t^(p-1) E exp(-t A^2) dt / (p-1)!; 1/(k-2) and 1/((k-2)(k-4)) without selection; ours.
    """
    width, pool, rule = check_layer(check_count("width", width, 5), pool, rule)
    if pool == width:
        return 1 / (width - 2), 1 / ((width - 2) * (width - 4))
    scale = width * second_moment(width, pool, rule)
    step = 0.05
    t = np.exp(np.arange(-40, 40, step))
    laplace = _laplace(t / scale, width, pool, rule)
    return tuple(float(step * np.sum(t**p * laplace) / scale**p) for p in (1, 2))


def direction_tangent(depth, width, input_dim, pool=None, rule="none"):
    """Mean and variance over networks of tan^2 of the angle between r_L and the training input; exact, width >= 5.

    tan^2 = X_1 (1 + X_2 (1 + ... X_L)), X_1 = chi^2_{d-1} / A_1^2 and X_j = chi^2_{k-1} / A_j^2 independent: L terms of a
    perpetuity. Its mean is about (d-1) (1 - M^-L) / (k (M-1)); for d = 2 it is the variance of the noise S_L in w_L. Ours.
    """
    first, second = inverse_norm_moments(width, pool, rule)
    mean = square = 0.0
    for freedom in [width - 1] * (check_count("depth", depth) - 1) + [check_count("input_dim", input_dim, 2) - 1]:
        mean, square = freedom * first * (1 + mean), freedom * (freedom + 2) * second * (1 + 2 * mean + square)
    return mean, square - mean**2


def direction_cosine(depth, width, input_dim, pool=None, rule="none", power=2):
    """(E cos^power)^(1/power) over networks of the cosine of r_L with the training input x: the certified radius of x over |x|.

    From a beta prime law for tan^2 (exact at depth 1 without selection) with the exact mean and variance: good to 1e-3 with
    selection, to 1 % without for L < k/5, where the variance exists. training_cosine is its wide and deep limit. Ours.
    """
    tangent = _tangents(500, depth, width, input_dim, pool, rule)
    return float(np.mean((1 + tangent) ** (-power / 2)) ** (1 / power))


def _tangents(count, depth, width, input_dim, pool, rule):
    """tan^2 of the angle of r_L and the training input at `count` equally likely levels of its scaled beta prime law."""
    mean, variance = direction_tangent(depth, width, input_dim, pool, rule)
    first = (input_dim - 1) / 2
    excess = max(first * variance / mean**2 - 1, 1e-6)  # 0: chi-squared, with nothing in the denominator
    second = (first + 1 + 2 * excess) / excess
    odds = special.betaincinv(first, second, (np.arange(count) + 0.5) / count)
    return mean * (second - 1) / first * odds / (1 - odds)


def random_step_success(step, input_dim):
    """Chance that a step in a random direction, `step` certificates long, flips a side: P(cos > 1/step) in R^d. step: any shape, > 0."""
    share = np.minimum(1, 1 / np.square(np.asarray(step, dtype=float)))
    return special.betaincc(0.5, (check_count("input_dim", input_dim, 2) - 1) / 2, share) / 2


def climb_time(distance, slope):
    """Time after which plain gradient descent on cos(theta) has moved an input by `distance`, to the border of its side.

    w = slope y at distance y from the border, so y falls at the rate slope (1 + w^2)^(-3/2): about slope^2 distance^4 / 4 far out.
    Steps times learning rate, in squared units of the input; arrays broadcast. Source: int (1 + w^2)^(3/2) dw / slope^2; ours.
    """
    w = np.asarray(slope) * distance
    return (w * (2 * w**2 + 5) * np.sqrt(1 + w**2) + 3 * np.arcsinh(w)) / (8 * np.square(slope))


def climb_success(time, depth, width, input_dim, pool=None, rule="none"):
    """Share of unseen Gaussian inputs that plain gradient descent on cos(theta_L) takes across the border within `time`; wide layers.

    The slope of w_L is e^(gain L) / (cos(r, x) sqrt(d-1)), distances are half-normal; the climb_time of the farthest is `time`. Ours.
    """
    tangent = direction_tangent(depth, width, input_dim, pool, rule)[0]
    slope = np.exp(rapidity_gain(width, pool, rule) * depth) * np.sqrt((1 + tangent) / (input_dim - 1))
    distance = np.linspace(0, 12, 24001)
    return float(special.erf(np.interp(time, climb_time(distance, slope), distance) / np.sqrt(2)))


def leading_cosine(second_moment, ratio):
    """Cosine of the leading right singular vector of a first layer with the training input, wide; 0 where (M-1)^2 <= d/k = ratio.

    The layer is a spike of size M - 1 on noise. Source: Benaych-Georges and Nadakuditi 2012.
    """
    gain = float(second_moment) - 1
    return float(np.sqrt(max(0.0, gain**2 - ratio) / (gain * (gain + ratio)))) if gain > 0 else 0.0


# --- transfer (notebook 07) ---------------------------------------------------------------------------------------------


def shared_cosine(shared, depth, width, input_dim, pool=None, rule="largest"):
    """Mean of cos(r, r') of two networks inferred from one sample that share their first s layers; to first order in 1/d.

    (1 + tau_s) / (1 + tau_L), tau_l = direction_tangent(l); wide and deep (rho + 1 - M^-s) / (rho + 1), rho / (1 + rho) at s = 0. Ours.
    """
    tangent = [direction_tangent(layers, width, input_dim, pool, rule)[0] if layers else 0.0 for layers in (shared, depth)]
    return (1 + tangent[0]) / (1 + tangent[1])


def prefix_log_sine(shared, width, input_dim):
    """Mean of ln sin of the angle of r and r', two deep ordinary networks (n = k) that share their first s layers; nats, exact.

    Backwards through s shared layers two random directions are a pair: every one adds minus rapidity_gain. Ours.
    """
    outer = _mean_log_chi(input_dim - 1) - _mean_log_chi(input_dim)
    return outer - rapidity_gain(width) * np.asarray(shared, dtype=float)


def transfer_probability(step, cosine):
    """Chance that an attack on network 1 changes the side of an unseen Gaussian input in network 2, whose cos(r, r') is `cosine`.

    step: length of the attack along r, in certificates of network 1; arrays broadcast. <r, x'> and <r', x'> are normal with
    correlation q, the attack adds -step <r, x'> q to the second: (arcsin q + arctan((step - 1) q / sqrt(1 - q^2))) / pi. Ours.
    """
    q = np.asarray(cosine, dtype=float)
    return (np.arcsin(q) + np.arctan2((np.asarray(step) - 1) * q, np.sqrt(1 - q**2))) / np.pi


def training_transfer_probability(step, depth, width, input_dim, pool=None, rule="largest"):
    """The same for the training input x of two independent networks: a step function at 1/cos^2(r, x), blurred. step: a scalar.

    What r and r' have beside x meets at a random angle in d - 1 dimensions, the sizes of it vary as direction_cosine has them. Ours.
    """
    tangent = _tangents(24, depth, width, input_dim, pool, rule)
    needed = ((1 + tangent) / step - 1) / np.sqrt(np.outer(tangent, tangent))
    share = special.betaincc(0.5, input_dim / 2 - 1, np.minimum(needed**2, 1)) / 2
    return float(np.mean(np.where(needed > 0, share, 1 - share)))


# --- flipped labels (notebook 07) ---------------------------------------------------------------------------------------


def score_moments(start, depth, width, pool, rule="largest"):
    """E s and E s^2 over networks and over the proper velocities `start` (P,) at the input, of the score s = theta_L / pi; width >= 32.

    w_L = Lambda (w_0 + S), S normal with its exact variance, ln Lambda normal with its exact mean, its variance L times that of
    ln A and ln B; by Gauss-Hermite quadrature. Ours.
    """
    z, weight = special.roots_hermitenorm(24)
    scale = log_norm_quantile(width, pool, rule)(z)
    spread = weight @ scale**2 / weight.sum() - (weight @ scale / weight.sum()) ** 2 + special.polygamma(1, (width - 1) / 2) / 4
    growth = np.exp(depth * rapidity_gain(width, pool, rule) + np.sqrt(depth * spread) * z)
    w = (np.asarray(start, dtype=float)[:, None] + np.sqrt(direction_tangent(depth, width, 2, pool, rule)[0]) * z)[..., None] * growth
    score = np.arctan2(1, w) / np.pi
    return tuple(float(np.mean(score**p @ weight @ weight) / weight.sum() ** 2) for p in (1, 2))


def decidability(mean, mean_square):
    """d' of scores s against the flipped ones 1 - s, from E s and E s^2: |1 - 2 E s| / sd(s). Source: Daugman 2000."""
    return float(np.abs(1 - 2 * mean) / np.sqrt(mean_square - mean**2))


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


# --- information reconciliation (notebook 05) ------------------------------------------------------------------------


@lru_cache(maxsize=32)
def log_growth_variance(width, pool):
    """Variance over networks of ln(A/B), nats^2 a layer: Var ln A + Var ln B; rule `largest`, width >= 32, pool > width.

    Var ln B = psi'((k-1)/2)/4; Var ln A from log_norm_quantile by Gauss-Hermite. Ours.
    """
    z, weight = _hermite(41)
    log_norm = log_norm_quantile(width, pool)(z)
    return float(weight @ (log_norm - weight @ log_norm) ** 2 + log_chi_variance(width - 1))


def folded_error(depth, width, pool, start=0.0, spread=0.0):
    """(mean, standard deviation) over networks of the folded share of wrong pixels min(e, 1 - e) after `depth` layers.

    A pixel is a hash bit of the last layer; given w at that layer's input pixels err independently, with bit_flip_probability.
    depth: any shape, 1 or more. start, spread: the proper velocity of decoder and key at the input is N(start, spread^2): (0, 1/sqrt(d-1))
    for independent inputs, (cot theta, 0) at an angle. Rule `largest`, pool > width; wide: off by 3 % at width 64, by 0.3 % at 256. Ours.
    """

    def moments(p):
        middle, noise = p - 0.5, np.sqrt(p * (1 - p) / width)
        above = noise * np.sqrt(2 / np.pi) * np.exp(-((middle / noise) ** 2) / 2) + middle * (1 - 2 * special.ndtr(-middle / noise))
        mean = 0.5 - above  # of a folded normal: for many pixels the binomial is one wherever folding matters
        return np.array([mean, mean - 0.25 + middle**2 + noise**2])

    mean, square = _over_networks(moments, depth, width, pool, start, spread)
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


def folded_error_cdf(error, depth, width, pool, start=0.0, spread=0.0):
    """Share of networks whose folded share of wrong pixels is at most `error` (a number in [0, 1/2)); else as folded_error."""
    if not 0 <= error < 0.5:
        raise ValueError(f"error: {error!r} is outside [0, 1/2)")
    most = np.floor(width * error + 1e-9)

    def more(p):
        return 1 - special.bdtr(most, width, p) - special.bdtr(most, width, 1 - p)

    return np.clip(1 - _over_networks(more, depth, width, pool, start, spread), 0, 1)


def folded_error_quantile(q, depth, width, pool, start=0.0, spread=0.0):
    """Smallest folded share of wrong pixels that a share q of the networks keeps to; depth a number, else as folded_error."""
    if not 0 <= q <= 1:
        raise ValueError(f"q: {q!r} is outside [0, 1]")
    low, high = 0, (check_count("width", width) - 1) // 2
    while low < high:
        middle = (low + high) // 2
        enough = folded_error_cdf(middle / width, depth, width, pool, start, spread) >= q
        low, high = (low, middle) if enough else (middle + 1, high)
    return low / width


def bit_errors_cdf(limit, theta, bits, pool):
    """P(at most `limit` of the `bits` largest of `pool` independent margins change sign at correlation cos(theta)), exact.

    limit, theta (radians): arrays that broadcast. Given the selection's tail p ~ Beta(k+1, n-k) bits err independently: binomials, mixed.
    """
    limit, theta = np.asarray(limit, dtype=float), check_theta(theta)
    bits, pool, _ = check_layer(bits, pool, "largest")
    if pool == bits:
        return special.bdtr(np.floor(limit), bits, theta / np.pi)
    tail, weight = _tails(bits, pool)
    p = _craig(theta[..., None], -special.ndtri(tail / 2)[:, None]) / (np.pi * tail)
    return special.bdtr(np.floor(limit)[..., None], bits, p) @ weight


def nearer_probability(depth, start, width, pool, input_dim):
    """Chance that |w_L| of an input starting at |w_0| = start exceeds that of an independent Gaussian one, same network; wide layers.

    depth: any shape. The amplifications A are common to both and cancel; left are S, and the difference of their ln B, normal of variance
    L psi'((k-1)/2)/2 while L << 2k. This is the AUC of the two in log space. Ours.
    """
    z, weight = np.linspace(-8, 8, 801), norm.pdf(np.linspace(-8, 8, 801)) / 50
    t, t_weight = _hermite(21)
    shares = []
    for layers in np.ravel(depth):
        variance = _noise_variance(layers, width, pool)
        near = np.abs(start + np.sqrt(variance) * z)[:, None] * np.exp(np.sqrt(2 * layers * log_chi_variance(width - 1)) * t)
        shares.append(weight @ (2 * special.ndtr(near / np.sqrt(1 / (input_dim - 1) + variance)) - 1) @ t_weight)
    return np.reshape(shares, np.shape(depth))


def _over_networks(function, depth, width, pool, start, spread):
    """Average over networks of a function of the flip probability that vanishes with it, at w = w_(depth-1); shape (..., *depth)."""
    gain, log_flip = _gain(width, pool), _log_flip(width, pool)
    first, last = log_flip.x[[0, -1]]
    z, weight = _hermite(21)
    averages = []
    for layers in np.ravel(check_numbers("depth", depth)) - 1:
        if layers < 0:
            raise ValueError(f"depth: {layers + 1:g} is less than 1")
        sd = np.sqrt(spread**2 + _noise_variance(layers, width, pool))
        if sd == 0:
            averages.append(function(np.exp(log_flip(np.clip(np.log(max(abs(start), 1e-300)), first, last)))))
            continue
        step = min(0.01, sd / (4 * abs(start))) if start else 0.01
        log_w = np.arange(first, last, step)
        w = np.exp(log_w - gain * layers - np.sqrt(layers * log_growth_variance(width, pool)) * z[:, None])  # before Lambda
        density = weight @ ((np.exp(-(((w - start) / sd) ** 2) / 2) + np.exp(-(((w + start) / sd) ** 2) / 2)) * w / sd) / np.sqrt(2 * np.pi)
        averages.append(function(np.exp(log_flip(log_w))) @ density * step)
    averages = np.moveaxis(np.array(averages), 0, -1)
    return averages.reshape(averages.shape[:-1] + np.shape(depth))


@lru_cache(maxsize=32)
def _log_flip(width, pool):
    """ln bit_flip_probability at w = cot(theta) as a function of ln w, a CubicSpline from w = 1e-7 to where it is below 1e-30."""
    width, pool, _ = check_layer(check_count("width", width, 32), pool, "largest")
    if pool == width:
        raise ValueError(f"pool: {pool} is the width, want more candidates than rows kept")
    log_w = np.linspace(np.log(1e-7), np.log(12 / -special.ndtri(width / pool / 2)), 800)
    return CubicSpline(log_w, np.log(bit_flip_probability(np.arctan(np.exp(-log_w)), width, pool)))


@lru_cache(maxsize=32)
def _gain(width, pool):
    return rapidity_gain(width, pool, "largest")


def _noise_variance(layers, width, pool):
    """Variance of S_L, wide: (1 - g^-L) / (k (g - 1)), g = exp(2 rapidity_gain)."""
    rate = 2 * _gain(width, pool)
    return -np.expm1(-rate * layers) / np.expm1(rate) / width


def log_chi_variance(freedom):
    """Variance of the ln of a chi variable, nats^2: psi'(freedom/2)/4."""
    return special.polygamma(1, freedom / 2) / 4


@lru_cache(maxsize=8)
def _hermite(count):
    """Nodes and weights for an average over N(0, 1)."""
    z, weight = np.polynomial.hermite_e.hermegauss(count)
    return z, weight / weight.sum()


# --- beyond selected rows: other networks, and how deep is deep enough (notebook 09) ------------------------------------


def relu_typical_angle(theta, depth, width):
    """Typical angle, exp E ln(theta) in radians, after 0..depth ReLU layers of He scale and finite width: (depth + 1,).

    ln(theta) is carried as a normal variable through the wide map; a layer takes relu_step's mean from it and adds its variance. Exact for
    near pairs; from 1 radian on its logarithm is right to about 5/width. Ours; Jakub and Nica 2024 have mean and variance to that order.
    """
    loss, spread = relu_step(width)
    node, weight = np.polynomial.hermite_e.hermegauss(15)
    weight = weight / weight.sum()
    mean, variance = np.log(float(check_theta(theta))), 0.0
    path = [mean]
    for _ in range(check_count("depth", depth, 0)):
        mapped = np.log(relu_angle(np.minimum(np.exp(mean + np.sqrt(variance) * node), 3.14), 1))
        mean = float(weight @ mapped)
        variance = float(weight @ (mapped - mean) ** 2) + spread
        mean -= loss
        path.append(mean)
    return np.exp(path)


@lru_cache(maxsize=32)
def relu_step(width):
    """Mean loss (nats) and variance of ln(angle) of a near pair in a ReLU layer of finite width: about 1/width and 2/width.

    Near inputs share their active units, m ~ Bin(width, 1/2) of them, and a layer is an ordinary linear one of width m. Ours.
    """
    width = check_count("width", width, 8)
    reach = 6 * int(np.ceil(np.sqrt(width)))  # 12 standard deviations
    active = np.arange(max(2, width // 2 - reach), min(width, width // 2 + reach) + 1)
    share = binom.pmf(active, width, 0.5)
    gain = _mean_log_chi(active) - _mean_log_chi(active - 1)
    noise = (special.polygamma(1, active / 2) + special.polygamma(1, (active - 1) / 2)) / 4
    return float(share @ gain), float(share @ (noise + gain**2) - (share @ gain) ** 2)


@lru_cache(maxsize=64)
def tanh_fixed_point(weight_scale, bias_scale):
    """(q, chi) of a wide tanh network tanh(W f + b), W ~ N(0, weight_scale^2 / width), b ~ N(0, bias_scale^2).

    q: variance of W f + b where lengths rest; chi: factor a layer on the squared distance of near inputs, ordered < 1 < chaotic.
    Source: mean field (Poole et al. 2016, Schoenholz et al. 2017). bias_scale > 0.
    """
    if not (weight_scale > 0 and bias_scale > 0):
        raise ValueError(f"weight_scale, bias_scale: {weight_scale!r}, {bias_scale!r} are not both above 0")
    z, weight = _normal_nodes()

    def excess(q):
        return weight_scale**2 * (weight @ np.tanh(np.sqrt(q) * z) ** 2) + bias_scale**2 - q

    q = brentq(excess, bias_scale**2 / 2, weight_scale**2 + bias_scale**2)
    return float(q), float(weight_scale**2 * (weight @ np.cosh(np.sqrt(q) * z) ** -4.0))


def tanh_angle(theta, depth, weight_scale, bias_scale):
    """Angle (radians) of a pair after 0..depth wide tanh layers, (depth + 1,), from a scalar theta and inputs of resting length.

    sin^2(theta'/2) = E (tanh h - tanh h')^2 / (4 p), p = (q - b^2)/w^2, over h, h' of variance q at the angle t with
    sin^2(t/2) = (w^2 p / q) sin^2(theta/2); in half angles nothing cancels. Source: Poole et al. 2016.
    """
    q, _ = tanh_fixed_point(weight_scale, bias_scale)
    inside = 1 - bias_scale**2 / q  # share of the variance that the weights bring
    z, weight = _normal_nodes()
    path = [float(check_theta(theta))]
    for _ in range(check_count("depth", depth, 0)):
        half = np.sqrt(inside) * np.sin(path[-1] / 2)
        near, apart = np.sqrt(q * (1 - half**2)) * z[:, None], np.sqrt(q) * half * z
        square = weight @ (np.tanh(near + apart) - np.tanh(near - apart)) ** 2 @ weight
        path.append(2 * float(np.arcsin(np.sqrt(min(1.0, square * weight_scale**2 / (4 * q * inside))))))
    return np.array(path)


def batch_norm_angle(theta, depth):
    """Angle (radians) of two inputs after `depth` wide batch-normalised linear layers whose batch they are; theta: any shape.

    Artanh(cos theta), the rapidity, is halved by every layer, whatever the lengths ratio was before: they end orthogonal. Ours: the unit
    rows of a layer are normal vectors on the circle, E[a x^2 / (a x^2 + b y^2)] = sqrt(a) / (sqrt(a) + sqrt(b)).
    """
    rapidity = np.arctanh(np.cos(check_theta(theta))) * 0.5 ** np.asarray(depth, dtype=float)
    return np.arccos(np.tanh(rapidity))


def batch_norm_spread(count, width):
    """Variance over mean squared of the Gram eigenvalues of a batch of `count` inputs, at rest in a batch-normalised linear network.

    A layer multiplies deviations by count/(count+2) and draws `width` new rows, which adds (count-1)/width. About count^2 / (4 width);
    holds where that is small. The batch's participation rank is count / (1 + spread). Ours.
    """
    count, width = check_count("count", count, 2), check_count("width", width)
    return (count - 1) / width / (1 - (1 - 1 / width) * (count / (count + 2)) ** 2)


def attention_angle(theta, depth, sharpness, count=2, skip=False):
    """Angle (radians) of `count` equiangular unit tokens after 0..depth wide self-attention layers with tied keys, (depth + 1,).

    The distance s of the tokens from their mean becomes s f, f = (e^a - 1)/(e^a + count - 1), a = sharpness s^2 count/(count-1): cubic
    for small s, so that the number of digits lost triples. `skip`: s^2 (1 + f^2), and the squared mean doubles. Ours; that the
    exponent is at most 3 is Dong, Cordonnier and Loukas 2021.
    """
    count = check_count("count", count, 2)
    spread = count / (count - 1)
    square = 2 * np.sin(float(check_theta(theta)) / 2) ** 2 / spread
    if square > 1:
        raise ValueError(f"theta: {theta!r} is more than {count} tokens can have between any two")
    mean, path = 1 - square, [float(theta)]
    for _ in range(check_count("depth", depth, 0)):
        a = min(sharpness * square * spread, 700.0)
        factor = (np.expm1(a) / (np.exp(a) + count - 1)) ** 2
        square, mean = (square * (1 + factor), 2 * mean) if skip else (square * factor, mean)
        path.append(2 * float(np.arcsin(np.sqrt(square * spread / (mean + square) / 2))))
    return np.array(path)


def mode_time(strength, depth, size, target):
    """Time at which gradient flow on |H X - Y|^2 / 2, X white, has brought a mode of H = W_N ... W_1 from size^N to `strength`.

    strength: any shape, from size^N to below target; depth N; size: of every singular value of every layer at the start (balanced and
    aligned with the target). ds/dt = N s^(2 - 2/N) (target - s). Source: Saxe et al. 2014, Arora et al. 2018.
    """
    strength, depth = np.asarray(strength, dtype=float), check_count("depth", depth)
    start = size**depth
    if not (start > 0 and (strength >= start).all() and (strength < target).all()):
        raise ValueError(f"strength: {strength!r} is not between size^N = {start:.6g} and target {target!r}")
    node, weight = np.polynomial.legendre.leggauss(120)
    # in y = -ln(target/s - 1) the integrand ds / (s (target - s)) is flat: dt = dy s^(2/N - 1) / (N target)
    low, high = (-np.log(target / s - 1) for s in (start, strength))
    y = low + (high - low)[..., None] * (node + 1) / 2
    s = target * special.expit(y)
    return (high - low) / 2 * (s ** (2 / depth - 1) @ weight) / (depth * target)


def trained_gain(depth, size, target=1.0):
    """Rapidity (nats, added to ln|cot theta_0|) that training on one sample gives an unseen input: ln(target) + N ln(1/size).

    A linear network of depth N that starts balanced and aligned with its target grows one mode, from size^N to `target`, and leaves
    all others as they were; depth: any shape. Below a start of size 1 every layer adds ln(1/size), as selection adds (1/2) ln M. Ours.
    """
    return np.log(target) - np.asarray(depth, dtype=float) * np.log(size)


def trained_rank(depth, size, width, target=1.0):
    """Effective rank, exp of the entropy of the singular values, of that trained network: one of `target`, width - 1 of size^N."""
    rest = (width - 1) * float(size) ** np.asarray(depth, dtype=float) / target
    share = 1 / (1 + rest)
    return np.exp(special.entr(share) + special.entr(1 - share) + (1 - share) * np.log(width - 1))


def diffused_rapidity_cdf(rapidity, time):
    """P(|rapidity| <= r) of a pair that started at 90 degrees, after time = depth/width, in wide ordinary networks (n = k).

    rapidity r > 0, a scalar. The pair's Gram matrix moves as a Brownian motion of the hyperbolic plane, and its rapidity is the signed
    distance from a geodesic through the start: drift tanh(r)/2, variance 1 a unit of time. Source: McKean's kernel (1970),
    integrated along the geodesic, which leaves a complete elliptic integral; ours.
    """
    node, weight = np.polynomial.legendre.leggauss(100)
    r = rapidity * (node + 1) / 2
    reach = np.sqrt(time) * 9 + time / 2
    v = (node + 1) / 2
    u = r[:, None] + reach * v**2  # squared: the integrand has a logarithm at u = r
    c, d = np.cosh(u), np.cosh(r)[:, None]
    inner = u * np.exp(-(u**2) / (2 * time)) * special.ellipkm1(2 * d / (c + d)) / np.sqrt(c + d) * reach * v
    density = np.cosh(r) * (inner @ weight) * 4 * np.sqrt(2) * np.exp(-time / 8) / (2 * np.pi * time) ** 1.5
    return float(2 * (density @ weight) * rapidity / 2)


@lru_cache(maxsize=32)
def entangling_time(velocity=10.0):
    """Depth over width at which half of the pairs of a wide ordinary network (n = k) have |w| >= velocity; 5.02 for 10."""
    rapidity = float(np.arcsinh(velocity))
    return brentq(lambda time: diffused_rapidity_cdf(rapidity, time) - 0.5, rapidity / 20, 4 * rapidity)


@lru_cache(maxsize=4096)
def depth_to_entangle(width, pool=None, rule="largest", velocity=10.0):
    """Depth L, a float, at which the median of |w_L| reaches `velocity` for independent Gaussian inputs in d = k dimensions.

    velocity 10: half of the pairs are within 0.1 radian of correlated or anti-correlated. With selection w is normal with the
    variance of velocity_scale; an ordinary layer (n = k) needs entangling_time / (2 rapidity_gain), about 5 k. Within 2 % for
    width >= 32, 10 % from width 4, 30 % at 2. inf where layers do not entangle (M < 1). Ours.
    """
    width, pool, rule = check_layer(width, pool, rule)
    gain = rapidity_gain(width, pool, rule)
    if pool == width:
        return entangling_time(velocity) / (2 * gain)
    if gain <= 0:
        return np.inf
    added = 1 / (width * np.expm1(2 * gain))
    return float(np.log(((velocity / special.ndtri(0.75)) ** 2 + added) / (1 / (width - 1) + added)) / (2 * gain))


def _normal_nodes():
    """Nodes and weights for an average over a standard normal: a trapezoid, for its speed on smooth functions."""
    z = np.linspace(-8.5, 8.5, 121)
    weight = norm.pdf(z)
    return z, weight / weight.sum()
