"""What freshly trained networks make of held-out data, to be scored and drawn by whoever knows how."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from benchmark.blur.convolution import rotate_180
from benchmark.core.types import Array
from methods.training.kernels import ncc

HELD_OUT_SEED = 2**32  # no training's own: seeds of the command line are smaller


@dataclass(frozen=True)
class Evidence:
    """Pictures of what networks can do. Kernels are in true-convolution form, non-negative, sum 1."""

    # Alike when the training went well; the first are shown, a row per name: (M, h, w), M may differ.
    samples: Mapping[str, Array] = field(default_factory=dict)
    truth: Array | None = None  # (N, h, w): held-out kernels
    # By what made them, each for the first of `truth`: (M, h, w), M <= N.
    estimates: Mapping[str, Array] = field(default_factory=dict)
    # What was seen, (N, H, W) in [0, 1], and the sharp images in the same frame.
    blurry: Array | None = None
    sharp: Array | None = None
    shown: tuple[str, ...] = ()  # names of the estimates worth a look, and a restoration of `blurry`
    # What was measured already, by what it belongs to: numbers by their names.
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # Rows of images (N, C, H, W) in [0, 1], by their names.
    images: Mapping[str, Array] = field(default_factory=dict)


def as_array(kernels: Tensor) -> Array:
    """Kernels (B, 1, n, n) in correlation form as (B, n, n) in true-convolution form."""
    array: Array = rotate_180(kernels[:, 0]).detach().float().cpu().numpy()
    return array


class Means:
    """The means of numbers that come case by case, by what they belong to and their names."""

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
    """What an estimate has to beat: `count` times the same kernel, chosen on the training `kernels`.

    Their mean, and the isotropic Gaussian that is most similar to the median one of them.
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
    """Standard deviation `share` of the side."""
    size = kernels.shape[-1]
    offsets = torch.arange(size, device=kernels.device) - (size - 1) / 2
    profile = (-(offsets**2) / (2 * (share * size) ** 2)).exp()
    kernel = profile[:, None] * profile
    return (kernel / kernel.sum())[None, None]
