"""Figures: what each method made of each case, and the scores of each case."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")

from matplotlib import colormaps, pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from benchmark.core.colour import LUMA
from benchmark.core.files import replacing
from benchmark.core.types import Array, Observation, Status, Truth
from benchmark.runs.names import NO_TITLES, Titles, find_method, method_title
from benchmark.runs.store import Store, read_kernels, read_record, read_restored_image
from benchmark.scoring.metrics import METRICS
from benchmark.tables.definition import Column, Definition
from benchmark.tables.summary import CONFIDENCE, select, values_by_case
from methods.parts import registry

CELL = 1.9  # inches, the side of one panel of images
KERNEL_SHARE = 0.3  # the inset's side, as a share of its panel
TITLE_CHARACTERS = 28  # of a line over a panel of images
PLOT_WIDTH = 2.3  # inches, one panel of scores
LINE = 0.17  # inches, one method in it
PANELS_A_ROW = 3  # of a score plot
# Grey is for the controls; yellow is lost on white.
COLOURS: Sequence[str] = [
    to_hex(colour)
    for palette in ("tab10", "Dark2", "Set1", "tab20b")
    for colour in colormaps[palette].colors  # type: ignore[attr-defined]  # both are lists
    if np.ptp(colour) > 0.1 and np.dot(colour, LUMA) < 0.8
]
CONTROL = "0.45"

Panel = tuple[str, Array | None, Array | None]  # title, image, kernel


def qualitative(
    store: Store,
    dataset: str,
    cases: Sequence[str],
    methods: Sequence[str],
    seed: int,
    out: Path,
    titles: Titles = NO_TITLES,
) -> None:
    """Write `out`.png and `out`.pdf: a row per case, a column per method, and the sharp image last.

    Kernels stand as insets, true-convolution form, all of one case on one scale in pixels and in value; those
    of a non-uniform blur as they lie over the image.
    """
    _image_grid({case: _panels(store, dataset, case, methods, seed, titles) for case in cases}, out)


def contact_sheet(cases: Sequence[tuple[Observation, Truth]], out: Path) -> None:
    """Write `out`.png and `out`.pdf: a row per case, its sharp image, and its blurry one with the kernels."""
    rows = {}
    for observation, truth in cases:
        kernels = None if truth.kernels is None else kernel_mosaic(truth.kernels, observation.grid)
        rows[f"{observation.dataset}\n{observation.case}"] = [
            ("Sharp", truth.sharp, None),
            ("Blurry", observation.blurry, kernels),
        ]
    _image_grid(rows, out)


def _image_grid(panels: Mapping[str, Sequence[Panel]], out: Path) -> None:
    """A row of panels per label."""
    heights = [_relative_height(entries) for entries in panels.values()]
    columns = max(len(entries) for entries in panels.values())
    figure, axes = image_axes(heights, columns, CELL, 0.3)
    for index, (row, (case, entries)) in enumerate(zip(axes, panels.items(), strict=True)):
        kernels = [kernel for _, _, kernel in entries if kernel is not None]
        side = max((max(kernel.shape) for kernel in kernels), default=0)
        peak = max((float(kernel.max()) for kernel in kernels), default=0.0)
        row[0].set_ylabel(case, fontsize=8)
        for axis, (title, image, kernel) in zip(row, entries, strict=False):
            if index == 0:
                draw_title(axis, title)
            if image is None:
                axis.text(0.5, 0.5, "no image", ha="center", va="center", fontsize=8)
                continue
            draw_image(axis, image)
            if kernel is not None:
                draw_kernel(axis, kernel, side, peak)
    save(figure, out)


def image_axes(
    heights: Sequence[float], columns: int, cell: float, words: float
) -> tuple[Figure, NDArray[Any]]:
    """A figure with axes (rows, columns) for images, without ticks and frames.

    `heights` are those of the rows over their width, `cell` is the width of a column and `words` the height
    of all that stands between the rows, in inches.
    """
    figure, axes = pyplot.subplots(
        len(heights),
        columns,
        squeeze=False,
        layout="constrained",
        height_ratios=heights,
        figsize=(cell * columns + 0.25, cell * sum(heights) + words),
    )
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    return figure, axes


def score_plot(
    definition: Definition, table: pd.DataFrame, scores: pd.DataFrame, out: Path, weights: Mapping[str, str]
) -> None:
    """Write `out`.png and `out`.pdf: a panel per metric of each block of the table, a few side by side.

    A line per method: a dot per case (mean over seeds), their mean with its bootstrap interval, and the
    published number. `table` is the `benchmark.tables.summary.summary` of `definition` and `scores`,
    `weights` what `benchmark.runs.names.weights_behind` gives.
    """
    rows = [
        (block, block.columns[start : start + PANELS_A_ROW])
        for block in definition.blocks
        for start in range(0, len(block.columns), PANELS_A_ROW)
    ]
    line = LINE * (1.5 if weights else 1)  # labels of two lines
    heights = [line * table[table.block == block.title].row.nunique() + 0.75 for block, _ in rows]
    columns = max(len(shown) for _, shown in rows)
    figure, axes = pyplot.subplots(
        len(rows),
        columns,
        squeeze=False,
        layout="constrained",
        height_ratios=heights,
        figsize=(PLOT_WIDTH * columns + 1.3, sum(heights) + 0.3),
    )
    for row, (block, shown) in zip(axes, rows, strict=True):
        of_block = table[table.block == block.title]
        if shown[0] == block.columns[0]:
            row[0].set_title(block.title, fontsize=8, loc="left")
        for axis in row[len(shown) :]:
            axis.set_axis_off()
        for axis, column in zip(row, shown, strict=False):
            _strip(axis, column, of_block[of_block.column == column.title], select(scores, block), weights)
        for axis in row[1 : len(shown)]:
            axis.tick_params(labelleft=False)
    figure.legend(
        handles=_handles(table),
        loc="outside lower center",
        ncols=3,
        fontsize=7,
        frameon=False,
    )
    save(figure, out)


def method_colour(name: str) -> str:
    """The same for the same method in every figure; its settings share it, controls are grey."""
    method = find_method(name)
    if method is None or method.role != "method":
        return CONTROL
    names = list(dict.fromkeys([*registry.built_in(), method.name]))
    return COLOURS[names.index(method.name) % len(COLOURS)]


def _strip(
    axis: Axes, column: Column, cells: pd.DataFrame, scores: pd.DataFrame, weights: Mapping[str, str]
) -> None:
    """One metric: the values of each method on a line of its own, the table's first row on top."""
    for line, cell in enumerate(cells.to_dict("records")):
        colour = method_colour(cell["method"])
        if cell["cases"]:
            own = scores[(scores.method == cell["method"]) & (scores.metric == cell["metric"])]
            values = values_by_case(own)
            axis.plot(values, np.full(len(values), line), "o", color=colour, markersize=3, alpha=0.5, mew=0)
            axis.plot([cell["low"], cell["high"]], [line, line], "-", color=colour, linewidth=1.2)
            axis.plot([cell["mean"]], [line], "|", color=colour, markersize=9, markeredgewidth=1.8)
        if cell["published"]:
            axis.plot([float(cell["published"])], [line], "D", color="black", markersize=4, fillstyle="none")
    if not axis.lines:
        axis.text(0.5, 0.5, "no scores", ha="center", va="center", fontsize=7, transform=axis.transAxes)
        axis.set_xticks([])
    labels = [
        f"{row}\n[{weights[method]}]" if method in weights else row
        for row, method in zip(cells.row, cells.method, strict=True)
    ]
    axis.set_yticks(range(len(cells)), labels)
    axis.set_ylim(len(cells) - 0.4, -0.6)
    axis.set_xlabel(METRICS[column.metric].heading if column.metric in METRICS else column.title, fontsize=7)
    axis.tick_params(labelsize=7, length=2)
    axis.locator_params(axis="x", nbins=5)
    axis.grid(axis="y", linewidth=0.3, color="0.85")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _handles(table: pd.DataFrame) -> list[Line2D]:
    """The legend of `score_plot`: of what it shows."""
    case = Line2D([], [], color="0.3", marker="o", markersize=3, alpha=0.5, linestyle="", label="a case")
    mean = Line2D([], [], color="0.3", marker="|", markersize=8, label=f"mean, {CONFIDENCE:.0%} interval")
    printed = Line2D([], [], color="black", marker="D", markersize=4, fillstyle="none", linestyle="")
    printed.set_label("published")
    ours, theirs = (table.cases > 0).any(), (table.published != "").any()
    return [case, mean] * bool(ours) + [printed] * bool(theirs)


def save(figure: Figure, out: Path) -> None:
    """Write `out`.png and `out`.pdf, the same bytes for the same figure.

    Cut to what is drawn: over images, whose height is their own, the layout leaves titles too little room.
    """
    for suffix in (".png", ".pdf"):
        with replacing(out.with_name(out.name + suffix)) as temporary:
            metadata = {"CreationDate": None} if suffix == ".pdf" else None
            figure.savefig(temporary, dpi=200, bbox_inches="tight", pad_inches=0.05, metadata=metadata)
    pyplot.close(figure)


def _relative_height(entries: Sequence[Panel]) -> float:
    """Height over width of a row's images."""
    image = next((image for _, image, _ in entries if image is not None), None)
    return 1.0 if image is None else image.shape[1] / image.shape[2]


def _panels(
    store: Store, dataset: str, case: str, methods: Sequence[str], seed: int, titles: Titles
) -> list[Panel]:
    """A case's panels from left to right."""
    panels: list[Panel] = []
    grid = store.read_observation(dataset, case).grid
    for method in methods:
        image, kernels = restored(store.case_folder(dataset, method, seed, case))
        title = method_title(method, titles)
        panels.append((title, image, None if kernels is None else kernel_mosaic(kernels, grid)))
    truth = store.read_truth(dataset, case)
    if truth.sharp is not None:
        kernel = None if truth.kernels is None else kernel_mosaic(truth.kernels, grid)
        panels.append(("Sharp", truth.sharp, kernel))
    return panels


def restored(folder: Path) -> tuple[Array | None, Array | None]:
    """(image, kernels) of a restoration, each where there is one."""
    record = read_record(folder)
    if record is None or record["status"] != Status.OK.value:
        return None, None
    return read_restored_image(folder), read_kernels(folder)


def kernel_mosaic(kernels: Array, grid: tuple[int, int]) -> Array:
    """Kernels (P, h, w) side by side as their nodes lie; a single one as it is."""
    (rows, columns), (h, w) = grid if len(kernels) > 1 else (1, 1), kernels.shape[1:]
    mosaic: Array = kernels.reshape(rows, columns, h, w).swapaxes(1, 2).reshape(rows * h, columns * w)
    return mosaic


def draw_title(axis: Axes, title: str) -> None:
    """Write a method's title over its image, the weights behind it (`labelled`) on a line of their own."""
    lines = [fill(line, TITLE_CHARACTERS) for line in title.replace(" [", "\n[").split("\n")]
    axis.set_title("\n".join(lines), fontsize=8)


def draw_image(axis: Axes, image: Array) -> None:
    """Draw an image (C, H, W)."""
    pixels = np.clip(image, 0, 1)
    if len(pixels) == 1:
        axis.imshow(pixels[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        axis.imshow(pixels.transpose(1, 2, 0), interpolation="nearest")


def draw_kernel(axis: Axes, kernel: Array, side: int, peak: float) -> None:
    """Draw `kernel` in the top right corner, centred in `side` x `side` pixels, white for `peak`."""
    h, w = kernel.shape
    canvas = np.zeros((side, side), dtype=np.float32)
    top, left = (side - h) // 2, (side - w) // 2
    canvas[top : top + h, left : left + w] = kernel
    inset = axis.inset_axes((1 - KERNEL_SHARE, 1 - KERNEL_SHARE, KERNEL_SHARE, KERNEL_SHARE))
    inset.imshow(canvas, cmap="gray", vmin=0, vmax=peak, interpolation="nearest")
    inset.set_xticks([])
    inset.set_yticks([])
    for spine in inset.spines.values():
        spine.set_color("white")
        spine.set_linewidth(0.6)
