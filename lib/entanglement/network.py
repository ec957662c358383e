"""What both networks share: the arguments, their checks and the answers at the last layer."""

import numpy as np

from entanglement import arguments, rules
from entanglement.layer import require

# an input this close to the span of earlier ones, relative to its norm, counts as inside
DEPENDENT = 1e-14


class Network:
    """A network of `depth` layers, inferred by `fit` from one input; seed: a whole number >= 0.

    `labels` of fit are used by the rule `labelled` alone. ValueError naming the argument.
    """

    def __init__(self, layer, depth, seed=0):
        self.layer = require(layer)
        self.depth = arguments.count("depth", depth)
        self.seed = arguments.count("seed", seed, 0, 2**128)
        self.input_dim = None

    @property
    def width(self):
        return self.layer.width

    def _start(self, x, labels):
        """The unit training input; what is known of an earlier one is forgotten."""
        unit = unit_rows(arguments.one_input("x", x)[None])[0]
        self.labels = rules.check_labels(self.layer.law, labels, self.width)
        self.input_dim = len(unit)
        return unit

    def _inputs(self, X):
        self._fitted("X")
        return unit_rows(arguments.inputs("X", X, self.input_dim))

    def _fitted(self, name):
        if self.input_dim is None:
            raise ValueError(f"{name}: the network has no training input yet, call fit(x) first")

    def _number(self, layer):
        """The number of a layer, `depth` for None."""
        return self.depth if layer is None else arguments.count("layer", layer, 1, self.depth)


def unit_rows(X):
    """Rows of X on the unit sphere, from any finite scale."""
    X = X / np.abs(X).max(axis=1, keepdims=True)
    return X / np.linalg.norm(X, axis=1, keepdims=True)
