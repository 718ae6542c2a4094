"""Draw the sheet of freshly trained networks: what they do with held-out data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmark.core.files import replacing
from benchmark.core.types import Array
from benchmark.scoring.kernel_scores import kernel_similarity
from methods.training.evidence import Evidence

MOST = 16  # cases or samples on a sheet
CELL = 1.1  # inches

Cell = tuple[Array, str]  # picture (h, w) or (h, w, 3), caption


def draw(evidence: Evidence, out: Path) -> None:
    """Write `out`, a PNG: held-out cases with the estimates, or rows of samples, kernels and images."""
    if evidence.blurry is not None and evidence.truth is not None:
        _grid(_cases(evidence, evidence.blurry, evidence.truth), out, columns=2)
        return
    rows = {name: [(kernel, "") for kernel in kernels[:MOST]] for name, kernels in evidence.samples.items()}
    if evidence.truth is not None:
        rows["held out"] = [(kernel, "") for kernel in evidence.truth[:MOST]]
        for name in evidence.pictured:
            kernels = evidence.estimates[name]
            rows[name] = [
                (kernel, _similarity(kernels, evidence.truth, index))
                for index, kernel in enumerate(kernels[:MOST])
            ]
    rows |= {
        name: [(image.transpose(1, 2, 0), "") for image in images[:MOST]]
        for name, images in evidence.images.items()
    }
    _grid(rows, out)


def _cases(evidence: Evidence, blurry: Array, truth: Array) -> dict[str, list[Cell]]:
    """Make a row per case: the blurry image, the true kernel, and the estimates with their similarity."""
    rows = {}
    for case in range(min(MOST, len(truth))):
        estimates = [
            (evidence.estimates[name][case], f"{name} {_similarity(evidence.estimates[name], truth, case)}")
            for name in evidence.pictured
        ]
        rows[str(case)] = [(blurry[case], "blurry"), (truth[case], "true kernel"), *estimates]
    return rows


def _similarity(kernels: Array, truth: Array, case: int) -> str:
    return f"{kernel_similarity(kernels[case], truth[case]):.2f}"


def _grid(rows: Mapping[str, Sequence[Cell]], out: Path, columns: int = 1) -> None:
    """Draw rows of pictures, each from 0 to its own largest value, `columns` rows side by side."""
    width = max(len(cells) for cells in rows.values())
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(CELL * width * columns, 1.2 * CELL * lines))
    # With some hundred panels a computed layout would take longer than all the rest.
    margins = {"left": 0.02, "right": 0.99, "bottom": 0.01, "top": 0.96, "wspace": 0.05}
    axes = figure.subplots(lines, width * columns, squeeze=False, gridspec_kw=margins)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    for index, (name, cells) in enumerate(rows.items()):
        line, start = index % lines, index // lines * width
        axes[line, start].set_ylabel(name, fontsize=6)
        for axis, (picture, caption) in zip(axes[line, start:], cells, strict=False):
            axis.imshow(picture, cmap="gray", vmin=0, interpolation="nearest")
            axis.set_title(caption, fontsize=6, pad=2)
    with replacing(out) as temporary:
        figure.savefig(temporary, dpi=150)
