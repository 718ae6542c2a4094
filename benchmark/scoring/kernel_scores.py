"""Measure how close an estimated kernel is to the true one, or how well it explains the blurry image.

Kernels are (h, w) in true-convolution form, sum 1.
"""

from typing import Any

import numpy as np
import scipy  # loads its parts when they are used; signal takes a second
from numpy.typing import NDArray

from benchmark.blur.kernel_energy import kernel_energy
from benchmark.blur.nonblind import hyper_laplacian
from benchmark.core.colour import full_range_luma
from benchmark.scoring.alignment import best_shift

Floats = NDArray[np.floating[Any]]


def kernel_similarity(estimate: Floats, truth: Floats) -> float:
    """Compute the largest normalised cross-correlation over all whole-pixel shifts.

        max_s  <estimate, shift_s truth> / (|estimate| |truth|)

    The value does not depend on shift and scale, but on rotation: a kernel turned by 180 degrees is another
    blur.

    Args:
        estimate: (h, w), zero outside its box.
        truth: (h, w); the sizes may differ.

    Returns:
        A number in [0, 1], 1 for equal shapes. Source: Hu and Yang, ECCV 2012.

    >>> kernel = np.array([[0.5, 0.3, 0.2]])
    >>> round(kernel_similarity(np.pad(kernel, 2), kernel), 6)
    1.0
    >>> round(kernel_similarity(kernel[:, ::-1], kernel), 6)
    0.789474
    """
    correlation = _correlation(estimate, truth)
    similarity = correlation.max() / (np.linalg.norm(estimate) * np.linalg.norm(truth))
    return float(np.clip(similarity, 0, 1))  # the FFT rounds


def error_ratio(blurry: Floats, sharp: Floats, estimate: Floats, truth: Floats) -> float:
    """Compare the restorations with the estimated and with the true kernel.

        |x_estimate - sharp|^2 / |x_truth - sharp|^2

    Both x are `hyper_laplacian` restorations of `blurry` at the paper's settings, clipped to [0, 1]. Each is
    compared with `sharp` inside the border at its own `best_shift`, because an estimated kernel may be
    shifted. Source: Levin et al., CVPR 2009, with another non-blind step for both kernels.

    Args:
        blurry: (C, H, W) in [0, 1].
        sharp: (C, H, W).
        estimate: (h, w).
        truth: (h, w).

    Returns:
        1 when the estimated kernel is as good as the true one; below 3 is usually called a success.

    Raises:
        InputError: The image has nothing inside the border.
    """
    return _squared_error(blurry, sharp, estimate) / _squared_error(blurry, sharp, truth)


def energy(blurry: Floats, estimate: Floats) -> float:
    """Compute the `kernel_energy` of an estimate on the luma of a blurry image: no truth is needed.

    Args:
        blurry: (C, H, W) in [0, 1].
        estimate: (h, w).

    Raises:
        InputError: The image is not larger than the kernel.
    """
    return kernel_energy(full_range_luma(blurry.astype(np.float64))[0], estimate)


def misplaced_mass(estimate: Floats, truth: Floats) -> float:
    """Compute the share of the estimate's mass that lies in the wrong place.

        1/2 sum | shift_s estimate - truth |,    s the shift of `kernel_similarity`

    Args:
        estimate: (h, w).
        truth: (h, w).

    Returns:
        A number in [0, 1], 0 for equal shapes.

    >>> misplaced_mass(np.ones((1, 1)), np.array([[0.75, 0.25]]))
    0.25
    """
    return float(np.abs(_difference(estimate, truth)).sum() / 2)


def kernel_psnr(estimate: Floats, truth: Floats) -> float:
    """Compute the peak signal-to-noise ratio of a kernel, at the shift of `kernel_similarity`.

        10 log10( max(truth)^2 / (sum (shift_s estimate - truth)^2 / (h w)) ),    h x w the size of the truth

    The sum is over all entries of both, so the estimate's declared size makes no difference. Zhuang et al.,
    IJCV 2023, plot a kernel's PSNR (Figures 15 and 16) and do not say how they align or scale it: this form
    is ours.

    Args:
        estimate: (h', w').
        truth: (h, w).

    Returns:
        Decibels; infinite for equal shapes.

    >>> round(kernel_psnr(np.array([[0.9, 0.1]]), np.array([[1.0, 0.0]])), 6)
    20.0
    """
    error = float((_difference(estimate, truth) ** 2).sum())
    return float(10 * np.log10(truth.max() ** 2 * truth.size / error)) if error else float("inf")


def _difference(estimate: Floats, truth: Floats) -> NDArray[np.float64]:
    """Subtract the truth from the estimate, shifted as in `kernel_similarity`, where either is not zero."""
    correlation = _correlation(truth, estimate)
    peak = np.unravel_index(correlation.argmax(), correlation.shape)
    (rows, columns), (height, width) = estimate.shape, truth.shape
    # Both on one canvas that holds the shifted estimate wherever it lies.
    canvas = np.zeros((height + 2 * rows, width + 2 * columns))
    canvas[rows : rows + height, columns : columns + width] -= truth
    top, left = int(peak[0]) + 1, int(peak[1]) + 1
    canvas[top : top + rows, left : left + columns] += estimate
    return canvas


def _correlation(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Compute the cross-correlation at all shifts at which the boxes overlap."""
    return np.asarray(
        scipy.signal.correlate(first.astype(np.float64), second.astype(np.float64), method="fft")
    )


def _squared_error(blurry: Floats, sharp: Floats, kernel: Floats) -> float:
    """Deblur with `kernel` and sum the squared error over pixels and channels."""
    restored = np.clip(hyper_laplacian(blurry, kernel), 0, 1)
    aligned = best_shift(restored, sharp.astype(np.float64))
    return float(((aligned.estimate - aligned.reference) ** 2).sum())
