"""Steps of kernel estimates: least squares over pixels whose blur lies inside the frame, cleaning, means."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter, label

from benchmark.blur.conjugate_gradients import Array
from benchmark.blur.nonblind import Kernel

FRAGMENT = 0.1  # share of the mass below which a connected component is noise; that of Pan's code
SMOOTHING = 1.0  # px, standard deviation: how far apart traces of two estimates may lie and still agree


def normal_equations(
    x: Array, g: Array, size: tuple[int, int], grid: tuple[int, int]
) -> tuple[Callable[[Array], Array], Array]:
    """Return the matrix (as a function) and the right-hand side of min_k |x * k - g|^2, 'valid' pixels only.

    Both have the type of the gradient images.

    Args:
        x: gradient images of the latent image, (2, H, W).
        g: those of the blurry image, of the same shape.
        size: of the kernel, (h, w); its origin is the entry (h // 2, w // 2).
        grid: of the FFT, at least (H, W).
    """
    (height, width), (h, w) = x.shape[1:], size
    spectrum = rfft2(x, s=grid)
    top, left = (h - 1) // 2, (w - 1) // 2

    def correlated(valid: Array) -> Array:
        padded = np.pad(valid, ((0, 0), (h - 1, 0), (w - 1, 0)))
        both = irfft2(rfft2(padded, s=grid) * spectrum.conj(), s=grid)
        kernel: Array = both[:, :h, :w].sum(0)
        return kernel

    def product(kernel: Array) -> Array:
        convolved = irfft2(rfft2(kernel, s=grid) * spectrum, s=grid)
        return correlated(convolved[:, h - 1 : height, w - 1 : width])

    return product, correlated(g[:, top : height - h // 2, left : width - w // 2])


def cleaned(kernel: Kernel, threshold: float, fragment: float = FRAGMENT) -> Kernel | None:
    """Remove small and negative entries, then small fragments; return None if nothing is left.

    Entries below `threshold` times the largest go first, then 8-connected components with less than
    `fragment` of the remaining mass. The sum of the result is 1.
    """
    kept = normalised(np.where(kernel < threshold * kernel.max(), 0, kernel))
    if kept is None:
        return None
    components, count = label(kept, structure=np.ones((3, 3)))
    masses = np.bincount(components.ravel(), kept.ravel(), count + 1)
    return normalised(np.where(masses[components] < fragment, 0, kept))


def to_middle(kernel: Kernel) -> tuple[int, int]:
    """Return the shift (rows, columns) in whole pixels that brings the non-zero entries to the middle.

    It is zero where they are within half a pixel of it already, and where there are none.

    >>> to_middle(np.eye(1, 9))
    (0, 4)
    """
    rows, columns = (int((after - before) / 2) for before, after in _margins(kernel))
    return rows, columns


def moved(kernel: Kernel, shift: tuple[int, int]) -> Kernel:
    """Move a kernel by (rows, columns), as far as no non-zero entry leaves its box.

    >>> moved(np.array([[0, 1, 1, 0, 0]]), (0, 3))
    array([[0, 0, 0, 1, 1]])
    """
    within = [
        min(max(way, -before), after) for way, (before, after) in zip(shift, _margins(kernel), strict=True)
    ]
    return np.roll(kernel, within, (0, 1))


def _margins(kernel: Kernel) -> list[tuple[int, int]]:
    """Count the empty rows before and after the non-zero entries, and the empty columns; 0 if all are."""
    margins = []
    for axis, side in enumerate(kernel.shape):
        filled = np.flatnonzero(kernel.any(1 - axis))
        margins.append((int(filled[0]), side - 1 - int(filled[-1])) if len(filled) else (0, 0))
    return margins


def normalised(kernel: Kernel) -> Kernel | None:
    """Set negative entries to 0 and the sum to 1; return None if nothing is left."""
    positive = np.maximum(kernel, 0)
    total = positive.sum()
    return positive / total if total > 0 and np.isfinite(total) else None


def aligned_mean(kernels: Sequence[Kernel]) -> Kernel:
    """Return the mean of kernels, each moved in whole pixels to where it agrees best with the first.

    Blind estimates of one kernel differ by a shift. Kernels are smoothed before they are compared, so that
    thin traces that lie a pixel apart agree.

    Args:
        kernels: of any sizes, true-convolution form, sum 1.

    Returns:
        The mean, in the box of the first kernel, sum 1. What is moved out of the box is lost.
    """
    first, *others = kernels
    (h, w), total = first.shape, first.copy()
    for other in others:
        rows, columns = h + other.shape[0], w + other.shape[1]
        smooth = [
            rfft2(gaussian_filter(k, SMOOTHING, mode="constant"), s=(rows, columns)) for k in (first, other)
        ]
        agreement = irfft2(smooth[0] * smooth[1].conj(), s=(rows, columns))
        shift = np.unravel_index(agreement.argmax(), agreement.shape)
        moved = np.roll(np.pad(other, ((0, h), (0, w))), shift, (0, 1))[:h, :w]
        total += moved / max(moved.sum(), np.finfo(np.float64).tiny)
    mean: Kernel = total / total.sum()
    return mean
