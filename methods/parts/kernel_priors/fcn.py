"""The kernel network of SelfDeblur and VDIP: one hidden layer, softmax over the kernel's entries."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.blur.convolution import rotate_180
from methods.parts.image_priors.skip import CODE_SCALE
from methods.parts.limits import at_least
from methods.parts.seeding import initialised_from

KERNEL_RATE = 1e-4  # of Adam: SelfDeblur's published scripts; VDIP and Robust BID have the same
SHORT_RUN_KERNEL_RATE = 5e-4  # ours: in few iterations the kernel hardly moves at the scripts' rate


class FcnKernel(nn.Module):
    """Kernel = softmax(W2 relu6(W1 code)); the code is fixed, the weights are optimised.

    >>> kernel = FcnSettings(kernel_hidden=8).draw(1, (5, 7), torch.Generator().manual_seed(0))
    >>> kernel().shape
    torch.Size([1, 5, 7])
    """

    def __init__(self, code: Tensor, size: tuple[int, int], hidden: int = 1000) -> None:
        """Build the network with PyTorch's initial weights.

        Args:
            code: The fixed input, a vector.
            size: (h, w) of the kernel.
            hidden: Units of the hidden layer.
        """
        super().__init__()
        self.code: Tensor
        self.register_buffer("code", code)
        self.size = size
        self.expand = nn.Linear(len(code), hidden)
        self.entries = nn.Linear(hidden, size[0] * size[1])

    def forward(self) -> Tensor:
        """Return the kernel (1, h, w): true-convolution form, positive, sum 1."""
        entries = self.entries(functional.relu6(self.expand(self.code)))
        # The published code correlates with this array: its orientation is turned here and nowhere else.
        return rotate_180(torch.softmax(entries, dim=0).reshape(1, *self.size))


class FcnKernels(nn.Module):
    """Evaluate several kernel networks at once, each with its own code and weights.

    >>> kernels = FcnSettings(kernel_hidden=8).draw(6, (5, 7), torch.Generator().manual_seed(0))
    >>> kernels().shape
    torch.Size([6, 5, 7])
    """

    def __init__(self, codes: Tensor, size: tuple[int, int], hidden: int = 1000) -> None:
        """Build the networks.

        Args:
            codes: (P, inputs), one row for each network.
            size: (h, w) of the kernels.
            hidden: Units of each hidden layer.
        """
        super().__init__()
        networks = [FcnKernel(code, size, hidden) for code in codes]
        self.codes: Tensor
        self.register_buffer("codes", codes)
        self.size = size
        self.expand_weight = _stacked(network.expand.weight for network in networks)
        self.expand_bias = _stacked(network.expand.bias for network in networks)
        self.entries_weight = _stacked(network.entries.weight for network in networks)
        self.entries_bias = _stacked(network.entries.bias for network in networks)

    def forward(self) -> Tensor:
        """Return the kernels (P, h, w): true-convolution form, positive, sum 1 each."""
        hidden = functional.relu6(_each(self.expand_weight, self.expand_bias, self.codes))
        entries = _each(self.entries_weight, self.entries_bias, hidden)
        return rotate_180(torch.softmax(entries, dim=1).unflatten(1, self.size))


def fcn_kernels(codes: Tensor, size: tuple[int, int], hidden: int = 1000) -> FcnKernel | FcnKernels:
    """Build a kernel network for each of `codes` (P, inputs)."""
    return FcnKernel(codes[0], size, hidden) if len(codes) == 1 else FcnKernels(codes, size, hidden)


@dataclass(frozen=True)
class FcnSettings:
    """Settings: the sizes of SelfDeblur's kernel network, which other methods use, too."""

    kernel_code: int = 200  # entries of the kernel network's random input
    kernel_hidden: int = 1000  # units of the kernel network's hidden layer

    def __post_init__(self) -> None:
        at_least(1, self, "kernel_code", "kernel_hidden")

    def codes(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw the fixed inputs (count, kernel_code) of `count` networks."""
        return CODE_SCALE * torch.rand(count, self.kernel_code, generator=rng)

    def draw(self, count: int, size: tuple[int, int], rng: torch.Generator) -> FcnKernel | FcnKernels:
        """Draw a network for each of `count` kernels of `size` (h, w): first the codes, then the weights."""
        codes = self.codes(count, rng)
        with initialised_from(rng):
            return fcn_kernels(codes, size, self.kernel_hidden)


def _stacked(parameters: Iterable[Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.stack([parameter.detach() for parameter in parameters]))


def _each(weights: Tensor, biases: Tensor, inputs: Tensor) -> Tensor:
    """Apply a linear layer per row: (P, outputs, inputs), (P, outputs), (P, inputs) to (P, outputs)."""
    return torch.baddbmm(biases[..., None], weights, inputs[..., None])[..., 0]
