"""A kernel from a convolutional network: a deep image prior of its own, softmax over the entries."""

import torch
from torch import Tensor, nn

from methods.parts.image_priors.skip import SkipNetwork


class ConvolutionalKernel(nn.Module):
    """Kernel = softmax(network(code)); the code is fixed, the weights are optimised."""

    def __init__(self, network: SkipNetwork, code: Tensor) -> None:
        """`network` has one output; `code` is (1, in, h, w)."""
        super().__init__()
        self.size = (code.shape[-2], code.shape[-1])
        self.network = network
        self.code: Tensor
        self.register_buffer("code", code)

    def forward(self) -> Tensor:
        """The kernel (1, h, w), true-convolution form, positive, sum 1."""
        entries = self.network.logits(self.code)[0]
        return torch.softmax(entries.flatten(), dim=0).reshape(1, *self.size)
