"""Estimate how noisy an image is and how much its data may count, and remove impulses."""

import numpy as np
from scipy.ndimage import median_filter

from benchmark.blur.nonblind import Image

MAD_TO_SIGMA = 0.6745  # median absolute value of a unit Gaussian
# For `hyper_laplacian_valid`, ours: at noise of 0.01 and more it loses little against the best fixed weight
# (config/ending-weight.yaml).
NOISE_FACTOR = 0.7
# The least noise that counts, the paper's: the weight is 7000 at most. Simulated photographs with less noise
# would take ten times that, but real ones do not obey their kernels so exactly: on Levin's, whose noise is
# 0.003, such weights lose decibels, with measured and with estimated kernels.
SMALLEST_SIGMA = 0.01
BLOCK = 16  # px, side of the blocks of `smooth_sigma`
# The share of the blocks that are smooth. On the photographs of datasets/choose-tuning.yaml all estimates at
# noise of 0.01 lie above those at 0.005, where those of the wavelet overlap (docs/results/choose-noise.csv).
SMOOTH = 0.1
EXTREME = 1 / 510  # half a grey level of 8 bits: pixels so near 0 or 1 may be impulses
IMPULSE = 0.2  # the least difference of an impulse from the median of the 3 x 3 px around it
RARE = 0.005  # share of the pixels: fewer impulses than this are highlights and shadows


def noise_sigma(image: Image) -> float:
    """Estimate the standard deviation of white noise on an image (..., H, W); 0 where a side is one pixel.

    The median absolute diagonal detail of the Haar wavelet, by that of a unit Gaussian: D. L. Donoho, I. M.
    Johnstone, "Ideal Spatial Adaptation by Wavelet Shrinkage", Biometrika 1994.

    >>> round(noise_sigma(np.random.default_rng(0).normal(0.5, 0.05, (1, 200, 200))), 2)
    0.05
    """
    height, width = (side // 2 * 2 for side in image.shape[-2:])
    even = image[..., :height, :width]
    detail = even[..., ::2, ::2] - even[..., ::2, 1::2] - even[..., 1::2, ::2] + even[..., 1::2, 1::2]
    return float(np.median(np.abs(detail / 2)) / MAD_TO_SIGMA) if detail.size else 0.0


def smooth_sigma(image: Image) -> float:
    """Estimate the standard deviation of white noise on an image (H, W) where it has the least texture.

    `noise_sigma` takes fine texture for noise. Here the image is filtered by [1 -2 1] along rows and columns
    (J. Immerkaer, "Fast Noise Variance Estimation", CVIU 1996), and of blocks of BLOCK px those count that
    vary least: the root mean square of the block at the quantile SMOOTH, over that of unit noise. On noise
    alone that is about a tenth too low; it is 0 where so many blocks are constant, or a side is below 3 px.

    >>> round(smooth_sigma(np.random.default_rng(0).normal(0.5, 0.05, (200, 200))), 3)
    0.044
    """
    detail = np.diff(np.diff(image, 2, axis=0), 2, axis=1) / 6
    side = min(BLOCK, *detail.shape)
    if not side:
        return 0.0
    rows, columns = (length // side for length in detail.shape)
    blocks = detail[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return float(np.sqrt(np.quantile((blocks**2).mean((1, 3)), SMOOTH)))


def data_weight(image: Image) -> float:
    """Return the weight of the data term, `nonblind`'s lambda, for an image (C, H, W) whose noise is unknown.

    NOISE_FACTOR over the variance that `noise_sigma` estimates.

    >>> data_weight(np.full((1, 40, 40), 0.5)) > data_weight(np.random.default_rng(0).random((1, 40, 40)))
    True
    """
    return NOISE_FACTOR / max(noise_sigma(image), SMALLEST_SIGMA) ** 2


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
