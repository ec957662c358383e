"""DenseNetwork: the same network with its matrices in torch; the oracle of LazyNetwork, and the one with gradients."""

import numpy as np
import torch

from entanglement.lazy import DEPENDENT, Network, refuse_too_large
from entanglement.pairs import Velocity, accumulate


class DenseNetwork(Network):
    """A network inferred from one sample by drawing every pool whole and keeping rows by the rule.

    After fit, `weights` lists the kept rows of each layer as float64 tensors: (width, d), then (width, width).
    """

    def fit(self, x, labels=None):
        """Infer the network from one training input x (d,); labels: wanted bits (width,) for `labelled`. Returns self."""
        unit = torch.from_numpy(self._start(x, labels))
        size = 8 * (self.pool * max(self.input_dim, self.width) + self.width * (self.input_dim + (self.depth - 1) * self.width))
        refuse_too_large("pool", f"depth {self.depth}, pool {self.pool}, width {self.width}", size)
        (rng,) = np.random.default_rng(self.seed).spawn(1)  # never the stream from which a caller drew x with the same seed
        self.training_input, self.weights = unit, []
        for _ in range(self.depth):
            rows = torch.from_numpy(rng.standard_normal((self.pool, len(unit))))
            self.weights.append(rows[self._kept(rows @ unit)])
            unit = self.weights[-1] @ unit
            unit = unit / unit.norm()
        return self

    def transform(self, X, layer=None):
        """Unit features (P, width) of the rows of X (P, d) after `layer` layers (default: all).

        A torch tensor comes back as a tensor, with gradients; anything else as a NumPy array. Raises ValueError as LazyNetwork does.
        """
        layer = self._layer(layer)
        tensor = isinstance(X, torch.Tensor)
        checked = self._inputs(X.detach().numpy() if tensor else X)
        # dividing by a constant changes no gradient: features do not depend on the scale
        feature = X.double() / X.detach().double().abs().amax(dim=1, keepdim=True) if tensor else torch.from_numpy(checked)
        for W in self.weights[:layer]:
            feature = feature @ W.T
            feature = feature / feature.norm(dim=1, keepdim=True)
        return feature if tensor else feature.numpy()

    def trajectory(self, X):
        """Proper velocities of the rows of X (P, d) at the input and after every layer: a Velocity of shape (depth + 1, P).

        Each pair carries its own orthonormal frame (training feature, rest), so that no angle is lost to cancellation.
        Where the rapidity gain is negative (M < 1), rounding of the training feature grows by it each layer: trust about 20/|gain| layers.
        """
        unit, X = self.training_input, torch.from_numpy(self._inputs(X)).T
        along, rest, norm = _split(unit, X)
        inside = norm <= DEPENDENT
        frame = rest / torch.where(inside, 1.0, norm)
        A, B, z = [], [], []
        for W in self.weights:
            image = W @ unit
            unit = image / image.norm()
            drawn, rest, size = _split(unit, W @ frame)
            frame = rest / torch.where(inside, 1.0, size)
            A.append(image.norm().expand_as(size)), B.append(size), z.append(drawn)
        norm, size = (torch.where(inside, 1.0, s).numpy() for s in (norm, torch.stack(B)))
        with np.errstate(divide="ignore"):
            start = Velocity(np.log(np.abs(along.numpy())) - np.log(norm), np.sign(along.numpy()))
        path = accumulate(start, torch.stack(A).numpy(), size, torch.stack(z).numpy())
        log_abs = np.vstack([start.log_abs, path.log_abs])
        return Velocity(np.where(inside.numpy(), np.inf, log_abs), np.vstack([start.sign, path.sign]))

    def pull_back(self):
        """Unit vector (d,) along H^T u_L, H = W_L ... W_1 and u_L the training input's unit feature."""
        self._fitted("net")
        v = torch.from_numpy(self.transform(self.training_input.numpy()[None])[0])
        for W in reversed(self.weights):
            v = W.T @ v
            v = v / v.norm()
        return v.numpy()

    def _kept(self, margins):
        """Indices of the rows that the rule keeps, in the order drawn."""
        if self.rule == "labelled":
            candidates = margins.reshape(self.width, -1) * torch.from_numpy(self.labels)[:, None]
            return torch.arange(self.width) * candidates.shape[1] + candidates.argmax(dim=1)
        score = margins if self.rule == "signed" else margins.abs()
        return torch.sort(torch.topk(score, self.width).indices).values


def _split(unit, X):
    """Components of the columns of X along `unit`, what is left of them, and its norms; Gram-Schmidt twice."""
    first = unit @ X
    rest = X - torch.outer(unit, first)
    second = unit @ rest
    rest = rest - torch.outer(unit, second)
    return first + second, rest, rest.norm(dim=0)
