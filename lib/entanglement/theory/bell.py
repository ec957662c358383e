"""Spins of pairs and a Bell test."""

import numpy as np
from scipy import special
from scipy.interpolate import CubicSpline
from scipy.linalg import eigh_tridiagonal

from entanglement.arguments import angles, count, number, numbers
from entanglement.quadrature import legendre

from .direction import turn_cdf


def spin_correlation(theta):
    """E s(a) s(b) of the sides of two unseen inputs at angle theta: 1 - 2 theta/pi in [0, pi].

    A triangle wave beyond. theta: any real numbers, any shape, radians. Exact at every width and
    depth, with or without selection, if the direction r that decides the sides is isotropic in the
    plane of the inputs: a random plane, or one orthogonal to the training input. Source: the
    arcsine law of Sheppard 1899 (Grothendieck's identity).
    """
    return 1 - 2 * np.abs(np.remainder(numbers("theta", theta) + np.pi, 2 * np.pi) - np.pi) / np.pi


def chsh(correlation, a, a_prime, b, b_prime):
    """S = E(a, b) - E(a, b') + E(a', b) + E(a', b'), E = `correlation` of the angle between two.

    a, a_prime, b, b_prime: settings in radians, shapes that broadcast. Source: Clauser et al. 1969.
    """
    settings = {"a": a, "a_prime": a_prime, "b": b, "b_prime": b_prime}
    a, a_prime, b, b_prime = (numbers(name, one) for name, one in settings.items())
    return (
        correlation(b - a)
        - correlation(b_prime - a)
        + correlation(b - a_prime)
        + correlation(b_prime - a_prime)
    )


def direction_cdf(turn, excess):
    """P(r in the plane, as a line, has turned by less than `turn` from the training input), deep.

    Counted from -pi/2. turn: any real numbers, radians, any shape; the law has period pi and grows
    by 1 each. excess: c = E A^2 - k = k (M - 1), above -1. The density is proportional to |cos
    turn|^c. Source: the tangent S of the turn obeys S = (z + B S')/A, solved by N(0, 1)/chi_{1+c}
    exactly, at every width, if A ~ chi_{k+c} (beta-gamma algebra); and so for wide layers at any c
    (Dufresne 1990). Ours.
    """
    turn = numbers("turn", turn)
    excess = number("excess", excess, -1, open=True)
    whole = np.round(turn / np.pi)
    rest = turn - np.pi * whole
    beside = special.betainc(0.5, (1 + excess) / 2, np.sin(rest) ** 2)
    return whole + 0.5 + np.sign(rest) * beside / 2


def training_correlation(theta, excess):
    """E s(x) s(x') of the training input and another at angle theta, deep limit.

    sign(cos theta) I_{cos^2 theta}(1/2, (1+c)/2). theta: any real numbers, radians, any shape.
    excess: c = k (M - 1), above -1. c = 0: 1 - 2 theta/pi; c = 1: cos theta; large c: 2 Phi(sqrt(c)
    cot theta) - 1, of correlated_probability. I is the regularised incomplete beta function. Ours.
    """
    cosine, excess = np.cos(numbers("theta", theta)), number("excess", excess, -1, open=True)
    return np.sign(cosine) * special.betainc(0.5, (1 + excess) / 2, cosine**2)


def leaning_correlation(layer, first, second, depth=None):
    """E s(x1) s(x2) of two inputs in a plane that contains the training input; one network.

    first, second: signed angles from the training input, any real numbers, radians, shapes that
    broadcast; depth: a whole number, None: the deep limit. The sides differ if the line along r
    lies between the lines orthogonal to the two inputs; turn_cdf counts what lies there (error
    4e-4, every width). For wide and deep layers and first = 0: training_correlation. Ours.
    """
    first, second = numbers("first", first), numbers("second", second)
    ends = (turn_cdf(layer, angle + np.pi / 2, depth) for angle in (second, first))
    return spin_correlation(np.pi * (next(ends) - next(ends)))


def setting_distance(turn, excess):
    """Total variation distance in [0, 1] between the laws of r, as a line, of networks inferred
    from two inputs `turn` apart.

    turn: any real numbers, radians, any shape; excess: c = k (M - 1) >= 0. For turn in [0, pi] and
    E of training_correlation it is E(turn/2) + E((pi - turn)/2) - 1. |S| <= 2 (1 + distance)
    whatever the settings of the other party. Source of the bound: one-sided measurement
    dependence, Banik et al. 2012 and Friedman et al. 2019 after Hall 2010. The distance: ours.
    """
    number("excess", excess, 0)
    half = np.remainder(numbers("turn", turn), np.pi) / 2
    return training_correlation(half, excess) + training_correlation(np.pi / 2 - half, excess) - 1


def layer_cosine(width, theta):
    """E cos theta_1 after one layer of rule `none`, exact at every width from 1 to 150.

    theta: in [0, pi], radians, any shape. At width 1 it is 1 - 2 theta/pi, for wide layers cos
    theta (1 - sin^2(theta)/(2 width)), right to 1e-5 beyond. The mean of the correlation that
    Fisher (1915) finds in a sample of `width` normal pairs whose mean is known to be 0.
    """
    k, rho = count("width", width, 1, 150), np.cos(angles(theta, closed=True))
    log_scale = np.log(2 / k) + 2 * (special.gammaln((k + 1) / 2) - special.gammaln(k / 2))
    return np.exp(log_scale) * rho * special.hyp2f1(0.5, 0.5, k / 2 + 1, rho**2)


def mean_cosine(theta, time):
    """E cos theta_L of a pair from theta, rule `none`, wide, at time 2 L rapidity_gain, about L/k.

    theta: (P,) in [0, pi], radians; time: (T,) of 0 and more. Returns (T, P): from cos theta to 1 -
    2 theta/pi. The angle is a martingale, d theta = sin(theta) dW, so the mean obeys df/dt =
    sin^2(theta)/2 d^2f/d theta^2; on a grid of 400, error below 1e-4. Ours.
    """
    theta, time = np.atleast_1d(angles(theta, closed=True)), np.atleast_1d(numbers("time", time, 0))
    grid = np.linspace(0, np.pi, 401)
    rate = (np.sin(grid[1:-1]) / (grid[1] - grid[0])) ** 2 / 2
    value, vector = eigh_tridiagonal(-2 * rate, np.sqrt(rate[1:] * rate[:-1]))
    # the straight line stays, what is beyond it decays
    start = (np.cos(grid) - spin_correlation(grid))[1:-1] / np.sqrt(rate)
    decayed = np.exp(np.multiply.outer(time, value)) * (vector.T @ start)
    inside = decayed @ vector.T * np.sqrt(rate)
    curve = CubicSpline(grid, np.pad(inside, ((0, 0), (1, 1))), axis=1)
    return curve(theta) + spin_correlation(theta)


def mean_unseen_cosine(theta, scale, time):
    """E cos of the features of two unseen inputs, orthogonal to the training input; wide, L << k.

    theta: of the inputs, a number in [0, pi], radians. scale: (S,) standard deviations of their
    proper velocities, velocity_scale at input_dim = inf; time: (S,), see mean_cosine. The
    velocities are normal with correlation cos theta; the rest of the features walks like any pair
    without selection. From cos theta to 1 - 2 theta/pi. Error 1e-4. Ours.
    """
    theta = number("theta", theta, 0, np.pi)
    scale = np.atleast_1d(numbers("scale", scale, 0))
    turn = np.pi * (np.arange(720) + 0.5) / 720
    node, weight = legendre(60)
    size = np.exp(7.5 * node - 5)  # of a Rayleigh variable
    weight = weight * size**2 * np.exp(-(size**2) / 2)
    first, second = np.cos(turn), np.cos(turn - theta)

    def mean(s, rest):
        v = (s * size[:, None]) ** 2
        cosine = (v * first * second + rest) / np.sqrt((1 + v * first**2) * (1 + v * second**2))
        return weight @ cosine.mean(axis=1) / weight.sum()

    rests = mean_cosine(theta, time)
    return np.array([mean(s, rest) for s, rest in zip(scale, rests, strict=True)])
