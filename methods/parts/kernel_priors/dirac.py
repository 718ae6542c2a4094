"""No blur: the kernel of an observation that is noisy but sharp."""

import torch
from torch import Tensor, nn


class DiracKernel(nn.Module):
    """Kernel = 1, a single entry, with no parameters.

    >>> DiracKernel()()
    tensor([[[1.]]])
    """

    size = (1, 1)

    def __init__(self) -> None:
        super().__init__()
        self.entries: Tensor
        self.register_buffer("entries", torch.ones(1, 1, 1), persistent=False)

    def forward(self) -> Tensor:
        """Return the kernel (1, 1, 1)."""
        return self.entries
