"""Every public function is fed nonsense, one argument at a time, and has to refuse it by name."""

import inspect
import warnings

import numpy as np
import pytest

import entanglement
from entanglement import DenseNetwork, Layer, LazyNetwork, Velocity, beyond, data
from entanglement import reconciliation, robustness, spacetime, theory, whole

MODULES = (entanglement, theory, spacetime, reconciliation, robustness, beyond, data, whole)
LABELLED, SMALL = Layer(8, 24, "labelled"), Layer(8, 16)
X = np.random.default_rng(0).standard_normal((4, 8))
BITS = np.where(X[0] > 0, 1.0, -1.0)
CODE = reconciliation.bch(7, 1)
TOKENS = beyond.tokens_at(1.0, 2, 8, 2)


def each(names, value):
    return dict.fromkeys(names.split(), value)


# A valid value of each argument, by its name, or by function.argument where that means another
# thing. Its type says what is nonsense: an int is a whole number, a float one number, a list
# numbers of any shape, a tuple a shape, a bool a flag; what is none of these is opaque.
EXAMPLES = {
    **each("depth trials count directions resolution levels rounds steps seed tokens shared", 3),
    **each("inputs width input_dim length norm transform.layer pad.layer", 3),
    **each("constant error excess mean_square power radius rapidity rate sharpness spread size", 0.5),
    **each("time target bias_scale weight_scale attention_angle.theta decidability.mean", 0.5),
    **each("folded_error.start folded_error_cdf.start folded_error_quantile.start", 0.5),
    **each("folded_error_quantile.q images.scale bits_left.scale mean_unseen_cosine.theta", 0.5),
    **each("nearer_probability.start simulate.theta tanh_angle.theta relu_typical_angle.theta", 0.5),
    **each("training_transfer_probability.step mask_error.strength", 0.5),
    **each("mean_log_mask_error.strength", 0.5),
    **each("a a_prime b b_prime cosine deviation distance first folded.error freedom limit", [0.5]),
    **each("log_abs loss mean mean_cosine.time mean_unseen_cosine.time q ratio scale second", [0.5]),
    **each("slope start start_x start_y step strength theta turn w world_line.velocity", [0.5]),
    **each("rapidity_staircase.rapidity step.A step.B step.z", [0.5]),
    **each("batch_norm_angle.depth folded_error.depth folded_error_cdf.depth", [3.0]),
    **each("klein_chord.depth mean_log_velocity_from.depth mean_square_tangent.depth", [3.0]),
    **each("mean_square_velocity.depth nearer_probability.depth noise_scale.depth", [3.0]),
    **each("rapidity_staircase.depth trained_gain.depth trained_rank.depth", [3.0]),
    **each("velocity_scale.depth wide_angle.depth mean_random_cosine.input_dim", [3.0]),
    **each("prefix_log_sine.shared", [3.0]),
    **each("opposite skip tied flow centred columns unit", False),
    **each("shape", (8, 8)),
    **each("margins.size margin_norms.size", (2,)),
    **each("A B z", np.ones((2, 2))),
    **each("weights before after", np.full((2, 3, 3), 0.1)),
    **each("x y score descent_scores.target", X[0]),
    **each("X genuine impostor picture directions.x infer.x", X),
    **each("p descent_weights.W", X[:1]),
    **each("Y descend.X gradient.X", np.ones((3, 4))),
    **each("Q W", np.eye(2)),
    **each("labels decoded message pad", BITS),
    **each("features.inputs velocities.inputs raw_features.inputs", X[None]),
    **each("features.layer velocities.layer raw_features.layer", SMALL),
    **each("directions.layer infer.layer public_rows.layer", SMALL),
    **each("net other", DenseNetwork(SMALL, 3).fit(X[0])),
    **each("velocity accumulate.start step.w", Velocity(*np.ones((2, 2)))),
    **each("residual.tokens token_angles.tokens attention.tokens", TOKENS),
    "G": np.eye(8)[None],
    "bits": BITS > 0,
    "code": CODE,
    "correlation": theory.spin_correlation,
    "corrects": 1,
    "descent_weights.target": X[0, :1],
    "edges": np.array([0.0, 0.5, 1.0]),
    "event": spacetime.event(X[0], X[1]),
    "features": beyond.pairs_at(1.0, 8, 2),
    "folded_error_cdf.error": 0.1,
    "folded_error_quantile.depth": 3.0,
    "gaussian_curvature.first": np.eye(3)[:, :2],
    "gaussian_curvature.second": np.ones((3, 2, 2)),
    "gradient": np.ones_like,
    "guessed_key.weights": [X[:3], X[:3, :3]],
    "helper": reconciliation.enrol(np.random.default_rng(1), X[0], CODE)[1],
    "keep": np.array([0, 2]),
    "layer": Layer(64, 256),
    "limits": np.array([-9.0, 9.0]),
    "margins.layer": LABELLED,
    "measure": beyond.angles,
    "mode_time.size": 0.1,
    "name": "camera",
    "path": "figures/01_controls.png",
    "pool": 256,
    "rng": np.random.default_rng(1),
    "rule": "largest",
    "singular_values": np.ones(3),
    "velocity_scale.input_dim": 64,
    "walk.layer": lambda features: features,
}
EXAMPLES |= each("length", 7) | each("norm", 2) | each("width relu_step.width input_dim", 8)

EVERY = [None, "three", "3", True, 1j, np.nan, np.inf, -np.inf, np.datetime64("2026-01-01"), {}]
EVERY += [object(), [[1.0], [1.0, 2.0]], [np.nan], [1j], ["a"], [True]]
OUTSIDE = {
    "cosine": 1.5,
    "error": 0.7,
    "excess": -1.0,
    "limits": np.array([5.0, 2.0]),
    "mean_square": 1.5,
    "q": 1.5,
    "start_x": -1.0,
    "theta": 4.0,
}
SIGNED = each("""a a_prime b b_prime constant cosine first second start start_x start_y log_abs loss
    mean turn w training_correlation.theta spin_correlation.theta rapidity_staircase.rapidity
    boost.rapidity step.z""", "may be negative") | each("nearer_probability.start decidability.mean", "")
ENDLESS = each("""bits_left.scale loss_cdf.scale loss_quantile.scale folded_loss_quantile.scale
    shares_within.scale layer_cdf.w rapidity_of_log.log_abs pgd.norm velocity_scale.input_dim""", 1)


def public():
    """Every public function, and the classes with their methods: name -> callable."""
    found = {"Layer": Layer}
    for module in MODULES:
        for name in getattr(module, "__all__", vars(module)):
            one = getattr(module, name)
            home = getattr(one, "__module__", "")
            ours = home.startswith("entanglement") if module in MODULES[:2] else home == module.__name__
            if inspect.isfunction(one) and ours and name[0] != "_":
                found[f"{module.__name__}.{name}"] = one
    for kind in (LazyNetwork, DenseNetwork):
        found[kind.__name__] = kind
        for name, _ in inspect.getmembers(kind, inspect.isfunction):
            if name[0] != "_":
                net = kind(LABELLED, 3) if name == "fit" else kind(SMALL, 3).fit(X[0])
                found[f"{kind.__name__}.{name}"] = getattr(net, name)
    return found


FUNCTIONS = public()


def named(table, name, argument, missing=None):
    """What a table says of an argument: by function.argument, or else by argument."""
    return table.get(f"{name.split('.')[-1]}.{argument}", table.get(argument, missing))


def nonsense(name, argument, value):
    """What a function must refuse for an argument of which `value` is a valid one."""
    yield from (one for one in EVERY if one is not np.inf or not named(ENDLESS, name, argument))
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
    if isinstance(value, float | list) and not named(SIGNED, name, argument):
        yield [-0.5] if isinstance(value, list) else -0.5
    if argument in OUTSIDE and f"{name}.{argument}":
        yield OUTSIDE[argument]
