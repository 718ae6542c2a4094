"""A kernel given pixel by pixel: a softmax of free logits, for kernels that are nearly known."""

import torch
from torch import Tensor, nn

from methods.parts.kernel_priors.softmax import softmax2d


class LogitKernel(nn.Module):
    """Kernels = softmax(logits).

    >>> prior = LogitKernel(count=1, size=(3, 3))
    >>> prior().min() == prior().max()  # uniform at first
    tensor(True)
    >>> prior.start_at(torch.eye(3)[None] / 3)
    >>> round(prior()[0, 0, 0].item(), 3)
    0.333
    """

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        """Start with `count` uniform kernels of `size` (h, w)."""
        super().__init__()
        self.size = size
        self.logits = nn.Parameter(torch.zeros(count, *size))

    @torch.no_grad()
    def start_at(self, kernels: Tensor) -> None:
        """Set the logits so that the prior gives `kernels` (P, h, w), sum 1 each. Zeros stay zeros."""
        self.logits.copy_(kernels.clamp_min(torch.finfo(kernels.dtype).tiny).log())

    def forward(self) -> Tensor:
        """Return the kernels (P, h, w): true-convolution form, non-negative, sum 1 each."""
        return softmax2d(self.logits)

    def frozen(self) -> Tensor:
        """Return the kernels without a gradient."""
        return self.forward().detach()
