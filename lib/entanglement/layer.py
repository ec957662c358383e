"""A layer: width, pool and rule, checked here and nowhere below; its margins, drawn in O(k)."""

from dataclasses import dataclass
from functools import lru_cache, wraps

from entanglement import rules
from entanglement.arguments import count, shape

WIDEST = 10**7  # where the closed forms have been tried


@dataclass(frozen=True)
class Layer:
    """`width` rows kept of a `pool` of Gaussian ones by a `rule`.

    pool None or width: an ordinary layer, rule "none". width: 2 to 10^7; pool: width to 10^15;
    rule: one of rules.RULES. Hashable; equal if the three are. ValueError naming width, pool or
    rule. The layer is the authors' (arXiv 2309.15669), rule "largest".
    """

    width: int
    pool: int = None
    rule: str = "largest"

    def __post_init__(self):
        width, rule = count("width", self.width, 2, WIDEST), rules.find(self.rule)
        pool = width if self.pool is None else count("pool", self.pool)
        if pool < width:
            raise ValueError(f"pool: {pool} is less than width {width}")
        rule = rules.RULES["none"] if pool == width else rule
        rule.check(width, pool)
        for name, value in (("width", width), ("pool", pool), ("rule", rule.name)):
            object.__setattr__(self, name, value)

    @property
    def law(self):
        """What is known of the rule: its entry in the table of rules."""
        return rules.RULES[self.rule]

    @property
    def selects(self):
        """Whether the pool is larger than the width."""
        return self.pool > self.width

    @property
    def kept(self):
        """kappa = k/n, the share of the rows that is kept."""
        return self.width / self.pool


def require(layer, least=2, selects=False):
    """`layer`, refused unless a Layer of width `least` or more, of a larger pool if `selects`."""
    if not isinstance(layer, Layer):
        raise ValueError(f"layer: {layer!r} is not a Layer; want Layer(width, pool, rule)")
    if layer.width < least:
        raise ValueError(f"layer: {layer} is narrower than {least}, where this holds")
    if selects and not layer.selects:
        raise ValueError(f"layer: {layer} keeps every row, want a pool larger than the width")
    return layer


def remembered(function):
    """lru_cache for a function of a layer; what cannot be hashed goes through, to be refused."""
    cached = lru_cache(maxsize=64, typed=True)(function)  # True is not 1

    @wraps(function)
    def call(*given, **named):
        try:
            hash((given, *named.values()))
        except TypeError:
            return function(*given, **named)
        return cached(*given, **named)

    return call


def margins(layer, rng, size=(), labels=None):
    """Margins of the kept rows, unsorted: an array of shape size + (width,), exact for any pool.

    rng: NumPy Generator. labels: for `labelled`, the wanted bits, (width,) of -1 and +1. ValueError
    for labels that do not fit.
    """
    layer = require(layer)
    labels = rules.check_labels(layer.law, labels, layer.width)
    a = layer.law.magnitudes(rng, layer.width, layer.pool, shape("size", size))
    return a * layer.law.sign(rng, a.shape, labels)
