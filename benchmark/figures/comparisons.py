"""Compare methods on single images: the blurry image, each method's and the sharp one, each with a detail."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from scipy.ndimage import uniform_filter

from benchmark.core.types import Array, InputError, Truth
from benchmark.figures.definition import Drawing
from benchmark.figures.image_grids import (
    ImagePanel,
    draw_image,
    draw_panels,
    method_panels,
    relative_height,
    sharp_panels,
)
from benchmark.figures.layout import CELL, caption, image_axes, save
from benchmark.runs.store import Store
from benchmark.scoring.alignment import BORDER, best_shift
from benchmark.scoring.protocols import find_protocol
from benchmark.scoring.scores import score_image

DETAIL = 4  # the shorter side of the image is as many details long
SMALLEST_DETAIL = 24  # px
FRAME = "#e69f00"  # around the detail, in the image
DETAIL_RULE = (
    "Below each image a detail: the square, a quarter of the shorter side wide, where the sharp image (the "
    "blurry one where there is none) has the strongest gradients. It moves with the image's shift"
)

Window = tuple[int, int, int]  # top, left, side in pixels


@dataclass(frozen=True)
class ComparedPanel:
    """An image of a comparison."""

    panel: ImagePanel
    score: str = ""
    shift: tuple[int, int] = (0, 0)  # px that the image is moved down and right against the sharp one


def comparison(drawing: Drawing) -> None:
    """Draw for each case the blurry image, each method's, and the sharp one.

    Kernels are insets, all of a case on one scale. Below each image stand its PSNR, where a sharp image
    exists, and a detail (`DETAIL_RULE`).
    """
    cases = drawing.content.cases
    rows = {
        (dataset, case): _compared(drawing, dataset, case)
        for dataset, names in cases.items()
        for case in names
    }
    columns = max(len(panels) for panels in rows.values())
    heights = [
        height
        for panels in rows.values()
        for height in (relative_height([compared.panel for compared in panels]), 1.0)
    ]
    figure, axes = image_axes(heights, columns, CELL, 0.35 * len(rows))
    for index, ((dataset, case), panels) in enumerate(rows.items()):
        whole, details = axes[2 * index], axes[2 * index + 1]
        label = case if len(cases) == 1 else f"{dataset}\n{case}".replace("@", "\n@")
        whole[0].set_ylabel(label, fontsize=8)
        _draw_case(panels, whole, details, detail_window(_detail_guide(drawing.store, dataset, case)))
    caption(figure, f"{drawing.text} {DETAIL_RULE}.")
    save(figure, drawing.out)


def detail_window(guide: Array) -> Window:
    """Choose the detail by the gradients of an image (C, H, W), see `DETAIL_RULE`; ties go to the first."""
    height, width = guide.shape[1:]
    side = min(max(round(min(height, width) / DETAIL), SMALLEST_DETAIL), height, width)
    rows, columns = np.gradient(guide.mean(0).astype(np.float64))
    energy = uniform_filter(rows**2 + columns**2, side)
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


def _compared(drawing: Drawing, dataset: str, case: str) -> list[ComparedPanel]:
    """Make the panels of a case: blurry, each method's, sharp."""
    store, content = drawing.store, drawing.content
    observation, truth = store.read_observation(dataset, case), store.read_truth(dataset, case)
    blurry = ImagePanel("Blurry", observation.blurry)
    compared = [ComparedPanel(blurry, _psnr(observation.blurry, truth, content.protocol))]
    for panel in method_panels(store, dataset, case, content.methods, drawing.seed, content.titles):
        if panel.image is None:
            compared.append(ComparedPanel(panel))
        else:
            score, shift = _psnr(panel.image, truth, content.protocol), _shift(panel.image, truth)
            compared.append(ComparedPanel(panel, score, shift))
    return compared + [ComparedPanel(panel) for panel in sharp_panels(truth, observation.grid)]


def _psnr(image: Array, truth: Truth, protocol: str) -> str:
    rules = find_protocol(protocol)
    metric = rules.metric("psnr")
    (value,) = score_image(image, truth, rules, [metric])
    return "" if np.isnan(value) else f"{value:.{metric.digits}f} {metric.unit}"


def _shift(image: Array, truth: Truth) -> tuple[int, int]:
    """Find by how many pixels `image` is moved against the sharp one; none where that is unknown."""
    if truth.sharp is None:
        return 0, 0
    try:
        row, column = best_shift(image.astype(np.float64), truth.sharp.astype(np.float64)).shift
    except InputError:
        return 0, 0
    return int(row), int(column)


def _draw_case(
    panels: Sequence[ComparedPanel], whole: Sequence[Axes], details: Sequence[Axes], window: Window
) -> None:
    draw_panels(whole, [compared.panel for compared in panels], with_titles=True)
    for compared, axis, below in zip(panels, whole, details, strict=False):
        image = compared.panel.image
        if image is None:
            continue
        axis.set_xlabel(compared.score, fontsize=8)
        top, left, side = _moved(window, compared.shift, image)
        axis.add_patch(
            Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor=FRAME, linewidth=0.8)
        )
        draw_image(below, image[:, top : top + side, left : left + side])


def _moved(window: Window, shift: tuple[int, int], image: Array) -> Window:
    """Move the detail by `shift` and keep it inside the image."""
    (top, left, side), (height, width) = window, image.shape[1:]
    return min(max(top + shift[0], 0), height - side), min(max(left + shift[1], 0), width - side), side
