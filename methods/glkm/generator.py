"""The kernel generator G, its split G = G2 o G1 into first layer and truncated generator, and its mirror D.

"Generative Latent Kernel Modeling for Blind Motion Deblurring", section IV; layers, names and constants as
in the published code of its predecessor, "Blind Image Deconvolution by Generative-based Kernel Prior and
Initializer via Latent Encoding", ECCV 2024, so that its weights load by name. Kernels inside are in
correlation form.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark.core.types import InputError
from methods.parts.kernel_priors.softmax import softmax2d

LATENT = 100  # entries of a latent code z
SMALLEST = 13  # kernel size
FIRST_CHANNELS = 4  # of the feature map w, in widths
# The published code hands 0.8 to batch norm as its eps (it was surely meant as the momentum); its weights are
# only right with it.
PUBLISHED_EPS = 0.8


@dataclass(frozen=True)
class Layers:
    """Sizes of the generator's layers: the side of the feature map w, then (kernel, padding) of three stages
    that about double it.
    """

    base: int
    stages: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

    @property
    def size(self) -> int:
        """Side of the kernels that these layers give."""
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
# What a stage adds to twice its input's side, and the (kernel, padding) that adds it.
_ADDING = {0: (4, 1), 1: (5, 1), 2: (6, 1), 3: (5, 0)}


def layers_for(size: int) -> Layers:
    """The layers of a generator of `size` x `size` kernels: the published ones, else by their pattern.

    Raises InputError unless `size` is odd and at least 13.
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
    """The generator's size that serves a declared kernel size: the next published one, so 55 serves 51.

    Raises InputError above 75.
    """
    for size in OFFICIAL:
        if declared <= size:
            return size
    raise InputError(
        f"no kernel generator serves a kernel size of {declared}; the largest is {max(OFFICIAL)}"
    )


def served_by(size: int) -> tuple[int, ...]:
    """The odd declared kernel sizes that a generator of `size` is there for, down to 7."""
    smaller = max((official for official in OFFICIAL if official < size), default=5)
    return tuple(range(smaller + 2, size + 1, 2))


class Generator(nn.Module):
    """Latent codes z (B, 100, 1, 1) to kernels (B, 1, n, n), correlation form, positive, sum 1."""

    def __init__(self, size: int, width: int = 64, bn_eps: float = PUBLISHED_EPS) -> None:
        """Raises InputError for a `size` that has no layers."""
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
        """G1: the first layer's feature maps w (B, 4 width, b, b), non-negative."""
        features: Tensor = self.layer1(codes)
        return features

    def logits(self, features: Tensor) -> Tensor:
        """What the softmax turns into kernels (B, 1, n, n)."""
        logits: Tensor = self.layers(features)
        return logits

    def kernels(self, features: Tensor) -> Tensor:
        """G2: the truncated generator, from feature maps w to kernels (B, 1, n, n)."""
        return softmax2d(self.logits(features))

    def forward(self, codes: Tensor) -> Tensor:
        """G."""
        return self.kernels(self.features(codes))


class Discriminator(nn.Module):
    """D: kernels (B, 1, n, n), times any factor, to the probability (B, 1, 1, 1) that they are real."""

    def __init__(self, size: int, width: int = 64, bn_eps: float = PUBLISHED_EPS) -> None:
        """Raises InputError for a `size` that has no layers."""
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
        """Before the sigmoid."""
        logits: Tensor = self.layers(kernels)
        return logits

    def forward(self, kernels: Tensor) -> Tensor:
        """The probabilities."""
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
