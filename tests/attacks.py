"""An attack's gradient by torch, to which the library's closed form is held."""

import torch


def side_gradient(net, X, unit=True):
    """The gradient function, for `pgd` or `climb`, of the loss that pushes the rows of X (P, d)
    across the border of their side.

    The loss is -side times the cosine of the feature and the training input's (`unit`), or times
    their inner product, whose gradient does not fade with depth. The sides are those of X.
    """
    side = torch.from_numpy(net.proper_velocity(X).sign)
    u = torch.from_numpy(net.transform(net.training_input.numpy()[None])[0])

    def gradient(moved):
        moved = torch.tensor(moved, requires_grad=True)
        feature = moved
        if unit:
            feature = net.transform(moved)
        else:
            for W in net.weights:
                feature = feature @ (W.T / len(W) ** 0.5)
        (-side * (feature @ u)).sum().backward()
        return moved.grad.numpy()

    return gradient
