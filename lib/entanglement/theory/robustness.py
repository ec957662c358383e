"""The direction r that decides the side: certificates, attacks, transfer, flipped labels."""

import numpy as np
from scipy import special
from scipy.optimize import brentq

from entanglement.arguments import angles, count, number, numbers
from entanglement.layer import Layer, require

from .chain import mean_after
from .direction import direction_cosine, direction_tangent, tangent_levels
from .margins import mean_log_chi, rapidity_gain, second_moment

FARTHEST = 12.0  # standard deviations: no input is beyond
SPREAD = 0.1  # of (1 + T^2): its variance over its mean squared, up to which one mean stands for it


def mean_square_tangent(layer, input_dim, depth):
    """E |t|^2, where the gradient of ln|R x'| with respect to x' is (e + t)/|x'_rest|: e the unit
    rest of x' beside x, t across it.

    R x' is what the network makes of the rest beside the training feature. A layer, backwards: T ->
    (k-2)/(k-3) (1 + T), the first one with d-2 for k-2; about L for d = k, so that a log-velocity
    becomes sqrt(L) times as steep. depth: any shape; k > 3. Ours.
    """
    width, depth = require(layer, 4).width, numbers("depth", depth, 0)
    q = (width - 2) / (width - 3)
    return (count("input_dim", input_dim, 2) - 2) / (width - 3) * (q**depth - 1) / (q - 1)


def certified_share(layer, theta, input_dim, depth):
    """Root mean square of the L2 certificate over the input's length, at angle theta to the sample.

    cos^2 theta c^2 + sin^2 theta (1 - c^2)/(d - 1) is its square, c^2 = direction_cosine^2, exact:
    what r has beside the sample is at a random angle to what the input has. theta: radians, 0 to
    pi, any shape; input_dim: d >= 2. Ours.
    """
    theta = angles(theta, closed=True)
    square = direction_cosine(layer, input_dim, depth) ** 2
    beside = (1 - square) / (input_dim - 1)
    return np.sqrt(np.cos(theta) ** 2 * square + np.sin(theta) ** 2 * beside)


def random_step_success(step, input_dim):
    """Chance that a random step, `step` certificates long, flips a side: P(cos > 1/step)."""
    share = np.minimum(1, 1 / np.square(numbers("step", step, 0, open=True)))
    return special.betaincc(0.5, (count("input_dim", input_dim, 2) - 1) / 2, share) / 2


def climb_time(distance, slope):
    """Time in which gradient descent on cos(theta) moves an input by `distance`, to its border.

    w = slope y at distance y from the border, so y falls at the rate slope (1 + w^2)^(-3/2): about
    slope^2 distance^4 / 4 far out. For small steps only: n equal steps take up to 1 + 3/n times as
    long (climb_success counts them). Steps times learning rate, in squared units of the input;
    arrays broadcast. Source: int (1 + w^2)^(3/2) dw / slope^2; ours.
    """
    distance, slope = numbers("distance", distance, 0), numbers("slope", slope, 0, open=True)
    w = slope * distance
    return (w * (2 * w**2 + 5) * np.sqrt(1 + w**2) + 3 * np.arcsinh(w)) / (8 * np.square(slope))


def climb_success(layer, input_dim, depth, time, steps=None):
    """Share of unseen Gaussian inputs that plain gradient descent on cos(theta_L) takes across the
    border within `time`, in so many equal `steps`; wide layers.

    The slope of w_L is e^(gain L) / (cos(r, x) sqrt(d-1)), distances are half-normal; the farthest
    that arrives has the climb_time `time`. steps None: the limit of small ones; otherwise distances
    move by a step of time/steps at their slope, as often. Ours.
    """
    time, tangent = number("time", time, 0), direction_tangent(layer, input_dim, depth)[0]
    slope = np.exp(rapidity_gain(layer) * depth) * np.sqrt((1 + tangent) / (input_dim - 1))
    steps = None if steps is None else count("steps", steps)

    def left(distance):
        """What is left of the way, or of the time, from this distance; it grows with it."""
        if steps is None:
            return climb_time(distance, slope) - time
        for _ in range(steps):
            distance -= time / steps * slope * (1 + (slope * distance) ** 2) ** -1.5
        return distance

    farthest = brentq(left, 0, FARTHEST, xtol=1e-15) if left(FARTHEST) > 0 else FARTHEST
    return float(special.erf(farthest / np.sqrt(2)))


def leading_cosine(layer, input_dim):
    """Cosine of a wide first layer's leading right singular vector with the training input.

    0 where (M-1)^2 <= d/k. A spike of size M - 1 on noise: Benaych-Georges and Nadakuditi 2012.
    """
    gain, ratio = second_moment(layer) - 1, count("input_dim", input_dim) / layer.width
    return float(np.sqrt(max(0.0, gain**2 - ratio) / (gain * (gain + ratio)))) if gain > 0 else 0.0


def shared_cosine(layer, input_dim, depth, shared):
    """Mean of cos(r, r') of two networks inferred from one sample that share their first s layers.

    shared: s, a whole number from 0 to depth. (1 + tau_s) / (1 + tau_L), tau_l the mean of T^2 of
    direction_tangent; wide and deep (rho + 1 - M^-s) / (rho + 1), rho / (1 + rho) at s = 0. Too
    low by up to 0.7 Var T^2 / (1 + tau_L)^2 of itself, refused where that passes 7 %. Ours.
    """
    shared = count("shared", shared, 0, count("depth", depth))
    whole, variance = direction_tangent(layer, input_dim, depth)
    if not variance < SPREAD * (1 + whole) ** 2:
        raise ValueError(f"layer: {layer} selects too little for cos(r, r') to have one size")
    prefix = direction_tangent(layer, input_dim, shared)[0] if shared else 0.0
    return (1 + prefix) / (1 + whole)


def prefix_log_sine(width, input_dim, shared):
    """Mean ln sin of the angle of r and r', two deep ordinary networks that share s layers; exact.

    Backwards through s shared layers two random directions are a pair: every one adds minus
    rapidity_gain. Ours.
    """
    input_dim = count("input_dim", input_dim, 2)
    outer = mean_log_chi(input_dim - 1) - mean_log_chi(input_dim)
    return outer - rapidity_gain(Layer(width)) * numbers("shared", shared, 0)


def transfer_probability(step, cosine):
    """Chance that an attack on network 1 changes the side of an unseen Gaussian input in network 2,
    whose cos(r, r') is `cosine`.

    step: length of the attack along r, in certificates of network 1; arrays broadcast. <r, x'> and
    <r', x'> are normal with correlation q, the attack adds -step <r, x'> q to the second: (arcsin q
    + arctan((step - 1) q / sqrt(1 - q^2))) / pi. Ours.
    """
    q, step = numbers("cosine", cosine, -1, 1), numbers("step", step, 0)
    return (np.arcsin(q) + np.arctan2((step - 1) * q, np.sqrt(1 - q**2))) / np.pi


def mean_transfer_probability(layer, input_dim, depth, step):
    """The same for two independent networks of one sample, averaged over their cos(r, r').

    (1 + sqrt(T T') cos phi) / sqrt((1 + T)(1 + T')), T = tan^2 as tangents has it, phi the angle of
    what r and r' have beside the sample, random in d - 1 dimensions; 16 equally likely values of
    each, error 1e-3. step: as above, any shape; d >= 3. Ours.
    """
    step, half = numbers("step", step, 0), (count("input_dim", input_dim, 3) - 2) / 2
    T = tangent_levels(layer, input_dim, count("depth", depth), 16)
    beside = 2 * special.betaincinv(half, half, (np.arange(16) + 0.5) / 16) - 1
    cosine = 1 + np.sqrt(np.multiply.outer(np.outer(T, T), beside**2)) * np.sign(beside)
    cosine /= np.sqrt(np.outer(1 + T, 1 + T))[..., None]
    return np.mean(transfer_probability(step[..., None], cosine.ravel()), axis=-1)


def training_transfer_probability(layer, input_dim, depth, step):
    """The same for the training input x: a step function at 1/cos^2(r, x), blurred; step a scalar.

    What r and r' have beside x meets at a random angle in d - 1 dimensions, the sizes of it vary as
    direction_cosine has them: a hundred equally likely ones, error 5e-4. Ours.
    """
    step = number("step", step, 0, open=True)
    tangent = tangent_levels(layer, input_dim, count("depth", depth), 100)
    needed = ((1 + tangent) / step - 1) / np.sqrt(np.outer(tangent, tangent))
    share = special.betaincc(0.5, input_dim / 2 - 1, np.minimum(needed**2, 1)) / 2
    return float(np.mean(np.where(needed > 0, share, 1 - share)))


def score_moments(layer, start, depth):
    """E s and E s^2 over networks and velocities `start` (P,) at the input, s = theta_L / pi.

    depth: L, a whole number. Every width and pool, n = k too; error 1e-4, 1e-3 below width 32.
    Source: the pair law as a matrix on functions of w (chain.mean_after); ours.
    """
    start = np.atleast_1d(numbers("start", start))

    def powers(w):
        score = np.arctan2(1, w) / np.pi
        return np.stack([score, score**2])

    even = np.full(start.shape, 1 / start.size)
    return tuple(map(float, mean_after(layer, powers, count("depth", depth), start, even)))


def decidability(mean, mean_square):
    """d' of scores s against 1 - s: |1 - 2 E s| / sd(s), from E s and E s^2 (Daugman 2000)."""
    mean, mean_square = number("mean", mean, 0, 1), number("mean_square", mean_square, 0, 1)
    return float(np.abs(1 - 2 * mean) / np.sqrt(mean_square - mean**2))
