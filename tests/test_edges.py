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
    start: np.ndarray  # (trials,), proper velocity of an independent Gaussian input
    w: np.ndarray  # (trials,), the same at the end
    r: np.ndarray  # (trials, d), unit; the training input is the first axis


def networks(layer, d, depth, trials, seed=1):
    """Independent networks of whole matrices, and an unseen Gaussian input through each: w times
    the training feature plus a unit rest, which a matrix takes to (A w + z) and B times the next.
    """
    rng, weights, layers = np.random.default_rng(seed), [], []
    unit = np.eye(d)[np.zeros(trials, int)]
    along, rest, size = split(unit, rng.standard_normal((trials, d)))
    start = w = along / size
    rest = rest / size[:, None]
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
    return Networks(A, B, z, a, fresh, start, w, r)


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
        "E ln|w| from": (
            np.log(np.abs(w[-1])),
            theory.mean_log_velocity_from(layer, START, depth),
            (depth + 1) / 2,
        ),
    }
    moments = theory.score_moments(layer, [START], depth)
    for power, value in enumerate(moments, 1):
        found[f"E s^{power}"] = (np.arctan2(1, w[-1]) / np.pi) ** power, value, 0.5
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
        found["correlated"] = side > 0, theory.correlated_probability(layer, THETA)
    return found


def path(nets, start):
    """Proper velocities at the input and after every layer of another input in the same plane."""
    w = [np.broadcast_to(start, len(nets.w))]
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
    layer, d, depth = Layer(32, 128), 32, 5
    nets = networks(layer, d, depth, 2400)
    scale = theory.velocity_scale(layer, depth, d)
    lorentz, unit = np.log1p(nets.w**2) / 2, depth / 2
    compare(
        {
            "E cos^2": (nets.r[:, 0] ** 2, theory.training_cosine(layer, d) ** 2),
            "E ln|w|": (np.log(np.abs(nets.w)), theory.mean_log_velocity(scale), unit),
            "E ln gamma": (lorentz, theory.mean_log_lorentz_factor(scale), unit),
        },
        accuracy=0.01,
    )


@pytest.mark.parametrize(
    "layer, most",
    [
        (Layer(2, 3), 0.3),
        (Layer(4, 5), 0.1),
        (Layer(8), 0.06),
        (Layer(8, 9), 0.06),
        (Layer(4, 10, "signed"), 0.15),
    ],
    ids=str,
)
def test_depth_to_entangle_is_off_by_no_more_than_it_says(layer, most):
    """Between layers the crossing of the median is read off its logarithm."""
    claimed = theory.depth_to_entangle(layer)
    nets = networks(layer, layer.width, int(1.3 * claimed) + 1, 6000)
    medians = [np.median(np.abs(w)) for w in path(nets, nets.start)]
    found = np.interp(np.log(theory.ENTANGLED), np.log(medians), np.arange(len(medians)))
    assert claimed == pytest.approx(found, rel=most + 0.02)


@pytest.mark.parametrize("layer, d, depth", [(Layer(8, 40), 8, 3), (Layer(16, 80), 24, 2)], ids=str)
def test_shared_cosine_is_too_low_by_seven_per_cent_at_most(layer, d, depth):
    """Two networks that share nothing else: those of one input, two by two."""
    r = networks(layer, d, depth, 8000).r
    found = np.sum(r[::2] * r[1::2], axis=1)
    stderr = np.std(found) / np.sqrt(len(found))
    off = theory.shared_cosine(layer, d, depth, 0) - found.mean()
    assert -0.07 * found.mean() - 4 * stderr < off < 4 * stderr < 0.05 * found.mean()


@pytest.mark.parametrize("theta, ratio", [(1.0, 5.0), (0.3, 0.1), (2.5, 30.0), (1.5, 1.0)])
def test_batch_norm_angle_at_any_ratio_of_the_lengths(theta, ratio):
    """Wide layers, of which only the Gram matrix matters: 100 000 rows of each of 20 networks."""
    rng, angles = np.random.default_rng(2), []
    gram = np.array([[ratio**2, ratio * np.cos(theta)], [ratio * np.cos(theta), 1.0]])[None]
    for _ in range(2):
        units = np.linalg.cholesky(gram) @ rng.standard_normal((20, 2, 100_000))
        units /= np.sqrt(np.mean(units**2, axis=1, keepdims=True))
        gram = units @ units.swapaxes(1, 2) / 100_000
        angles.append(np.arccos(gram[:, 0, 1] / np.sqrt(gram[:, 0, 0] * gram[:, 1, 1])))
    claimed = theory.batch_norm_angle(theta, [1, 2], ratio)
    compare({f"layer {i + 1}": (angles[i], claimed[i]) for i in range(2)})


@pytest.mark.parametrize("inputs, width, low", [(2, 6, 0.21), (4, 12, 0.21), (2, 16, 0.03)])
def test_batch_norm_spread_is_too_low_by_no_more_than_it_says(inputs, width, low):
    rng = np.random.default_rng(3)
    features = rng.standard_normal((4000, inputs, width))
    for _ in range(2 * inputs + 8):  # (N/(N+2))^(4N) of the start is left
        features = features @ rng.standard_normal((len(features), width, width)) / np.sqrt(width)
        features /= np.sqrt(np.mean(features**2, axis=1, keepdims=True))
    square = np.linalg.svd(features, compute_uv=False) ** 2
    found = square.var(axis=1) / square.mean(axis=1) ** 2
    stderr = np.std(found) / np.sqrt(len(found))
    off = theory.batch_norm_spread(width, inputs) - found.mean()
    assert -low * found.mean() - 4 * stderr < off < 4 * stderr < 0.1 * found.mean()


@pytest.mark.parametrize("steps", [1, 3, 10, 30])
@pytest.mark.parametrize("w", [0.3, 2.0, 30.0, 1000.0])
def test_a_climb_of_few_steps_takes_as_much_longer_as_it_says(steps, w):
    """The longest of them that do not bring it across lie between."""
    slope, distance = 2.0, w / 2.0
    time, across = theory.climb_time(distance, slope), []
    for longer in (1 - 1e-9, 1 + 3 / steps):
        y = distance
        for _ in range(steps):
            y -= longer * time / steps * slope * (1 + (slope * y) ** 2) ** -1.5
        across.append(y <= 0)
    assert across == [False, True]


@pytest.mark.parametrize("scales", [(4, 1), (4, 1e-3), (1, 1e-3), (1e-3, 1)])
def test_tanh_fixed_point_at_its_ends(scales):
    weight_scale, bias_scale = scales
    q, chi = theory.tanh_fixed_point(*scales)
    h = np.sqrt(q) * np.linspace(-12, 12, 40_001)
    weight = np.exp(-(h**2) / (2 * q))
    weight *= weight_scale**2 / weight.sum()
    assert q == pytest.approx(weight @ np.tanh(h) ** 2 + bias_scale**2, rel=1e-6)
    assert chi == pytest.approx(weight @ np.cosh(h) ** -4.0, rel=1e-4)


@pytest.mark.parametrize("theta", [0.01, 1.0, 2.0])
def test_relu_typical_angle_at_its_least_width(theta):
    rng, width, depth = np.random.default_rng(4), 32, 12
    pairs = np.zeros((500, 2, width))
    pairs[:, 0, 0] = 1
    pairs[:, 1, :2] = np.cos(theta), np.sin(theta)
    for _ in range(depth):
        pairs = np.maximum(pairs @ rng.standard_normal((500, width, width)), 0)
        pairs /= np.linalg.norm(pairs[:, :1], axis=2, keepdims=True)
    one, other = (pairs / np.linalg.norm(pairs, axis=2, keepdims=True)).swapaxes(0, 1)
    angles = 2 * np.arcsin(np.linalg.norm(one - other, axis=1) / 2)
    claimed = np.log(theory.relu_typical_angle(width, theta, depth)[-1])
    accuracy = 5 / width if theta >= 1 else 0.0
    compare({"E ln theta": (np.log(angles), claimed, depth / 2)}, accuracy)


def test_diffusion_does_not_pass_its_reach():
    for rapidity, time in ((300.0, 1e-3), (40.0, 1e-3), (300.0, 1.0), (300.0, 299.0)):
        assert theory.diffused_rapidity_cdf(rapidity, time) == pytest.approx(1, abs=1e-9)


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
        ("correlated_probability", Layer(5000, 5001), (1.0,)),
        ("depth_to_entangle", Layer(8, 16, "signed"), ()),
        ("depth_to_entangle", Layer(64, 128, "labelled"), ()),
        ("shared_cosine", Layer(64, 65), (64, 20, 0)),
        ("shared_cosine", Layer(64, 80, "signed"), (64, 5, 1)),
        ("shared_cosine", Layer(4, 16), (64, 5, 1)),
        ("log_norm_quantile", Layer(10**7, 10**15), ()),
        ("side_change_probability", Layer(10**7, 10**7 + 1), (64,)),
    ],
    ids=str,
)
def test_layers_beyond_a_claim_are_refused_by_name(form, layer, rest):
    with pytest.raises(ValueError, match="^layer: "):
        getattr(theory, form)(layer, *rest)


@pytest.mark.parametrize(
    "form, values, name",
    [
        ("tanh_fixed_point", (10.0, 0.3), "weight_scale"),
        ("tanh_angle", (1.0, 2, 2.0, 2.0), "bias_scale"),
        ("relu_typical_angle", (31, 1.0, 3), "width"),
        ("batch_norm_spread", (23, 8), "width"),
        ("diffused_rapidity_cdf", (3.0, 301.0), "time"),
        ("batch_norm_angle", (1.0, 2, 0.0), "ratio"),
        ("mean_log_velocity_from", (Layer(8, 16), 0.3, 2.5), "depth"),
    ],
)
def test_numbers_beyond_a_claim_are_refused_by_name(form, values, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        getattr(theory, form)(*values)


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
        theory.log_norm_quantile(Layer(10**7, 10**9))([-5, 0, 5]),
    ):
        assert np.isfinite(value).all()
    assert (theory.depth_to_entangle(layer) < np.inf) == (gain > 0)
