"""The sharp frame that an estimate is closest to: the comparison of Köhler et al., ECCV 2012.

While a recorded camera shake was played back, one sharp photograph was taken at each pose of it, so a blurry
photograph has about 200 references. This follows the authors' published evaluation script and not only the
paper's sentence ("intensity scale and translation that minimise the L2 distance"), because its numbers are
the published ones: whole-pixel translations, the gain fitted before them, and PSNR of the luma.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

from benchmark.core.types import InputError
from benchmark.scoring.alignment import Aligned, Image, intensity_gain, require_one_shape
from benchmark.scoring.colour import full_range_luma


def best_frame(estimate: Image, frames: Iterable[Image]) -> Aligned:
    """The luma pair of the frame with the least squared error, the estimate scaled and moved onto it.

    For each frame: the estimate is scaled by the gain that fits best where it lies; it is moved by the whole
    pixels at which the circular cross-correlation of the two means over channels peaks; what the move leaves
    empty is set to zero in both images, and counts. All frames are gone through once, one at a time.
    Images are (C, H, W) of equal size; the returned ones (1, H, W), the estimate not clipped.
    Raises InputError for a black estimate, for frames of another size, and when there is no frame.
    """
    spectrum = rfft2(estimate.mean(0)).conj()
    luma = full_range_luma(estimate)
    best: tuple[float, Aligned] | None = None
    for index, frame in enumerate(frames):
        require_one_shape(estimate, frame)
        gain = intensity_gain(estimate, frame)
        move = _peak(irfft2(rfft2(frame.mean(0)) * spectrum, s=frame.shape[1:]))
        moved, reference = (
            gain * _moved(luma, move),
            full_range_luma(frame) * _moved(np.ones_like(luma), move),
        )
        error = float(((moved - reference) ** 2).sum())
        if best is None or error < best[0]:
            best = error, Aligned(moved, reference, (float(-move[0]), float(-move[1])), frame=index)
    if best is None:
        raise InputError("there is no sharp frame to compare with")
    return best[1]


def _peak(correlation: NDArray[np.float64]) -> tuple[int, int]:
    """Where a circular correlation is largest, as a signed displacement (rows, columns)."""
    height, width = correlation.shape
    row, column = divmod(int(correlation.argmax()), width)
    return row - height * (row >= height // 2), column - width * (column >= width // 2)


def _moved(image: Image, move: tuple[int, int]) -> Image:
    """`image` moved down and right by `move`; zero where nothing is left."""
    height, width = image.shape[1:]
    rows, columns = (
        slice(max(0, step), side + min(0, step)) for step, side in zip(move, (height, width), strict=True)
    )
    back_rows, back_columns = (
        slice(max(0, -step), side + min(0, -step)) for step, side in zip(move, (height, width), strict=True)
    )
    moved = np.zeros_like(image)
    moved[:, rows, columns] = image[:, back_rows, back_columns]
    return moved
