"""Public closed forms against whole matrices at the edges of what each claims.

Pools are drawn whole and rows kept by sorting, in plain NumPy; of the library only closed forms are
called. What is exact has to lie within 4.5 standard errors, few enough of them to notice 5 %.
"""

from typing import NamedTuple

import numpy as np
import pytest
from rules_table import LAYERS, matrices, told
from scipy.special import ndtr
from scipy.stats import beta

from entanglement import Layer, theory

THETA, START, END, STEP = 1.2, 0.3, 0.5, 2.0  # an angle, two proper velocities, an attack's length


class Networks(NamedTuple):
    """What independent networks do, one a row."""

    A: np.ndarray  # (trials, depth), norm of the margins
    B: np.ndarray  # (trials, depth), norm of the image of the unit rest, less
    z: np.ndarray  # (trials, depth), its part along the training feature
    margins: np.ndarray  # (trials, width), of the last layer
    fresh: np.ndarray  # (trials, width), image of the unit rest there
    w: np.ndarray  # (trials,), proper velocity of an independent Gaussian input at the end
    r: np.ndarray  # (trials, d), unit; the training input is the first axis


def networks(layer, d, depth, trials, seed=1):
    """Independent networks of whole matrices, and an unseen Gaussian input through each: w times
    the training feature plus a unit rest, which a matrix takes to (A w + z) and B times the next.
    """
    rng, weights, layers = np.random.default_rng(seed), [], []
    unit = np.eye(d)[np.zeros(trials, int)]
    along, rest, size = split(unit, rng.standard_normal((trials, d)))
    w, rest = along / size, rest / size[:, None]
    for _ in range(depth):
        weights.append(matrices(rng, layer, unit))
        a, fresh = (apply(weights[-1], v) for v in (unit, rest))
        A = np.linalg.norm(a, axis=1)
        unit = a / A[:, None]
        z, rest, B = split(unit, fresh)
        w, rest = (A * w + z) / B, rest / B[:, None]
        layers.append((A, B, z))
    r = unit
    for W in reversed(weights):
        r = apply(W.swapaxes(1, 2), r)
        r /= np.linalg.norm(r, axis=1, keepdims=True)
    A, B, z = np.array(layers).transpose(1, 2, 0)
    return Networks(A, B, z, a, fresh, w, r)


def apply(W, v):
    return np.matmul(W, v[:, :, None])[..., 0]


def split(unit, v):
    """The component of v along unit, what is left of it, and its norm."""
    along = np.sum(unit * v, axis=1)
    rest = v - along[:, None] * unit
    return along, rest, np.linalg.norm(rest, axis=1)


def claims(layer, d, depth, nets):
    """Name -> (sample, what is claimed of its mean), and where 5 % are not to be taken of the value
    itself that of which they are: 1/2 for logarithms, 5 % of a square being that, and for shares.
    """
    k, cosine = layer.width, nets.r[:, 0]
    gain, log_norm = theory.rapidity_gain(layer), np.log(nets.A)
    flipped = nets.margins * (np.cos(THETA) * nets.margins + np.sin(THETA) * nets.fresh) < 0
    w = path(nets, START)
    wrong = (nets.margins * (w[-2][:, None] * nets.margins + nets.fresh) < 0).mean(axis=1)
    found = {
        "E a^2": ((nets.A**2).mean(axis=1) / k, theory.finite_second_moment(layer)),
        "E ln A": (log_norm.mean(axis=1), theory.mean_log_norm(layer), 0.5),
        "gain": ((log_norm - np.log(nets.B)).mean(axis=1), gain, 0.5),
        "flips": (flipped.mean(axis=1), theory.bit_flip_probability(layer, THETA)),
        "few": (flipped.sum(axis=1) <= k // 2, theory.bit_errors_cdf(layer, THETA, k // 2)),
        "one layer": (w[1] <= END, theory.layer_cdf(layer, [START], [END])[0, 0]),
        "folded": (np.minimum(wrong, 1 - wrong), theory.folded_error(layer, depth, START)[0], 0.5),
        "E cos": (cosine, theory.direction_cosine(layer, d, depth, 1)),
        "E cos^2": (cosine**2, theory.direction_cosine(layer, d, depth) ** 2),
    }
    if layer.selects:
        for z in (-1, 0, 1):
            below = (log_norm < theory.log_norm_quantile(layer)(z)).mean(axis=1)
            found[f"A at {z}"] = below, ndtr(z), 0.5
    if k > 5:  # else the sample has no variance; and so on below
        found["E A^-2"] = (nets.A**-2.0).mean(axis=1), theory.inverse_norm_moments(layer)[0]
    if k > 12:
        found["E A^-4"] = (nets.A**-4.0).mean(axis=1), theory.inverse_norm_moments(layer)[1]
        found["E T^2"] = cosine**-2.0 - 1, theory.direction_tangent(layer, d, depth)[0]
        found["E w^2"] = nets.w**2, theory.mean_square_velocity(layer, d, depth)
    if d < 6:
        transfer = theory.training_transfer_probability(layer, d, depth, STEP)
        found["transfer"] = transferred(nets.r), transfer
    if gain * depth > 6:
        side = np.cos(THETA) * cosine + np.sin(THETA) * nets.r[:, 1]
        found["sides"] = np.arccos(cosine) / np.pi, theory.side_change_probability(layer, d)
        if not layer.selects or theory.excess(layer) > 10:
            found["correlated"] = side > 0, theory.correlated_probability(layer, THETA)
    return found


def path(nets, start):
    """Proper velocities at the input and after every layer of another input in the same plane."""
    w = [np.full(len(nets.w), start)]
    for A, B, z in zip(nets.A.T, nets.B.T, nets.z.T):
        w.append((A * w[-1] + z) / B)
    return w


def transferred(r):
    """Share of the pairs among ten networks of one input whose attacks on it carry over."""
    r = r.reshape(-1, 10, r.shape[1])
    along, apart = r[..., 0], ~np.eye(10, dtype=bool)
    hit = along[:, None] - STEP * along[..., None] * (r @ r.swapaxes(1, 2)) < 0
    return hit[:, apart].mean(axis=1)


EDGES = [
    (Layer(2), 2, 12),  # n = k, deep and shallow
    (Layer(3), 3, 40),
    (Layer(8), 40, 1),
    (Layer(2, 3), 5, 8),  # n = k + 1
    (Layer(4, 5), 4, 20),
    (Layer(6, 7), 6, 32),
    (Layer(8, 9), 40, 2),
    (Layer(20, 22), 32, 2),  # n = 1.1 k
    (Layer(4, 16), 4, 6),  # further on
    (Layer(8, 32), 2, 1),
    (Layer(5, 9, "signed"), 2, 6),  # M < 1
    (Layer(6, 7, "signed"), 3, 20),
    (Layer(16, 20, "signed"), 32, 1),
    (Layer(2, 4, "signed"), 3, 30),  # M = 1
    *((layer, 3, 4) for layer in LAYERS if told(layer)),
]


@pytest.mark.parametrize("layer, d, depth", EDGES, ids=str)
def test_exact_forms(layer, d, depth):
    nets = networks(layer, d, depth, 24_000)
    compare(claims(layer, d, depth, nets))


def compare(claims, accuracy=0.0):
    for name, (sample, value, *unit) in claims.items():
        stderr = np.std(sample) / np.sqrt(len(sample))
        message = f"{name}: {np.mean(sample):.5g} +- {stderr:.2g}, claimed {value:.5g}"
        assert abs(np.mean(sample) - value) < 4.5 * stderr + accuracy, message
        assert 4.5 * stderr < 0.05 * (unit[0] if unit else value), message


def test_wide_forms():
    """What is said of wide layers may be 0.01 off at width 32, and nothing else than above."""
    layer, d, depth, trials = Layer(32, 128), 32, 5, 3600
    nets = networks(layer, d, depth, trials)
    w = path(nets, START)
    scale, sizes = theory.velocity_scale(layer, depth, d), np.log(np.abs([nets.w, w[-1]]))
    away = theory.mean_log_velocity_from(layer, START, depth)
    score = theory.score_moments(layer, [START], depth - 1)[0]
    compare(
        {
            "E cos^2": (nets.r[:, 0] ** 2, theory.training_cosine(layer, d) ** 2),
            "E ln|w|": (sizes[0], theory.mean_log_velocity(scale), depth / 2),
            "E ln|w| from": (sizes[1], away, depth / 2),
            "E ln gamma": (
                np.log1p(nets.w**2) / 2,
                theory.mean_log_lorentz_factor(scale),
                depth / 2,
            ),
            "score": (np.arctan2(1, w[-2]) / np.pi, score),
        },
        accuracy=0.01,
    )


@pytest.mark.parametrize("width, d", [(2, 2), (6, 2), (6, 3), (8, 64), (64, 64), (4096, 5)])
def test_deep_ordinary_networks_read_an_isotropic_direction(width, d):
    """cos^2 of r and x is Beta(1/2, (d-1)/2) then; the share of side changes is 1/4 at d = 2."""
    levels = (np.arange(100_000) + 0.5) / 100_000
    expected = np.arccos(np.sqrt(beta.ppf(levels, 0.5, (d - 1) / 2))).mean() / np.pi
    side = theory.side_change_probability(Layer(width), d)
    assert side == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "form, layer, rest",
    [
        ("excess_slope", Layer(2), ()),
        ("inverse_norm_moments", Layer(4, 8), ()),
        ("direction_tangent", Layer(4, 8), (3, 3)),
        ("mean_square_velocity", Layer(3), (8, 3)),
        ("mean_square_tangent", Layer(3), (8, 3)),
        ("log_norm_quantile", Layer(64), ()),
        ("velocity_scale", Layer(16, 64), (3, 64)),
        ("nearer_probability", Layer(16, 64), (0.3, 3, 64)),
        ("world_line", Layer(64, 80, "signed"), (0.3, 0.5)),
        ("direction_cosine", Layer(10**7), (64, 3)),
        ("side_change_probability", Layer(10**7, 10**7 + 1), (64,)),
    ],
    ids=str,
)
def test_layers_beyond_a_claim_are_refused_by_name(form, layer, rest):
    with pytest.raises(ValueError, match="^layer: "):
        getattr(theory, form)(layer, *rest)


@pytest.mark.parametrize(
    "layer",
    [
        Layer(10**7),
        Layer(10**7, 10**7 + 1),
        Layer(10**7, 10**15),
        Layer(10**7, 12 * 10**6, "signed"),
    ],
    ids=str,
)
def test_the_widest_layers_have_finite_answers(layer):
    """Of the gain and what rests on it; test_theory holds the gain to its series there."""
    gain = theory.rapidity_gain(layer)
    for value in (
        theory.finite_second_moment(layer),
        theory.mean_log_norm(layer),
        theory.inverse_norm_moments(layer),
        theory.direction_tangent(layer, 64, 3),
        theory.bit_flip_probability(layer, [1e-9, 1.0, 3.1]),
        theory.velocity_scale(layer, [1, 100], 64),
        theory.noise_scale(layer, [1, 100]),
        theory.mean_log_velocity_from(layer, START, [1, 100]),
    ):
        assert np.isfinite(value).all()
    assert (theory.depth_to_entangle(layer) < np.inf) == (gain > 0)
