"""Estimate the latent image for a given kernel, under a penalty on the number of non-zero gradients.

    min_S  |k * S - B|^2 + weight |grad S|_0

S is the latent image, B the blurry one, k the kernel; |.|_0 counts non-zero entries. Solved by half-quadratic
splitting: L. Xu, S. Zheng, J. Jia, "Unnatural L0 Sparse Representation for Natural Image Deblurring", CVPR
2013; J. Pan et al., CVPR 2014, equation (7) without the intensity term. The schedule is that of Pan's code.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

from benchmark.blur.conjugate_gradients import Array
from benchmark.blur.nonblind import Kernel, difference_power, transfer_function

Gradients = NDArray[np.float64]  # (2, H, W): along columns, along rows

LARGEST_BETA = 1e5  # the coupling of the gradients, up to which it is doubled


def gradients(image: Array) -> Array:
    """Return the forward differences of an image (H, W), without wrap-around: (2, H - 1, W - 1).

    >>> gradients(np.array([[0.0, 1.0, 3.0], [5.0, 5.0, 5.0]]))
    array([[[1., 2.]],
    <BLANKLINE>
           [[5., 4.]]])
    """
    return np.stack([image[:-1, 1:] - image[:-1, :-1], image[1:, :-1] - image[:-1, :-1]])


def sparse_gradients(blurry: Array, kernel: Kernel, weight: float) -> Array:
    """Estimate the latent image (H, W) of a periodic blurry image (H, W), see `extended`.

    It computes in the type of `blurry`: float32 takes a third of the time of float64.
    """
    transfer = transfer_function(kernel, blurry.shape).astype(np.result_type(blurry, np.complex64))
    matched = transfer.conj() * rfft2(blurry)
    return sparsified(blurry, matched, np.abs(transfer) ** 2, weight)


def sparsified(
    start: Array,
    matched: NDArray[np.complexfloating[Any, Any]],
    power: NDArray[np.floating[Any]],
    weight: float,
) -> Array:
    """Minimise a quadratic plus weight |grad S|_0 on a periodic grid.

    Args:
        start: the first S, (H, W).
        matched: right-hand side of the quadratic's normal equations, power F(S) = matched, as half spectrum.
        power: their left-hand side.
        weight: of |grad S|_0.
    """
    differences = difference_power(start.shape).astype(start.dtype)
    image, beta = start, 2 * weight
    while beta < LARGEST_BETA:
        edges = rfft2(_strong_edges(image, weight / beta))
        spectrum = (matched + beta * edges) / (power + beta * differences)
        image = irfft2(spectrum, s=start.shape).astype(start.dtype, copy=False)
        beta *= 2
    return image


def _strong_edges(image: Array, threshold: float) -> Array:
    """Return D' g: the gradients g = D image with |g|^2 >= threshold, and the adjoint D' of the gradient."""
    h, v = np.roll(image, -1, 1) - image, np.roll(image, -1, 0) - image
    kept = h**2 + v**2 >= threshold
    h, v = h * kept, v * kept
    adjoint: Array = np.roll(h, 1, 1) - h + np.roll(v, 1, 0) - v
    return adjoint


def extended(image: Array, size: tuple[int, int]) -> Array:
    """Extend an image (H, W) below and to the right by the size of the kernel, so that it can be periodic.

    The added rows go linearly from the last row to the first, the added columns likewise. (Pan's code solves
    a Laplace equation there.)
    """
    return _blended(_blended(image, size[0]).T, size[1]).T


def _blended(image: Array, side: int) -> Array:
    room = next_fast_len(len(image) + side - 1, real=True) - len(image)
    ramp = np.arange(1, room + 1, dtype=image.dtype)[:, None] / (room + 1)
    return np.concatenate([image, (1 - ramp) * image[-1] + ramp * image[0]])
