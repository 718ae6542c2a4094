"""Compare methods on single images: the blurry image, each method's and the sharp one, each with a detail."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from benchmark.core.errors import InputError
from benchmark.core.types import Array, Truth
from benchmark.figures.definition import Drawing
from benchmark.figures.image_grids import (
    ImagePanel,
    ImageRow,
    Window,
    draw_rows,
    method_panels,
    psnr_label,
    sharp_panels,
)
from benchmark.runs.store import Store
from benchmark.scoring.alignment import BORDER, best_shift

DETAIL = 4  # the shorter side of the image is as many details long
SMALLEST_DETAIL = 24  # px
DETAIL_RULE = (
    "Below each image a detail: the square, a quarter of the shorter side wide, where the sharp image (the "
    "blurry one where there is none) has the strongest gradients. It moves with the image's shift"
)


def comparison(drawing: Drawing) -> None:
    """Draw for each case the blurry image, each method's, and the sharp one."""
    cases = drawing.content.cases
    rows = {}
    for dataset, names in cases.items():
        for case in names:
            label = case if len(cases) == 1 else f"{dataset}\n{case}".replace("@", "\n@")
            window = detail_window(_detail_guide(drawing.store, dataset, case))
            rows[label] = ImageRow(_compared(drawing, dataset, case), window)
    draw_compared(rows, drawing)


def draw_compared(rows: Mapping[str, ImageRow], drawing: Drawing, rule: str = DETAIL_RULE) -> None:
    """Draw rows with their details.

    Args:
        rows: Label to row.
        drawing: What the caption says, and the files.
        rule: How the details were chosen, for the caption, without a full stop.
    """
    draw_rows(rows, drawing.caption(f"{rule}."), drawing.out)


def detail_window(guide: Array) -> Window:
    """Choose the detail by the gradients of an image (C, H, W), see `DETAIL_RULE`."""
    rows, columns = np.gradient(guide.mean(0).astype(np.float64))
    return window_with_most(rows**2 + columns**2)


def window_with_most(values: NDArray[np.float64]) -> Window:
    """Find the square of a detail's size with the largest sum of `values` (H, W); ties go to the first."""
    height, width = values.shape
    side = min(max(round(min(height, width) / DETAIL), SMALLEST_DETAIL), height, width)
    energy = uniform_filter(values, side)
    # The detail keeps away from the border that the shift protocols crop, where there is room.
    margins = [BORDER if length >= side + 2 * BORDER else 0 for length in (height, width)]
    tops, lefts = (
        np.arange(margin, length - side - margin + 1)
        for margin, length in zip(margins, (height, width), strict=True)
    )
    # The filter's value for the square from (top, left) stands at its middle.
    candidates = energy[np.ix_(tops + side // 2, lefts + side // 2)]
    top, left = np.unravel_index(int(candidates.argmax()), candidates.shape)
    return int(tops[top]), int(lefts[left]), side


def _detail_guide(store: Store, dataset: str, case: str) -> Array:
    """Return the image that decides where the detail lies."""
    sharp = store.read_truth(dataset, case).sharp
    return store.read_observation(dataset, case).blurry if sharp is None else sharp


def _compared(drawing: Drawing, dataset: str, case: str) -> list[ImagePanel]:
    """Make the panels of a case: blurry, each method's, sharp."""
    store, content = drawing.store, drawing.content
    observation, truth = store.read_observation(dataset, case), store.read_truth(dataset, case)
    score = psnr_label(observation.blurry, truth, content.protocol)
    compared = [ImagePanel("Blurry", observation.blurry, score=score)]
    for panel in method_panels(
        store, dataset, case, content.methods, drawing.seed, content.protocol, content.titles
    ):
        shift = (0, 0) if panel.image is None else _shift(panel.image, truth)
        compared.append(replace(panel, shift=shift))
    return compared + sharp_panels(truth, observation.grid)


def _shift(image: Array, truth: Truth) -> tuple[int, int]:
    """Find by how many pixels `image` is moved against the sharp one; none where that is unknown."""
    if truth.sharp is None:
        return 0, 0
    try:
        row, column = best_shift(image.astype(np.float64), truth.sharp.astype(np.float64)).shift
    except InputError:
        return 0, 0
    return int(row), int(column)
