"""The direction r that decides every side, sign<r, x'>: its angle to the training input, exact.

T = tan of the angle of r_L and x obeys T^2 = X_1 (1 + X_2 (1 + ... X_L)), X_1 = chi^2_{d-1}/A_1^2
and X_j = chi^2_{k-1}/A_j^2 independent (the first row of T_L ... T_1, T upper triangular, taken
backwards). The densities of ln T^2 are smooth, so the recursion is a sum on an even grid; the deep
limit is its fixed point. Ours.
"""

from functools import lru_cache

import numpy as np
from scipy import special
from scipy.interpolate import CubicSpline

from entanglement.arguments import count, number, numbers
from entanglement.layer import remembered, require
from entanglement.quadrature import normal_trapezoid

from .margins import (
    excess,
    inverse_norm_moments,
    log_chi_variance,
    log_norm_quantile,
    on_grid,
    rapidity_gain,
    second_moment,
)

WIDEST_GRID = 4096  # width up to which the law is computed on a grid
NODES = 4000  # of the grid, at most
DEEP = 40.0  # nats gained after which a law is that of the deep limit


def direction_cosine(layer, input_dim, depth, power=2):
    """(E cos^power)^(1/power) over networks of r_L and the input x: certified radius over |x|.

    input_dim: d >= 2; depth: L, a whole number; power: a number above 0. Exact from width 2 at
    every pool and depth (error 1e-4, 1e-3 below width 32); training_cosine is the wide and deep
    limit. ValueError for wide layers that barely select. Ours.
    """
    power = number("power", power, 0, open=True)
    tangent, weight = tangents(layer, input_dim, count("depth", depth))
    return float((weight @ (1 + tangent) ** (-power / 2)) ** (1 / power))


def side_change_probability(layer, input_dim):
    """Share of independent Gaussian inputs that end on the other side than they began, deep.

    E arctan(T)/pi. input_dim: d >= 2. Exact from width 2 (error 1e-4, 1e-3 below width 32), M = 1
    included; 1/2 where the gain is not above 0. arctan(1/sqrt(rho))/pi, rho = k(M-1)/(d-1), for
    wide layers and large d. Ours.
    """
    tangent, weight = tangents(layer, input_dim, None)
    return float(weight @ np.arctan(np.sqrt(tangent)) / np.pi)


def training_cosine(layer, input_dim):
    """Root mean square of cos(r, x), wide and deep: sqrt(rho/(1+rho)), rho = k(M-1)/(d-1).

    1/sqrt(d) at M = 1, 0 below it. Wide: k (M-1) >> 1. Ours.
    """
    rho = max(0.0, layer_excess(layer) / (count("input_dim", input_dim, 2) - 1))
    ordinary = second_moment(layer) == 1
    return float(input_dim**-0.5 if ordinary else np.sqrt(rho / (1 + rho)))


def layer_excess(layer):
    """k (M - 1), a float, with the M of a wide layer; excess is the same at finite width."""
    return require(layer).width * (second_moment(layer) - 1)


def direction_tangent(layer, input_dim, depth):
    """Mean and variance over networks of T^2 after L layers; exact, width >= 5.

    input_dim: d >= 2; depth: a whole number. Its mean is about (d-1) (1 - M^-L) / (k (M-1)); for
    d = 2 it is the variance of the noise S_L in w_L. Ours.
    """
    first, second = inverse_norm_moments(layer)
    depth, last = count("depth", depth), count("input_dim", input_dim, 2) - 1

    def back(freedom):  # takes (1, E T^2, E T^4) through a layer
        mean, square = freedom * first, freedom * (freedom + 2) * second
        return np.array([[1, 0, 0], [mean, mean, 0], [square, 2 * square, square]])

    inner = np.linalg.matrix_power(back(layer.width - 1), depth - 1)[:, 0]
    _, mean, square = map(float, back(last) @ inner)
    return mean, square - mean**2


def tangent_levels(layer, input_dim, depth, levels):
    """T^2 at equally likely levels of its law, (levels,), for averages over two networks."""
    tangent, weight = tangents(layer, input_dim, count("depth", depth))
    levels = count("levels", levels)
    order = np.argsort(tangent)
    middle = np.cumsum(weight[order]) - weight[order] / 2
    return np.interp((np.arange(levels) + 0.5) / levels, middle, tangent[order])


def turn_cdf(layer, turn, depth=None):
    """P(r, as a line within a plane that contains the training input, has turned from it by less
    than `turn`), counted from -pi/2; direction_cdf of bell.py at every width, pool and depth.

    turn: any real numbers, radians, any shape; the law has period pi and grows by 1 each. depth: a
    whole number of layers, None: the deep limit. T = z sqrt(1 + V)/A is normal given A and V; an
    average over their grids, error 3e-4. Width 4096 at most. Ours.
    """
    turn = numbers("turn", turn)
    if require(layer).width > WIDEST_GRID:
        raise ValueError(f"layer: {layer} is wider than {WIDEST_GRID}, where this ends")
    whole = np.round(turn / np.pi)
    rest, place = np.unique(turn - np.pi * whole, return_inverse=True)
    size, weight = noises(layer, None if depth is None else count("depth", depth))
    inside = np.array([weight @ special.ndtr(np.tan(one) / size) for one in rest], dtype=float)
    return whole + inside[place].reshape(turn.shape)


@remembered
def tangents(layer, input_dim, depth):
    """Values of T^2 and weights, (nodes,) each, after `depth` layers; None: the deep limit."""
    require(layer)
    freedom = count("input_dim", input_dim, 2) - 1
    depth = None if depth is None else count("depth", depth)
    if depth is None and rapidity_gain(layer) <= 0:
        return np.full(1, np.inf), np.ones(1)
    if layer.width > WIDEST_GRID:
        return _matched(layer, input_dim, depth or int(np.ceil(20 / rapidity_gain(layer))))
    log_first, weight = _log_factor(layer, freedom)
    if depth == 1:
        return np.exp(log_first), weight
    log_inner, inner = _inner(layer, depth)
    log_tangent = np.add.outer(np.logaddexp(0, log_inner), log_first)
    return np.exp(log_tangent).ravel(), np.outer(inner, weight).ravel()


def _matched(layer, input_dim, depth):
    """The widest layers: levels of a beta prime law of exact mean and variance; error 1/width."""
    if excess(layer) < 10:
        raise ValueError(f"layer: {layer} is too wide for one that barely selects (k (M - 1) < 10)")
    mean, variance = direction_tangent(layer, input_dim, depth)
    first = (input_dim - 1) / 2
    spare = max(first * variance / mean**2 - 1, 1e-6)  # 0: chi-squared, over nothing
    second = (first + 1 + 2 * spare) / spare
    odds = special.betaincinv(first, second, (np.arange(NODES) + 0.5) / NODES)
    return mean * (second - 1) / first * odds / (1 - odds), np.full(NODES, 1 / NODES)


@remembered
def noises(layer, depth):
    """The noise S_L in w_L = Lambda_L (w_0 + S_L) is normal of scale sqrt(1 + V)/A_1, V of _inner:
    S_L^2 has the law of T^2 for d = 2. Its scales, 100 at most, and their weights.

    depth: L, or None: the deep limit, of a gain above 0. Width up to WIDEST_GRID.
    """
    log_norm, weight = log_norms(layer)
    if depth == 1:
        return np.exp(-log_norm), weight
    deep = depth is None or depth * rapidity_gain(layer) > DEEP
    log_inner, inner = _inner(layer, None if deep else depth)
    size = np.subtract.outer(np.logaddexp(0, log_inner) / 2, log_norm)
    weight = np.outer(inner, weight)
    size, weight = size[weight > 1e-9], weight[weight > 1e-9]
    grid = np.linspace(size.min(), size.max(), 100)
    law = on_grid((size - grid[0]) / (grid[1] - grid[0]), weight, 100)
    return np.exp(grid), law / law.sum()


def log_norms(layer):
    """Nodes ln A (nats) and their weights, none beyond where the quantile function was computed."""
    z, weight = normal_trapezoid(41)
    if not layer.selects:
        return _log_chi_square(layer.width, z) / 2, weight
    quantile = log_norm_quantile(layer)
    return quantile(np.clip(z, quantile.x[0], quantile.x[-1])), weight


def _log_chi_square(freedom, z):
    return np.log(2 * special.gammaincinv(freedom / 2, np.minimum(special.ndtr(z), 1 - 1e-16)))


def _log_factor(layer, freedom):
    """Nodes ln X and weights of X = chi^2_freedom / A^2."""
    z, weight = normal_trapezoid(41)
    log_square = _log_chi_square(freedom, z)
    log_norm, norm_weight = log_norms(layer)
    factor = np.subtract.outer(log_square, 2 * log_norm)
    return factor.ravel(), np.outer(weight, norm_weight).ravel()


@lru_cache(maxsize=16)
def _inner(layer, depth):
    """Grid of ln V and weights, V = X_2 (1 + X_3 (1 + ... X_L)), depth >= 2; None: deep limit."""
    density = _factor_density(layer)
    grid = _grid(layer, depth, density)
    step = grid[1] - grid[0]
    law = _evaluate(density, grid)
    kernel = _evaluate(density, np.subtract.outer(grid, np.logaddexp(0, grid))) * step
    if depth is None:  # (1 - kernel) law = 0, sum(law) step = 1
        law = np.linalg.solve(np.eye(len(grid)) - kernel + law[:, None] * step, law)
    else:
        for _ in range(depth - 2):
            law = kernel @ law
    weight = np.maximum(law, 0)
    return grid, weight / weight.sum()


def _factor_density(layer):
    """ln of the density of ln X, X = chi^2_{k-1}/A^2, as a CubicSpline."""
    half = (layer.width - 1) / 2
    log_norm, weight = log_norms(layer)
    variance = weight @ (log_norm - weight @ log_norm) ** 2
    spread = 18 * np.sqrt(log_chi_variance(layer.width - 1) + variance)
    middle = -2 * rapidity_gain(layer)
    y = np.linspace(middle - 2.5 * spread, middle + spread, 1500)
    log_square = np.add.outer(y, 2 * log_norm)
    log_one = half * log_square - np.exp(log_square) / 2 - half * np.log(2) - special.gammaln(half)
    return CubicSpline(y, special.logsumexp(log_one, b=weight, axis=1))


def _evaluate(density, y):
    within = np.clip(y, *density.x[[0, -1]])
    return np.where(y == within, np.exp(density(within)), 0.0)


def _grid(layer, depth, density):
    """An even grid for ln V: as fine as ln X, as long as its tail (Kesten 1973) or its walk."""
    y = np.linspace(density.x[0], density.x[-1], 4001)
    mass = np.exp(density(y)) * (y[1] - y[0])
    spread = np.sqrt(mass @ y**2 - (mass @ y) ** 2)
    low, top = y[mass > 1e-12 * mass.max()][[0, -1]]
    gain, mean = rapidity_gain(layer), mass @ np.exp(y)
    walk = np.inf
    if depth:
        walk = np.log(depth) + max(0, -2 * gain * depth) + 8 * spread * np.sqrt(depth)
    scale = -np.log1p(-mean) if mean < 1 else 0.0  # of a geometric series
    tail = scale + 28 / _tail_exponent(y, mass) if gain > 0 else np.inf
    high = max(top, 0) + min(walk, tail)
    points = int((high - low) / min(0.4, 0.8 * spread)) + 2
    if points > NODES:
        where = f"at depth {depth or 'infinity'}"
        raise ValueError(f"layer: {layer} gains too little a layer for the law {where}")
    return np.linspace(low, high, points)


def _tail_exponent(y, mass):
    """alpha > 0 with E X^alpha = 1, at most 50."""
    low, high = 0.0, 50.0
    for _ in range(40):
        middle = (low + high) / 2
        below = np.exp(np.minimum(middle * y, 700)) @ mass < 1
        low, high = (middle, high) if below else (low, middle)
    return low
