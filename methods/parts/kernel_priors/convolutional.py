"""A kernel from a convolutional network: a deep image prior of its own, softmax over the entries."""

import torch
from torch import Tensor, nn

from benchmark.core.types import NotSupportedError
from methods.parts.image_priors.skip import CODE_SCALE, SkipNetwork, SkipSettings, plain_network
from methods.parts.seeding import initialised_from


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


def convolutional_kernel(
    settings: SkipSettings, size: tuple[int, int], rng: torch.Generator
) -> ConvolutionalKernel:
    """Draw a kernel of `size` (h, w) from a network like the image's, with as many scales as it has room for.

    Raises NotSupportedError where there is room for none.
    """
    if min(size) < 3:
        raise NotSupportedError(
            f"a convolutional kernel network needs kernels of at least 3 px, not {size[0]} x {size[1]}"
        )
    code = CODE_SCALE * torch.rand(1, settings.code_channels, *size, generator=rng)
    scales = min(settings.scales, (min(size) - 1).bit_length() - 1)
    with initialised_from(rng):
        return ConvolutionalKernel(plain_network(settings, 1, scales), code)
