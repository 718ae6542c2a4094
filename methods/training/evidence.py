"""The evidence of a training: kernels, images and numbers from held-out data, to be scored and drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from benchmark.blur.convolution import rotate_180
from benchmark.core.types import Array
from methods.training.kernels import ncc

HELD_OUT_SEED = 2**32  # no training has this seed: those of the command line are smaller


@dataclass(frozen=True)
class Evidence:
    """The evidence of one training. Kernels are in true-convolution form, non-negative, sum 1."""

    # Kernels (M, h, w) by name, such as real and generated ones: alike if the training went well.
    samples: Mapping[str, Array] = field(default_factory=dict)
    truth: Array | None = None  # held-out kernels (N, h, w)
    sizes: tuple[int, ...] = ()  # for a generator for all sizes: the known size of each of these
    # Estimates of the first M <= N of these, (M, h, w), by the name of the estimator.
    estimates: Mapping[str, Array] = field(default_factory=dict)
    blurry: Array | None = None  # the images that were estimated from, (N, H, W) in [0, 1]
    sharp: Array | None = None  # the sharp images in the same frame
    pictured: tuple[str, ...] = ()  # names of the estimates to draw, and to restore `blurry` with
    # Numbers by their name, for each of their owners, such as 'held out' or 'samples'.
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    images: Mapping[str, Array] = field(default_factory=dict)  # rows of images (N, C, H, W) in [0, 1] by name


def as_array(kernels: Tensor) -> Array:
    """Turn kernels (B, 1, n, n) in correlation form into an array (B, n, n) in true-convolution form."""
    array: Array = rotate_180(kernels[:, 0]).detach().float().cpu().numpy()
    return array


class Means:
    """Collects numbers case by case, and gives the mean of each, by owner and name as in `Evidence`."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, list[float]]] = {}

    def add(self, owner: str, name: str, value: float) -> None:
        """Add the number of one case."""
        self.values.setdefault(owner, {}).setdefault(name, []).append(value)

    def numbers(self) -> dict[str, dict[str, float]]:
        """Return the means, as `Evidence.numbers`."""
        return {
            owner: {name: float(np.mean(values)) for name, values in by_name.items()}
            for owner, by_name in self.values.items()
        }


def yardsticks(kernels: Tensor, count: int) -> dict[str, Array]:
    """Return two estimates that a network has to beat, each the same kernel for all cases.

    One is the mean of the training kernels, the other the isotropic Gaussian with the highest median
    similarity to them.

    Args:
        kernels: that the network was trained on, (B, 1, n, n), correlation form.
        count: how many cases there are.

    Returns:
        Kernels (count, n, n), true-convolution form, by name.
    """
    mean = kernels.mean(0, keepdim=True)
    some = kernels[:500]
    gaussian = max(
        (_gaussian(kernels, share) for share in torch.linspace(0.02, 0.3, 29).tolist()),
        key=lambda kernel: float(ncc(kernel.expand_as(some), some).median()),
    )
    constants = {"mean kernel": mean, "Gaussian": gaussian}
    return {name: as_array(kernel.expand(count, -1, -1, -1)) for name, kernel in constants.items()}


def _gaussian(kernels: Tensor, share: float) -> Tensor:
    """Return a Gaussian kernel of the same size; its standard deviation is `share` of the side."""
    size = kernels.shape[-1]
    offsets = torch.arange(size, device=kernels.device) - (size - 1) / 2
    profile = (-(offsets**2) / (2 * (share * size) ** 2)).exp()
    kernel = profile[:, None] * profile
    return (kernel / kernel.sum())[None, None]
