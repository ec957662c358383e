"""The margins that a rule selects, and the rates per layer that follow."""

import numpy as np
from scipy import special
from scipy.interpolate import CubicSpline

from entanglement.arguments import count, numbers
from entanglement.layer import remembered, require
from entanglement.quadrature import hermite, normal_trapezoid

WIDE = 32  # width from which the norm of a layer's margins has its quantile function
CELLS = 2**15  # of the grid on which few squared margins are added
STEP = 0.05  # of the integrals over ln t
SERIES = 2048  # width from which E ln A is summed in powers of 1/width


def second_moment(layer):
    """M = E a^2 of a kept row's margin, wide at fixed n/k: a float; 1 without selection. Ours.

    Source: truncated normal (`largest`, `signed`), largest of n/k normals (`labelled`).
    """
    return float(require(layer).law.moments(np.array(layer.kept))[0])


def finite_second_moment(layer):
    """E a^2 at this width and pool, exact: the wide value over p ~ Beta(k+1, n-k). Ours."""
    p, weight = shares(layer)
    return float(weight @ layer.law.moments(p)[0])


def excess(layer):
    """c = E A^2 - k of the margins' norm A, exact: k (M - 1) for wide layers; a float."""
    return require(layer).width * (finite_second_moment(layer) - 1)


def mean_log_norm(layer):
    """E ln A of the norm of a layer's margins, nats; error 1e-12 at every width and pool. Ours.

    Source: E ln S = ln c + integral of (exp(-t) - E exp(-t S/c))/t dt (Frullani) with the Laplace
    transform of S = A^2; from width 2048 on a series.
    """
    width = require(layer).width
    if width >= SERIES:
        return np.log(width) / 2 + _log_mean_square(layer)
    if not layer.selects:
        return float(mean_log_chi(width))
    t, laplace, scale = _on_scale(layer)
    return 0.5 * (np.log(scale) + STEP * np.sum(np.exp(-t) - laplace))


def rapidity_gain(layer):
    """Rapidity gained a layer, E ln A - E ln B, nats, a float; (1/2) ln M for wide layers. Ours.

    Error 1e-12, or 1e-6 of the gain where that is more, at every width and pool.
    """
    width = require(layer).width
    if width < SERIES:
        return float(mean_log_norm(layer) - mean_log_chi(width - 1))
    ratio = np.log1p(-1 / width)  # of k - 1 to k: no cancellation of large logarithms
    return float(_log_mean_square(layer) - (ratio + _chi_series(width - 1)) / 2)


@remembered
def log_norm_quantile(layer):
    """ln A (nats) as a function of a standard normal score: its quantile function, a CubicSpline;
    pool > width. Ours.

    exp of it at z ~ N(0, 1) has the law of A, to 1e-8 in probability from width 32 on, to 2e-3
    below (1e-4 but for rule signed). Refused where rounding drowns it: width 1e7, vast pools.
    """
    wide = require(layer, selects=True).width >= WIDE
    square, below = (_wide_norm if wide else _narrow_norm)(layer)
    inside = (below > 1e-9) & (below < 1 - 1e-9)
    inside &= below > np.maximum.accumulate(np.append(0, below[:-1]))
    quantile = CubicSpline(special.ndtri(below[inside]), np.log(square[inside]) / 2)
    z, weight = hermite(41)
    if abs(weight @ quantile(z) - mean_log_norm(layer)) > 0.01 * quantile(0.0, 1):
        raise ValueError(f"layer: {layer} is too wide for the law of its margins' norm")
    return quantile


def _wide_norm(layer):
    """Values of A^2 and their distribution function, by Gil-Pelaez' inversion (1951)."""
    width = layer.width
    mean = width * finite_second_moment(layer)
    nudge = 0.1 * np.sqrt(width) / mean  # small against 1/deviation, which only has to be near
    deviation = np.sqrt(-2 * np.log(np.abs(_laplace(np.array([1j * nudge]), layer)[0]))) / nudge
    step = np.pi / 20  # the law of (A^2 - mean)/deviation is inverted on a circle of 40 deviations
    t = step * (np.arange(256) + 0.5)  # at 40 the characteristic function of 32 margins is nothing
    wave = _laplace(-1j * t / deviation, layer) * np.exp(-1j * t * mean / deviation) / t
    x = np.arange(-7, 10, 0.05)  # in deviations: the right tail is the longer one
    return mean + deviation * x, 0.5 - step / np.pi * np.imag(np.exp(-1j * np.outer(x, t)) @ wave)


def _narrow_norm(layer):
    """The same of few margins: their squares, convolved on a grid for each p, then mixed."""
    z, mass = normal_trapezoid(2001)
    u = np.minimum(special.ndtr(z), 1 - 1e-16)
    p, weight = (part[::4] for part in shares(layer))
    laws = [_sum_of_squares(np.square(layer.law.quantile(u, one)), mass, layer.width) for one in p]
    square = np.exp(np.linspace(*np.log([1e-6, max(value[-1] for value, _ in laws)]), 800))
    return square, weight @ [np.interp(square, *law, left=0) for law in laws] / weight.sum()


def _sum_of_squares(value, mass, count):
    """Values and distribution function of a sum of `count` variables with atoms at `value`."""
    least, mean = value.min(), mass @ value
    top = count * (mean - least) + 12 * np.sqrt(count * (mass @ (value - mean) ** 2)) + 60
    one = on_grid((value - least) / top * CELLS, mass, CELLS)
    law = np.fft.irfft(np.fft.rfft(one, 2 * CELLS) ** count)[:CELLS]
    return count * least + top / CELLS * (np.arange(CELLS) + 0.5), np.cumsum(law)


def on_grid(x, weight, nodes):
    """Weights (nodes,) of 0, 1, ...: each of `weight`, at x, goes to both beside it, mean kept."""
    cell = np.minimum(x.astype(int), nodes - 2)
    part = x - cell
    return sum(np.bincount(cell + i, w, nodes) for i, w in enumerate((1 - part, part) * weight))


@remembered
def inverse_norm_moments(layer):
    """(E A^-2, E A^-4) of the norm A of a layer's margins; width >= 5; relative error 1e-9. Ours.

    Source: E A^-2p = int_0^inf t^(p-1) E exp(-t A^2) dt / (p-1)!; 1/(k-2) and 1/((k-2)(k-4))
    without selection.
    """
    width = require(layer, 5).width
    if not layer.selects:
        return 1 / (width - 2), 1 / ((width - 2) * (width - 4))
    t, laplace, scale = _on_scale(layer)
    return tuple(float(STEP * np.sum(t**p * laplace) / scale**p) for p in (1, 2))


def lyapunov_exponents(width):
    """Lyapunov exponents (k,) of ordinary layers, descending, nats a layer (Newman 1986)."""
    return mean_log_chi(count("width", width, 1, 10**7) - np.arange(width))


def exponents_in_force(layer):
    """The same with selection: lambda_1 replaced by E ln A, the spike; sorted anew. Ours."""
    exponents = lyapunov_exponents(require(layer).width)
    exponents[0] = mean_log_norm(layer)
    return np.sort(exponents)[::-1]


def excess_slope(layer):
    """Decay of the spherical excess of a triple, 2 l_1 - l_2 - l_3 of these; nats a layer."""
    first, second, third = exponents_in_force(require(layer, 3))[:3]
    return float(2 * first - second - third)


@remembered
def log_growth_variance(layer):
    """Variance of ln(A/B), nats^2 a layer; width >= 32, pool > width; error 1e-7. Ours.

    Var ln B = psi'((k-1)/2)/4; Var ln A from log_norm_quantile by Gauss-Hermite.
    """
    z, weight = hermite(41)
    log_norm = log_norm_quantile(layer)(z)
    return float(weight @ (log_norm - weight @ log_norm) ** 2 + log_chi_variance(layer.width - 1))


def mean_log_chi(freedom):
    """E ln of a chi variable, nats: (ln 2 + psi(freedom/2))/2; freedom > 0, any shape."""
    return (np.log(2) + special.digamma(numbers("freedom", freedom, 0, open=True) / 2)) / 2


def log_chi_variance(freedom):
    """Variance of the ln of a chi variable, nats^2: psi'(freedom/2)/4; freedom > 0, any shape."""
    return special.polygamma(1, numbers("freedom", freedom, 0, open=True) / 2) / 4


def shares(layer):
    """Nodes p and weights for an average over the share that a layer keeps."""
    return require(layer).law.shares(layer.width, layer.pool)


def _on_scale(layer):
    """t, even in its logarithm, E exp(-t A^2 / E A^2), and E A^2."""
    t, scale = np.exp(np.arange(-40, 40, STEP)), layer.width * finite_second_moment(layer)
    return t, _laplace(t / scale, layer), scale


def _laplace(t, layer):
    """E exp(-t A^2), A^2 a sum of k squared margins, for an array t of real part 0 or more."""
    p, weight = shares(layer)
    return weight @ np.exp(layer.width * layer.law.log_laplace(t, p[:, None]))


def _log_mean_square(layer):
    """E ln(A/sqrt k), nats, in powers of 1/k: given p, A^2 is a sum of k independent terms."""
    p, weight = shares(layer)
    m, m2, m3, m4 = layer.law.moments(p)
    c2, c3 = (m2 - m**2) / m**2, (m3 - 3 * m2 * m + 2 * m**3) / m**3
    c4 = (m4 - 4 * m3 * m - 3 * m2**2 + 12 * m2 * m**2 - 6 * m**4) / m**4
    x = 1 / layer.width
    series = -c2 / 2 + (c3 / 3 - 3 * c2**2 / 4) * x + (-c4 / 4 + 2 * c2 * c3 - 5 * c2**3 / 2) * x**2
    return float(weight @ (np.log(m) + series * x) / 2)


def _chi_series(freedom):
    """E ln(B^2/freedom) of a chi variable B, nats, in powers of 1/freedom."""
    return -1 / freedom - 1 / (3 * freedom**2) + 2 / (15 * freedom**4)
