"""How noisy an image is, and its impulses removed."""

import numpy as np
from scipy.ndimage import median_filter

from benchmark.blur.nonblind import Image

MAD_TO_SIGMA = 0.6745  # median absolute value of a unit Gaussian
EXTREME = 1 / 510  # half a grey level of 8 bits
IMPULSE = 0.2  # from the median of the 3 x 3 px around it
RARE = 0.005  # of the pixels: fewer impulses than this are highlights and shadows


def noise_sigma(image: Image) -> float:
    """Standard deviation of white noise on (..., H, W), from the diagonal detail of the Haar wavelet.

    D. L. Donoho, I. M. Johnstone, "Ideal Spatial Adaptation by Wavelet Shrinkage", Biometrika 1994.
    """
    height, width = (side // 2 * 2 for side in image.shape[-2:])
    even = image[..., :height, :width]
    detail = even[..., ::2, ::2] - even[..., ::2, 1::2] - even[..., 1::2, ::2] + even[..., 1::2, 1::2]
    return float(np.median(np.abs(detail / 2)) / MAD_TO_SIGMA)


def without_impulses(image: Image) -> Image:
    """`image` (C, H, W) with its impulses replaced by the median around them, unless they are `RARE`.

    An impulse is black or white and differs from that median by more than `IMPULSE`.
    """
    median = median_filter(image, (1, 3, 3), mode="nearest")
    extreme = (image <= EXTREME) | (image >= 1 - EXTREME)
    impulses = extreme & (np.abs(image - median) > IMPULSE)
    return np.where(impulses, median, image) if impulses.mean() > RARE else image
