"""Draw kernel fields: the kernels that methods estimate at each place of an image."""

import numpy as np
from matplotlib.axes import Axes

from benchmark.core.types import Array
from benchmark.figures.definition import Drawing
from benchmark.figures.image_grids import draw_image, draw_title, read_restored
from benchmark.figures.layout import TEXT_SIZE, caption, cell_width, image_axes, save
from benchmark.figures.style import write_centred
from benchmark.runs.names import method_title
from benchmark.runs.store import read_kernel_field

ACROSS = 8  # kernels along the shorter side of an image
BOX = 0.9  # side of a kernel's box, as a share of its place
FAINT = 0.45  # contrast of the image under the kernels
INK = (0.7, 0.0, 0.1)


def kernel_fields(drawing: Drawing) -> None:
    """Draw for each case the blurry image, and each method's kernels and image.

    Kernels of a field are drawn where they belong, each from zero to its own largest value.
    """
    store, cases, methods = drawing.store, drawing.content.cases, drawing.content.methods
    rows = [(dataset, case) for dataset, names in cases.items() for case in names]
    images = [store.read_observation(*row).blurry for row in rows]
    heights = [image.shape[1] / image.shape[2] for image in images]
    columns = 1 + 2 * len(methods)
    cell = cell_width(columns)
    figure, axes = image_axes(heights, columns, cell, 0.35 * len(rows))
    for (dataset, case), blurry, row in zip(rows, images, axes, strict=True):
        row[0].set_ylabel(case if len(cases) == 1 else f"{dataset}\n{case}", fontsize=TEXT_SIZE)
        draw_title(row[0], "Blurry", cell)
        draw_image(row[0], blurry)
        for index, method in enumerate(methods):
            folder = store.case_folder(dataset, method, drawing.seed, case)
            field_axis, image_axis = row[1 + 2 * index : 3 + 2 * index]
            title = method_title(method, drawing.content.titles)
            draw_title(field_axis, f"Kernels of {title}", cell)
            draw_title(image_axis, title, cell)
            field, image = read_kernel_field(folder), read_restored(folder)[0]
            if image is None or field is None:
                write_centred(field_axis, "no kernel field")
            else:
                draw_field(field_axis, blurry, field)
            if image is not None:
                draw_image(image_axis, image)
    caption(figure, drawing.caption())
    save(figure, drawing.out)


def draw_field(axis: Axes, image: Array, field: Array) -> None:
    """Draw an image faintly, and kernels over it, about `ACROSS` along its shorter side.

    Args:
        axis: Where to draw.
        image: (C, H, W).
        field: (R, C', h, w), a kernel for each of R x C' equal patches.
    """
    height, width = image.shape[1:]
    place = min(height, width) / ACROSS
    rows, columns = (max(1, round(side / place)) for side in (height, width))
    draw_image(axis, 1 - FAINT + FAINT * image)
    for row in range(rows):
        for column in range(columns):
            middle = ((row + 0.5) / rows, (column + 0.5) / columns)
            kernel = field[int(middle[0] * field.shape[0]), int(middle[1] * field.shape[1])]
            y, x = middle[0] * height - 0.5, middle[1] * width - 0.5
            half = BOX * place / 2
            ink = np.broadcast_to(np.array(INK), (*kernel.shape, 3))
            opacity = np.clip(kernel / kernel.max(), 0, 1)
            axis.imshow(
                np.dstack([ink, opacity]),
                extent=(x - half, x + half, y + half, y - half),
                interpolation="nearest",
            )
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
