"""Classifiers of images as defences: exact worst cases where scores are linear, else attacks.

A defence is a function from images (P, d) to scores (P, C), the largest of which names the class,
and to a second function: slope(first, second), classes (P,) each, is the gradient (P, d) of the
first score less the second. Attacks are L_inf: |x' - x| <= radius in every pixel, x' within limits.
The entangled decoder holds one network a class, inferred from that class's enrolled picture less a
centre; it scores by the proper velocities w_c, or by <r_c, x'>. Ours.
"""

import numpy as np

from entanglement import arguments
from entanglement.layer import require
from entanglement.pairs import margin_norms
from entanglement.robustness import least_score, products

MOMENTUM, INNER = 0.9, 3  # of training; steps of the attack inside adversarial training
MOST_CLASSES = 1000


class Linear:
    """Scores <row_c, x' - centre>. rows: (C, d), one a class; centre: (d,)."""

    def __init__(self, rows, centre):
        self.centre = arguments.numbers("centre", centre)
        self.rows = arguments.inputs("rows", rows, len(self.centre))

    def __call__(self, X):
        """Scores (P, C) and their slope."""
        scores = (X - self.centre) @ self.rows.T
        return scores, lambda first, second: self.rows[first] - self.rows[second]

    def certified(self, X, labels, radius, limits):
        """Whether each row of X (P, d) is named rightly under every attack: bool (P,), exact.

        labels: (P,) whole numbers; radius, limits: as `attack` takes them.
        """
        X, radius = arguments.stack("X", X, "P", "d"), arguments.number("radius", radius, 0)
        labels, scores = _labels(labels, X, len(self.rows)), self(X)[0]
        lead = np.take_along_axis(scores, labels[:, None], axis=1) - scores
        other = np.arange(len(self.rows)) != labels[:, None]
        holds = ~np.any((lead <= 0) & other, axis=1)
        # what a lead can lose, were there no limits: where it is less, nothing more is to be asked
        most = radius * np.abs(self.rows[:, None] - self.rows).sum(axis=2)[labels]
        image, rival = np.nonzero(holds[:, None] & other & (lead <= most))
        if len(image):
            row = self.rows[labels[image]] - self.rows[rival]
            lost = least_score(X[image], row, radius, limits) <= row @ self.centre
            holds[image[lost]] = False
        return holds


class Decoder:
    """Scores by the proper velocities w_c of ten networks, or as many as there are.

    p, G: (C, d), (C, d, d), one network a class, as velocity_parts, whole_parts and drawn_parts
    give them; centre: (d,), taken off every image. `linear`: their Linear, by <r_c, x'>.
    """

    def __init__(self, p, G, centre):
        self.p, self.G = arguments.numbers("p", p), arguments.numbers("G", G)
        if self.p.ndim != 2 or self.G.shape != (*self.p.shape, self.p.shape[1]):
            raise ValueError(f"p, G: shapes {self.p.shape}, {self.G.shape}; want (C, d), (C, d, d)")
        self.linear = Linear(p / np.linalg.norm(p, axis=1, keepdims=True), centre)

    def __call__(self, X):
        """Scores (P, C) and their slope."""
        Z, row = X - self.linear.centre, np.arange(len(X))
        turned = Z @ self.G
        square = np.sum(turned * Z, axis=2)
        w = self.p @ Z.T / np.sqrt(square)

        def gradient(c):
            size = square[c, row, None]
            return self.p[c] / np.sqrt(size) - w[c, row, None] / size * turned[c, row]

        return w.T, lambda first, second: gradient(first) - gradient(second)


class Perceptron:
    """One hidden layer of ReLU units. weights: (W, b, V, c), scores relu(z W + b) V + c for z in
    [-1, 1], the image within its limits.
    """

    def __init__(self, weights, limits):
        self.weights, self.limits = weights, limits

    def hidden(self, X):
        """Images on [-1, 1] (P, d) and hidden units (P, hidden)."""
        low, high = self.limits
        Z = (2 * X - low - high) / (high - low)
        return Z, np.maximum(Z @ self.weights[0] + self.weights[1], 0)

    def __call__(self, X):
        """Scores (P, C) and their slope."""
        W, _, V, c = self.weights
        (_, h), scale = self.hidden(X), 2 / (self.limits[1] - self.limits[0])
        return h @ V + c, lambda first, second: ((h > 0) * (V.T[first] - V.T[second])) @ W.T * scale

    def _errors(self, X, labels):
        """Gradients of the mean cross-entropy by scores (P, C) and hidden sums; Z, hidden."""
        Z, h = self.hidden(X)
        scores = h @ self.weights[2] + self.weights[3]
        error = np.exp(scores - scores.max(axis=1, keepdims=True))
        error /= error.sum(axis=1, keepdims=True)
        error[np.arange(len(X)), labels] -= 1
        error /= len(X)
        return error, error @ self.weights[2].T * (h > 0), Z, h

    def by_weights(self, X, labels):
        """Gradients of the mean cross-entropy by the weights."""
        error, back, Z, h = self._errors(X, labels)
        return Z.T @ back, back.sum(axis=0), h.T @ error, error.sum(axis=0)

    def by_images(self, X, labels):
        """Its gradient by the images on [-1, 1]: (P, d)."""
        return self._errors(X, labels)[1] @ self.weights[0].T


def train(X, labels, rng, limits, radius=0.0, hidden=64, steps=200, rate=0.3):
    """A Perceptron trained on the rows of X (P, d) by gradient descent on all of them at once.

    radius: above 0, adversarially (Madry et al. 2018): each step takes images that three steps of
    an attack moved by at most this much from a random start. rng: NumPy Generator.
    """
    X, limits = arguments.inputs("X", X), arguments.limits(limits)
    radius, rate = arguments.number("radius", radius, 0), arguments.number("rate", rate, 0)
    units, labels = arguments.count("hidden", hidden), _labels(labels, X, MOST_CLASSES)
    classes = 1 + labels.max()
    sizes = (X.shape[1], units), (units,), (units, classes), (classes,)
    scales = np.sqrt(2 / X.shape[1]), 0, np.sqrt(1 / units), 0
    weights = [s * rng.standard_normal(n) for s, n in zip(scales, sizes, strict=True)]
    net = Perceptron(weights, limits)
    speed = [np.zeros(n) for n in sizes]
    low, high = _box(X, radius, limits)
    for _ in range(arguments.count("steps", steps)):
        A = rng.uniform(low, high) if radius else X
        for _ in range(INNER if radius else 0):
            A = np.clip(A + 2.5 * radius / INNER * np.sign(net.by_images(A, labels)), low, high)
        for i, slope in enumerate(net.by_weights(A, labels)):
            speed[i] = MOMENTUM * speed[i] - rate * slope
            net.weights[i] = net.weights[i] + speed[i]
    return net


def attack(defence, X, labels, radius, rng, limits, rivals=9, rounds=1, steps=20):
    """The rows of X (P, d), each moved by at most `radius` in a pixel to be named wrongly: what a
    defence keeps right under it is an upper bound of what it keeps under every attack.

    Projected gradient descent on the lead over each of the `rivals` classes that score highest, in
    steps that shrink from 2 radius; the first of `rounds` starts at X, the others at random.
    limits: (least, greatest) value of a pixel, which X keeps.
    """
    X, limits = arguments.stack("X", X, "P", "d"), arguments.limits(limits)
    low, high = _box(X, arguments.number("radius", radius, 0), limits)
    scores, _ = defence(X)
    labels, moved = _labels(labels, X, scores.shape[1]), X.copy()
    scores[np.arange(len(X)), labels] = np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, 1:]
    ranks = min(arguments.count("rivals", rivals), order.shape[1])
    others = rng.random((arguments.count("rounds", rounds) - 1, *X.shape))
    steps = arguments.count("steps", steps)
    for start in (X, *(low + (high - low) * part for part in others)) if radius else ():
        for rank in range(ranks):
            left = np.flatnonzero(named(defence, moved) == labels)
            if len(left):
                pair, box = (labels[left], order[left, rank]), (low[left], high[left])
                moved[left] = _descend(defence, start[left], pair, box, radius, steps)
    return moved


def _descend(defence, A, pair, box, radius, steps):
    """Images A moved to lower the lead of the first class of each pair; left where it is lost."""
    A, left, (first, second) = A.copy(), np.arange(len(A)), pair
    for i in range(steps):
        scores, slope = defence(A[left])
        kept = scores.argmax(axis=1) == first[left]
        step = 2 * radius * (1 - i / steps) * np.sign(slope(first[left], second[left]))
        left, step = left[kept], step[kept]
        if not len(left):
            break
        A[left] = np.clip(A[left] - step, box[0][left], box[1][left])
    return A


def named(defence, X):
    """The classes (P,) that a defence gives the rows of X (P, d)."""
    return defence(arguments.stack("X", X, "P", "d"))[0].argmax(axis=1)


def tilted(x, tangent, rng):
    """Unit vectors (C, d) at an angle of the given tangent to the rows of x (C, d), in a direction
    that is uniform across them: the law of r_c given its angle.

    tangent: (C,) or a number, >= 0.
    """
    x = arguments.inputs("x", x)
    tangent = np.broadcast_to(arguments.numbers("tangent", tangent, 0), len(x))[:, None]
    unit = _unit(x)
    across = rng.standard_normal(x.shape)
    across -= np.sum(across * unit, axis=1, keepdims=True) * unit
    leaning = unit + tangent * across / np.linalg.norm(across, axis=1, keepdims=True)
    return leaning / np.hypot(1, tangent)


def whole_parts(layer, x, depth, rng):
    """p (C, d) and G (C, d, d), w = <p, x'> / sqrt(x'^T G x') after `depth` layers, of networks
    inferred from the rows of x (C, d), every pool drawn whole.
    """
    *_, (H, u) = products(layer, x, depth, rng)
    return _parts(H, u)


def drawn_parts(layer, x, depth, rng):
    """The same from the exact law on all of R^d, at a cost that is the same at every width >= d.

    Source: the coordinates of d inputs go through upper triangular T, the norm of the margins and
    chi_{k-1}, chi_{k-2}, ... on the diagonal, N(0, 1) above it.
    """
    x, depth = arguments.inputs("x", x), arguments.count("depth", depth)
    count, d = x.shape
    width = arguments.count("layer", require(layer).width, d)
    H, diagonal, above = np.eye(d)[None], np.diag_indices(d), np.triu_indices(d, 1)
    for _ in range(depth):
        T = np.zeros((count, d, d))
        T[:, *above] = rng.standard_normal((count, len(above[0])))
        T[:, *diagonal] = np.sqrt(rng.chisquare(width - np.arange(d), (count, d)))
        T[:, 0, 0] = margin_norms(layer, rng, count)
        H = T @ H
        H = H / np.linalg.norm(H, axis=(1, 2), keepdims=True)
    axis = _unit(x) - np.eye(d)[0]  # the reflection that takes the first axis to x
    axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-300)
    H = H - 2 * (H @ axis[:, :, None]) * axis[:, None, :]
    return _parts(H, np.broadcast_to(np.eye(d)[0], (count, d)))


def _parts(H, u):
    """p and G of products H (C, k, d) with the training inputs' unit features u (C, k)."""
    p = np.einsum("ck,ckd->cd", u, H)
    R = H - u[:, :, None] * p[:, None, :]
    return p, R.transpose(0, 2, 1) @ R


def _unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _box(X, radius, limits):
    """Least and greatest images (P, d) that an attack may reach."""
    arguments.numbers("X", X, *limits)
    return np.maximum(X - radius, limits[0]), np.minimum(X + radius, limits[1])


def _labels(labels, X, classes):
    """Whole numbers (P,) from 0 to classes - 1."""
    labels = arguments.numbers("labels", labels, 0, classes - 1)
    if labels.shape != (len(X),) or (labels % 1).any():
        raise ValueError(f"labels: shape {labels.shape}; want {len(X)} whole numbers, one a row")
    return labels.astype(int)
