"""Every public function is fed nonsense, one argument at a time, and has to refuse it by name."""

import inspect
import warnings

import numpy as np
import pytest

import entanglement
from entanglement import (
    DenseNetwork,
    Layer,
    LazyNetwork,
    Velocity,
    beyond,
    data,
    defences,
    reconciliation,
    robustness,
    spacetime,
    theory,
    whole,
)

SUBJECTS = (spacetime, reconciliation, robustness, defences, beyond, data, whole)
MODULES = (entanglement, theory, *SUBJECTS)
LABELLED, SMALL = Layer(8, 24, "labelled"), Layer(8, 16)
X = np.random.default_rng(0).standard_normal((4, 8))
BITS = np.where(X[0] > 0, 1.0, -1.0)
CODE = reconciliation.bch(7, 1)
TOKENS = beyond.tokens_at(1.0, 2, 8, 2)


def each(names, value):
    return dict.fromkeys(names.split(), value)


# A valid value of each argument, by its name, or by function.argument where that means another
# thing. Its type says what is nonsense: an int is a whole number, a float one number, a list
# numbers of any shape, a tuple a shape, a bool a flag.
EXAMPLES = (
    each("depth trials count directions resolution levels rounds steps seed tokens shared", 3)
    | each("rivals hidden", 3)
    | each("directions.inputs batch_norm_spread.inputs transform.layer pad.layer", 3)
    | each("width input_dim", 8)
    | each("batch_norm_spread.width relu_typical_angle.width", 64)
    | each("constant error excess mean_square power radius rapidity sharpness spread", 0.5)
    | each("size time target bias_scale weight_scale attention_angle.theta bits_left.scale", 0.5)
    | each("decidability.mean folded_error.start folded_error_cdf.start images.scale", 0.5)
    | each("mask_error.strength", 0.5)
    | each("mean_log_mask_error.strength mean_unseen_cosine.theta nearer_probability.start", 0.5)
    | each("relu_typical_angle.theta simulate.theta tanh_angle.theta", 0.5)
    | each("training_transfer_probability.step", 0.5)
    | each("folded_error_cdf.error mode_time.size", 0.1)
    | each("a a_prime b b_prime cosine deviation distance first folded.error freedom limit", [0.5])
    | each("log_abs loss mean mean_cosine.time mean_unseen_cosine.time q ratio scale", [0.5])
    | each("rapidity_staircase.rapidity second slope start start_x start_y step step.A", [0.5])
    | each("step.B step.z theta turn w world_line.velocity", [0.5])
    | each("mode_time.strength", [0.3])
    | each("batch_norm_angle.depth folded_error.depth folded_error_cdf.depth", [3.0])
    | each("klein_chord.depth mean_log_velocity_from.depth mean_square_tangent.depth", [3.0])
    | each("mean_random_cosine.input_dim mean_square_velocity.depth noise_scale.depth", [3.0])
    | each("nearer_probability.depth prefix_log_sine.shared rapidity_staircase.depth", [3.0])
    | each("strength trained_gain.depth trained_rank.depth velocity_scale.depth", [3.0])
    | each("wide_angle.depth", [3.0])
    | each("opposite skip tied flow centred columns", False)
    | each("margins.size margin_norms.size", (2,))
    | each("A B z", np.ones((2, 2)))
    | each("W", np.eye(2))
    | each("weights before after", np.full((2, 3, 3), 0.1))
    | each("x y score descent_scores.target", X[0])
    | each("X genuine impostor picture directions.x infer.x", X)
    | each("tangent", [0.5])
    | each("rate", 0.1)
    | each("attack.X train.X named.X tilted.x whole_parts.x drawn_parts.x", X)
    | each("whole_parts.layer drawn_parts.layer", SMALL)
    | each("defence", defences.Linear(np.eye(8)[:4], np.zeros(8)))
    | {"attack.labels": np.array([0.0, 1, 2, 3]), "train.labels": np.array([0.0, 1, 0, 1])}
    | each("p descent_weights.W", X[:1])
    | each("Y descend.X gradient.X", np.ones((3, 4)))
    | each("labels decoded message pad", BITS)
    | each("directions.layer features.layer infer.layer layers.layer log_volumes.layer", SMALL)
    | each("public_rows.layer raw_features.layer velocities.layer", SMALL)
    | each("net other", DenseNetwork(SMALL, 3).fit(X[0]))
    | each("velocity accumulate.start step.w", Velocity(*np.ones((2, 2))))
    | each("attention.tokens residual.tokens token_angles.tokens", TOKENS)
    | {
        "G": np.eye(8)[None],
        "bits": BITS > 0,
        "code": CODE,
        "digits": "bundled",
        "faces": "digits",
        "H": np.eye(8)[None],
        "products.x": X,
        "products.layer": SMALL,
        "u": X[:1],
        "whole_side_gradient.X": X[None],
        "correlation": theory.spin_correlation,
        "corrects": 1,
        "descent_weights.target": X[0, :1],
        "edges": np.array([0.0, 0.5, 1.0]),
        "event": spacetime.event(X[0], X[1]),
        "features": beyond.pairs_at(1.0, 8, 2),
        "gaussian_curvature.first": np.eye(3)[:, :2],
        "pair.first": X[:, :2],
        "pair.second": X[:, 2:4],
        "gaussian_curvature.second": np.ones((3, 2, 2)),
        "gradient": np.ones_like,
        "guessed_key.weights": [X[:3], X[:3, :3]],
        "helper": reconciliation.enrol(np.random.default_rng(1), X[0], CODE)[1],
        "inputs": X[None],
        "keep": np.array([0, 2]),
        "layer": Layer(64, 256),
        "length": 7,
        "limits": np.array([-9.0, 9.0]),
        "margins.layer": LABELLED,
        "measure": beyond.angles,
        "nearer_probability.input_dim": 64,
        "norm": 2,
        "path": "figures/01_dial.png",
        "photograph.name": "camera",
        "pool": 256,
        "rng": np.random.default_rng(1),
        "rule": "largest",
        "shape": (8, 8),
        "silhouette.name": "star",
        "singular_values": np.ones(3),
        "velocity_scale.input_dim": 64,
        "walk.layer": lambda features: features,
    }
)
EVERY = [None, "three", "3", True, 1j, np.nan, np.inf, -np.inf, np.datetime64("2026-01-01"), {}]
EVERY += [object(), [[1.0], [1.0, 2.0]], [np.nan], [1j], ["a"], [True]]
SIGNED = each("a a_prime b b_prime constant cosine first second start start_x start_y log_abs", 1)
SIGNED |= each("boost.rapidity decidability.mean direction_cdf.excess loss mean turn w", 1)
SIGNED |= each("rapidity_staircase.rapidity spin_correlation.theta step.z", 1)
SIGNED |= each("training_correlation.excess training_correlation.theta", 1)
SIGNED |= each("decidability.mean nearer_probability.start", 0)
ENDLESS = each(
    "bits_left.scale folded_loss_quantile.scale loss_cdf.scale loss_quantile.scale", [np.inf]
)
ENDLESS |= each("certificate.norm pgd.norm shares_within.scale velocity_scale.input_dim", [np.inf])
ENDLESS |= each("tangents.depth", [None])  # the deep limit
ENDLESS |= each("layer_cdf.w rapidity_of_log.log_abs", [np.inf, -np.inf])
OUTSIDE = each("cosine mean_square q", 1.5) | {
    "error": 0.7,
    "excess": -1.0,
    "folded.error": 1.5,
    "limits": np.array([5.0, 2.0]),
    "spin_correlation.theta": None,
    "start_x": -1.0,
    "theta": 4.0,
    "training_correlation.theta": None,
}


def public():
    """Every public function, and the classes with their methods: name -> callable."""
    found = {"Layer": Layer}
    for module in MODULES:
        for name in getattr(module, "__all__", vars(module)):
            one, home = getattr(module, name), module.__name__
            if module in (entanglement, theory):
                home = "entanglement"  # they gather what others define
            if inspect.isfunction(one) and one.__module__.startswith(home) and name[0] != "_":
                found[f"{module.__name__}.{name}"] = one
    for kind in (LazyNetwork, DenseNetwork):
        found[kind.__name__] = kind
        for name, _ in inspect.getmembers(kind, inspect.isfunction):
            if name[0] != "_":
                net = kind(LABELLED, 3) if name == "fit" else kind(SMALL, 3).fit(X[0])
                found[f"{kind.__name__}.{name}"] = getattr(net, name)
    return found


FUNCTIONS = public()


def told(table, name, argument, missing=None):
    """What a table says of an argument: of function.argument, or else of argument."""
    return table.get(f"{name.split('.')[-1]}.{argument}", table.get(argument, missing))


def nonsense(name, argument, value):
    """What a function has to refuse for an argument of which `value` is a valid one."""
    fine = list(told(ENDLESS, name, argument, []))
    if isinstance(value, bool):
        fine += [True]
    if np.asarray(value if type(value) is np.ndarray else 0).dtype == bool:
        fine += [[True]]
    yield from (one for one in EVERY if not any(one is ok or one == ok for ok in fine))
    if isinstance(value, bool):
        yield 2
    elif isinstance(value, int | tuple):
        yield from (-1, 2.5, [3.5, 3], np.array([3.5]))
    elif isinstance(value, float):
        yield [1.0, 2.0]
    elif isinstance(value, np.ndarray):
        yield from (3.0, value * 1j, value.astype(str), value[..., :0])
        if value.dtype == float:
            yield np.where(value == value.flat[0], np.nan, value)
    if isinstance(value, float | list) and not told(SIGNED, name, argument):
        yield [-0.5] if isinstance(value, list) else -0.5
    if told(OUTSIDE, name, argument) is not None:
        yield told(OUTSIDE, name, argument)


def opaque(value):
    """Whether nonsense in its place may be refused by any exception: a thing with parts of its own,
    not a number, numbers, a flag, text or a Layer.
    """
    if type(value) in (list, tuple):
        return any(np.ndim(part) for part in value)
    return not isinstance(value, int | float | str | np.ndarray | Layer)


def let_through(name, valid):
    """What is answered, or refused in other words than by the argument's name."""
    for argument, value in valid.items():
        default = inspect.signature(FUNCTIONS[name]).parameters[argument].default
        for one in nonsense(name, argument, value):
            if one is None and default is None:
                continue
            try:
                answer = call(name, valid | {argument: one})
            except Exception as error:
                start = str(error).split(":")[0].split(", ")
                if not opaque(value) and not (type(error) is ValueError and argument in start):
                    yield f"{argument}={one!r} raises {type(error).__name__}: {error}"
            else:
                yield f"{argument}={one!r} is answered by {answer!r:.40}"


def call(name, arguments):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        answer = FUNCTIONS[name](**arguments)
        return list(answer) if inspect.isgenerator(answer) else answer


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nonsense_is_refused_by_name(name):
    valid = {}
    for argument in inspect.signature(FUNCTIONS[name]).parameters:
        valid[argument] = told(EXAMPLES, name, argument, EXAMPLES)
        assert valid[argument] is not EXAMPLES, f"EXAMPLES wants a valid {argument} of {name}"
    call(name, valid)
    assert not list(let_through(name, valid))
