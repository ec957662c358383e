"""The selection rules: margins of the k kept rows of n, drawn in O(k) whatever n.

A pool of n Gaussian rows is projected on the training feature; the rule keeps k of the n projections. The threshold
leaves a tail p ~ Beta(k+1, n-k) outside, and given p the kept ones are independent and uniform in that tail.
Exact (float64) for n to 1e9 and beyond. Source: order statistics of uniforms; ours.
"""

import numpy as np
from scipy import special

from entanglement.theory import WIDE, check_count, check_layer, check_numbers, log_norm_quantile

BLOCK = 4_000_000  # margins held in memory at a time


def margins(rng, width, pool=None, rule="none", size=(), labels=None):
    """Margins of the kept rows, unsorted: an array of shape size + (width,).

    rng: NumPy Generator. labels: for `labelled`, the wanted bits, (width,) of -1 and +1.
    Raises ValueError naming the argument for a layer that cannot be.
    """
    width, pool, rule = check_layer(width, pool, rule)
    if rule == "labelled":
        return check_labels(labels, width) * _magnitudes(rng, width, pool, rule, size)
    a = _magnitudes(rng, width, pool, rule, size)
    return np.copysign(a, rng.random(a.shape) - 0.5) if rule == "largest" and pool > width else a


def margin_norms(rng, width, pool=None, rule="none", size=()):
    """A = norm of the margins of independent layers, an array of shape `size`; rng: NumPy Generator.

    O(1) each, from its quantile function, where width >= WIDE; margin by margin below.
    """
    width, pool, rule = check_layer(width, pool, rule)
    if pool == width:
        return np.sqrt(rng.chisquare(width, size))
    if width >= WIDE:
        return np.exp(log_norm_quantile(width, pool, rule)(rng.standard_normal(size)))
    norms = np.empty(size)
    flat = norms.reshape(-1)
    step = max(1, BLOCK // width)
    for first in range(0, flat.size, step):
        part = flat[first : first + step]
        part[:] = np.linalg.norm(_magnitudes(rng, width, pool, rule, part.shape), axis=-1)
    return norms


def check_labels(labels, width):
    """The wanted bits as a float array (width,); ValueError unless they are -1 and +1 and as many as units."""
    if labels is None:
        raise ValueError("labels: None, but rule 'labelled' needs a wanted bit (-1 or +1) for each unit")
    labels = check_numbers("labels", labels)
    if labels.shape != (check_count("width", width),) or not np.isin(labels, (-1, 1)).all():
        raise ValueError(f"labels: shape {labels.shape} with values {np.unique(labels)[:4]}; want ({width},) of -1 and +1")
    return labels


def _magnitudes(rng, width, pool, rule, size):
    """Margins up to the sign that the rule leaves to chance or to a label."""
    shape = (*np.atleast_1d(np.asarray(size, dtype=int)), width)
    if pool == width:
        return rng.standard_normal(shape)
    if rule == "labelled":
        s = -np.expm1(np.log1p(-rng.random(shape)) * (width / pool))
    else:
        s = rng.beta(width + 1, pool - width, (*shape[:-1], 1)) * (1 - rng.random(shape))  # in (0, p]
    return -special.ndtri(s / 2 if rule == "largest" else s)  # the lower tail, never 1 - s
