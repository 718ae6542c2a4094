"""Deconvolve a photo of any size with a known kernel, window by window, so that memory stays bounded."""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.blur.nonblind import hyper_laplacian, hyper_laplacian_valid
from benchmark.core.progress import Progress, Report, silent
from benchmark.core.types import Array
from benchmark.tools.measures import CLIPPED, Floats

# The data term weighs WEIGHT / noise^2, within bounds. Chosen by hand: a larger weight sharpens more and
# leaves more noise.
WEIGHT = 0.1
SMALLEST_WEIGHT, LARGEST_WEIGHT = 20.0, 8000.0
LIT = 1e-3  # share of clipped pixels: fewer are specks, whose rings are hardly seen
WINDOW = 1280  # px, side of a window; with its padding a fast length for FFTs
OVERLAP = 4  # kernel sizes that neighbouring windows share at least: a restoration rings near its borders


def deconvolve(photo: Array, kernel: Floats, noise: float, report: Report = silent) -> Array:
    """Restore each channel with a hyper-Laplacian prior (Krishnan and Fergus 2009).

    Neighbouring windows overlap and fade into each other. In one with lamps a saturated pixel says only that
    the light was at least so bright, so that they leave no rings. That takes some five times as long.

    Args:
        photo: (C, H, W) in [0, 1].
        kernel: (h, w), true-convolution form, sum 1.
        noise: Standard deviation of the noise; where the kernel explains the photo less well, of the misfit.
        report: Called before each window and at the end.

    Returns:
        (C, H, W) in [0, 1].
    """
    image = np.zeros(photo.shape, np.float32)
    windows = list(product(*(_spans(side, max(kernel.shape)) for side in photo.shape[1:])))
    for done, ((rows, row_shares), (columns, column_shares)) in enumerate(windows):
        report(Progress("restoring the photo", done, len(windows)))
        for channel in range(len(photo)):
            blurry = photo[channel : channel + 1, rows, columns]
            sharp = restored_window(blurry, kernel, noise, blurry > CLIPPED)[0]
            image[channel, rows, columns] += row_shares[:, None] * column_shares * sharp.clip(0, 1)
    report(Progress("restoring the photo", len(windows), len(windows)))
    return image


def restored_window(
    blurry: NDArray[np.floating[Any]], kernel: Floats, noise: float, clipped: NDArray[np.bool_]
) -> Floats:
    """Restore one channel (1, H, W) of a window.

    Args:
        blurry: Range, and all other arguments, as in `deconvolve`.
        kernel: (h, w).
        noise: Of the photo.
        clipped: (1, H, W), where the sensor saturated.

    Returns:
        (1, H, W), at least 0; lamps may be brighter than 1.
    """
    weight = data_weight(noise)
    if clipped.mean() > LIT:
        return hyper_laplacian_valid(blurry, kernel, weight, clipped=clipped).clip(0)
    return hyper_laplacian(blurry, kernel, weight).clip(0, 1)


def data_weight(noise: float) -> float:
    """Compute the weight of the data term for noise of this standard deviation."""
    return float(np.clip(WEIGHT / noise**2, SMALLEST_WEIGHT, LARGEST_WEIGHT))


def _spans(length: int, kernel: int) -> list[tuple[slice, Floats]]:
    """Cut an axis of `length` px into overlapping windows, each with its share of every pixel.

    The shares of a window fall towards its ends; those of all windows sum to 1 at each pixel.
    """
    side = max(WINDOW, 4 * kernel) - kernel // 2 * 2
    if length <= side:
        return [(slice(0, length), np.ones(length))]
    overlap = min(OVERLAP * kernel, side // 2)
    count = -(-(length - overlap) // (side - overlap))
    starts = np.linspace(0, length - side, count).round().astype(int)
    to_end = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1
    worth = np.minimum(to_end, overlap).astype(np.float64) ** 2
    total = np.zeros(length)
    for start in starts:
        total[start : start + side] += worth
    return [(slice(start, start + side), worth / total[start : start + side]) for start in starts]
