"""The kernel itself, pixel by pixel: free logits under a softmax, for kernels that are nearly known."""

import torch
from torch import Tensor, nn

from methods.parts.kernel_priors.softmax import softmax2d


class LogitKernel(nn.Module):
    """Kernels = softmax(logits); uniform until `start_at`."""

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        """`count` kernels of `size` (h, w)."""
        super().__init__()
        self.size = size
        self.logits = nn.Parameter(torch.zeros(count, *size))

    @torch.no_grad()
    def start_at(self, kernels: Tensor) -> None:
        """Give `kernels` (P, h, w), sum 1 each, from now on. Where they are 0 they stay at 0."""
        self.logits.copy_(kernels.clamp_min(torch.finfo(kernels.dtype).tiny).log())

    def forward(self) -> Tensor:
        """The kernels (P, h, w), true-convolution form, non-negative, sum 1 each."""
        return softmax2d(self.logits)

    def frozen(self) -> Tensor:
        """As `forward`, but nothing moves them."""
        return self.forward().detach()
