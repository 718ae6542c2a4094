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
Entries = Literal["softmax", "sigmoid"]


class SirenKernel(nn.Module):
    """Kernel = exp(f) or sigmoid(f), divided by its sum, of f = network(grid).

    The paper's equation (21) has sigmoid(f) and no division. Without it a kernel starts with entries near
    0.5, its sum at half their number, and the image network answers by going black. With it a sigmoid can
    raise an entry to twice its start at most, so where much more room is declared than a kernel needs, its
    place becomes a blob of ones, on which the sigmoid is flat: nothing refines it any more. Where f is well
    below zero, exp is the same function. Measured on a crop of 128 px (kernel of 13 px declared 28 px, input
    21.7 dB with much noise, 350 iterations): 20.0 dB with the sigmoid, 22.3 with exp; declared 70 px (input
    23.7 dB, little noise, 700 iterations): 14.8 and 21.1.
    """

    def __init__(
        self,
        size: tuple[int, int],
        width: int = 256,
        sine_layers: int = 2,
        entries: Entries = "softmax",
    ) -> None:
        """`size` is the kernel's (h, w); `sine_layers` of `width` come before the linear one."""
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
        """The kernel (1, h, w), true-convolution form, positive, sum 1."""
        raw = self.raw()
        if self.entries == "softmax":
            return torch.softmax(raw.flatten(), 0).view_as(raw)
        entries = torch.sigmoid(raw)
        return entries / entries.sum()

    def raw(self) -> Tensor:
        """The network's output on the grid, (1, h, w)."""
        *sines, last = self.layers
        features = self.grid
        for layer in sines:
            features = torch.sin(OMEGA * layer(features))
        output: Tensor = last(features)
        return output.reshape(1, *self.size)


@dataclass(frozen=True)
class SirenSettings:
    """The sine network of the kernel. The paper says "2-layer"; its figure with the widths is lost."""

    siren_width: int = 256
    siren_layers: int = 2  # sine layers; with one of 256 a 21-px motion kernel is not fitted at all
    # sigmoid is the paper's, which leaves blobs in kernels that are declared too large: see `SirenKernel`.
    siren_entries: Entries = "softmax"

    def check_siren(self) -> None:
        """Raises ValueError naming a setting that cannot be."""
        at_least(1, self, "siren_width", "siren_layers")

    def siren(self, size: tuple[int, int], rng: torch.Generator) -> SirenKernel:
        """A kernel of `size` (h, w), drawn from `rng`."""
        with initialised_from(rng):
            return SirenKernel(size, self.siren_width, self.siren_layers, self.siren_entries)


def coordinates(size: tuple[int, int]) -> Tensor:
    """(row, column) of every entry of a (h, w) grid in row-major order, (h * w, 2): from -1 to 1 along each.

    An axis of one entry has 0.
    """
    axes = [torch.linspace(-1, 1, length) if length > 1 else torch.zeros(1) for length in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1)
