"""The common layout of figures: grids of axes, the legend, the caption, and the files."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from benchmark.core.files import replacing

# Lengths are in inches, sizes of letters in points.
WIDTH = 3.4  # of a panel with lines
HEIGHT = 2.6
LEGEND_LINE = 0.16  # of a method in a legend
NARROW = 1.9  # of a panel with a row of dots per method
ROW = 0.17  # of such a row
LABELS = 1.3  # the width of the labels beside a row of panels
PAGE = 7.2  # the width of a printed page: that of figures of images
CELL = 1.9  # the side of an image, at most
IMAGES_A_ROW = 6  # at most
TEXT_SIZE = 7  # of titles and labels
CAPTION_SIZE = 6.5
CHARACTER = 0.54  # the mean width of a letter, as a share of the size of letters
NARROWEST_CAPTION = 4.5


def panels_a_row(count: int, width: float) -> int:
    """Say how many of `count` panels of plots stand side by side so that they fit on a page."""
    return in_lines(count, int((PAGE + LABELS) // width))


def in_lines(count: int, most: int) -> int:
    """Say how many of `count` panels stand side by side: at most `most`, the lines as equal as can be.

    >>> [in_lines(count, 6) for count in (1, 6, 7, 9, 13)]
    [1, 6, 4, 5, 5]
    """
    lines = -(-count // most)  # rounded up
    return -(-count // lines)


def cell_width(columns: int) -> float:
    """Return the width of an image so that `columns` of them fit on a page."""
    return min(CELL, PAGE / columns)


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
    """Make a figure of `count` panels, as many side by side as fit on a page, the rows equally long."""
    columns = panels_a_row(count, width)
    rows = -(-count // columns)
    figure = Figure(layout="constrained", figsize=(width * columns + LABELS, height * rows + 0.3))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_axis_off()
    return figure, axes[:count]


def is_leftmost(axis: Axes) -> bool:
    """Tell whether a panel is the first of its row."""
    place = axis.get_subplotspec()
    return place is None or place.is_first_col()


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
    """Write `text` under the figure, in lines of its width or of `NARROWEST_CAPTION`."""
    label = figure.supxlabel("", fontsize=CAPTION_SIZE, x=0.01, ha="left")
    _fill(figure, label, text, max(0.98 * figure.get_figwidth(), NARROWEST_CAPTION))
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
    """Write `out`.png and `out`.pdf with a sentence alone: why there is nothing to show."""
    figure = Figure(figsize=(PAGE, 0.5))
    _fill(figure, figure.text(0, 0, "", fontsize=CAPTION_SIZE), text, PAGE)
    save(figure, out)


def _fill(figure: Figure, label: Text, text: str, width: float) -> None:
    """Break a text into lines of at most `width` inches, at spaces alone, and write it."""
    characters = int(width * 72 / (CHARACTER * CAPTION_SIZE))
    while characters:
        label.set_text(fill(text, characters, break_long_words=False, break_on_hyphens=False))
        widest = label.get_window_extent().width / figure.dpi
        if widest <= width or characters <= max(map(len, text.split())):
            return
        characters = min(characters - 1, int(characters * width / widest))
