"""The papers' figures of images: comparisons of methods, and sheets of pre-trained networks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.ndimage import uniform_filter

from benchmark.core.types import Array, InputError, Truth
from benchmark.data.images import read_image
from benchmark.figures.images import (
    CELL,
    draw_image,
    draw_kernel,
    draw_title,
    image_axes,
    kernel_mosaic,
    restored,
    save,
)
from benchmark.figures.scores import caption
from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.runs.store import Store
from benchmark.scoring.alignment import best_shift
from benchmark.scoring.protocols import PROTOCOLS
from benchmark.scoring.scores import score_image

BORDER = 15  # px that a detail keeps from the border: what the shift protocols crop
DETAIL = 4  # the shorter side of the image is as many details long
SMALLEST_DETAIL = 24  # px
WIDTH_OF_SHEETS = 7.0  # inches
FRAME = "#e69f00"  # of the detail, where it lies in the image
DETAIL_RULE = (
    "Below each image a detail: the square of a quarter of the shorter side that has the strongest gradients "
    "of the sharp image (of the blurry one where none exists), followed by the shift between the two"
)


@dataclass(frozen=True)
class Panel:
    """One column of a case."""

    title: str
    image: Array | None  # (C, H, W)
    kernel: Array | None = None  # (h, w)
    score: str = ""
    shift: tuple[int, int] = (0, 0)  # where a detail of the sharp image is in this one, relative to there


def comparison(
    store: Store,
    cases: Mapping[str, Sequence[str]],
    methods: Sequence[str],
    *,
    seed: int,
    protocol: str,
    text: str,
    out: Path,
    titles: Titles = NO_TITLES,
) -> None:
    """Write `out`.png and `out`.pdf: for each case the blurry image, each method's, and the sharp one.

    Kernels stand as insets, all of a case on one scale. Below each image its PSNR by `protocol` where there
    is a truth, and a detail (`DETAIL_RULE`). `text` stands under the figure.
    """
    rows = {
        (dataset, case): _panels(store, dataset, case, methods, seed, protocol, titles)
        for dataset, names in cases.items()
        for case in names
    }
    columns = max(len(panels) for panels in rows.values())
    heights = []
    for panels in rows.values():
        shape = panels[0].image.shape if panels[0].image is not None else (1, 1, 1)
        heights += [shape[1] / shape[2], 1.0]
    figure, axes = image_axes(heights, columns, CELL, 0.35 * len(rows))
    for index, ((dataset, case), panels) in enumerate(rows.items()):
        whole, details = axes[2 * index], axes[2 * index + 1]
        label = case if len(cases) == 1 else f"{dataset}\n{case}".replace("@", "\n@")
        whole[0].set_ylabel(label, fontsize=8)
        _draw_case(panels, whole, details, detail_window(_guide(store, dataset, case)))
    caption(figure, f"{text} {DETAIL_RULE}.")
    save(figure, out)


def training_sheets(sheets: Sequence[Path], text: str, out: Path) -> None:
    """Write `out`.png and `out`.pdf: the pictures `sheets` above each other, each with its weights' label."""
    labels = [json.loads(path.with_suffix(".json").read_text())["label"] for path in sheets]
    pictures = [read_image(path) for path in sheets]
    heights = [WIDTH_OF_SHEETS * picture.shape[1] / picture.shape[2] for picture in pictures]
    figure, axes = pyplot.subplots(
        len(pictures),
        squeeze=False,
        layout="constrained",
        height_ratios=heights,
        figsize=(WIDTH_OF_SHEETS, sum(heights) + 0.25 * len(heights)),
    )
    for axis, label, picture in zip(axes.flat, labels, pictures, strict=True):
        axis.set_axis_off()
        axis.set_title(f"Weights: {label}", fontsize=8, loc="left")
        draw_image(axis, picture)
    caption(figure, text)
    save(figure, out)


def nothing_to_show(text: str, out: Path) -> None:
    """Write `out`.png and `out`.pdf: the reasons why a figure has no content."""
    figure = Figure(figsize=(6, 0.6), layout="constrained")
    figure.add_subplot().set_axis_off()
    caption(figure, text)
    save(figure, out)


def detail_window(guide: Array) -> tuple[int, int, int]:
    """(top, left, side) of the detail of an image (C, H, W), see `DETAIL_RULE`; ties go to the first."""
    height, width = guide.shape[1:]
    side = min(max(round(min(height, width) / DETAIL), SMALLEST_DETAIL), height, width)
    rows, columns = np.gradient(guide.mean(0).astype(np.float64))
    energy = uniform_filter(rows**2 + columns**2, side)
    # The filter's value for the square from (top, left) stands at its middle.
    margins = [BORDER if length >= side + 2 * BORDER else 0 for length in (height, width)]
    tops, lefts = (
        np.arange(margin, length - side - margin + 1)
        for margin, length in zip(margins, (height, width), strict=True)
    )
    found = energy[np.ix_(tops + side // 2, lefts + side // 2)]
    top, left = np.unravel_index(int(found.argmax()), found.shape)
    return int(tops[top]), int(lefts[left]), side


def _guide(store: Store, dataset: str, case: str) -> Array:
    """The image that decides where the detail lies."""
    sharp = store.read_truth(dataset, case).sharp
    return store.read_observation(dataset, case).blurry if sharp is None else sharp


def _panels(
    store: Store, dataset: str, case: str, methods: Sequence[str], seed: int, protocol: str, titles: Titles
) -> list[Panel]:
    observation, truth = store.read_observation(dataset, case), store.read_truth(dataset, case)
    panels = [Panel("Blurry", observation.blurry, None, _score(observation.blurry, truth, protocol))]
    for method in methods:
        image, kernels = restored(store.case_folder(dataset, method, seed, case))
        kernel = None if kernels is None else kernel_mosaic(kernels, observation.grid)
        title = method_title(method, titles)
        if image is None:
            panels.append(Panel(title, None))
            continue
        panels.append(Panel(title, image, kernel, _score(image, truth, protocol), _shift(image, truth)))
    if truth.sharp is not None:
        kernel = None if truth.kernels is None else kernel_mosaic(truth.kernels, observation.grid)
        panels.append(Panel("Sharp", truth.sharp, kernel))
    return panels


def _score(image: Array, truth: Truth, protocol: str) -> str:
    rules = PROTOCOLS[protocol]
    metric = rules.metric("psnr")
    (value,) = score_image(image, truth, rules, [metric])
    return "" if np.isnan(value) else f"{value:.{metric.digits}f} {metric.unit}"


def _shift(image: Array, truth: Truth) -> tuple[int, int]:
    """By how many pixels `image` is moved against the sharp one; none where that cannot be told."""
    if truth.sharp is None:
        return 0, 0
    try:
        row, column = best_shift(image.astype(np.float64), truth.sharp.astype(np.float64)).shift
    except InputError:
        return 0, 0
    return int(row), int(column)


def _draw_case(
    panels: Sequence[Panel], whole: Sequence[Axes], details: Sequence[Axes], window: tuple[int, int, int]
) -> None:
    kernels = [panel.kernel for panel in panels if panel.kernel is not None]
    largest = max((max(kernel.shape) for kernel in kernels), default=0)
    peak = max((float(kernel.max()) for kernel in kernels), default=0.0)
    for panel, axis, below in zip(panels, whole, details, strict=False):
        draw_title(axis, panel.title)
        if panel.image is None:
            axis.text(0.5, 0.5, "no image", ha="center", va="center", fontsize=8)
            continue
        draw_image(axis, panel.image)
        axis.set_xlabel(panel.score, fontsize=8)
        if panel.kernel is not None:
            draw_kernel(axis, panel.kernel, largest, peak)
        top, left, side = _moved(window, panel)
        axis.add_patch(
            Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor=FRAME, linewidth=0.8)
        )
        draw_image(below, panel.image[:, top : top + side, left : left + side])


def _moved(window: tuple[int, int, int], panel: Panel) -> tuple[int, int, int]:
    """The detail where it lies in a panel's image, kept inside it."""
    assert panel.image is not None
    (top, left, side), (height, width) = window, panel.image.shape[1:]
    return (
        min(max(top + panel.shift[0], 0), height - side),
        min(max(left + panel.shift[1], 0), width - side),
        side,
    )
