"""The papers' figures of kernel fields: what methods see at each place of an image, drawn there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from benchmark.core.types import Array
from benchmark.figures.images import CELL, draw_image, draw_title, image_axes, restored, save
from benchmark.figures.scores import caption
from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.runs.store import Store, read_kernel_field

WIDER = 1.4  # than other images: kernels are small
ACROSS = 8  # kernels over the shorter side of an image
FILLED = 0.9  # of a kernel's place, by its box
FAINT = 0.45  # the image under the kernels
INK = (0.7, 0.0, 0.1)


def kernel_fields(
    store: Store,
    cases: Mapping[str, Sequence[str]],
    methods: Sequence[str],
    *,
    seed: int,
    text: str,
    out: Path,
    titles: Titles = NO_TITLES,
) -> None:
    """Write `out`.png and `out`.pdf: for each case the blurry image, and each method's image and kernels.

    Of a field every so many-th kernel is drawn where it belongs, each from zero to its own largest value.
    `text` stands under the figure.
    """
    rows = [(dataset, case) for dataset, names in cases.items() for case in names]
    images = [store.read_observation(*row).blurry for row in rows]
    heights = [image.shape[1] / image.shape[2] for image in images]
    columns = 1 + 2 * len(methods)
    figure, axes = image_axes(heights, columns, WIDER * CELL, 0.35 * len(rows))
    for (dataset, case), image, line in zip(rows, images, axes, strict=True):
        line[0].set_ylabel(case if len(cases) == 1 else f"{dataset}\n{case}", fontsize=8)
        line[0].set_title("Blurry", fontsize=8)
        draw_image(line[0], image)
        for index, method in enumerate(methods):
            folder = store.case_folder(dataset, method, seed, case)
            over, beside = line[1 + 2 * index : 3 + 2 * index]
            title = method_title(method, titles)
            draw_title(over, f"Kernels of {title}")
            draw_title(beside, title)
            field, found = read_kernel_field(folder), restored(folder)[0]
            if found is None or field is None:
                over.text(0.5, 0.5, "no kernel field", ha="center", va="center", fontsize=8)
            else:
                draw_field(over, image, field)
            if found is not None:
                draw_image(beside, found)
    caption(figure, text)
    save(figure, out)


def draw_field(axis: Axes, image: Array, field: Array) -> None:
    """Draw `image` (C, H, W) faintly and kernels of `field` (R, C, h, w) over it, about `ACROSS` a side."""
    height, width = image.shape[1:]
    place = min(height, width) / ACROSS
    rows, columns = (max(1, round(side / place)) for side in (height, width))
    draw_image(axis, 1 - FAINT + FAINT * image)
    for row in range(rows):
        for column in range(columns):
            middle = ((row + 0.5) / rows, (column + 0.5) / columns)
            kernel = field[int(middle[0] * field.shape[0]), int(middle[1] * field.shape[1])]
            y, x = middle[0] * height - 0.5, middle[1] * width - 0.5
            half = FILLED * place / 2
            ink = np.broadcast_to(np.array(INK), (*kernel.shape, 3))
            opacity = np.clip(kernel / kernel.max(), 0, 1)
            axis.imshow(
                np.dstack([ink, opacity]),
                extent=(x - half, x + half, y + half, y - half),
                interpolation="nearest",
            )
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
