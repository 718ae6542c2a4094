"""Make kernels of free numbers."""

from torch import Tensor


def softmax2d(logits: Tensor) -> Tensor:
    """Apply a softmax over the last two axes together: (..., h, w) to non-negative entries of sum 1.

    >>> import torch
    >>> softmax2d(torch.zeros(1, 2, 2)).tolist()
    [[[0.25, 0.25], [0.25, 0.25]]]
    """
    return logits.flatten(-2).softmax(-1).reshape(logits.shape)
