"""Nodes and weights of the integrals."""

from functools import lru_cache

import numpy as np
from scipy.stats import norm


@lru_cache(maxsize=8)
def legendre(count):
    """Nodes and weights (count,) of Gauss-Legendre on [-1, 1]."""
    return np.polynomial.legendre.leggauss(count)


@lru_cache(maxsize=8)
def hermite(count):
    """Nodes and weights (count,) of Gauss-Hermite, for an average over N(0, 1) of a function that is smooth on its scale."""
    z, weight = np.polynomial.hermite_e.hermegauss(count)
    return z, weight / weight.sum()


@lru_cache(maxsize=8)
def normal_trapezoid(count):
    """The same on an even grid from -8.5 to 8.5: for functions that are steep within a standard deviation."""
    z = np.linspace(-8.5, 8.5, count)
    weight = norm.pdf(z)
    return z, weight / weight.sum()
