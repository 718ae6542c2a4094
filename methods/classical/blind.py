"""A kernel estimator and a final step as a method: what all classical methods do with an observation."""

from collections.abc import Callable

import numpy as np
import torch

from benchmark.blur.nonblind import Image, Kernel
from benchmark.core.types import NotSupportedError, Observation
from methods.classical.kernel import gradients
from methods.classical.pyramid import odd
from methods.parts.colour import luma
from methods.parts.direct import Direct
from methods.parts.solver import Result

LARGEST_UNDECLARED = 101  # px: half the image is the kernel's size where none is declared, up to this
FAINT = 1 / 255  # gradients that differ by no more than one grey level of 8 bits tell nothing of a kernel

Estimate = Callable[[Image, tuple[int, int]], Kernel]  # luma (H, W), odd size (h, w) -> kernel of that size
Restore = Callable[[Image, Kernel], Image]  # (C, H, W) -> (C, H, W)
Prepare = Callable[[Image], Image]  # (C, H, W) -> (C, H, W)


def blind(
    observation: Observation,
    estimate: Estimate,
    restore: Restore,
    prepare: Prepare = lambda image: image,
) -> Direct:
    """The kernel from the luma of the prepared image, each channel of it restored with that kernel.

    Declines, when restored, images that have no edges.
    """
    size = kernel_size(observation)

    def solve() -> Result:
        blurry = prepare(observation.blurry.astype(np.float64))
        grey = luma(torch.from_numpy(blurry)).numpy()[0]
        if not has_edges(grey):
            raise NotSupportedError("the image has no edges that would show how it was blurred")
        kernel = estimate(grey, size)
        return Result(torch.from_numpy(restore(blurry, kernel)), torch.from_numpy(kernel[None]))

    return Direct(solve)


def kernel_size(observation: Observation) -> tuple[int, int]:
    """The declared size, or half the image up to `LARGEST_UNDECLARED`; even sides are one more."""
    if observation.kernel_size is not None:
        h, w = observation.kernel_size
        return odd(h), odd(w)
    height, width = observation.blurry.shape[1:]
    return min(odd(height / 2), LARGEST_UNDECLARED), min(odd(width / 2), LARGEST_UNDECLARED)


def has_edges(image: Image) -> bool:
    """Whether the gradients of (H, W) differ by more than `FAINT`: not in a constant image, nor in a ramp."""
    if min(image.shape) < 2:
        return False
    return bool(np.ptp(gradients(image), (1, 2)).max() > 1.01 * FAINT)  # 8-bit levels are not exact
