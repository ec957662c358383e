"""Nodes and weights of the integrals, and the two that rules share."""

from functools import lru_cache

import numpy as np
from scipy import special


@lru_cache(maxsize=8)
def legendre(count):
    """Nodes and weights (count,) of Gauss-Legendre on [-1, 1]."""
    return np.polynomial.legendre.leggauss(count)


@lru_cache(maxsize=8)
def hermite(count):
    """Nodes and weights (count,) of Gauss-Hermite, averages over N(0, 1) of smooth functions."""
    z, weight = np.polynomial.hermite_e.hermegauss(count)
    return z, weight / weight.sum()


def normal_density(z):
    """The standard normal law's."""
    return np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi)


@lru_cache(maxsize=8)
def normal_trapezoid(count):
    """The same on an even grid from -8.5 to 8.5, for functions that are steep."""
    z = np.linspace(-8.5, 8.5, count)
    weight = normal_density(z)
    return z, weight / weight.sum()


def craig(theta, q):
    """int_0^theta exp(-q^2 / (2 sin^2 t)) dt, 0 < theta < pi, q >= 0; arrays broadcast. pi times
    P(0 < q < |a|, a changes sign).

    By Owen's T to 1e-15, which is relative to its limit pi Phi(-q); below 1e-4 rad by sin t = t, so
    that the smallest angles keep a relative precision of 1e-8. Source: Craig 1991; Owen 1956.
    """
    ratio = np.minimum(q / theta, 40.0)  # from which on it adds nothing
    narrow = np.exp(-(ratio**2) / 2) - np.sqrt(2 * np.pi) * ratio * special.ndtr(-ratio)
    wide = special.ndtr(-q) / 2 - special.owens_t(q, 1 / np.tan(theta))
    return np.maximum(np.where(theta < 1e-4, theta * narrow, 2 * np.pi * wide), 0.0)


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
