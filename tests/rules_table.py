"""The rules, in plain NumPy and by key, one row a rule: what the library has to match."""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from entanglement import Layer, theory


class Rule(NamedTuple):
    """What a rule is, for tests."""

    kept: callable  # (projections (..., n), width) -> which rows are kept, (..., width), as drawn
    density: callable  # share kept -> density of a kept margin times its wanted bit, wide layer
    breaks: callable  # share kept -> where that density breaks
    pools: list  # (width, pool) of small layers


def bits(width):
    """Wanted bits that are not all the same."""
    return np.where(np.arange(width) % 3 == 1, -1, 1)


def best(score):
    return lambda a, width: np.sort(np.argsort(-score(a), axis=-1)[..., :width], axis=-1)


def best_of_its_own(a, width):
    blocks = bits(width)[:, None] * a.reshape(*a.shape[:-1], width, -1)
    return np.arange(width) * blocks.shape[-1] + blocks.argmax(axis=-1)


RULES = {
    "none": Rule(
        kept=lambda a, width: np.broadcast_to(np.arange(width), (*a.shape[:-1], width)),
        density=lambda share: norm.pdf,
        breaks=lambda share: [0],
        pools=[(4, None), (5, 5)],
    ),
    "largest": Rule(
        kept=best(np.abs),
        density=lambda share: lambda a: norm.pdf(a) / share * (abs(a) >= norm.isf(share / 2)),
        breaks=lambda share: [-norm.isf(share / 2), 0, norm.isf(share / 2)],
        pools=[(2, 3), (6, 40)],
    ),
    "signed": Rule(
        kept=best(np.positive),
        density=lambda share: lambda a: norm.pdf(a) / share * (a >= norm.isf(share)),
        breaks=lambda share: [0, norm.isf(share)],
        pools=[(6, 9), (6, 12), (4, 30)],
    ),
    "labelled": Rule(
        kept=best_of_its_own,
        density=lambda share: lambda a: norm.pdf(a) / share * norm.cdf(a) ** (1 / share - 1),
        breaks=lambda share: [0],
        pools=[(4, 8), (3, 15)],
    ),
}
LAYERS = [Layer(*pool, key) for key, rule in RULES.items() for pool in rule.pools]
SELECTING = [layer for layer in LAYERS if layer.selects]


def told(layer):
    """Whether the library has closed forms for the layer; what a rule lacks it refuses by name."""
    try:
        return theory.mean_log_norm(layer) and theory.bit_flip_probability(layer, 1.0) > 0
    except ValueError as error:
        assert str(error).startswith("rule: ")
        return False


def wanted(layer):
    """The labels that a layer needs, or None."""
    return bits(layer.width) if layer.law.labelled else None


def matrices(rng, layer, unit):
    """Matrices (N, width, d) of N layers whose pools are drawn whole and sorted; unit: training
    features (N, d).
    """
    rows = rng.standard_normal((len(unit), layer.pool, unit.shape[1]))
    kept = RULES[layer.rule].kept(np.matmul(rows, unit[:, :, None])[..., 0], layer.width)
    return np.take_along_axis(rows, kept[..., None], axis=1)


def drawn_whole(rng, trials, layer):
    """Kept margins (trials, width): features of one dimension."""
    return matrices(rng, layer, np.ones((trials, 1)))[..., 0]
