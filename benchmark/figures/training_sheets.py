"""Show the sheets of pre-trained networks: pictures of what they do with held-out data."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmark.core.errors import InputError
from benchmark.core.files import read_json
from benchmark.core.images import read_image
from benchmark.figures.image_grids import draw_image
from benchmark.figures.layout import caption, save
from methods.parts.weight_files import SHIPPED

PRETRAINED = "pretrain"  # the folder of pre-trained networks, in a profile's results or beside them
WIDTH = 7.0  # inches


def find_sheets(pattern: str, results: Path) -> list[Path]:
    """Find the sheets of finished trainings.

    Args:
        pattern: A shell pattern of their names, such as initializer-*.png.
        results: The profile's folder.

    Returns:
        Those of the profile, else those that all profiles share, else those of the shipped networks.
    """
    for folder in (results / PRETRAINED, results.parent / PRETRAINED, SHIPPED):
        sheets = [path for path in folder.glob(pattern) if path.with_suffix(".json").is_file()]
        if sheets:
            return sorted(sheets)
    return []


def training_sheets(sheets: Sequence[Path], text: str, out: Path) -> None:
    """Write `out`.png and `out`.pdf: the sheets below each other, each with the label of its weights."""
    labels = [_label(path.with_suffix(".json")) for path in sheets]
    pictures = [read_image(path) for path in sheets]
    heights = [WIDTH * picture.shape[1] / picture.shape[2] for picture in pictures]
    figure = Figure(layout="constrained", figsize=(WIDTH, sum(heights) + 0.25 * len(heights)))
    axes = figure.subplots(len(pictures), squeeze=False, height_ratios=heights)
    for axis, label, picture in zip(axes.flat, labels, pictures, strict=True):
        axis.set_axis_off()
        axis.set_title(f"Weights: {label}", fontsize=8, loc="left")
        draw_image(axis, picture)
    caption(figure, text)
    save(figure, out)


def _label(record: Path) -> str:
    """Read the label of a training's weights from its record."""
    advice = "delete it and train again"
    content = read_json(record, advice)
    if not isinstance(content, dict) or "label" not in content:
        raise InputError(f"{record}: no record of a training, it has no label; {advice}")
    return str(content["label"])
