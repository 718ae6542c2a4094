"""The common layout of figures: grids of axes, the legend, the caption, and the files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmark.core.files import replacing

# Lengths are in inches, sizes of letters in points.
WIDTH = 3.4  # of a panel with lines
HEIGHT = 2.6
LEGEND_LINE = 0.16  # of a method in a legend
NARROW = 2.3  # of a panel with a row of dots per method
ROW = 0.17  # of such a row
PANELS_A_ROW = 3
CELL = 1.9  # the side of an image
CAPTION_SIZE = 6.5


def image_axes(
    heights: Sequence[float], columns: int, cell: float, between: float
) -> tuple[Figure, NDArray[Any]]:
    """Make a figure with axes (rows, columns) for images, without ticks and frames.

    Args:
        heights: The height of each row's images over their width.
        columns: How many images stand side by side.
        cell: The width of a column.
        between: The height of all texts between the rows.
    """
    figure = Figure(layout="constrained", figsize=(cell * columns + 0.25, cell * sum(heights) + between))
    axes = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    return figure, axes


def plot_axes(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels, `PANELS_A_ROW` side by side."""
    columns = min(count, PANELS_A_ROW)
    rows = -(-count // columns)  # rounded up
    figure = Figure(layout="constrained", figsize=(width * columns + 1.3, height * rows + 0.3))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_axis_off()
    return figure, axes[:count]


def line_axes(count: int, methods: int) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels of lines, with room for a legend of `methods` lines."""
    return plot_axes(count, WIDTH, HEIGHT + LEGEND_LINE * methods)


def legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """Name the lines of all panels above them, each once."""
    handles: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()), list(handles),
        loc="outside upper center", ncols=2, fontsize=7, frameon=False,
    )  # fmt: skip


def caption(figure: Figure, text: str) -> None:
    """Write `text` under the figure, in lines of its width."""
    label = figure.supxlabel(text, fontsize=CAPTION_SIZE, x=0.01, ha="left", wrap=True)
    # Constrained layout would take the room from the panels; they keep their height.
    height = label.get_window_extent().height / figure.dpi + 2 * CAPTION_SIZE / 72
    figure.set_figheight(figure.get_figheight() + height)


def save(figure: Figure, out: Path) -> None:
    """Write `out`.png and `out`.pdf; the same figure gives the same bytes.

    The files are cut to what is drawn: images keep their shape, so the layout leaves their titles too little
    room.
    """
    for suffix in (".png", ".pdf"):
        with replacing(out.with_name(out.name + suffix)) as temporary:
            metadata = {"CreationDate": None} if suffix == ".pdf" else None
            figure.savefig(temporary, dpi=200, bbox_inches="tight", pad_inches=0.05, metadata=metadata)


def text_figure(text: str, out: Path) -> None:
    """Write `out`.png and `out`.pdf with a text alone, such as why a figure has no content."""
    figure = Figure(figsize=(6, 0.6), layout="constrained")
    figure.add_subplot().set_axis_off()
    caption(figure, text)
    save(figure, out)
