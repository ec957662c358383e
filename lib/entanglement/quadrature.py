"""Nodes and weights of the integrals, and the two that rules share."""

from functools import lru_cache

import numpy as np
from scipy import special
from scipy.stats import norm


@lru_cache(maxsize=8)
def legendre(count):
    """Nodes and weights (count,) of Gauss-Legendre on [-1, 1]."""
    return np.polynomial.legendre.leggauss(count)


@lru_cache(maxsize=8)
def hermite(count):
    """Nodes and weights (count,) of Gauss-Hermite, for an average over N(0, 1) of a function that
    is smooth on its scale.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(count)
    return z, weight / weight.sum()


@lru_cache(maxsize=8)
def normal_trapezoid(count):
    """The same on an even grid from -8.5 to 8.5: for functions that are steep within a standard
    deviation.
    """
    z = np.linspace(-8.5, 8.5, count)
    weight = norm.pdf(z)
    return z, weight / weight.sum()


def craig(theta, q):
    """int_0^theta exp(-q^2 / (2 sin^2 t)) dt, 0 < theta < pi; arrays broadcast. pi times P(0 < q <
    |a|, a changes sign).

    By Gauss-Legendre of 200, 2e-15 at worst. 2 pi times scipy's owens_t(q, cot theta) would do, but
    for tiny angles, where that underflows to 0 and this keeps its relative precision. Source: Craig
    1991.
    """
    node, weight = legendre(200)
    theta, q = np.broadcast_arrays(theta, q)
    t = theta[..., None] * (node + 1) / 2
    with np.errstate(over="ignore"):
        return theta / 2 * (np.exp(-((q[..., None] / np.sin(t)) ** 2) / 2) @ weight)


def craig_largest_of(theta, count):
    """E Phi(-|a| cot theta), a the largest of m normals: m/(2 pi) int_0^theta int |y| exp(-y^2/2)
    Phi(y sin t)^(m-1) dy dt.
    """
    node, weight = legendre(100)
    theta, count = np.broadcast_arrays(theta, count)
    y = 5 * (node + 1)
    a = y * np.sin(theta[..., None, None] * (node[:, None] + 1) / 2)
    power = count[..., None, None] - 1
    either = np.exp(power * special.log_ndtr(a)) + np.exp(power * special.log_ndtr(-a))
    return count * theta / (4 * np.pi) * (either @ (5 * weight * y * np.exp(-(y**2) / 2)) @ weight)
