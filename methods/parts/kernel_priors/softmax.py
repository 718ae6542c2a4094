"""The softmax that makes a kernel of free numbers."""

from torch import Tensor


def softmax2d(logits: Tensor) -> Tensor:
    """The softmax over the last two axes together."""
    return logits.flatten(-2).softmax(-1).reshape(logits.shape)
