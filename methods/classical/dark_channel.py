"""Estimate the latent image under a penalty on non-zero gradients and on non-zero dark pixels.

    min_S  |k * S - B|^2 + weight |grad S|_0 + dark weight |dark(S)|_0

S is the latent image, B the blurry one, k the kernel; |.|_0 counts non-zero entries, and dark(S) is the
minimum of S around each pixel. J. Pan, D. Sun, H. Pfister, M.-H. Yang, "Blind Image Deblurring Using Dark
Channel Prior", CVPR 2016, with the schedule of the authors' code.
"""

import numpy as np
from scipy.fft import rfft2
from scipy.ndimage import maximum_filter, minimum_filter
from skimage.filters import threshold_otsu

from benchmark.blur.nonblind import Image, Kernel, transfer_function
from methods.classical.latent_image import sparsified

WINDOW = 35  # px, the side of the square in which the minimum is taken, at every scale
LARGEST_MU = 8.0  # the coupling of the dark channel, up to which it is doubled


def dark_channel(image: Image, window: int) -> Image:
    """Return the minimum over a square around each pixel of (H, W); border pixels are repeated."""
    minimum: Image = minimum_filter(image, window, mode="nearest")
    return minimum


def sparse_dark_channel(blurry: Image, kernel: Kernel, weight: float, dark_weight: float) -> Image:
    """Estimate the latent image by half-quadratic splitting of both penalties.

    The authors' code goes through the windows one by one; here all pixels that are the minimum of some window
    are set to 0 at once, which differs for ties only.

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
        darkest = image <= maximum_filter(dark_channel(image, WINDOW), WINDOW, mode="nearest")
        removed = darkest & (image**2 < dark_weight / mu)
        removed &= _inner(blurry.shape)
        target = np.where(removed, 0, image)
        image = sparsified(image, matched + mu * rfft2(target), power + mu, weight)
        mu *= 2
    return image


def _bright(image: Image) -> float:
    """Return Otsu's threshold of the squared image; it is positive, so that one can divide by it."""
    threshold = float(threshold_otsu((image**2).clip(0, 1)))
    return max(threshold, float(np.finfo(np.float64).tiny))


def _inner(size: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return a mask, False within half a window of the border, where the authors' code changes nothing."""
    margin = WINDOW // 2
    inner = np.zeros(size, bool)
    inner[margin:-margin, margin:-margin] = True
    return inner
