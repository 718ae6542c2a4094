"""A blind denoiser without biases, and what it says of the steps of a diffusion.

S. Mohan, Z. Kadkhodaie, E. P. Simoncelli, C. Fernandez-Granda, "Robust and Interpretable Blind Image
Denoising via Bias-Free Convolutional Neural Networks", ICLR 2020. As a prior: Z. Kadkhodaie, E. P.
Simoncelli, "Stochastic Solutions for Linear Inverse Problems using the Prior Implicit in a Denoiser", NeurIPS
2021. It has no levels and no embedding of steps, so it takes images of any size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

LARGEST_NOISE = 1.0  # standard deviation of the noise in training, of images in [0, 1]


@dataclass(frozen=True)
class DenoiserLayers:
    """The sizes of the layers; defaults are those of the published weights."""

    in_channels: int = 1
    channels: int = 64
    depth: int = 21  # convolutions of 3 x 3

    @property
    def factor(self) -> int:
        """The number by which the sides of images must be divisible."""
        return 1


class Denoiser(nn.Module):
    """Maps noisy images (B, in, H, W), in [0, 1] before the noise was added, to that noise, (B, in, H, W).

    There is nothing to compute again: `checkpointing` changes nothing.
    """

    def __init__(self, layers: DenoiserLayers) -> None:
        super().__init__()
        self.layers, self.checkpointing = layers, False
        self.module = _Convolutions(layers)  # named as in the published files

    def forward(self, images: Tensor) -> Tensor:
        """Estimate the noise: see the class."""
        noise: Tensor = self.module(images)
        return noise


class _Convolutions(nn.Module):
    def __init__(self, layers: DenoiserLayers) -> None:
        super().__init__()
        widths = [layers.in_channels, *[layers.channels] * (layers.depth - 1), layers.in_channels]
        self.conv_layers = nn.ModuleList(
            nn.Conv2d(*pair, 3, padding=1, bias=False) for pair in pairwise(widths)
        )
        self.BN_layers = nn.ModuleList(_Scale(layers.channels) for _ in widths[2:-1])

    def forward(self, images: Tensor) -> Tensor:
        first, *others, last = self.conv_layers
        features = first(images)
        for convolution, scale in zip(others, self.BN_layers, strict=True):
            features = functional.relu(scale(convolution(features)))
        noise: Tensor = last(features)
        return noise


class _Scale(nn.Module):
    """Divides channels by their standard deviation in training and multiplies them by a learned factor."""

    running_sd: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_sd", torch.ones(1, channels, 1, 1))
        self.gammas = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        return features / self.running_sd * self.gammas


def layers_of(tensors: Mapping[str, Tensor]) -> DenoiserLayers | None:
    """Recognise the layers by the tensors of a file; None where they are no denoiser's."""
    first = tensors.get("module.conv_layers.0.weight")
    if first is None or first.ndim != 4:
        return None
    depth = sum(name.startswith("module.conv_layers.") for name in tensors)
    return DenoiserLayers(first.shape[1], first.shape[0], depth)


def noise_of_step(denoiser: nn.Module, images: Tensor, level: float) -> Tensor:
    """Estimate the noise in images of a diffusion step by a denoiser.

    x_t / sqrt(A_t) is the clean image with noise of sigma^2 = (1 - A_t) / A_t added, which is what the
    denoiser was trained on, as long as sigma / 2 is at most LARGEST_NOISE (images in [-1, 1] are twice as
    wide as in [0, 1]). Where there is more noise, the clean image counts as mid-grey (ours).

    Args:
        denoiser: As `Denoiser`.
        images: x_t, (B, C, H, W), where x_0 is in [-1, 1].
        level: A_t.

    Returns:
        The noise of variance 1, (B, C, H, W).
    """
    sigma = ((1 - level) / level) ** 0.5
    if sigma > 2 * LARGEST_NOISE:
        scaled: Tensor = images / (1 - level) ** 0.5
        return scaled
    noise: Tensor = 2 * denoiser((images / level**0.5 + 1) / 2) / sigma
    return noise
