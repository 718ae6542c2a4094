"""Estimate how noisy an image is, and remove impulses."""

import numpy as np
from scipy.ndimage import median_filter

from benchmark.blur.nonblind import Image

MAD_TO_SIGMA = 0.6745  # median absolute value of a unit Gaussian
EXTREME = 1 / 510  # half a grey level of 8 bits: pixels so near 0 or 1 may be impulses
IMPULSE = 0.2  # the least difference of an impulse from the median of the 3 x 3 px around it
RARE = 0.005  # share of the pixels: fewer impulses than this are highlights and shadows


def noise_sigma(image: Image) -> float:
    """Estimate the standard deviation of white noise on an image (..., H, W).

    The median absolute diagonal detail of the Haar wavelet, by that of a unit Gaussian: D. L. Donoho, I. M.
    Johnstone, "Ideal Spatial Adaptation by Wavelet Shrinkage", Biometrika 1994.

    >>> round(noise_sigma(np.random.default_rng(0).normal(0.5, 0.05, (1, 200, 200))), 2)
    0.05
    """
    height, width = (side // 2 * 2 for side in image.shape[-2:])
    even = image[..., :height, :width]
    detail = even[..., ::2, ::2] - even[..., ::2, 1::2] - even[..., 1::2, ::2] + even[..., 1::2, 1::2]
    return float(np.median(np.abs(detail / 2)) / MAD_TO_SIGMA)


def without_impulses(image: Image) -> Image:
    """Replace the impulses of an image (C, H, W) by the median of the 3 x 3 px around them.

    An impulse is black or white and differs from that median by more than IMPULSE. Where no more than the
    share RARE of all pixels are such, the image is returned as it is.

    >>> image = np.full((1, 9, 9), 0.5)
    >>> image[0, 4, 4] = 1.0
    >>> float(without_impulses(image).max())
    0.5
    """
    median = median_filter(image, (1, 3, 3), mode="nearest")
    extreme = (image <= EXTREME) | (image >= 1 - EXTREME)
    impulses = extreme & (np.abs(image - median) > IMPULSE)
    return np.where(impulses, median, image) if impulses.mean() > RARE else image
