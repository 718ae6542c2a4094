"""Draw the data alone: true kernels with their sizes, observations under conditions, frames of scenes."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.ndimage import laplace

from benchmark.core.colour import full_range_luma
from benchmark.core.errors import InputError
from benchmark.core.types import Array
from benchmark.figures.comparisons import detail_window, draw_compared
from benchmark.figures.definition import Drawing
from benchmark.figures.image_grids import (
    ImagePanel,
    ImageRow,
    draw_image,
    draw_title,
    psnr_label,
    relative_height,
    sharp_panels,
)
from benchmark.figures.layout import caption, cell_width, image_axes, save
from benchmark.figures.style import CHOSEN
from benchmark.runs.store import Store

KERNEL_CELL = 1.3  # inches
SMALLEST = (
    1 / 510
)  # of a kernel's largest entry: half a step of an 8-bit file; what is smaller counts as zero
OUTSIDE = 0.25  # grey around a kernel's specified box


def kernel_sizes(drawing: Drawing) -> None:
    """Draw a row of true kernels per dataset, all of a row on one scale in pixels.

    Each lies on its specified box, which is as large as declared to methods. Above it stand its true size,
    of the smallest box that holds all of it (`true_size`), and in brackets the specified one.
    """
    rows = {
        dataset: [(case, *_kernel(drawing.store, dataset, case)) for case in cases]
        for dataset, cases in drawing.content.cases.items()
    }
    columns = max(len(kernels) for kernels in rows.values())
    figure, axes = image_axes([1.0] * len(rows), columns, KERNEL_CELL, 0.35 * len(rows))
    for row, (dataset, kernels) in zip(axes, rows.items(), strict=True):
        row[0].set_ylabel(dataset, fontsize=8)
        side = max(max(specified) for _, _, specified in kernels)
        for axis, (case, kernel, specified) in zip(row, kernels, strict=False):
            sizes = [f"{h} x {w}" for h, w in (true_size(kernel), specified)]
            axis.set_title(f"{case}\n{sizes[0]} ({sizes[1]})", fontsize=6)
            draw_image(axis, _on_boxes(kernel, specified, side)[None])
    caption(figure, drawing.caption())
    save(figure, drawing.out)


def true_size(kernel: Array) -> tuple[int, int]:
    """Return the size (h, w) of the smallest box with all entries of a kernel that are not zero (`SMALLEST`).

    >>> true_size(np.array([[0, 0, 0, 0], [0, 0.5, 0.5, 0]], np.float32))
    (1, 2)
    """
    rows, columns = np.nonzero(kernel > SMALLEST * kernel.max())
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def observations(drawing: Drawing) -> None:
    """Draw for each case its blurry image in each dataset, and the sharp one, each with a detail.

    The datasets are one dataset under several conditions, such as noises.
    """
    store, content = drawing.store, drawing.content
    rows: dict[str, ImageRow] = {}
    for case in dict.fromkeys(case for names in content.cases.values() for case in names):
        datasets = [dataset for dataset, names in content.cases.items() if case in names]
        truth = store.read_truth(datasets[0], case)
        panels = []
        for dataset in datasets:
            blurry = store.read_observation(dataset, case).blurry
            score = psnr_label(blurry, store.read_truth(dataset, case), content.protocol)
            panels.append(ImagePanel(dataset.replace("@", "\n@"), blurry, score=score))
        guide = blurry if truth.sharp is None else truth.sharp
        rows[case] = ImageRow(panels + sharp_panels(truth, (1, 1)), detail_window(guide))
    draw_compared(rows, drawing)


def scene_frames(drawing: Drawing) -> None:
    """Draw the frames of each scene in a row; the one that is selected has a coloured border.

    A scene is a group of cases. Selected is the frame with the smallest `sharpness`.
    """
    scenes = _scenes(drawing.store, drawing.content.cases)
    columns = max(len(frames) for frames in scenes.values())
    heights = [relative_height([ImagePanel("", image) for _, image in frames]) for frames in scenes.values()]
    cell = cell_width(columns)
    figure, axes = image_axes(heights, columns, cell, 0.35 * len(scenes))
    for row, (scene, frames) in zip(axes, scenes.items(), strict=True):
        row[0].set_ylabel(scene, fontsize=8)
        values = [sharpness(image) for _, image in frames]
        for axis, (name, image), value in zip(row, frames, values, strict=False):
            draw_image(axis, image)
            draw_title(axis, name, cell)
            axis.set_xlabel(f"{value:.4f}", fontsize=8)
        chosen = row[int(np.argmin(values))]
        chosen.set_frame_on(True)
        for spine in chosen.spines.values():
            spine.set(color=CHOSEN, linewidth=2.5)
        chosen.xaxis.label.set(color=CHOSEN, weight="bold")
    caption(figure, drawing.caption())
    save(figure, drawing.out)


def sharpness(image: Array) -> float:
    """Compute the variance of the Laplacian of an image's luma; the blurrier an image, the smaller.

    Args:
        image: (C, H, W) in [0, 1].

    >>> sharpness(np.full((3, 8, 8), 0.5, np.float32))
    0.0
    """
    return float(laplace(full_range_luma(image.astype(np.float64))[0]).var())


def _kernel(store: Store, dataset: str, case: str) -> tuple[Array, tuple[int, int]]:
    """Read a case's true kernel and its specified size."""
    kernels, declared = (
        store.read_truth(dataset, case).kernels,
        store.read_observation(dataset, case).kernel_size,
    )
    if kernels is None:
        raise InputError(f"{dataset}/{case}: no true kernel is known")
    return kernels[0], declared or (kernels.shape[1], kernels.shape[2])


def _on_boxes(kernel: Array, specified: tuple[int, int], side: int) -> Array:
    """Lay a kernel on its specified box, black, and that on `side` x `side` grey pixels."""
    canvas = np.full((side, side), OUTSIDE, dtype=np.float32)
    for size, values in ((specified, 0.0), (kernel.shape, kernel / kernel.max())):
        top, left = (side - size[0]) // 2, (side - size[1]) // 2
        canvas[top : top + size[0], left : left + size[1]] = values
    return canvas


def _scenes(store: Store, cases: Mapping[str, Sequence[str]]) -> dict[str, list[tuple[str, Array]]]:
    """Map each scene to its frames, each a name and a blurry image."""
    scenes: dict[str, list[tuple[str, Array]]] = {}
    for dataset, names in cases.items():
        for case in names:
            frame = (f"{dataset}\n{case}", store.read_observation(dataset, case).blurry)
            scenes.setdefault(store.read_truth(dataset, case).group, []).append(frame)
    return scenes
