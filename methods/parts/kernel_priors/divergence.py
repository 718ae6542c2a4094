"""How far predicted kernels are from given ones: the Kullback-Leibler divergence.

    KL(k || p) = sum_m k(m) log k(m) - sum_m k(m) log p(m)

k is the given kernel and p the predicted one, m an entry; both are non-negative and have sum 1. The second
sum, with its sign, is the cross-entropy: all of the divergence that depends on the prediction.
"""

import torch
from torch import Tensor


def cross_entropy(target: Tensor, logarithms: Tensor) -> Tensor:
    """Compute the cross-entropy of predicted kernels, in nats.

    Args:
        target: kernels (..., h, w), non-negative, sum 1 each.
        logarithms: natural logarithms of the predicted kernels, (..., h, w).

    Returns:
        One number per kernel, (...).

    >>> kernel = torch.full((1, 2, 2), 0.25)
    >>> cross_entropy(kernel, kernel.log())
    tensor([1.3863])
    """
    return -(target * logarithms).sum((-2, -1))


def cross_entropy_of(target: Tensor, kernels: Tensor) -> Tensor:
    """Compute `cross_entropy` from predicted kernels (..., h, w), entries of which may underflow to 0."""
    return cross_entropy(target, kernels.clamp_min(torch.finfo(kernels.dtype).tiny).log())


def kl_divergence(target: Tensor, logits: Tensor) -> Tensor:
    """Compute KL(target || softmax(logits)) for kernels and logits (..., h, w): (...), in nats.

    >>> uniform = torch.full((2, 3, 3), 1 / 9)
    >>> kl_divergence(uniform, torch.zeros(2, 3, 3)).abs().max() < 1e-6
    tensor(True)
    """
    logarithms = logits.flatten(-2).log_softmax(-1).view(logits.shape)
    return torch.xlogy(target, target).sum((-2, -1)) + cross_entropy(target, logarithms)
