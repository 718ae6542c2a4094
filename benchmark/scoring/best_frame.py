"""Compare with the closest of several sharp frames: Köhler et al., ECCV 2012.

A recorded camera shake was played back and one sharp photograph was taken at each pose, so that a blurry
photograph has about 200 references. The paper's sentence ("intensity scale and translation that minimise
the L2 distance") leaves details open. This follows the authors' evaluation script, whose numbers are the
published ones: whole-pixel translations, the gain fitted before them, and PSNR of the luma.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

from benchmark.core.colour import full_range_luma
from benchmark.core.errors import InputError
from benchmark.scoring.alignment import Aligned, Image, intensity_gain, require_one_shape


def best_frame(estimate: Image, frames: Iterable[Image]) -> Aligned:
    """Scale and move the estimate onto each frame; keep the frame with the smallest squared error.

    For each frame, the estimate is multiplied by the gain that fits best where it lies. It is then moved by
    the whole pixels at which the circular cross-correlation of the two images, averaged over channels, peaks.
    What the move leaves empty is set to zero in both images, and counts.

    Args:
        estimate: (C, H, W).
        frames: Sharp images of that size, read once, one at a time.

    Returns:
        The luma of both, (1, H, W), the estimate not clipped, with the shift and the index of the frame.

    Raises:
        InputError: The estimate is black, a frame has another size, or there is no frame.
    """
    spectrum = rfft2(estimate.mean(0)).conj()
    luma = full_range_luma(estimate)
    best: tuple[float, Aligned] | None = None
    for index, frame in enumerate(frames):
        require_one_shape(estimate, frame)
        gain = intensity_gain(estimate, frame)
        move = _peak(irfft2(rfft2(frame.mean(0)) * spectrum, s=frame.shape[1:]))
        moved = gain * _moved(luma, move)
        reference = full_range_luma(frame) * _moved(np.ones_like(luma), move)
        error = float(((moved - reference) ** 2).sum())
        if best is None or error < best[0]:
            best = error, Aligned(moved, reference, (float(-move[0]), float(-move[1])), frame=index)
    if best is None:
        raise InputError("there is no sharp frame to compare with")
    return best[1]


def _peak(correlation: NDArray[np.float64]) -> tuple[int, int]:
    """Locate the largest value of a circular correlation, as a signed displacement (rows, columns)."""
    height, width = correlation.shape
    row, column = divmod(int(correlation.argmax()), width)
    return row - height * (row >= height // 2), column - width * (column >= width // 2)


def _moved(image: Image, move: tuple[int, int]) -> Image:
    """Move `image` down and right by `move` px; zero where nothing is left."""
    to, start = (
        tuple(
            slice(max(0, step), side + min(0, step))
            for step, side in zip(steps, image.shape[1:], strict=True)
        )
        for steps in (move, (-move[0], -move[1]))
    )
    moved = np.zeros_like(image)
    moved[:, to[0], to[1]] = image[:, start[0], start[1]]
    return moved
