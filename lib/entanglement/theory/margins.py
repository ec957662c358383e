"""The margins that a rule selects, and the rates per layer that follow."""

from functools import lru_cache

import numpy as np
from scipy import special
from scipy.interpolate import CubicSpline
from scipy.stats import norm

from .arguments import check_count, check_layer, check_selected
from .quadrature import hermite


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
    """M = E[a^2] at finite n, exact, a float: the wide value averaged over the threshold's tail p ~ Beta(k+1, n-k).

    Arguments as second_moment. Ours.
    """
    width, pool, rule = check_layer(width, pool, rule)
    if pool == width or rule == "labelled":
        return second_moment(width, pool, rule)
    p, weight = tails(width, pool)
    return float(weight @ _truncated_moment(p, rule))


def mean_log_norm(width, pool=None, rule="none"):
    """E ln A of the norm of a layer's margins, in nats; exact at every width and pool.

    Source: E ln S = ln c + integral of (exp(-t) - E exp(-t S / c)) / t dt (Frullani) with the Laplace transform of S = A^2; ours.
    """
    width, pool, rule = check_layer(width, pool, rule)
    if pool == width:
        return float(mean_log_chi(width))
    scale = width * second_moment(width, pool, rule)
    step = 0.05
    t = np.exp(np.arange(-40, 40, step))
    return 0.5 * (np.log(scale) + step * np.sum(np.exp(-t) - _laplace(t / scale, width, pool, rule)))


@lru_cache(maxsize=32)
def log_norm_quantile(width, pool, rule="largest"):
    """ln A (nats) as a function of a standard normal score: its quantile function, a CubicSpline; width >= 32, pool > width.

    exp of it at z ~ N(0, 1) has the law of A, to 1e-8 in probability. Source: characteristic function, inverted (Gil-Pelaez 1951); ours.
    """
    width, pool, rule = check_selected(width, pool, rule)
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


def lyapunov_exponents(width):
    """The Lyapunov exponents (k,) of an ordinary (`none`) layer of width k, descending, nats per layer. Source: Newman 1986."""
    return mean_log_chi(check_count("width", width) - np.arange(width))


def exponents_in_force(width, pool=None, rule="none"):
    """The same with selection, (k,): lambda_1 replaced by E ln A, the spike; sorted anew, descending, nats per layer.

    width: k; pool: n, or None for an ordinary layer; rule: one of RULES. Ours.
    """
    exponents = lyapunov_exponents(width)
    exponents[0] = mean_log_norm(width, pool, rule)
    return np.sort(exponents)[::-1]


def rapidity_gain(width, pool=None, rule="none"):
    """Rapidity gained a layer, E ln A - E ln B, nats per layer, exact at finite width; (1/2) ln M for wide layers. Ours."""
    return float(mean_log_norm(width, pool, rule) - mean_log_chi(width - 1))


def excess_slope(width, pool=None, rule="none"):
    """Decay of the spherical excess of a triple, 2 lambda_1 - lambda_2 - lambda_3 of the exponents in force, nats per layer."""
    first, second, third = exponents_in_force(check_count("width", width, 3), pool, rule)[:3]
    return float(2 * first - second - third)


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


@lru_cache(maxsize=32)
@lru_cache(maxsize=32)
def log_growth_variance(width, pool, rule="largest"):
    """Variance over networks of ln(A/B), nats^2 a layer: Var ln A + Var ln B; width >= 32, pool > width.

    Var ln B = psi'((k-1)/2)/4; Var ln A from log_norm_quantile by Gauss-Hermite. Ours.
    """
    z, weight = hermite(41)
    log_norm = log_norm_quantile(width, pool, rule)(z)
    return float(weight @ (log_norm - weight @ log_norm) ** 2 + log_chi_variance(width - 1))


def log_chi_variance(freedom):
    """Variance of the ln of a chi variable, nats^2: psi'(freedom/2)/4."""
    return special.polygamma(1, freedom / 2) / 4


def _truncated_moment(p, rule):
    """E[a^2] of a standard normal in its outer tail of probability p (both sides for `largest`, the upper for `signed`)."""
    q = -special.ndtri(p / 2 if rule == "largest" else p)
    return 1 + (2 if rule == "largest" else 1) * q * norm.pdf(q) / p


def tails(width, pool):
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
    p, weight = tails(width, pool)
    sides = 2 if rule == "largest" else 1
    q = -special.ndtri(p / sides)
    log_one = np.log(sides / p)[:, None] + special.log_ndtr(-q[:, None] * root) - np.log(root)
    return weight @ np.exp(width * log_one)


def mean_log_chi(freedom):
    return (np.log(2) + special.digamma(np.asarray(freedom) / 2)) / 2
