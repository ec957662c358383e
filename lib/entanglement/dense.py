"""DenseNetwork: the network with its matrices in torch, and gradients; LazyNetwork's oracle."""

import numpy as np
import torch

from entanglement import arguments
from entanglement.network import DEPENDENT, Network
from entanglement.pairs import Velocity


class DenseNetwork(Network):
    """A network inferred from one sample by drawing every pool whole and keeping rows by the rule.

    After fit, `weights` lists the kept rows of each layer as float64 tensors, the first (width, d).
    """

    def fit(self, x, labels=None):
        """Infer from one input x (d,); labels: bits (width,) for `labelled`. Returns self."""
        unit = torch.from_numpy(self._start(x, labels))
        n, k, d = self.layer.pool, self.width, self.input_dim
        size = 8 * (n * max(d, k) + k * (d + (self.depth - 1) * k))
        arguments.memory("layer", f"{self.depth} times {self.layer}", size)
        (rng,) = np.random.default_rng(self.seed).spawn(1)  # never the stream of a caller's x
        self.training_input, self.weights = unit, []
        for _ in range(self.depth):
            rows = torch.from_numpy(rng.standard_normal((n, len(unit))))
            rank = self.layer.law.rank((rows @ unit).numpy(), self.labels)
            kept = np.sort(np.argpartition(-rank, k - 1)[:k])  # in the order drawn
            self.weights.append(rows[kept])
            unit = self.weights[-1] @ unit
            unit = unit / unit.norm()
        return self

    def transform(self, X, layer=None):
        """Unit features (P, width) of the rows of X (P, d) after `layer` layers (default: all).

        A torch tensor comes back as a tensor, with gradients; anything else as a NumPy array.
        ValueError as of LazyNetwork.
        """
        layer = self._number(layer)
        tensor = isinstance(X, torch.Tensor)
        checked = self._inputs(X.detach().numpy() if tensor else X)
        feature = torch.from_numpy(checked)
        if tensor:  # dividing by a constant changes no gradient: features know no scale
            feature = X.double() / X.detach().double().abs().amax(dim=1, keepdim=True)
        for W in self.weights[:layer]:
            feature = feature @ W.T
            feature = feature / feature.norm(dim=1, keepdim=True)
        return feature if tensor else feature.numpy()

    def trajectory(self, X):
        """Velocity (depth + 1, P) of the rows of X (P, d), at the input and after every layer.

        Each pair carries its own orthonormal frame (training feature, rest), so that no angle is
        lost to cancellation, and w as p e^q with q >= 0. Where the gain is negative (M < 1),
        rounding grows by it each layer: trust about 20/|gain|.
        """
        X = torch.from_numpy(self._inputs(X)).T
        unit = self.training_input
        along, rest, norm = _split(unit, X)
        inside = norm <= DEPENDENT
        size = torch.where(inside, 1.0, norm)
        frame, p, q = rest / size, along / size, 0 * norm
        path = []
        for W in [None, *self.weights]:
            if W is not None:
                image = W @ unit
                unit = image / image.norm()
                drawn, rest, size = _split(unit, W @ frame)
                size = torch.where(inside, 1.0, size)
                frame, p = rest / size, (image.norm() * p + drawn * torch.exp(-q)) / size
            grown = torch.clamp(p.abs(), min=1.0)
            p, q = p / grown, q + torch.log(grown)
            path.append((torch.where(inside, torch.inf, torch.log(p.abs()) + q), torch.sign(p)))
        return Velocity(*(torch.stack(part).numpy() for part in zip(*path, strict=True)))

    def proper_velocity(self, X):
        """(ln|w|, sign of w) of each row of X (P, d) with the training input, at the last layer."""
        path = self.trajectory(X)
        return Velocity(path.log_abs[-1], path.sign[-1])

    def pull_back(self):
        """Unit vector (d,) along H^T u_L, H = W_L ... W_1, u_L the unit training feature."""
        self._fitted("net")
        v = torch.from_numpy(self.transform(self.training_input.numpy()[None])[0])
        for W in reversed(self.weights):
            v = W.T @ v
            v = v / v.norm()
        return v.numpy()


def _split(unit, X):
    """Components of the columns of X along `unit`, the rest, its norms; Gram-Schmidt twice."""
    first = unit @ X
    rest = X - torch.outer(unit, first)
    second = unit @ rest
    rest = rest - torch.outer(unit, second)
    return first + second, rest, rest.norm(dim=0)
