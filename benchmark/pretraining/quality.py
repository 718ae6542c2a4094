"""How good freshly trained networks are: scores and a picture of their evidence."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray

matplotlib.use("Agg")

from matplotlib import pyplot

from benchmark.core.files import replacing
from benchmark.core.progress import Progress, Report
from benchmark.core.types import Array
from benchmark.scoring.kernel_scores import error_ratio, kernel_similarity, misplaced_mass
from methods.training.evidence import Evidence

RATIOS = 40  # cases whose images are restored for the error ratio
SUCCESS = 3.0  # largest error ratio that counts as one
SHOWN = 16  # cases or samples on a sheet
CELL = 1.1  # inches

Quality = dict[str, dict[str, float]]
Cell = tuple[Array, str]  # picture (h, w) or (h, w, 3), caption


def quality(evidence: Evidence, report: Report) -> Quality:
    """What was measured, by what made the kernels.

    `similarity` and `similarity_low` are the median and the 10 % quantile of `kernel_similarity`,
    `misplaced` the median of `misplaced_mass`; `ratio` and `success` the median error ratio and the share of
    at most 3, on the first cases; `correlation` the mean between all pairs of samples, without a shift:
    samples much more alike than the real ones tell of a collapsed generator.
    """
    found: Quality = {name: {"correlation": _correlation(rows)} for name, rows in evidence.samples.items()}
    for name, numbers in evidence.numbers.items():
        found[name] = found.get(name, {}) | dict(numbers)
    if evidence.truth is None:
        return found
    for name, kernels in evidence.estimates.items():
        pairs = list(zip(kernels, evidence.truth, strict=False))
        similarities = [kernel_similarity(*pair) for pair in pairs]
        found[name] = found.get(name, {}) | {
            "cases": len(pairs),
            "similarity": float(np.median(similarities)),
            "similarity_low": float(np.quantile(similarities, 0.1)),
            "misplaced": float(np.median([misplaced_mass(*pair) for pair in pairs])),
        }
    if evidence.blurry is not None and evidence.sharp is not None:
        cases = min(RATIOS, len(evidence.truth))
        ratios: dict[str, list[float]] = {name: [] for name in evidence.shown}
        for case in range(cases):
            report(Progress("restoring held-out crops", case, cases))
            images = evidence.blurry[case][None], evidence.sharp[case][None]
            for name, so_far in ratios.items():
                so_far.append(error_ratio(*images, evidence.estimates[name][case], evidence.truth[case]))
        report(Progress("restoring held-out crops", cases, cases))
        for name, values in ratios.items():
            found[name] |= {
                "ratio": float(np.median(values)),
                "success": float(np.mean(np.array(values) <= SUCCESS)),
            }
    return found


def draw(evidence: Evidence, out: Path) -> None:
    """Write `out`: held-out cases with what was made of them, or rows of samples, kernels and images."""
    if evidence.blurry is not None and evidence.truth is not None:
        _grid(_cases(evidence, evidence.blurry, evidence.truth), out, columns=2)
        return
    rows = {name: [(kernel, "") for kernel in kernels[:SHOWN]] for name, kernels in evidence.samples.items()}
    if evidence.truth is not None:
        rows["held out"] = [(kernel, "") for kernel in evidence.truth[:SHOWN]]
        for name in evidence.shown:
            rows[name] = _captioned(evidence.estimates[name], evidence.truth)
    rows |= {
        name: [(image.transpose(1, 2, 0), "") for image in images[:SHOWN]]
        for name, images in evidence.images.items()
    }
    _grid(rows, out)


def _cases(evidence: Evidence, blurry: Array, truth: Array) -> dict[str, list[Cell]]:
    """A row per case: what was seen, the true kernel, and the estimates with their similarity."""
    rows = {}
    for case in range(min(SHOWN, len(truth))):
        estimates = [
            (evidence.estimates[name][case], f"{name} {_similarity(evidence.estimates[name], truth, case)}")
            for name in evidence.shown
        ]
        rows[str(case)] = [(blurry[case], "blurry"), (truth[case], "true kernel"), *estimates]
    return rows


def _captioned(kernels: Array, truth: Array) -> list[Cell]:
    return [(kernel, _similarity(kernels, truth, index)) for index, kernel in enumerate(kernels[:SHOWN])]


def _similarity(kernels: Array, truth: Array, case: int) -> str:
    return f"{kernel_similarity(kernels[case], truth[case]):.2f}"


def _grid(rows: Mapping[str, Sequence[Cell]], out: Path, columns: int = 1) -> None:
    """Draw rows of pictures, each from 0 to its own largest value, `columns` rows side by side."""
    width = max(len(cells) for cells in rows.values())
    lines = -(-len(rows) // columns)
    # A layout that is computed takes longer than all the rest, with some hundred panels.
    figure, axes = pyplot.subplots(
        lines, width * columns, squeeze=False,
        figsize=(CELL * width * columns, 1.2 * CELL * lines),
        gridspec_kw={"left": 0.02, "right": 0.99, "bottom": 0.01, "top": 0.96, "wspace": 0.05},
    )  # fmt: skip
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
    pyplot.close(figure)


def _correlation(samples: Array) -> float:
    """The mean of all pairs' correlation coefficients."""
    table: NDArray[np.float64] = np.atleast_2d(np.corrcoef(samples.reshape(len(samples), -1)))
    pairs = np.triu_indices(len(table), 1)
    return float(table[pairs].mean())
