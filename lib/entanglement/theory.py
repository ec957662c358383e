"""Every closed form of the notebooks; no random numbers, no torch.

Symbols: k width, n pool, d input dimension, L depth, M second moment of a kept margin, theta the angle of a pair,
w = cot(theta) its proper velocity, A = norm of a layer's margins, B ~ chi_{k-1}, z ~ N(0, 1).
"Ours" marks a derivation of this companion; the layer itself is the authors' (arXiv 2309.15669).
"""

from numbers import Real

import numpy as np
from scipy import special
from scipy.stats import chi, norm

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
    """E exp(-t A^2), A^2 a sum of k squared margins, for an array t >= 0."""
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
    node, weight = np.polynomial.legendre.leggauss(200)
    t = theta[..., None] * (node + 1) / 2
    with np.errstate(over="ignore"):
        return theta / 2 * (np.exp(-((q / np.sin(t)) ** 2) / 2) @ weight)


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


def loss_density(loss, scale):
    """Density of theta_L/pi in (0, 1): phi(w/scale) pi (1 + w^2)/scale at w = cot(pi loss)."""
    w = 1 / np.tan(np.pi * np.asarray(loss, dtype=float))
    return norm.pdf(w / scale) * np.pi * (1 + w**2) / scale


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


def float_horizon(gain):
    """Layers after |w| = 1 at which a float64 cosine is exactly 1, for a rapidity gain in nats per layer: 26.5 ln 2 / gain."""
    return 26.5 * np.log(2) / gain


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
