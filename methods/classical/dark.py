"""The latent image with few non-zero gradients and a dark channel of few non-zero pixels.

    min_S |k * S - B|^2 + weight |grad S|_0 + dark weight |dark(S)|_0

J. Pan, D. Sun, H. Pfister, M.-H. Yang, "Blind Image Deblurring Using Dark Channel Prior", CVPR 2016, with
the schedule of the authors' code.
"""

import numpy as np
from scipy.fft import rfft2
from scipy.ndimage import maximum_filter, minimum_filter
from skimage.filters import threshold_otsu

from benchmark.blur.nonblind import Image, Kernel, transfer_function
from methods.classical.latent import sparsified

WINDOW = 35  # px, at every scale
LARGEST_MU = 8.0


def dark_channel(image: Image, window: int) -> Image:
    """The minimum over `window` x `window` px around each pixel of (H, W); the border is repeated."""
    minimum: Image = minimum_filter(image, window, mode="nearest")
    return minimum


def sparse_dark_channel(blurry: Image, kernel: Kernel, weight: float, dark_weight: float) -> Image:
    """The latent image S of a periodic image B (H, W), by half-quadratic splitting of both penalties.

    Where the code sets one window after another, all pixels that are the minimum of some window are treated
    at once: the same but for ties.
    """
    transfer = transfer_function(kernel, blurry.shape)
    matched, power = transfer.conj() * rfft2(blurry), np.abs(transfer) ** 2
    image, mu = blurry, dark_weight / _bright(blurry)
    while mu < LARGEST_MU:
        darkest = image <= maximum_filter(dark_channel(image, WINDOW), WINDOW, mode="nearest")
        removed = darkest & (image**2 < dark_weight / mu)
        removed &= _inner(blurry.shape)
        target = np.where(removed, 0, image)
        image = sparsified(image, matched + mu * rfft2(target), power + mu, weight)
        mu *= 2
    return image


def _bright(image: Image) -> float:
    """Otsu's threshold of the squared image."""
    squared = (image**2).clip(0, 1)
    return float(threshold_otsu(squared))


def _inner(size: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """False within half a window of the frame, where the code leaves the image as it is."""
    margin = WINDOW // 2
    inner = np.zeros(size, bool)
    inner[margin:-margin, margin:-margin] = True
    return inner
