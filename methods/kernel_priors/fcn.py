"""The kernel network of SelfDeblur and VDIP: one hidden layer, softmax over the kernel's entries."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.blur.convolution import rotate_180


class FcnKernel(nn.Module):
    """Kernel = softmax(W2 relu6(W1 code)); the code is fixed, the weights are optimised."""

    def __init__(self, code: Tensor, size: tuple[int, int], hidden: int = 1000) -> None:
        """`code` is a vector; `size` the kernel's (h, w)."""
        super().__init__()
        self.code: Tensor
        self.register_buffer("code", code)
        self.size = size
        self.expand = nn.Linear(len(code), hidden)
        self.entries = nn.Linear(hidden, size[0] * size[1])

    def forward(self) -> Tensor:
        """The kernel (1, h, w), true-convolution form, positive, sum 1."""
        entries = self.entries(functional.relu6(self.expand(self.code)))
        # The published code correlates with this array: its orientation is turned here and nowhere else.
        return rotate_180(torch.softmax(entries, dim=0).reshape(1, *self.size))
