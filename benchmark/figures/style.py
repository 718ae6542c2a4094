"""The common style of figures: the colour and the line of each method, and plain axes."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from benchmark.core.colour import LUMA
from benchmark.runs.names import find_method
from methods.parts import registry

# The colours of public palettes, but for grey, which is for the controls, and yellow, which is lost on white.
COLOURS: Sequence[str] = [
    to_hex(colour)
    for palette in ("tab10", "Dark2", "Set1", "tab20b")
    for colour in colormaps[palette].colors  # type: ignore[attr-defined]  # these have a list of colours
    if np.ptp(colour) > 0.1 and np.dot(colour, LUMA) < 0.8
]
CONTROL = "0.45"  # grey
LINE_STYLES: Sequence[str | tuple[int, tuple[int, ...]]] = (
    "-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 3)), (0, (8, 2, 2, 2)),
)  # fmt: skip


def method_colour(name: str) -> str:
    """Return the colour of a method: the same in every figure and for all its settings, grey for controls."""
    method = find_method(name)
    if method is None or method.role != "method":
        return CONTROL
    names = list(dict.fromkeys([*registry.built_in(), method.name]))
    return COLOURS[names.index(method.name) % len(COLOURS)]


def line_style(method: str, methods: Sequence[str]) -> str | tuple[int, tuple[int, ...]]:
    """Return the line style that tells the settings of one method in `methods` apart."""
    base = method.partition("@")[0]
    settings = [name for name in methods if name.partition("@")[0] == base]
    return LINE_STYLES[settings.index(method) % len(LINE_STYLES)]


def plain(axis: Axes, ticks: int | None = 6) -> None:
    """Give an axis small ticks, thin horizontal lines and no frame at the top and right.

    Args:
        axis: The axis.
        ticks: At most so many along x; None keeps matplotlib's choice, and no lines are drawn.
    """
    axis.tick_params(labelsize=7, length=2)
    if ticks is not None:
        axis.locator_params(axis="x", nbins=ticks)
        axis.grid(axis="y", linewidth=0.3, color="0.85")
        axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def write_centred(axis: Axes, text: str) -> None:
    """Write `text` in the middle of an empty axis."""
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=8, transform=axis.transAxes)
