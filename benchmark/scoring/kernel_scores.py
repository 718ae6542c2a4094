"""Measure how close an estimated kernel is to the true one.

Kernels are (h, w) in true-convolution form, sum 1.
"""

from typing import Any

import numpy as np
import scipy  # loads its parts when they are used; signal takes a second
from numpy.typing import NDArray

from benchmark.blur.nonblind import hyper_laplacian
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
    correlation = _correlation(truth, estimate)
    peak = np.unravel_index(correlation.argmax(), correlation.shape)
    (rows, columns), (height, width) = estimate.shape, truth.shape
    # Both on one canvas that holds the shifted estimate wherever it lies.
    canvas = np.zeros((2, height + 2 * rows, width + 2 * columns))
    canvas[0, rows : rows + height, columns : columns + width] = truth
    top, left = int(peak[0]) + 1, int(peak[1]) + 1
    canvas[1, top : top + rows, left : left + columns] = estimate
    return float(np.abs(canvas[0] - canvas[1]).sum() / 2)


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
