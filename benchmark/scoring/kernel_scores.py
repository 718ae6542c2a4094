"""How close an estimated kernel is to the true one. Kernels are (h, w) in true-convolution form, sum 1."""

from typing import Any

import numpy as np
import scipy  # loads its parts when they are used; signal takes a second
from numpy.typing import NDArray

from benchmark.blur.nonblind import hyper_laplacian
from benchmark.scoring.alignment import best_shift

Floats = NDArray[np.floating[Any]]


def kernel_similarity(estimate: Floats, truth: Floats) -> float:
    """Largest normalised cross-correlation over all integer shifts, in [0, 1]; 1 for equal shapes.

        max_s  <estimate, shift_s truth> / (|estimate| |truth|)

    The kernels may differ in size; outside their boxes they are zero. Invariant to shift and scale, but not
    to rotation: a kernel turned by 180 degrees is another blur.
    """
    correlation = scipy.signal.correlate(estimate.astype(np.float64), truth.astype(np.float64), method="fft")
    similarity = correlation.max() / (np.linalg.norm(estimate) * np.linalg.norm(truth))
    return float(np.clip(similarity, 0, 1))  # the FFT rounds


def error_ratio(blurry: Floats, sharp: Floats, estimate: Floats, truth: Floats) -> float:
    """What the estimated kernel costs a restoration: 1 is as good as the true one, below 3 a success.

        |x_estimate - sharp|^2 / |x_truth - sharp|^2

    Both x are `hyper_laplacian` restorations of `blurry` (C, H, W) at the paper's settings, clipped to
    [0, 1]; each is compared with `sharp` (C, H, W) 15 px inside the border, at its own best whole-pixel
    shift within 10 px (`best_shift`): an estimated kernel may be shifted. Sums run over pixels and channels.
    Source: Levin et al., CVPR 2009, with another non-blind step for both kernels.
    Raises InputError when the image has nothing inside the border.
    """
    return _squared_error(blurry, sharp, estimate) / _squared_error(blurry, sharp, truth)


def _squared_error(blurry: Floats, sharp: Floats, kernel: Floats) -> float:
    restored = np.clip(hyper_laplacian(blurry, kernel), 0, 1)
    aligned = best_shift(restored, sharp.astype(np.float64))
    return float(((aligned.estimate - aligned.reference) ** 2).sum())


def misplaced_mass(estimate: Floats, truth: Floats) -> float:
    """The share of the estimate's mass that lies elsewhere than the truth's, in [0, 1].

    1/2 sum | shift_s estimate - truth |,    s the shift of `kernel_similarity`
    """
    correlation = scipy.signal.correlate(truth.astype(np.float64), estimate.astype(np.float64), method="fft")
    peak = np.unravel_index(correlation.argmax(), correlation.shape)
    (rows, columns), (height, width) = estimate.shape, truth.shape
    # Both on one canvas that holds the shifted estimate wherever it lies.
    canvas = np.zeros((2, height + 2 * rows, width + 2 * columns))
    canvas[0, rows : rows + height, columns : columns + width] = truth
    top, left = int(peak[0]) + 1, int(peak[1]) + 1
    canvas[1, top : top + rows, left : left + columns] = estimate
    return float(np.abs(canvas[0] - canvas[1]).sum() / 2)
