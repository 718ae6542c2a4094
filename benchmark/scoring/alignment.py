"""Bring an estimate into the frame of its reference: the best shift, or none.

A blind method may move the image and the kernel against each other without changing their convolution, so
scores are taken at the shift that fits best. Crop and alignment belong to a protocol (`protocols.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

from benchmark.core.errors import InputError

Image = NDArray[np.float64]  # (C, H, W), C = 1 (grey) or 3 (RGB)

# Pixels that the shift protocols crop on each side and search in each direction.
BORDER = 15
MAX_SHIFT = 10


@dataclass(frozen=True)
class Aligned:
    """An estimate and a reference of one size, ready to be compared."""

    estimate: Image
    reference: Image
    shift: tuple[float, float] = (0.0, 0.0)  # px down and right, at which the estimate is sampled
    mask: NDArray[np.bool_] | None = None  # (H, W): pixels to score, the others are 0; None means all
    frame: int = 0  # index of the reference, where a case has several


def whole_frame(estimate: Image, reference: Image) -> Aligned:
    """Compare the images as they are, without crop or shift.

    Raises:
        InputError: The sizes differ.
    """
    require_one_shape(estimate, reference)
    return Aligned(estimate, reference)


def require_one_shape(estimate: Image, reference: Image) -> None:
    """Raise InputError when the images differ in size or number of channels."""
    if estimate.shape != reference.shape:
        raise InputError(f"the restored image is {estimate.shape}, the sharp one {reference.shape}")


def intensity_gain(estimate: Image, reference: Image) -> float:
    """Compute the factor g that minimises |g estimate - reference|^2 over all pixels and channels.

    Raises:
        InputError: The estimate is black, so that no factor fits.
    """
    energy = float((estimate**2).sum())
    if energy == 0:
        raise InputError("the restored image is black, so no intensity gain fits it to the sharp one")
    return float((reference * estimate).sum()) / energy


def best_shift(
    estimate: Image,
    reference: Image,
    *,
    border: int = BORDER,
    max_shift: int = MAX_SHIFT,
    steps_per_pixel: int = 1,
) -> Aligned:
    """Crop the reference and shift the estimate onto it so that the squared error is smallest.

    Args:
        estimate: (C, H, W).
        reference: (C, H, W).
        border: Pixels cropped from each side of the reference.
        max_shift: The farthest shift in each direction, in pixels, at most `border`.
        steps_per_pixel: 1 for whole pixels, 4 for quarter pixels; between pixels the estimate is
            interpolated bilinearly.

    Returns:
        Both images, (C, H - 2 border, W - 2 border), and the shift. Of equally good shifts the one with the
        smallest row shift wins, then the smallest column shift.

    Raises:
        InputError: The sizes differ or nothing is left inside the border.
        ValueError: `max_shift` exceeds `border`.

    >>> reference = np.random.default_rng(0).random((1, 40, 40))
    >>> best_shift(np.roll(reference, 3, axis=1), reference).shift
    (3.0, 0.0)
    """
    height, width = reference.shape[1:]
    require_one_shape(estimate, reference)
    if min(height, width) <= 2 * border:
        raise InputError(f"an image of {height} x {width} px has nothing inside a border of {border} px")
    if max_shift > border:
        raise ValueError(f"shifts of {max_shift} px leave the image inside a border of {border} px")
    inner = reference[:, border : height - border, border : width - border]
    best: tuple[float, tuple[float, float], Image] | None = None
    for shift in sorted(_candidates(estimate, inner, border, max_shift, steps_per_pixel)):
        moved = shifted(estimate, shift, border)
        error = float(((moved - inner) ** 2).sum())
        if best is None or error < best[0]:
            best = error, shift, moved
    assert best is not None
    _, shift, moved = best
    return Aligned(moved, inner, (float(shift[0]), float(shift[1])))


def _candidates(
    estimate: Image, inner: Image, border: int, max_shift: int, steps_per_pixel: int
) -> list[tuple[float, float]]:
    """List the shifts whose squared error is smallest up to rounding.

    The errors of all whole-pixel shifts of one interpolated image come from a single FFT correlation. It
    rounds, so the caller computes the errors of these few shifts again.
    """
    height, width = estimate.shape[1:]
    start = border - max_shift
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
    # Far above the FFT's rounding of a sum of squares, far below any difference that matters.
    rounding = 1e-10 * estimate.size
    threshold = min(float(grid.min()) for grid in errors.values()) + rounding
    return [
        (i - max_shift + row, j - max_shift + column)
        for (row, column), grid in errors.items()
        for i, j in np.argwhere(grid <= threshold)
    ]


def _interpolated(image: Image, row: float, column: float) -> Image:
    """Sample `image` at (i + row, j + column), both in [0, 1); the last row and column are repeated."""
    padded = np.pad(image, ((0, 0), (0, 1), (0, 1)), mode="edge")
    vertical = (1 - row) * padded[:, :-1] + row * padded[:, 1:]
    return (1 - column) * vertical[:, :, :-1] + column * vertical[:, :, 1:]


def _squared_errors(
    window: Image, inner: Image, spectrum: NDArray[np.complex128], size: Sequence[int]
) -> NDArray[np.float64]:
    """Compute the sum of squared differences between `inner` and each whole-pixel position in `window`.

    `spectrum` is the conjugate spectrum of `inner` at `size`, which holds the window: nothing wraps around.
    """
    height, width = inner.shape[1:]
    sums = np.pad((window**2).sum(0).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows = sums[height:] - sums[:-height]
    energy = rows[:, width:] - rows[:, :-width]
    cross = irfft2((rfft2(window, s=size) * spectrum).sum(0), s=size)
    errors: NDArray[np.float64] = energy - 2 * cross[: energy.shape[0], : energy.shape[1]] + (inner**2).sum()
    return errors


def shifted(image: Image, shift: tuple[float, float], border: int) -> Image:
    """Crop `border` px and sample the rest at (row + shift[0], column + shift[1]), bilinearly.

    Args:
        image: (C, H, W).
        shift: Pixels down and right, at most `border` each.
        border: Pixels cropped from each side.

    Returns:
        (C, H - 2 border, W - 2 border).
    """
    height, width = image.shape[1:]
    top, left = int(np.floor(shift[0])), int(np.floor(shift[1]))
    sampled = _interpolated(image, shift[0] - top, shift[1] - left)
    return sampled[:, border + top : height - border + top, border + left : width - border + left]
