"""The common style of figures: the colour and the line of each method, and plain axes."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from benchmark.runs.names import is_control

# The eight colours of M. Petroff, "Accessible Color Sequences for Data Visualization", 2021, chosen to differ
# for people with any kind of colour vision. The last of them, grey, is that of the controls.
COLOURS = ("#1845fb", "#ff5e02", "#c91f16", "#c849a9", "#adad7d", "#86c8dd", "#578dff")
CONTROL = "#656364"
CHOSEN = "#e69f00"  # orange, around what is framed in an image
Line = str | tuple[int, tuple[int, ...]]
LINES: Sequence[Line] = (
    "-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 3)), (0, (8, 2, 2, 2)),
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How a method is drawn."""

    colour: str
    line: Line


def looks(methods: Sequence[str]) -> dict[str, Look]:
    """Choose a look for each method of a figure, no two alike.

    Controls are grey. The others take the colours in turn; a second round of them has other lines.
    """
    chosen: dict[str, Look] = {}
    for name in methods:
        colours = (CONTROL,) if is_control(name) else COLOURS
        taken = sum(look.colour in colours for other, look in chosen.items() if other != name)
        turn, place = divmod(taken, len(colours))
        chosen.setdefault(name, Look(colours[place], LINES[turn % len(LINES)]))
    return chosen


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
