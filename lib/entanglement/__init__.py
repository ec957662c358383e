"""The science of "On the Computational Entanglement of Distant Features in Adversarial Machine
Learning" (arXiv 2309.15669).

`Layer` is a layer's width, pool and rule; `theory` holds the closed forms, `simulate` and
`LazyNetwork` draw from the exact law, `DenseNetwork` (with torch) draws every matrix. Needs NumPy
and SciPy alone; what else a name needs is imported with it.
"""

from entanglement import theory
from entanglement.layer import Layer, margins
from entanglement.lazy import LazyNetwork
from entanglement.pairs import (
    Velocity,
    accumulate,
    angle,
    directions,
    independent_angles,
    margin_norms,
    rapidity,
    simulate,
    step,
    velocity,
)

__version__ = "0.1.0"
__all__ = [
    "DenseNetwork",
    "Layer",
    "LazyNetwork",
    "Velocity",
    "accumulate",
    "angle",
    "directions",
    "independent_angles",
    "margin_norms",
    "margins",
    "rapidity",
    "simulate",
    "step",
    "theory",
    "velocity",
]


def __getattr__(name):
    if name == "DenseNetwork":
        try:
            from entanglement.dense import DenseNetwork
        except ModuleNotFoundError as error:
            raise ImportError("DenseNetwork needs torch: pip install torch") from error
        return DenseNetwork
    raise AttributeError(f"module 'entanglement' has no attribute {name!r}")
