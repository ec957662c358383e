"""One table of rules: which k of n rows a layer keeps, and what is known of their margins.

`rank` is a rule's definition and all that the dense oracle reads. The rest is what the shortcuts
and closed forms read; what a rule lacks is refused by name. n rows are projected on the training
feature; given the share p of the projections' law that the kept ones come from, they are
independent in it, and p ~ Beta(k+1, n-k) (order statistics of uniforms). Ours.
"""

import numpy as np
from scipy import special

from entanglement import arguments
from entanglement.quadrature import craig, craig_largest_of, normal_density


class Rule:
    """What a rule has to say. A new rule is a subclass of this in the table below."""

    name = None
    labelled = False  # whether it needs a wanted bit for each unit

    def check(self, width, pool):
        """Refuse a pool that the rule cannot use."""

    def rank(self, projections, labels=None):
        """Scores (n,) of rows from their projections (n,): the k largest are kept."""
        self._lacks("definition")

    def magnitudes(self, rng, width, pool, shape):
        """Margins (*shape, width) of the kept rows, up to `sign`, in O(width)."""
        p = rng.beta(width + 1, pool - width, (*shape, 1))
        return self.quantile(rng.random((*shape, width)), p)

    def quantile(self, u, p):
        """A kept row's margin, up to `sign`, at uniform u in [0, 1), given p; they broadcast."""
        self._lacks("law of its margins to draw from")

    def sign(self, rng, shape, labels=None):
        """What the magnitudes (*shape,) are multiplied by."""
        return 1.0

    def shares(self, width, pool):
        """Nodes p and their weights for an average over the share that is kept."""
        z = np.linspace(-7, 7, 113)  # a trapezoid in the normal score
        weight = normal_density(z)
        p = special.betaincinv(width + 1, pool - width, special.ndtr(z))
        return np.minimum(p, 1 - 1e-16), weight / weight.sum()

    def moments(self, p):
        """E a^2, E a^4, E a^6, E a^8 of a margin given p (any shape): an array (4, *p.shape)."""
        self._lacks("closed form for the moments of its margins")

    def log_laplace(self, t, p):
        """ln E exp(-t a^2) of a margin given p; t complex, real part >= 0; they broadcast."""
        self._lacks("closed form for the norm of its margins")

    def flip(self, theta, p):
        """Chance that a kept row's sign(a) differs at angle theta, given p; they broadcast."""
        self._lacks("closed form for its bit flips")

    def _lacks(self, what):
        raise ValueError(f"rule: {self.name!r} has no {what}")


class Ordinary(Rule):
    """n = k: every row is kept."""

    name = "none"

    def check(self, width, pool):
        if pool > width:
            raise ValueError(
                f"pool: {pool} is more than width {width}, but rule 'none' keeps every row"
            )

    def rank(self, projections, labels=None):
        return np.zeros_like(projections)

    def magnitudes(self, rng, width, pool, shape):
        return rng.standard_normal((*shape, width))

    def shares(self, width, pool):
        return np.ones(1), np.ones(1)

    def moments(self, p):
        return np.multiply.outer([1.0, 3.0, 15.0, 105.0], np.ones(np.shape(p)))

    def log_laplace(self, t, p):
        return -np.log1p(2 * t) / 2 + 0 * p

    def flip(self, theta, p):
        return theta / np.pi + 0 * p


class Tail(Rule):
    """The outer end of the projections' law is kept, on one side or on both."""

    sides = 1

    def threshold(self, p):
        return -special.ndtri(p / self.sides)  # the lower tail, never 1 - p

    def quantile(self, u, p):
        return self.threshold(p * (1 - u))

    def moments(self, p):
        q, found = self.threshold(p), [np.ones(np.shape(p))]
        beyond = self.sides * normal_density(q) / p
        for order in (1, 3, 5, 7):  # by parts: int_q a^(m+1) phi = q^m phi(q) + m int_q a^(m-1) phi
            found.append(order * found[-1] + q**order * beyond)
        return np.array(found[1:])

    def log_laplace(self, t, p):
        root = np.sqrt(1 + 2 * t)
        return np.log(self.sides / p) + special.log_ndtr(-self.threshold(p) * root) - np.log(root)


class Largest(Tail):
    """The authors' rule: the largest |projection|."""

    name = "largest"
    sides = 2

    def rank(self, projections, labels=None):
        return np.abs(projections)

    def sign(self, rng, shape, labels=None):
        return np.copysign(1.0, rng.random(shape) - 0.5)

    def flip(self, theta, p):
        return craig(theta, self.threshold(p)) / (np.pi * p)


class Signed(Tail):
    """One of the authors' flip-label scripts: the largest projections, with their sign."""

    name = "signed"

    def rank(self, projections, labels=None):
        return projections

    def flip(self, theta, p):
        q = self.threshold(p)
        tail = craig(theta, np.abs(q)) / (2 * np.pi)
        return np.where(q >= 0, tail, theta / np.pi - tail) / p


class Labelled(Rule):
    """Ours: unit i keeps, of its own m = n/k rows, the largest c_i a, c_i a wanted bit; p = 1/m."""

    name = "labelled"
    labelled = True

    def check(self, width, pool):
        if pool % width:
            raise ValueError(
                f"pool: {pool} is not a multiple of width {width}, as rule 'labelled' needs"
            )

    def rank(self, projections, labels=None):
        wanted = np.reshape(projections, (len(labels), -1)) * labels[:, None]
        # 0 for the k winners, less for all others
        return (wanted - wanted.max(axis=1, keepdims=True)).ravel()

    def magnitudes(self, rng, width, pool, shape):
        return self.quantile(rng.random((*shape, width)), width / pool)

    def quantile(self, u, p):
        return -special.ndtri(-np.expm1(np.log1p(-u) * p))

    def sign(self, rng, shape, labels=None):
        return labels

    def shares(self, width, pool):
        return np.array([width / pool]), np.ones(1)

    def moments(self, p):
        a = np.linspace(-12, 12, 4801)
        power = 1 / np.asarray(p)[..., None] - 1
        weight = normal_density(a) * np.exp(power * special.log_ndtr(a))
        weight = weight / weight.sum(axis=-1, keepdims=True)
        return np.array([weight @ a**order for order in (2, 4, 6, 8)])

    def log_laplace(self, t, p):
        y = np.linspace(-12, 12, 1201).reshape(-1, *(1,) * np.ndim(t * p))
        root = np.sqrt(1 + 2 * t)
        one = normal_density(y) * np.exp((1 / p - 1) * special.log_ndtr(y / root))
        return np.log(one.sum(axis=0) * 0.02 / (p * root))

    def flip(self, theta, p):
        return craig_largest_of(theta, 1 / p)


RULES = {rule.name: rule for rule in (Ordinary(), Largest(), Signed(), Labelled())}


def find(name):
    """The rule called `name`; ValueError if there is none."""
    if not isinstance(name, str) or name not in RULES:
        raise ValueError(f"rule: {name!r} is not one of {tuple(RULES)}")
    return RULES[name]


def check_labels(rule, labels, width):
    """The wanted bits (width,), -1 and +1, of a rule that needs them, None of another."""
    if not rule.labelled:
        return None
    if labels is None:
        raise ValueError(
            f"labels: None, but rule {rule.name!r} needs a wanted bit (-1 or +1) for each unit"
        )
    return arguments.signs("labels", labels, (width,))
