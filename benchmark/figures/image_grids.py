"""Grids of images: restored images beside each other, each with its score and its kernel below it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from benchmark.core.images import kernel_mosaic
from benchmark.core.types import Array, Observation, Status, Truth
from benchmark.figures.layout import (
    CHARACTER,
    IMAGES_A_ROW,
    TEXT_SIZE,
    caption,
    cell_width,
    image_axes,
    in_lines,
    save,
    text_figure,
)
from benchmark.figures.style import CHOSEN, write_centred
from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.runs.store import Store, read_kernels, read_record, read_restored_image
from benchmark.scoring.protocols import find_protocol
from benchmark.scoring.scores import score_image

BLACK = 0.05  # of the largest value of a case's kernels: what is smaller hardly differs from black
MARGIN = 0.2  # black around them, as a share of the square that they fill
KERNEL_SHARE = 0.3  # the side of a kernel's box, as a share of its image's width
GAP = 0.03  # between an image and what stands below it, likewise

Window = tuple[int, int, int]  # top, left, side in pixels


@dataclass(frozen=True)
class ImagePanel:
    """An image with its title, and what stands below it."""

    title: str
    image: Array | None  # (C, H, W); None where there is no image
    kernel: Array | None = None  # (h, w)
    score: str = ""
    shift: tuple[int, int] = (0, 0)  # px that it is moved down and right against the sharp image


@dataclass(frozen=True)
class ImageRow:
    """The images of a case."""

    panels: Sequence[ImagePanel]
    window: Window | None = None  # of the detail that is shown below each image, in the sharp image's frame


def method_grid(
    store: Store,
    dataset: str,
    cases: Sequence[str],
    methods: Sequence[str],
    seed: int,
    protocol: str,
    out: Path,
    text: str = "",
    titles: Titles = NO_TITLES,
) -> None:
    """Write `out`.png and `out`.pdf: for each case an image per method, and the sharp image last.

    A method that has no image of any of the cases is named in the caption alone.

    Args:
        store: The results folder.
        dataset: Its name.
        cases: The cases to show.
        methods: The methods to show.
        seed: That of the restorations.
        protocol: That of the PSNR below the images.
        out: The files without their suffix.
        text: What the caption says of the profile.
        titles: Method to its title, for those that the config names.
    """
    by_case = {case: method_panels(store, dataset, case, methods, seed, protocol, titles) for case in cases}
    of_methods = zip(*by_case.values(), strict=True)
    has_image = [any(panel.image is not None for panel in panels) for panels in of_methods]
    without = [
        method_title(method, titles) for method, has in zip(methods, has_image, strict=True) if not has
    ]
    if len(without) == len(methods):
        text_figure(f"{dataset}: no method has an image of {', '.join(cases)}.", out)
        return
    rows = {}
    for case, panels in by_case.items():
        kept = [panel for panel, has in zip(panels, has_image, strict=True) if has]
        grid = store.read_observation(dataset, case).grid
        rows[case] = ImageRow(kept + sharp_panels(store.read_truth(dataset, case), grid))
    sentences = [f"{dataset}, seed {seed}.", _what_stands_below(rows, protocol), text]
    sentences += [f"Without an image: {', '.join(without)}."] * bool(without)
    draw_rows(rows, " ".join(filter(None, sentences)), out)


def contact_sheet(cases: Sequence[tuple[Observation, Truth]], out: Path) -> None:
    """Write `out`.png and `out`.pdf: for each case its sharp image and its blurry one with the kernels."""
    rows = {}
    for observation, truth in cases:
        kernel = None if truth.kernels is None else kernel_mosaic(truth.kernels, observation.grid)
        panels = [ImagePanel("Sharp", truth.sharp), ImagePanel("Blurry", observation.blurry, kernel)]
        rows[f"{observation.dataset}\n{observation.case}"] = ImageRow(panels)
    draw_rows(rows, "", out)


def method_panels(
    store: Store,
    dataset: str,
    case: str,
    methods: Sequence[str],
    seed: int,
    protocol: str,
    titles: Titles,
) -> list[ImagePanel]:
    """Make a panel per method: its restored image of a case, the PSNR, and its kernels."""
    grid, truth = store.read_observation(dataset, case).grid, store.read_truth(dataset, case)
    panels = []
    for method in methods:
        image, kernels = read_restored(store.case_folder(dataset, method, seed, case))
        kernel = None if kernels is None else kernel_mosaic(kernels, grid)
        score = "" if image is None else psnr_label(image, truth, protocol)
        panels.append(ImagePanel(method_title(method, titles), image, kernel, score))
    return panels


def sharp_panels(truth: Truth, grid: tuple[int, int]) -> list[ImagePanel]:
    """Make a panel of the sharp image and the true kernels; none for a real photograph."""
    if truth.sharp is None:
        return []
    kernel = None if truth.kernels is None else kernel_mosaic(truth.kernels, grid)
    return [ImagePanel("Sharp", truth.sharp, kernel)]


def psnr_label(image: Array, truth: Truth, protocol: str) -> str:
    """Write an image's PSNR with its unit; nothing where there is no sharp image."""
    rules = find_protocol(protocol)
    metric = rules.metric("psnr")
    (value,) = score_image(image, truth, rules, [metric])
    return "" if np.isnan(value) else f"{value:.{metric.digits}f} {metric.unit}"


def read_restored(folder: Path) -> tuple[Array | None, Array | None]:
    """Read the image and the kernels of a restoration, each where there is one."""
    record = read_record(folder)
    if record is None or record["status"] != Status.OK.value:
        return None, None
    return read_restored_image(folder), read_kernels(folder)


def relative_height(panels: Sequence[ImagePanel]) -> float:
    """Return height over width of a row's images."""
    image = next((panel.image for panel in panels if panel.image is not None), None)
    return 1.0 if image is None else image.shape[1] / image.shape[2]


def draw_rows(rows: Mapping[str, ImageRow], text: str, out: Path) -> None:
    """Write `out`.png and `out`.pdf: the images of each case in lines of equal length, and a caption.

    Kernels are in true-convolution form, all of a case on one scale in pixels and in value. Those of a
    non-uniform blur are drawn as they lie over the image.

    Args:
        rows: Label to images.
        text: The caption.
        out: The files without their suffix.
    """
    columns = in_lines(max(len(row.panels) for row in rows.values()), IMAGES_A_ROW)
    lines = [
        (label if start == 0 else "", row, row.panels[start : start + columns])
        for label, row in rows.items()
        for start in range(0, len(row.panels), columns)
    ]
    heights = [
        height
        for _, row, panels in lines
        for height in [relative_height(panels), *[1.0] * (row.window is not None)]
    ]
    has_kernel = any(panel.kernel is not None for row in rows.values() for panel in row.panels)
    cell, below = cell_width(columns), (KERNEL_SHARE if has_kernel else 0.1) + 2 * GAP
    one_table = len(lines) == len(rows) == len(heights)  # its columns have their titles above the first row
    with_titles = 1 if one_table else len(lines)
    figure, axes = image_axes(heights, columns, cell, cell * below * len(lines) + 0.2 * with_titles)
    remaining = iter(axes)
    for number, (label, row, panels) in enumerate(lines):
        whole = next(remaining)
        whole[0].set_ylabel(label, fontsize=TEXT_SIZE)
        kernels = [panel.kernel for panel in row.panels if panel.kernel is not None]
        peak = max((float(kernel.max()) for kernel in kernels), default=0.0)
        side = max((_side_of(kernel, BLACK * peak) for kernel in kernels), default=0)
        for axis, panel in zip(whole, panels, strict=False):
            if number < with_titles:
                draw_title(axis, panel.title, cell)
            _draw_panel(axis, panel, side, peak)
        if row.window is not None:
            for axis, below_it, panel in zip(whole, next(remaining), panels, strict=False):
                _draw_detail(axis, below_it, panel, row.window)
    if text:
        caption(figure, text)
    save(figure, out)


def draw_title(axis: Axes, title: str, width: float) -> None:
    """Write a title over an image of `width` inches, the weights behind it (`labelled`) on the next line."""
    characters = int(width * 72 / (CHARACTER * TEXT_SIZE))
    lines = [fill(line, characters) for line in title.replace(" [", "\n[").split("\n")]
    axis.set_title("\n".join(lines), fontsize=TEXT_SIZE)


def draw_image(axis: Axes, image: Array) -> None:
    """Draw an image (C, H, W) in [0, 1]."""
    pixels = np.clip(image, 0, 1)
    if len(pixels) == 1:
        axis.imshow(pixels[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        axis.imshow(pixels.transpose(1, 2, 0), interpolation="nearest")


def _what_stands_below(rows: Mapping[str, ImageRow], protocol: str) -> str:
    """Explain what stands below the images, for a caption."""
    panels = [panel for row in rows.values() for panel in row.panels]
    things = [f"PSNR by protocol {protocol}"] * any(panel.score for panel in panels)
    things += ["kernel, all of a case on one scale"] * any(panel.kernel is not None for panel in panels)
    return f"Below each image its {' and its '.join(things)}." if things else ""


def _draw_panel(axis: Axes, panel: ImagePanel, side: int, peak: float) -> None:
    """Draw an image; below it the kernel on the left and the score on the right."""
    if panel.image is None:
        write_centred(axis, "no image")
        return
    draw_image(axis, panel.image)
    wide = panel.image.shape[2] / panel.image.shape[1]  # a share of the width is as many of the height
    if panel.kernel is not None:
        _draw_kernel(axis, panel.kernel, side, peak, wide)
    if panel.score:
        axis.text(
            1, -GAP * wide, panel.score, fontsize=TEXT_SIZE, ha="right", va="top", transform=axis.transAxes
        )


def _side_of(kernel: Array, least: float) -> int:
    """Return the side of a square around the middle with all values from `least`, and a margin."""
    sides = [1]
    for places, length in zip(np.nonzero(kernel >= least), kernel.shape, strict=True):
        sides += [round(2 * abs(place - (length - 1) / 2)) + 1 for place in (places.min(), places.max())]
    side = round((1 + MARGIN) * max(sides))
    return side + (side - len(kernel)) % 2  # so that the middle stays in the middle


def _draw_kernel(axis: Axes, kernel: Array, side: int, peak: float, wide: float) -> None:
    """Draw the middle `side` x `side` pixels of a kernel below an image, white for `peak`.

    Args:
        axis: That of the image.
        kernel: (h, w).
        side: Pixels of the box.
        peak: The value that is white.
        wide: Width over height of the image.
    """
    h, w = kernel.shape
    top, left = side + (h - side) // 2, side + (w - side) // 2
    middle = np.pad(kernel, side)[top : top + side, left : left + side]
    box = axis.inset_axes((0, -(GAP + KERNEL_SHARE) * wide, KERNEL_SHARE, KERNEL_SHARE * wide))
    box.imshow(middle, cmap="gray", vmin=0, vmax=peak, interpolation="nearest")
    box.set_axis_off()


def _draw_detail(axis: Axes, below: Axes, panel: ImagePanel, window: Window) -> None:
    """Frame the detail in an image, and draw it enlarged on the axis below."""
    if panel.image is None:
        return
    top, left, side = _moved(window, panel.shift, panel.image)
    frame = Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor=CHOSEN, linewidth=0.8)
    axis.add_patch(frame)
    draw_image(below, panel.image[:, top : top + side, left : left + side])


def _moved(window: Window, shift: tuple[int, int], image: Array) -> Window:
    """Move the detail by `shift` and keep it inside the image."""
    (top, left, side), (height, width) = window, image.shape[1:]
    return min(max(top + shift[0], 0), height - side), min(max(left + shift[1], 0), width - side), side
