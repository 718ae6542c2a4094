"""Estimate the latent image under a penalty on non-zero gradients and on non-zero dark pixels.

    min_S  |k * S - B|^2 + weight |grad S|_0 + dark weight |dark(S)|_0

S is the latent image, B the blurry one, k the kernel; |.|_0 counts non-zero entries, and dark(S) is the
minimum of S around each pixel. J. Pan, D. Sun, H. Pfister, M.-H. Yang, "Blind Image Deblurring Using Dark
Channel Prior", CVPR 2016, with the schedule of the authors' code.
"""

import numpy as np
from scipy.fft import rfft2
from scipy.ndimage import maximum_filter, maximum_filter1d, minimum_filter
from skimage.filters import threshold_otsu

from benchmark.blur.latent_image import sparsified
from benchmark.blur.nonblind import Image, Kernel, transfer_function

WINDOW = 35  # px, the side of the square in which the minimum is taken, at every scale
LARGEST_MU = 8.0  # the coupling of the dark channel, up to which it is doubled


def dark_channel(image: Image, window: int) -> Image:
    """Return the minimum over a square around each pixel of (H, W); border pixels are repeated."""
    minimum: Image = minimum_filter(image, window, mode="nearest")
    return minimum


def sparse_dark_channel(blurry: Image, kernel: Kernel, weight: float, dark_weight: float) -> Image:
    """Estimate the latent image by half-quadratic splitting of both penalties.

    Args:
        blurry: a periodic blurry image (H, W), see `latent_image.extended`.
        kernel: (h, w).
        weight: of |grad S|_0.
        dark_weight: of |dark(S)|_0.

    Returns:
        The latent image S (H, W), periodic.
    """
    transfer = transfer_function(kernel, blurry.shape)
    matched, power = transfer.conj() * rfft2(blurry), np.abs(transfer) ** 2
    # Without the bound a very dark image would start beyond LARGEST_MU, and nothing would happen.
    image, mu = blurry, min(dark_weight / _bright(blurry), LARGEST_MU / 2)
    while mu < LARGEST_MU:
        target = darkened(image, WINDOW, dark_weight / mu)
        image = sparsified(image, matched + mu * rfft2(target), power + mu, weight)
        mu *= 2
    return image


def darkened(image: Image, window: int, threshold: float) -> Image:
    """Set pixels to 0 so that every window whose squared minimum is below the threshold has the minimum 0.

    As in the authors' code (assign_dark_channel_to_pixel.m), windows come one after the other, in rows, and
    each sees what those before it have changed: its minimum is set to 0 only if none of its pixels is 0
    already. To set the minima of all windows to 0 would remove whole slopes, since each pixel of a slope is
    the minimum of some window.

    Args:
        image: (H, W); border pixels are repeated.
        window: the odd side of a window, in px.
        threshold: of the squared minimum.

    Returns:
        The changed image. Within half a window of the border it stays as it was.
    """
    half = window // 2
    inner = np.s_[half:-half, half:-half]
    minimum = dark_channel(image, window)
    low = minimum**2 < threshold
    padded = np.pad(image, half, mode="edge")
    removed = np.zeros(padded.shape, bool)
    # A negative minimum goes in any case: no 0 beside it is smaller.
    lowest = maximum_filter(np.where(low, minimum, -np.inf), window, mode="constant", cval=-np.inf)
    removed[inner] = (image < 0) & (image <= lowest)
    waiting = low & (minimum > 0)
    newest = np.full(padded.shape[1], -1)  # by column, the last row in which a pixel was set to 0
    for row in np.flatnonzero(waiting.any(1)):
        # The window of column n covers the columns from n on of the padded image.
        has_zero = maximum_filter1d(newest >= row, window, origin=-half)[: image.shape[1]]
        columns = np.flatnonzero(waiting[row] & ~has_zero)
        while columns.size:
            pixels = padded[row : row + window, columns[0] : columns[0] + window]
            x, y = divmod(int(pixels.T.argmin()), window)  # the first of equal ones, column by column
            x, y = x + int(columns[0]), y + int(row)
            removed[y, x], newest[x] = True, max(newest[x], y)
            columns = columns[columns > x]
    target = image.copy()
    target[inner][removed[inner][inner]] = 0
    return target


def _bright(image: Image) -> float:
    """Return Otsu's threshold of the squared image; it is positive, so that one can divide by it."""
    threshold = float(threshold_otsu((image**2).clip(0, 1)))
    return max(threshold, float(np.finfo(np.float64).tiny))
