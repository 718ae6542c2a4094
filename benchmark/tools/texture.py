"""Find where on a photo its blur can be estimated: on edges of all directions that are not saturated.

Both functions rest on the structure tensor, the mean over small cells of the products of the gradients along
rows and columns of the smoothed luma.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.transform import downscale_local_mean

from benchmark.tools.measures import CLIPPED, Floats

Slices = tuple[slice, slice]

CELL = 32  # px, side of the cells; parts of the photo start at multiples of it
SMOOTHING = 2.0  # px, standard deviation of the Gaussian before gradients are taken
TEXTURE = 3.0  # times the gradient energy of noise alone


def has_texture(luma: Floats, noise: float) -> bool:
    """Tell whether a photo has more than `TEXTURE` times the gradient energy of its noise alone.

    Args:
        luma: (H, W).
        noise: Standard deviation of its noise.
    """
    rows, _, columns = _structure(luma)
    expected = noise**2 / (4 * np.pi * SMOOTHING**4)  # of white noise after smoothing, both gradients
    return bool((rows + columns).mean() > TEXTURE * expected)


def textured_part(luma: Floats, side: int) -> Slices:
    """Choose the part, at most `side` px a side, with the strongest edges in all directions.

    Parts are compared by the smaller eigenvalue of their mean structure tensor, times the fourth power of the
    share of pixels that are not saturated. Edges of one direction alone have a smaller eigenvalue of 0: they
    say nothing about the kernel along them.

    Args:
        luma: (H, W).
        side: In px.

    Returns:
        The part's rows and columns.
    """
    size = tuple(min(side, whole) for whole in luma.shape)
    cells = [max(1, length // CELL) for length in size]
    unclipped = downscale_local_mean((luma <= CLIPPED).astype(np.float32), (CELL, CELL))
    rows, both, columns, clear = (_box_means(grid, cells) for grid in (*_structure(luma), unclipped))
    smaller = (rows + columns) / 2 - np.hypot((rows - columns) / 2, both)
    place = np.unravel_index(np.argmax(smaller * clear**4), smaller.shape)
    top, left = (min(int(i) * CELL, w - s) for i, w, s in zip(place, luma.shape, size, strict=True))
    return slice(top, top + size[0]), slice(left, left + size[1])


def _structure(luma: Floats) -> Iterator[Floats]:
    """Yield the three entries of the structure tensor, a mean per cell: rows, mixed, columns."""
    smooth = gaussian_filter(luma, SMOOTHING)
    down, right = np.gradient(smooth)
    for first, second in ((down, down), (down, right), (right, right)):
        yield downscale_local_mean(first * second, (CELL, CELL))


def _box_means(grid: Floats, cells: Sequence[int]) -> Floats:
    """Average `grid` over every box of `cells` (rows, columns) inside it."""
    sums = np.pad(grid, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    rows, columns = cells
    total = sums[rows:] - sums[:-rows]
    means: Floats = (total[:, columns:] - total[:, :-columns]) / (rows * columns)
    return means
