"""LazyNetwork: an entangling network whose weights are sampled only where an input looks (NumPy).

A kept row is a u + (I - u u^T) g with margin a, unit training feature u and fresh g ~ N(0, I). On
an orthonormal basis that begins with u a layer is therefore [margins | fresh N(0, 1) columns], and
a basis of the inputs shown so far is all that a layer needs: exactly the law of the dense network,
at a cost that grows with k instead of n k. Ours.
"""

import numpy as np

from entanglement import arguments
from entanglement.layer import margins
from entanglement.network import DEPENDENT, Network
from entanglement.pairs import Velocity


class LazyNetwork(Network):
    """A network inferred from one sample, without its matrices.

    Later inputs extend the sampled weights and never change an earlier answer (to rounding);
    weights are drawn in the order in which rows bring new directions, however inputs are batched.
    """

    def fit(self, x, labels=None):
        """Infer from one input x (d,); labels: bits (width,) for `labelled`. Returns self."""
        unit = self._start(x, labels)
        self._refuse("depth", 1)
        self.basis = unit[:, None]  # (d, N) orthonormal, training input first
        self._streams = np.random.default_rng(self.seed).spawn(self.depth)
        # per layer Q (k, r) and T (r, N): W on the span is Q T
        self.frames, self.triangles = [], []
        for stream in self._streams:
            a = margins(self.layer, stream, labels=self.labels)
            norm = np.linalg.norm(a)
            self.frames.append((a / norm)[:, None])
            self.triangles.append(np.array([[norm]]))
        return self

    def transform(self, X, layer=None):
        """Unit features (P, width) of the rows of X (P, d) after `layer` layers (default: all).

        ValueError for a wrong shape, NaN, inf, a zero row, or a span beyond memory.
        """
        layer = self._number(layer)
        for depth, D, P in self._walk(self._place(X)):
            if depth == layer:
                with np.errstate(divide="ignore"):
                    log_size = np.log(np.abs(P)) + D[:, None]
                unit = np.sign(P) * np.exp(log_size - log_size.max(axis=0))
                return (self.frames[layer - 1] @ (unit / np.linalg.norm(unit, axis=0))).T

    def trajectory(self, X):
        """Velocity (depth + 1, P) of the rows of X (P, d), at the input and after every layer."""
        steps = [_velocity(D, P) for _, D, P in self._walk(self._place(X))]
        return Velocity(*(np.array(part) for part in zip(*steps, strict=True)))

    def proper_velocity(self, X):
        """(ln|w|, sign of w) of each row of X (P, d) at the last layer, arrays (P,).

        w = cot(theta_L). Right beyond float cancellation. A row on the line of the training input
        has ln|w| = inf.
        """
        for _, D, P in self._walk(self._place(X)):  # noqa: B007
            pass  # only the last layer's coordinates are read
        return _velocity(D, P)

    def pull_back(self):
        """Unit vector (d,) along H^T u_L, as of DenseNetwork; samples all d directions."""
        self._fitted("net")
        self._place(self._inputs(np.eye(self.input_dim)))
        v = np.ones(1)  # u_L is the first column of the last frame
        for T in reversed(self.triangles):
            v = v @ T[: len(v)]
            v = v / np.linalg.norm(v)
        return self.basis @ v

    def _walk(self, C):
        """(layer, D, P), coordinates e^D P of inputs C (N, P) on each frame; P within range."""
        D, P = np.zeros(len(C)), C
        yield 0, D, P
        for layer, T in enumerate(self.triangles, 1):
            diagonal, rows = np.diag(T), len(T)
            P = (T / diagonal[:, None] * np.exp(np.triu(D - D[:rows, None]))) @ P
            D = D[:rows] + np.log(diagonal)
            if rows > 1 and D[1] > D[0]:  # M < 1: rescale its row, lest the others overflow it
                P[0] *= np.exp(D[0] - D[1])
                D[0] = D[1]
            yield layer, D, P

    def _place(self, X):
        """Coordinates (N, P) of the rows of X on the input basis, which grows where new."""
        X = self._inputs(X)
        size = 8 * self.input_dim * min(self.input_dim, len(X))
        arguments.memory("X", f"{len(X)} inputs of dimension {self.input_dim}", size)
        basis = np.empty((self.input_dim, min(self.input_dim, self.basis.shape[1] + len(X))))
        known = self.basis.shape[1]
        basis[:, :known] = self.basis
        C = np.zeros((basis.shape[1], len(X)))
        for column, x in enumerate(X):
            C[:known, column], rest = _split(basis[:, :known], x)
            norm = np.linalg.norm(rest)
            if norm > DEPENDENT and known < self.input_dim:
                C[known, column], basis[:, known] = norm, rest / norm
                known += 1
            elif np.linalg.norm(C[1:, column]) <= DEPENDENT:
                C[1:, column] = 0  # on the line of the training input
        self._extend(basis[:, :known])
        return C[:known]

    def _extend(self, basis):
        known, total = self.basis.shape[1], basis.shape[1]
        if total == known:
            return
        self._refuse("X", total)
        inputs = total
        for layer, stream in enumerate(self._streams):
            Q, T = _append(self.frames[layer], self.triangles[layer], stream, inputs)
            self.frames[layer], self.triangles[layer], inputs = Q, T, len(T)
        self.basis = basis

    def _refuse(self, name, total):
        size = 8 * total * (self.input_dim + self.depth * (self.width + min(total, self.width)))
        what = f"{total} directions through {self.depth} layers of width {self.width}"
        arguments.memory(name, what, size)


def _append(Q, T, stream, total):
    """Q and T of a layer with fresh N(0, 1) columns appended up to `total`; Gram-Schmidt, twice."""
    width, (rows, known) = len(Q), T.shape
    ranks = min(total, width)
    larger, triangle = np.empty((width, ranks), order="F"), np.zeros((ranks, total))
    larger[:, :rows], triangle[:rows, :known] = Q, T
    for j, fresh in enumerate(stream.standard_normal((total - known, width)), known):
        rank = min(j, width)
        triangle[:rank, j], rest = _split(larger[:, :rank], fresh)
        if j < width:
            triangle[j, j] = np.sqrt(rest @ rest)
            larger[:, j] = rest / triangle[j, j]
    return larger, triangle


def _split(Q, x):
    """Coordinates of x on the orthonormal columns of Q, and the rest, by Gram-Schmidt twice."""
    first = Q.T @ x
    rest = x - Q @ first
    second = Q.T @ rest
    return first + second, rest - Q @ second


def _velocity(D, P):
    """ln|w| and sign from scaled coordinates: the first against the norm of all others."""
    with np.errstate(divide="ignore"):
        return Velocity(D[0] + np.log(np.abs(P[0])) - _log_norms(D[1:], P[1:]), np.sign(P[0]))


def _log_norms(D, P):
    """ln of the norms of the columns of e^D P."""
    top = D.max(initial=-np.inf)
    with np.errstate(divide="ignore"):
        return top + np.log(np.linalg.norm(P * np.exp(D - top)[:, None], axis=0))
