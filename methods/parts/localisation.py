"""Find where a blurry image lies in a larger estimate of its scene.

Where kernel and image are given more room than they need, shifting one against the other changes nothing, so
the central crop may be wrong by up to half a kernel. "Blind Image Deblurring with Unknown Kernel Size and
Substantial Noise", section 3.6, takes the window that is most similar to the blurry image by SSIM. SSIM of
every window would take hours for large kernels. Here correlation finds candidates, and SSIM decides.
"""

from collections.abc import Iterable

import numpy as np
import scipy  # loads its parts when they are used; signal takes a second
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from torch import Tensor
from torch.nn import functional

from methods.parts.colour import luma

Offset = tuple[int, int]

WINDOW = 11  # pixels: side of SSIM's window; smaller images cannot be compared
PEAKS = 5  # how many maxima of the correlation; SSIM is computed around each
APART = 8  # pixels: least distance of two peaks, and how far the search goes around each
COARSE = 2  # pixels: step of the search; around its best result it is 1


def locate(image: Tensor, blurry: Tensor) -> Offset:
    """Find the window that is most similar to `blurry`, by SSIM of the luma.

    Args:
        image: The larger estimate (C, H', W').
        blurry: (C, H, W), at least 11 px a side.

    Returns:
        (row, column) of the window's first pixel in `image`.

    >>> image = torch.rand(1, 30, 32, generator=torch.Generator().manual_seed(0))
    >>> locate(image, image[:, 3:25, 7:31])
    (3, 7)
    """
    similarity = Similarity(image, blurry)
    scores: dict[Offset, float] = {}

    def best(offsets: Iterable[Offset]) -> Offset:
        new = [offset for offset in dict.fromkeys(offsets) if offset not in scores]
        scores.update(zip(new, similarity(new), strict=True))
        return _highest(scores, similarity.room)

    peaks = correlation_peaks(correlation(luma(image)[0], luma(blurry)[0]))
    best(offset for peak in peaks for offset in _around(peak, APART, COARSE, similarity.room))
    return best(
        offset
        for peak in [_highest(scores, similarity.room)]
        for offset in _around(peak, COARSE, 1, similarity.room)
    )


class Similarity:
    """SSIM between the lumas of a blurry image and of windows of a larger one.

    Gaussian window of 11 x 11 px with sigma 1.5, at all places inside. The local means and variances of a
    window are taken from those of the whole image, so each window costs one filtered product.
    """

    def __init__(self, image: Tensor, blurry: Tensor) -> None:
        """Take the statistics of both images.

        Args:
            image: The larger one, (C, H', W') in [0, 1].
            blurry: (C, H, W) in [0, 1], at least 11 pixels a side.
        """
        self.image, self.blurry = luma(image)[0].double(), luma(blurry)[0].double()
        (whole_height, whole_width), (height, width) = self.image.shape, self.blurry.shape
        self.room = (whole_height - height + 1, whole_width - width + 1)
        self.mean, self.variance = _statistics(self.image)
        self.blurry_mean, self.blurry_variance = _statistics(self.blurry)

    def __call__(self, offsets: Iterable[Offset]) -> list[float]:
        """Return the mean SSIM of the window at each of `offsets`."""
        return [self._at(*offset) for offset in offsets]

    def _at(self, row: int, column: int) -> float:
        height, width = self.blurry.shape
        rows, columns = self.blurry_mean.shape
        window = self.image[row : row + height, column : column + width]
        inside = (slice(row, row + rows), slice(column, column + columns))
        mean, variance = self.mean[inside], self.variance[inside]
        covariance = _smooth(window * self.blurry) - mean * self.blurry_mean
        c1, c2 = 0.01**2, 0.03**2
        similarity = (2 * mean * self.blurry_mean + c1) * (2 * covariance + c2)
        similarity = similarity / (mean**2 + self.blurry_mean**2 + c1)
        similarity = similarity / (variance + self.blurry_variance + c2)
        return float(similarity.mean())


def correlation(image: Tensor, blurry: Tensor) -> NDArray[np.float64]:
    """Compute the normalised cross-correlation of `blurry` with every window of `image`.

    Args:
        image: (H', W').
        blurry: (H, W).

    Returns:
        (H' - H + 1, W' - W + 1): a value for each offset.
    """
    large, small = image.double().cpu().numpy(), blurry.double().cpu().numpy()
    small = small - small.mean()
    box = np.ones(small.shape)
    products = scipy.signal.fftconvolve(large, small[::-1, ::-1], mode="valid")
    sums = scipy.signal.fftconvolve(large, box, mode="valid")
    squares = scipy.signal.fftconvolve(large**2, box, mode="valid")
    variances = np.maximum(squares - sums**2 / box.size, 1e-12)
    correlations: NDArray[np.float64] = products / np.sqrt(variances * max(float((small**2).sum()), 1e-12))
    return correlations


def correlation_peaks(correlations: NDArray[np.float64]) -> list[Offset]:
    """Return the PEAKS highest local maxima, more than APART apart; the highest first."""
    tops = np.argwhere(correlations == maximum_filter(correlations, 2 * APART + 1, mode="nearest"))
    order = np.argsort([-correlations[tuple(top)] for top in tops], kind="stable")
    return [(int(tops[index][0]), int(tops[index][1])) for index in order[:PEAKS]]


def kernel_centre(offset: Offset, size: Offset) -> Offset:
    """Return the entry of a kernel of `size` (h, w) that means no shift, where the image lies at `offset`."""
    return size[0] - 1 - offset[0], size[1] - 1 - offset[1]


def _around(peak: Offset, reach: int, step: int, room: Offset) -> list[Offset]:
    rows, columns = (
        [at for at in range(centre - reach, centre + reach + 1, step) if 0 <= at < length]
        for centre, length in zip(peak, room, strict=True)
    )
    return [(row, column) for row in rows for column in columns]


def _highest(scores: dict[Offset, float], room: Offset) -> Offset:
    """Return the offset of the highest score; of several that nearest to the middle, then to the top left."""
    middle = ((room[0] - 1) / 2, (room[1] - 1) / 2)
    return min(
        scores,
        key=lambda at: (-scores[at], (at[0] - middle[0]) ** 2 + (at[1] - middle[1]) ** 2, at),
    )


def _statistics(image: Tensor) -> tuple[Tensor, Tensor]:
    mean = _smooth(image)
    return mean, _smooth(image**2) - mean**2


def _smooth(image: Tensor) -> Tensor:
    """Return the Gaussian-weighted means over all windows inside an image (H, W)."""
    window = _window().to(image)
    columns = functional.conv2d(image[None, None], window[None, None, :, None])
    return functional.conv2d(columns, window[None, None, None, :])[0, 0]


def _window() -> Tensor:
    offsets = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    exponentials = torch.exp(-(offsets**2) / (2 * 1.5**2))
    return exponentials / exponentials.sum()
