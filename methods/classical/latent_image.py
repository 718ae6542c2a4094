"""Estimate the latent image for a given kernel, under a penalty on the number of non-zero gradients.

    min_S  |k * S - B|^2 + weight |grad S|_0

S is the latent image, B the blurry one, k the kernel; |.|_0 counts non-zero entries. Solved by half-quadratic
splitting: L. Xu, S. Zheng, J. Jia, "Unnatural L0 Sparse Representation for Natural Image Deblurring", CVPR
2013; J. Pan et al., CVPR 2014, equation (7) without the intensity term. The schedule is that of Pan's code.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

from benchmark.blur.nonblind import Image, Kernel, difference_power, transfer_function

LARGEST_BETA = 1e5  # the coupling of the gradients, up to which it is doubled


def sparse_gradients(blurry: Image, kernel: Kernel, weight: float) -> Image:
    """Estimate the latent image (H, W) of a periodic blurry image (H, W), see `extended`."""
    transfer = transfer_function(kernel, blurry.shape)
    matched = transfer.conj() * rfft2(blurry)
    return sparsified(blurry, matched, np.abs(transfer) ** 2, weight)


def sparsified(
    start: Image, matched: NDArray[np.complex128], power: NDArray[np.float64], weight: float
) -> Image:
    """Minimise a quadratic plus weight |grad S|_0 on a periodic grid.

    Args:
        start: the first S, (H, W).
        matched: right-hand side of the quadratic's normal equations, power F(S) = matched, as half spectrum.
        power: their left-hand side.
        weight: of |grad S|_0.
    """
    differences = difference_power(start.shape)
    image, beta = start, 2 * weight
    while beta < LARGEST_BETA:
        edges = rfft2(_strong_edges(image, weight / beta))
        image = irfft2((matched + beta * edges) / (power + beta * differences), s=start.shape)
        beta *= 2
    return image


def _strong_edges(image: Image, threshold: float) -> Image:
    """Return D' g: the gradients g = D image with |g|^2 >= threshold, and the adjoint D' of the gradient."""
    h, v = np.roll(image, -1, 1) - image, np.roll(image, -1, 0) - image
    kept = h**2 + v**2 >= threshold
    h, v = h * kept, v * kept
    adjoint: Image = np.roll(h, 1, 1) - h + np.roll(v, 1, 0) - v
    return adjoint


def extended(image: Image, size: tuple[int, int]) -> Image:
    """Extend an image (H, W) below and to the right by the size of the kernel, so that it can be periodic.

    The added rows go linearly from the last row to the first, the added columns likewise. (Pan's code solves
    a Laplace equation there.)
    """
    return _blended(_blended(image, size[0]).T, size[1]).T


def _blended(image: Image, side: int) -> Image:
    room = next_fast_len(len(image) + side - 1, real=True) - len(image)
    ramp = np.arange(1, room + 1)[:, None] / (room + 1)
    return np.concatenate([image, (1 - ramp) * image[-1] + ramp * image[0]])
