"""A kernel from a convolutional network like the image's, with a softmax over its entries."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmark.core.errors import NotSupportedError
from methods.parts.image_priors.skip import CODE_SCALE, SkipNetwork, SkipSettings
from methods.parts.seeding import initialised_from


class ConvolutionalKernel(nn.Module):
    """Kernel = softmax(network(code)); the code is fixed, the weights are optimised.

    >>> settings = SkipSettings(channels=4, skip_channels=2)
    >>> convolutional_kernel(settings, (5, 7), torch.Generator().manual_seed(0))().shape
    torch.Size([1, 5, 7])
    """

    def __init__(self, network: SkipNetwork, code: Tensor) -> None:
        """Wrap a network.

        Args:
            network: Has one output channel.
            code: Its fixed random input (1, in, h, w).
        """
        super().__init__()
        self.size = (code.shape[-2], code.shape[-1])
        self.network = network
        self.code: Tensor
        self.register_buffer("code", code)

    def forward(self) -> Tensor:
        """Return the kernel (1, h, w): true-convolution form, positive, sum 1."""
        entries = self.network.logits(self.code)[0]
        return torch.softmax(entries.flatten(), dim=0).reshape(1, *self.size)


def convolutional_kernel(
    settings: SkipSettings, size: tuple[int, int], rng: torch.Generator
) -> ConvolutionalKernel:
    """Draw a kernel prior from a network like the image's, with as many scales as the kernel has room for.

    Args:
        settings: Sizes of the network; its precision is float32.
        size: (h, w) of the kernel.
        rng: A generator on the CPU.

    Raises:
        NotSupportedError: A side of the kernel is below 3 px, which is no room for any scale.
    """
    if min(size) < 3:
        raise NotSupportedError(
            f"a convolutional kernel network needs kernels of at least 3 px, not {size[0]} x {size[1]}"
        )
    code = CODE_SCALE * torch.rand(1, settings.code_channels, *size, generator=rng)
    scales = min(settings.scales, (min(size) - 1).bit_length() - 1)
    smaller = replace(settings, scales=scales, precision="float32")  # so few pixels gain nothing by less
    with initialised_from(rng):
        return ConvolutionalKernel(smaller.network(1, non_local=False), code)
