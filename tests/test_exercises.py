"""The numbers typed in the answers to exercises are what the library computes."""

from functools import cache

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from companion import tree
from entanglement import Layer, data, defences, margins, spacetime, theory, whole
from entanglement.reconciliation import guessed_key, public_rows


def rng(*label):
    return np.random.default_rng([85, *label])


def depth_of_median(layer):
    """Layers after which the median input is within 1 % of an end."""
    start = theory.velocity_scale(layer, np.arange(60), layer.width) * ndtri(0.75)
    return np.argmax(start > 1 / np.tan(0.01 * np.pi))


def networks_to_tell(first, second):
    """One-bit hashes for which two angles' shares lie two standard errors apart."""
    shares = 1 - np.radians([first, second]) / np.pi
    return (2 * 0.47 / (shares[0] - shares[1])) ** 2


def as_far_as(layer, depth, other):
    """Layers after which the other layer's typical input is as far as this one's."""
    wanted = theory.velocity_scale(layer, depth, layer.width)
    return np.argmax(theory.velocity_scale(other, np.arange(1000), layer.width) > wanted)


def bob_at(degrees):
    """Share of wrong pixels at n/k = 1.31, one layer, of a copy of the key at an angle."""
    start = 1 / np.tan(np.radians(degrees))
    return float(theory.folded_error(Layer(144, 188), 1, start=start)[0])


def certified_at_two(depth):
    """Share of the notebook's digits certified at 2 grey levels by decoders of width 64."""
    (X, y), parts = data.digits(), []
    order = np.random.default_rng([1, 1]).permutation(len(y))
    (X, A), (y, truth) = ((part[order[250:]], part[order[:250]]) for part in (X, y))
    mean = X.mean(axis=0)
    enrolled = np.array([X[y == c].mean(axis=0) for c in range(10)]) - mean
    for i in range(100):
        p, G = defences.drawn_parts(Layer(64, 307), enrolled, depth, rng(10, i))
        linear = defences.Decoder(p, G, mean).linear
        parts.append(linear.certified(A, truth, 2, (0.0, 16.0)).mean())
    return np.mean(parts)


def passes_line(c):
    """L at which a typical feature of E1 is c L long."""
    L = np.linspace(1, 30, 3000)
    return L[np.argmax(1.2 * np.exp(0.83 * L) > c * L)]


def stray():
    """Scale of the noise, gain, stray of the pair at 90 degrees and share that changes sides."""
    layer = Layer(200, 250)
    gain, scale = theory.rapidity_gain(layer), theory.noise_scale(layer, 24)
    size = 1 / np.sqrt(200 * (theory.second_moment(layer) - 1))
    return (
        size,
        gain,
        size * np.expm1(24 * gain) / gain,
        1 - ndtr(1 / np.tan(np.radians(84)) / scale),
    )


def hump(c):
    """The layer at which the geometric mean of the folded angle in E10's diagram is largest."""
    inputs = rng(4).standard_normal((4000, 2, 2))
    points = spacetime.diagram(spacetime.raw_features(Layer(2, 10), inputs, 30, rng(5)), c)[:, 1:]
    across = np.abs(np.sum(points[:, :, 0] * points[:, :, 1], axis=2))
    return 1 + np.argmax(np.mean(np.log(np.arccos(np.minimum(across, 1 - 1e-15))), axis=0))


@cache
def nearest_axis():
    square = np.sort(margins(Layer(3, 5), rng(1), 100_000) ** 2, axis=1)
    return np.mean(square[:, -1] / square.sum(axis=1))


def turn_of_r(depth):
    """Median angle, in degrees, of r after `depth` and one more layer, k = d = 16, n = 64."""
    x = rng(2).standard_normal((1000, 16))
    first, second = (whole.directions(Layer(16, 64), x, L, rng(3)) for L in (depth, depth + 1))
    return np.degrees(np.median(np.arccos(np.abs(np.sum(first * second, axis=1)))))


def gains(pool):
    return theory.rapidity_gain(Layer(2500, pool))


@cache
def by_order(pool, k=144, networks=300):
    """Of a thief who knows the rows' order by |margin|, and of one who does not, one layer: mean
    cosines with the key and folded pixel errors.
    """
    layer, found = Layer(k, pool), []
    expected = -np.sort(-(margins(layer, rng(6), 2000) ** 2), axis=1).mean(axis=0)
    weight = np.maximum(1 - 1 / expected, -3)
    for i in range(networks):
        key = rng(7, i).standard_normal(k)
        (W,) = public_rows(layer, key, 1, rng(8, i))
        W = W[np.argsort(-np.abs(W @ key))]
        guesses = np.linalg.eigh(W.T * weight @ W)[1][:, -1], guessed_key(rng(9, i), [W], 15)
        wrong = [np.mean((W @ guess > 0) != (W @ key > 0)) for guess in guesses]
        cosines = [abs(guess @ key) / np.linalg.norm(key) for guess in guesses]
        found.append([*cosines, *np.minimum(wrong, np.subtract(1, wrong))])
    return np.mean(found, axis=0)


def layers_without_selection():
    """Layers of width 2500 that leave as little of the mask as E13's 100, to the thousand."""

    def left(layer, depth):
        return theory.mean_log_mask_error(theory.velocity_scale(layer, depth, 2500), 100, 2500)

    wanted = left(Layer(2500, 3500), 100)
    return 1000 * round(brentq(lambda L: left(Layer(2500), round(L)) - wanted, 1e4, 1e5) / 1000)


ANSWERS = [  # notebook, the answer's words, the number in them
    (
        "00",
        "A typical $\\lvert w\\rvert$ starts near $0.67/\\sqrt k \\approx {:.3f}$",
        lambda: ndtri(0.75) / 16,
    ),
    ("00", "above $\\cot(0.01\\pi) \\approx {:.0f}$", lambda: 1 / np.tan(0.01 * np.pi)),
    ("00", "That is a factor {:.0f}", lambda: 16 / ndtri(0.75) / np.tan(0.01 * np.pi)),
    ("00", "or {:.1f} nats", lambda: np.log(16 / ndtri(0.75) / np.tan(0.01 * np.pi))),
    ("00", "passes the mark at layer {}", lambda: depth_of_median(Layer(256, 16384))),
    (
        "01",
        "$q = 0.674$, $M = 1 + 4\\cdot0.674\\cdot0.318 = {:.2f}$",
        lambda: theory.second_moment(Layer(256, 512)),
    ),
    ("01", "a gain of ${:.2f}$", lambda: theory.rapidity_gain(Layer(256, 512))),
    ("01", "= {}$ layers", lambda: depth_of_median(Layer(256, 512))),
    ("01", "gives {:.2f}, a gain", lambda: theory.second_moment(Layer(256, 320, "signed"))),
    ("01", "a gain of $-{:.2f}$ nats", lambda: -theory.rapidity_gain(Layer(256, 320, "signed"))),
    (
        "02",
        "$N = (2\\cdot0.47/0.028)^2 \\approx {:.0f}$",
        lambda: round(networks_to_tell(60, 65), -2),
    ),
    ("03", "gives $L \\approx {:.1f}$", lambda: passes_line(10)),
    ("03", "the hump of the geometric mean stands at layer {}", lambda: hump(10)),
    ("03", "in place of {:.0f}.", lambda: passes_line(1000)),
    ("03", "$M = {:.3f}$", lambda: theory.second_moment(Layer(200, 250))),
    ("03", "so $S \\approx {:.2f}$", lambda: stray()[0]),
    ("03", "$g = {:.3f}$", lambda: stray()[1]),
    ("03", "deviation of about {:.0f}", lambda: stray()[2]),
    ("03", "some {:.0f} % of them", lambda: 100 * stray()[3]),
    (
        "03",
        "$s = -\\mathrm{{arsinh}}\\cot 50° = {:.3f}$",
        lambda: -np.arcsinh(1 / np.tan(np.radians(50))),
    ),
    ("04", "E\\,u_{{(1)}}^2 = {:.2f}$", lambda: nearest_axis()),
    (
        "04",
        "an angle of about {:.0f} degrees",
        lambda: np.degrees(np.arccos(np.sqrt(nearest_axis()))),
    ),
    ("04", "the median angle of the two is {:.2f} degrees", lambda: turn_of_r(6)),
    ("04", "{:.3f} for $L = 10$", lambda: turn_of_r(10)),
    ("04", "and {:.4f} for $L = 14$", lambda: turn_of_r(14)),
    ("05", "is {:.3f} nats a layer", lambda: theory.rapidity_gain(Layer(2500, 3500))),
    ("05", "`Layer(2500, 2700)` {:.4f}", lambda: theory.rapidity_gain(Layer(2500, 2700))),
    ("05", "\\approx {:.0f}$ layers", lambda: round(100 * gains(3500) / gains(2700), -1)),
    ("05", "{:.0f} count the noise", lambda: as_far_as(Layer(2500, 3500), 100, Layer(2500, 2700))),
    ("05", "Bob at 45 degrees has {:.0f} % wrong", lambda: 100 * bob_at(45)),
    ("05", "the mean cosine {:.2f} with the key", lambda: by_order(144)[0]),
    ("05", "against {:.2f} for power iteration", lambda: by_order(144)[1]),
    ("05", "this thief has {:.0f} % wrong", lambda: 100 * by_order(189)[2]),
    ("05", "not {:.0f} %.", lambda: 100 * by_order(189)[3]),
    ("06", "About {:,}.", layers_without_selection),
    ("06", "a layer adds {:.4f} nats", lambda: theory.rapidity_gain(Layer(2500))),
    ("06", "adds {:.3f}.", lambda: theory.rapidity_gain(Layer(2500, 3500))),
    ("06", "that is {:.1f} % of", lambda: 100 * ndtri(0.75) * np.sqrt(np.pi / 2 / 2500)),
    ("07", "{:.1f} degrees in 64 dimensions", lambda: np.degrees(np.arccos(64**-0.5))),
    (
        "07",
        "with $q = {:.3f}$",
        lambda: theory.direction_cosine(Layer(64, 512), 64, 4, power=1) ** 2,
    ),
    (
        "07",
        "at most {:.0f} %",
        lambda: 100 * theory.mean_transfer_probability(Layer(64, 512), 64, 4, 1e9),
    ),
    ("10", "$\\rho = 0.99^2/(1 - 0.99^2) = {:.1f}$", lambda: 0.99**2 / (1 - 0.99**2)),
    ("10", "$M = {:.2f}$ at", lambda: theory.second_moment(Layer(5000, 24000))),
    (
        "10",
        "\\approx {:.0f}$. The missing part",
        lambda: round(63 * 0.99**2 / (1 - 0.99**2) / 2.18, -1),
    ),
    ("10", "A little: {:.0f} and", lambda: 100 * certified_at_two(1)),
    ("10", "and {:.0f} % at 2 grey levels", lambda: 100 * certified_at_two(8)),
    ("10", "is {:.3f} at $L = 1$", lambda: theory.direction_cosine(Layer(64, 307), 64, 1)),
    ("10", "and {:.3f} at 8", lambda: theory.direction_cosine(Layer(64, 307), 64, 8)),
]


@pytest.mark.parametrize(("number", "words", "compute"), ANSWERS)
def test_a_typed_answer_is_what_the_library_computes(number, words, compute):
    cells = tree.read(tree.find(number))["cells"]
    said = " ".join(" ".join("".join(cell["source"]) for cell in cells).split())
    assert words.format(compute()) in said, words.format(compute())
