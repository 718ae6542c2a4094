"""An estimate in the frame of its reference: the best shift, or none.

A blind method may move image and kernel against each other without changing their convolution, so scores are
taken at the shift that fits best. Alignment and crop are part of a protocol and therefore of its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

from benchmark.core.types import InputError

Image = NDArray[np.float64]  # (C, H, W)


@dataclass(frozen=True)
class Aligned:
    """Two images of one size, and what made them so."""

    estimate: Image
    reference: Image
    shift: tuple[float, float] = (0.0, 0.0)  # the estimate is sampled at (row + shift[0], column + shift[1])
    mask: NDArray[np.bool_] | None = None  # (H, W), the pixels that count, where not all do; others are 0
    frame: int = 0  # which of several references this one is


def whole_frame(estimate: Image, reference: Image) -> Aligned:
    """No crop and no shift. Raises InputError when the sizes differ."""
    require_one_shape(estimate, reference)
    return Aligned(estimate, reference)


def require_one_shape(estimate: Image, reference: Image) -> None:
    """Raise InputError when the images differ in size or channels."""
    if estimate.shape != reference.shape:
        raise InputError(f"the restored image is {estimate.shape}, the sharp one {reference.shape}")


def intensity_gain(estimate: Image, reference: Image) -> float:
    """The factor that brings the estimate closest to the reference, over all pixels and channels.

    Raises InputError for a black estimate, which has none.
    """
    energy = float((estimate**2).sum())
    if energy == 0:
        raise InputError("the restored image is black, so no intensity gain fits it to the sharp one")
    return float((reference * estimate).sum()) / energy


def best_shift(
    estimate: Image, reference: Image, *, border: int = 15, max_shift: int = 10, steps_per_pixel: int = 1
) -> Aligned:
    """Crop `border` px from the reference and find the estimate's shift with the least squared error.

    Shifts reach `max_shift` px in both directions, in steps of 1 / `steps_per_pixel` px (bilinear). Ties go
    to the smallest row shift, then the smallest column shift. Images are (C, H, W) of equal size.
    Raises InputError when nothing is left inside the border, ValueError if `max_shift` exceeds it.

    Every whole-pixel shift of one fractional image costs one FFT correlation; the few best candidates are
    evaluated again directly, so that rounding cannot change the winner.
    """
    height, width = reference.shape[1:]
    require_one_shape(estimate, reference)
    if min(height, width) <= 2 * border:
        raise InputError(f"an image of {height} x {width} px has nothing inside a border of {border} px")
    start = border - max_shift
    if start < 0:
        raise ValueError(f"shifts of {max_shift} px leave the image inside a border of {border} px")
    inner = reference[:, border : height - border, border : width - border]
    size = [next_fast_len(side - 2 * start, real=True) for side in (height, width)]
    spectrum = rfft2(inner, s=size).conj()
    fractions = np.arange(steps_per_pixel) / steps_per_pixel
    errors: dict[tuple[float, float], NDArray[np.float64]] = {}  # of all whole-pixel shifts, by fraction
    for row in fractions:
        for column in fractions:
            window = _interpolated(estimate, row, column)[:, start : height - start, start : width - start]
            grid = _squared_errors(window, inner, spectrum, size)
            # max_shift plus a fraction would leave the range of the search
            errors[row, column] = grid[: len(grid) - (row > 0), : len(grid) - (column > 0)]
    threshold = min(float(grid.min()) for grid in errors.values()) + _rounding(reference)
    candidates = [
        (i - max_shift + row, j - max_shift + column)
        for (row, column), grid in errors.items()
        for i, j in np.argwhere(grid <= threshold)
    ]
    scored = []
    for shift in sorted(candidates):
        moved = shifted(estimate, shift, border)
        scored.append((float(((moved - inner) ** 2).sum()), shift, moved))
    _, shift, moved = min(scored, key=lambda entry: entry[:2])
    return Aligned(moved, inner, (float(shift[0]), float(shift[1])))


def _interpolated(image: Image, row: float, column: float) -> Image:
    """`image` sampled at (i + row, j + column), both in [0, 1); the last row and column are repeated."""
    padded = np.pad(image, ((0, 0), (0, 1), (0, 1)), mode="edge")
    vertical = (1 - row) * padded[:, :-1] + row * padded[:, 1:]
    return (1 - column) * vertical[:, :, :-1] + column * vertical[:, :, 1:]


def _squared_errors(
    window: Image, inner: Image, spectrum: NDArray[np.complex128], size: Sequence[int]
) -> NDArray[np.float64]:
    """Sum of squared differences of `inner` to each whole-pixel position inside `window`.

    `spectrum` is the conjugate one of `inner` at `size`, which holds the window: nothing wraps around.
    """
    height, width = inner.shape[1:]
    sums = np.pad((window**2).sum(0).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows = sums[height:] - sums[:-height]
    energy = rows[:, width:] - rows[:, :-width]
    cross = irfft2((rfft2(window, s=size) * spectrum).sum(0), s=size)
    errors: NDArray[np.float64] = energy - 2 * cross[: energy.shape[0], : energy.shape[1]] + (inner**2).sum()
    return errors


def _rounding(reference: Image) -> float:
    """Far above the FFT's rounding of a sum of squares, far below any difference that matters."""
    return 1e-10 * reference.size


def shifted(image: Image, shift: tuple[float, float], border: int) -> Image:
    """`image` (C, H, W) without `border` px, sampled at (row + shift[0], column + shift[1]), bilinearly.

    `shift` reaches at most `border` px.
    """
    height, width = image.shape[1:]
    top, left = int(np.floor(shift[0])), int(np.floor(shift[1]))
    sampled = _interpolated(image, shift[0] - top, shift[1] - left)
    return sampled[:, border + top : height - border + top, border + left : width - border + left]
