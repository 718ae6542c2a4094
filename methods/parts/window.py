"""Find the part of a photograph from which a kernel is estimated best."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

SMOOTHING = 2.0  # px, standard deviation: edges count, noise hardly does


def richest_window(luma: NDArray[np.floating[Any]], sides: tuple[int, int]) -> tuple[slice, slice]:
    """Find the window with the largest sum of squared gradients.

    Ours; docs/choose.md compares it with the middle of the image and with the whole image.

    Args:
        luma: (H, W).
        sides: height and width of the window; where they are larger than the image, all of it is taken.

    Returns:
        The rows and the columns of the window.

    >>> image = np.zeros((60, 80))
    >>> image[20:24, 50:54] = 1
    >>> rows, columns = richest_window(image, (40, 30))
    >>> (rows.stop - rows.start, columns.stop - columns.start), image[rows, columns].sum()
    ((40, 30), np.float64(16.0))
    """
    height, width = (min(pair) for pair in zip(sides, luma.shape, strict=True))
    smooth = gaussian_filter(luma.astype(np.float64), SMOOTHING)
    energy = sum(np.square(slope) for slope in np.gradient(smooth))
    integral = np.pad(energy, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    upper, lower = integral[:-height], integral[height:]
    sums = lower[:, width:] - lower[:, :-width] - upper[:, width:] + upper[:, :-width]
    top, left = (int(index) for index in np.unravel_index(sums.argmax(), sums.shape))
    return slice(top, top + height), slice(left, left + width)
