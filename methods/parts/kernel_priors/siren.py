"""A kernel as a continuous function of its coordinates: the sine network of the robust method.

V. Sitzmann, J. Martel, A. Bergman, D. Lindell, G. Wetzstein, "Implicit Neural Representations with Periodic
Activation Functions", NeurIPS 2020; used for kernels in "Blind Image Deblurring with Unknown Kernel Size and
Substantial Noise", section 3.4.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn

from methods.parts.limits import at_least
from methods.parts.seeding import initialised_from

OMEGA = 30.0  # frequency of every sine layer

# How the network's output f becomes entries of a kernel.
Entries = Literal["sigmoid", "softmax"]


class SirenKernel(nn.Module):
    """Kernel = sigmoid(f) or exp(f), divided by its sum, where f = network(coordinates).

    The paper's equation (21) has sigmoid(f); the division is ours. Without it the kernel starts with entries
    near 0.5, so its sum is half their number, and the image network answers by a black image. The sigmoid can
    raise an entry to twice its start at most; exp, divided by its sum, is a softmax and has no such limit.

    >>> kernel = SirenSettings(siren_width=8).draw((5, 7), torch.Generator().manual_seed(0))
    >>> kernel().shape, round(kernel().sum().item(), 3)
    (torch.Size([1, 5, 7]), 1.0)
    """

    def __init__(
        self,
        size: tuple[int, int],
        width: int = 256,
        sine_layers: int = 2,
        entries: Entries = "sigmoid",
    ) -> None:
        """Build the network, with the initial weights of Sitzmann et al., section 3.2.

        Args:
            size: (h, w) of the kernel.
            width: Units of each sine layer.
            sine_layers: Number of sine layers; a linear layer follows.
            entries: 'sigmoid', or 'softmax' for exp(f).
        """
        super().__init__()
        self.size = size
        self.entries = entries
        self.grid: Tensor
        self.register_buffer("grid", coordinates(size))
        self.layers = nn.ModuleList(
            nn.Linear(*widths) for widths in pairwise([2, *(width for _ in range(sine_layers)), 1])
        )
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            inputs = layer.in_features
            bound = 1 / inputs if number == 0 else sqrt(6 / inputs) / OMEGA
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self) -> Tensor:
        """Return the kernel (1, h, w): true-convolution form, positive, sum 1."""
        raw = self.raw()
        if self.entries == "softmax":
            return torch.softmax(raw.flatten(), 0).view_as(raw)
        entries = torch.sigmoid(raw)
        return entries / entries.sum()

    def raw(self) -> Tensor:
        """Return the network's output f, (1, h, w)."""
        *sines, last = self.layers
        features = self.grid
        for layer in sines:
            features = torch.sin(OMEGA * layer(features))
        output: Tensor = last(features)
        return output.reshape(1, *self.size)


@dataclass(frozen=True)
class SirenSettings:
    """Settings: the sine network of the kernel. The paper says "2-layer" and gives no width."""

    siren_width: int = 256  # units of each sine layer
    siren_layers: int = 2  # how many; a single one of 256 units does not fit a motion kernel of 21 px
    # How the sine network's output becomes the kernel's entries. sigmoid: the paper's, divided by the sum.
    # softmax: SelfDeblur's way.
    siren_entries: Entries = "sigmoid"

    def __post_init__(self) -> None:
        at_least(1, self, "siren_width", "siren_layers")

    def draw(self, size: tuple[int, int], rng: torch.Generator) -> SirenKernel:
        """Draw a network for a kernel of `size` (h, w)."""
        with initialised_from(rng):
            return SirenKernel(size, self.siren_width, self.siren_layers, self.siren_entries)


def coordinates(size: tuple[int, int]) -> Tensor:
    """Return the coordinates (h * w, 2) of the entries of a grid, row by row.

    Row and column run from -1 to 1; an axis with one entry has 0.

    Args:
        size: (h, w) of the grid.
    """
    axes = [torch.linspace(-1, 1, length) if length > 1 else torch.zeros(1) for length in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1)
