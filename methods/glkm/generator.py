"""The kernel generator G and its discriminator D.

G = G2 o G1: the first layer G1 maps a latent code z to feature maps w, the truncated generator G2 maps these
to a kernel. "Generative Latent Kernel Modeling for Blind Motion Deblurring", section IV. Layers, names and
constants are those of the published code of its predecessor, "Blind Image Deconvolution by Generative-based
Kernel Prior and Initializer via Latent Encoding", ECCV 2024, so that its weights load by name. Kernels are in
correlation form.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.core.errors import InputError
from methods.parts.kernel_priors.softmax import softmax2d

LATENT = 100  # entries of a latent code z
SMALLEST = 13  # kernel size that there are layers for
FIRST_CHANNELS = 4  # channels of the feature maps w, in widths
# The eps of the batch norms in the published code, probably meant as their momentum. The published weights
# need it.
PUBLISHED_EPS = 0.8


@dataclass(frozen=True)
class Layers:
    """The sizes of the generator's layers."""

    base: int  # side of the feature maps w
    # (kernel, padding) of three stages, each of which about doubles the side.
    stages: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

    @property
    def size(self) -> int:
        """The side of the kernels that these layers generate."""
        size = self.base
        for kernel, padding in self.stages:
            size = 2 * size + kernel - 2 - 2 * padding
        return size


OFFICIAL = {
    31: Layers(3, ((5, 1), (5, 1), (5, 1))),
    45: Layers(5, ((5, 1), (4, 1), (5, 1))),
    55: Layers(5, ((5, 0), (5, 1), (5, 1))),
    65: Layers(7, ((5, 1), (6, 1), (5, 1))),
    75: Layers(7, ((5, 0), (4, 0), (5, 0))),
}
# By how many pixels a stage's output exceeds twice its input, and the (kernel, padding) for it.
_ADDING = {0: (4, 1), 1: (5, 1), 2: (6, 1), 3: (5, 0)}


# What a generator serves: kernels of about its own size, or all kernels up to the largest published size.
Size = int | Literal["any"]
SMALLEST_OF_ANY = 11  # kernel size that the one for all sizes is trained for


def side(size: Size) -> int:
    """Return the side of the kernels of the generator for `size`.

    >>> side(31), side("any")
    (31, 75)
    """
    return max(OFFICIAL) if size == "any" else size


def layers_for(size: int) -> Layers:
    """Return the layers for kernels of `size`: the published ones, or others by their pattern.

    Raises InputError unless `size` is odd and at least 13.

    >>> layers_for(31)
    Layers(base=3, stages=((5, 1), (5, 1), (5, 1)))
    """
    if size in OFFICIAL:
        return OFFICIAL[size]
    if size < SMALLEST or size % 2 == 0:
        raise InputError(f"a kernel generator needs an odd kernel size of at least {SMALLEST}, not {size}")
    base = (size - 5) // 8
    base -= 1 - base % 2  # the largest odd one that leaves at least 5
    rest = size - 8 * base
    first = 1 if rest <= 11 else 3
    second = (rest - 4 * first - 1) // 2
    return Layers(base, (_ADDING[first], _ADDING[second], _ADDING[1]))


def serving(declared: int) -> int:
    """Return the size of the generator for a declared kernel size: the next larger published one.

    Raises InputError above 75.

    >>> serving(51)
    55
    """
    for size in OFFICIAL:
        if declared <= size:
            return size
    raise InputError(
        f"no kernel generator serves a kernel size of {declared}; the largest is {max(OFFICIAL)}"
    )


def served_by(size: Size) -> tuple[int, ...]:
    """Return the odd kernel sizes that a generator for `size` is trained for.

    They are those for which `serving` chooses it, from 7 on; of the generator for all sizes those from
    SMALLEST_OF_ANY on.

    >>> served_by(45), served_by("any")[:3]
    ((33, 35, 37, 39, 41, 43, 45), (11, 13, 15))
    """
    if size == "any":
        return tuple(range(SMALLEST_OF_ANY, side(size) + 1, 2))
    smaller = max((official for official in OFFICIAL if official < size), default=5)
    return tuple(range(smaller + 2, size + 1, 2))


class Generator(nn.Module):
    """Maps latent codes z (B, 100, 1, 1) to kernels (B, 1, n, n), correlation form, positive, sum 1 each.

    >>> generator = Generator(31, width=2).eval()
    >>> generator(torch.zeros(4, 100, 1, 1)).shape, generator.features(torch.zeros(4, 100, 1, 1)).shape
    (torch.Size([4, 1, 31, 31]), torch.Size([4, 8, 3, 3]))
    """

    def __init__(self, size: int, width: int = 64, bn_eps: float = PUBLISHED_EPS) -> None:
        """Build the layers.

        Args:
            size: side n of the kernels.
            width: channels of the last hidden layer; the published networks have 64.
            bn_eps: eps of the batch norms.

        Raises:
            InputError: there are no layers for this size.
        """
        super().__init__()
        self.size, self.width, self.bn_eps = size, width, bn_eps
        layers = layers_for(size)
        self.base = layers.base
        channels = (FIRST_CHANNELS * width, 2 * width, width)
        self.layer1 = _upwards(LATENT, channels[0], layers.base, 1, 0, bn_eps)
        (first, second, last) = layers.stages
        self.layers = nn.Sequential(
            _upwards(channels[0], channels[1], first[0], 2, first[1], bn_eps),
            _upwards(channels[1], channels[2], second[0], 2, second[1], bn_eps),
            nn.ConvTranspose2d(channels[2], 1, last[0], 2, last[1], bias=False),
        )

    def features(self, codes: Tensor) -> Tensor:
        """Apply G1: codes z to feature maps w (B, 4 width, b, b), non-negative."""
        features: Tensor = self.layer1(codes)
        return features

    def logits(self, features: Tensor) -> Tensor:
        """Map feature maps w to the logits (B, 1, n, n) of kernels."""
        logits: Tensor = self.layers(features)
        return logits

    def kernels(self, features: Tensor) -> Tensor:
        """Apply G2: feature maps w to kernels (B, 1, n, n)."""
        return softmax2d(self.logits(features))

    def forward(self, codes: Tensor) -> Tensor:
        """Apply G: codes z to kernels (B, 1, n, n)."""
        return self.kernels(self.features(codes))


class Discriminator(nn.Module):
    """Maps kernels (B, 1, n, n), times any factor, to the probability (B, 1, 1, 1) that they are real."""

    def __init__(self, size: int, width: int = 64, bn_eps: float = PUBLISHED_EPS) -> None:
        """Build the mirrored layers of a `Generator` with the same arguments."""
        super().__init__()
        layers = layers_for(size)
        (last, second, first) = layers.stages
        self.layers = nn.Sequential(
            nn.Sequential(nn.Conv2d(1, width, first[0], 2, first[1], bias=False), nn.LeakyReLU(0.2)),
            _downwards(width, 2 * width, *second, bn_eps),
            _downwards(2 * width, 4 * width, *last, bn_eps),
            nn.Conv2d(4 * width, 1, layers.base, bias=False),
        )

    def logits(self, kernels: Tensor) -> Tensor:
        """Return the logits of the probabilities."""
        logits: Tensor = self.layers(kernels)
        return logits

    def forward(self, kernels: Tensor) -> Tensor:
        """Return the probabilities."""
        return torch.sigmoid(self.logits(kernels))


def _upwards(inputs: int, outputs: int, kernel: int, stride: int, padding: int, eps: float) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs, eps=eps),
        nn.ReLU(),
    )


def _downwards(inputs: int, outputs: int, kernel: int, padding: int, eps: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, 2, padding, bias=False),
        nn.BatchNorm2d(outputs, eps=eps),
        nn.LeakyReLU(0.2),
    )
