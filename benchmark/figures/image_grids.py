"""Grids of images: restored images beside each other, with their kernels as insets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes

from benchmark.core.types import Array, Observation, Status, Truth
from benchmark.figures.layout import CELL, image_axes, save
from benchmark.figures.style import write_centred
from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.runs.store import Store, read_kernels, read_record, read_restored_image

KERNEL_SHARE = 0.3  # the inset's side, as a share of its panel
TITLE_CHARACTERS = 28  # of a line of a title


@dataclass(frozen=True)
class ImagePanel:
    """An image with its title, and its kernel as an inset."""

    title: str
    image: Array | None  # (C, H, W); None where there is no image
    kernel: Array | None = None  # (h, w)


def method_grid(
    store: Store,
    dataset: str,
    cases: Sequence[str],
    methods: Sequence[str],
    seed: int,
    out: Path,
    titles: Titles = NO_TITLES,
) -> None:
    """Write `out`.png and `out`.pdf: a row per case, a column per method, and the sharp image last.

    Kernels are in true-convolution form, all of one case on one scale in pixels and in value. Those of a
    non-uniform blur are drawn as they lie over the image.
    """
    rows = {}
    for case in cases:
        grid = store.read_observation(dataset, case).grid
        panels = method_panels(store, dataset, case, methods, seed, titles)
        rows[case] = panels + sharp_panels(store.read_truth(dataset, case), grid)
    _image_grid(rows, out)


def contact_sheet(cases: Sequence[tuple[Observation, Truth]], out: Path) -> None:
    """Write `out`.png and `out`.pdf: a row per case, its sharp image and its blurry one with the kernels."""
    rows = {}
    for observation, truth in cases:
        kernel = None if truth.kernels is None else kernel_mosaic(truth.kernels, observation.grid)
        rows[f"{observation.dataset}\n{observation.case}"] = [
            ImagePanel("Sharp", truth.sharp),
            ImagePanel("Blurry", observation.blurry, kernel),
        ]
    _image_grid(rows, out)


def method_panels(
    store: Store, dataset: str, case: str, methods: Sequence[str], seed: int, titles: Titles
) -> list[ImagePanel]:
    """Make a panel per method: its restored image of a case, and its kernels."""
    grid = store.read_observation(dataset, case).grid
    panels = []
    for method in methods:
        image, kernels = read_restored(store.case_folder(dataset, method, seed, case))
        kernel = None if kernels is None else kernel_mosaic(kernels, grid)
        panels.append(ImagePanel(method_title(method, titles), image, kernel))
    return panels


def sharp_panels(truth: Truth, grid: tuple[int, int]) -> list[ImagePanel]:
    """Make a panel of the sharp image and the true kernels; none for a real photograph."""
    if truth.sharp is None:
        return []
    kernel = None if truth.kernels is None else kernel_mosaic(truth.kernels, grid)
    return [ImagePanel("Sharp", truth.sharp, kernel)]


def read_restored(folder: Path) -> tuple[Array | None, Array | None]:
    """Read the image and the kernels of a restoration, each where there is one."""
    record = read_record(folder)
    if record is None or record["status"] != Status.OK.value:
        return None, None
    return read_restored_image(folder), read_kernels(folder)


def kernel_mosaic(kernels: Array, grid: tuple[int, int]) -> Array:
    """Lay kernels (P, h, w) side by side as they lie over the image; P = 1 or rows x columns of `grid`."""
    (rows, columns), (h, w) = grid if len(kernels) > 1 else (1, 1), kernels.shape[1:]
    mosaic: Array = kernels.reshape(rows, columns, h, w).swapaxes(1, 2).reshape(rows * h, columns * w)
    return mosaic


def relative_height(panels: Sequence[ImagePanel]) -> float:
    """Return height over width of a row's images."""
    image = next((panel.image for panel in panels if panel.image is not None), None)
    return 1.0 if image is None else image.shape[1] / image.shape[2]


def draw_panels(axes: Sequence[Axes], panels: Sequence[ImagePanel], *, with_titles: bool) -> None:
    """Draw a row of panels, their kernels on one scale."""
    kernels = [panel.kernel for panel in panels if panel.kernel is not None]
    side = max((max(kernel.shape) for kernel in kernels), default=0)
    peak = max((float(kernel.max()) for kernel in kernels), default=0.0)
    for axis, panel in zip(axes, panels, strict=False):
        if with_titles:
            draw_title(axis, panel.title)
        if panel.image is None:
            write_centred(axis, "no image")
            continue
        draw_image(axis, panel.image)
        if panel.kernel is not None:
            draw_kernel(axis, panel.kernel, side, peak)


def draw_title(axis: Axes, title: str) -> None:
    """Write a method's title over its image, and the weights behind it (`labelled`) on the next line."""
    lines = [fill(line, TITLE_CHARACTERS) for line in title.replace(" [", "\n[").split("\n")]
    axis.set_title("\n".join(lines), fontsize=8)


def draw_image(axis: Axes, image: Array) -> None:
    """Draw an image (C, H, W) in [0, 1]."""
    pixels = np.clip(image, 0, 1)
    if len(pixels) == 1:
        axis.imshow(pixels[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        axis.imshow(pixels.transpose(1, 2, 0), interpolation="nearest")


def draw_kernel(axis: Axes, kernel: Array, side: int, peak: float) -> None:
    """Draw `kernel` (h, w) in the top right corner, centred in `side` x `side` pixels, white for `peak`."""
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


def _image_grid(rows: Mapping[str, Sequence[ImagePanel]], out: Path) -> None:
    """Write a figure of rows of panels with their labels, titles over the first row."""
    heights = [relative_height(panels) for panels in rows.values()]
    columns = max(len(panels) for panels in rows.values())
    figure, axes = image_axes(heights, columns, CELL, 0.3)
    for index, (row, (label, panels)) in enumerate(zip(axes, rows.items(), strict=True)):
        row[0].set_ylabel(label, fontsize=8)
        draw_panels(row, panels, with_titles=index == 0)
    save(figure, out)
