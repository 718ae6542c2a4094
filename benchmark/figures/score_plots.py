"""Plots of scores: behind a table, over seeds, over conditions, and as success rates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from benchmark.figures.definition import FIGURE_CASES
from benchmark.figures.layout import (
    NARROW,
    PANELS_A_ROW,
    ROW,
    caption,
    legend,
    line_axes,
    plot_axes,
    save,
)
from benchmark.figures.style import line_style, method_colour, plain, write_centred
from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.scoring.metrics import METRICS
from benchmark.tables.definition import Column, Definition
from benchmark.tables.summary import CONFIDENCE, scores_of_block, values_by_case

THRESHOLDS = 200  # of a success rate, over the range of all values
SMALLEST_SPAN = 0.5  # dB, of a panel of the spread over seeds
SPREAD_CAPTION = (
    "A dot per seed. The bar reaches one standard deviation to either side of the mean. All panels of a "
    "dataset show equally many dB."
)


def score_plot(
    definition: Definition, table: pd.DataFrame, scores: pd.DataFrame, out: Path, weights: Mapping[str, str]
) -> None:
    """Write `out`.png and `out`.pdf: the scores behind a table, a panel per metric of each block.

    A row per method: a dot per case (mean over seeds), the mean with its bootstrap interval, and the
    published number.

    Args:
        definition: The table's definition.
        table: Its numbers, from `benchmark.tables.summary.summary`.
        scores: As in scores.csv.
        out: The files without their suffix.
        weights: Method to the weights behind its results, from `benchmark.runs.names.weights_behind`.
    """
    rows = [
        (block, block.columns[start : start + PANELS_A_ROW])
        for block in definition.blocks
        for start in range(0, len(block.columns), PANELS_A_ROW)
    ]
    line = ROW * (1.5 if weights else 1)  # labels have two lines
    heights = [line * table[table.block == block.title].row.nunique() + 0.75 for block, _ in rows]
    width = max(len(columns) for _, columns in rows)
    figure = Figure(layout="constrained", figsize=(NARROW * width + 1.3, sum(heights) + 0.3))
    axes = figure.subplots(len(rows), width, squeeze=False, height_ratios=heights)
    for row, (block, columns) in zip(axes, rows, strict=True):
        of_block = table[table.block == block.title]
        if columns[0] == block.columns[0]:
            row[0].set_title(block.title, fontsize=8, loc="left")
        for axis in row[len(columns) :]:
            axis.set_axis_off()
        for axis, column in zip(row, columns, strict=False):
            cells = of_block[of_block.column == column.title]
            _metric_panel(axis, column, cells, scores_of_block(scores, block), weights)
        for axis in row[1 : len(columns)]:
            axis.tick_params(labelleft=False)
    figure.legend(handles=_handles(table), loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    save(figure, out)


def _metric_panel(
    axis: Axes, column: Column, cells: pd.DataFrame, scores: pd.DataFrame, weights: Mapping[str, str]
) -> None:
    """Draw the values of each method on a row of its own, the table's first row on top."""
    for line, cell in enumerate(cells.to_dict("records")):
        colour = method_colour(cell["method"])
        if cell["cases"]:
            of_method = scores[(scores.method == cell["method"]) & (scores.metric == cell["metric"])]
            values = values_by_case(of_method)
            axis.plot(values, np.full(len(values), line), "o", color=colour, markersize=3, alpha=0.5, mew=0)
            _mean(axis, line, cell["mean"], (cell["low"], cell["high"]), colour)
        if cell["published"]:
            axis.plot([float(cell["published"])], [line], "D", color="black", markersize=4, fillstyle="none")
    if not axis.lines:
        write_centred(axis, "no scores")
        axis.set_xticks([])
    labels = [
        f"{row}\n[{weights[method]}]" if method in weights else row
        for row, method in zip(cells.row, cells.method, strict=True)
    ]
    _row_labels(axis, labels)
    axis.set_xlabel(METRICS[column.metric].heading if column.metric in METRICS else column.title, fontsize=7)
    plain(axis, ticks=5)


def _mean(axis: Axes, line: int, mean: float, bar: tuple[float, float], colour: str) -> None:
    """Draw a mean and a bar on a row."""
    axis.plot(bar, [line, line], "-", color=colour, linewidth=1.2)
    axis.plot([mean], [line], "|", color=colour, markersize=9, markeredgewidth=1.8)


def _row_labels(axis: Axes, labels: Sequence[str]) -> None:
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.4, -0.6)


def _handles(table: pd.DataFrame) -> list[Line2D]:
    """Make the legend of `score_plot`, of what it shows."""
    case = Line2D([], [], color="0.3", marker="o", markersize=3, alpha=0.5, linestyle="", label="a case")
    mean = Line2D([], [], color="0.3", marker="|", markersize=8, label=f"mean, {CONFIDENCE:.0%} interval")
    printed = Line2D([], [], color="black", marker="D", markersize=4, fillstyle="none", linestyle="")
    printed.set_label("published")
    has_scores, has_published = (table.cases > 0).any(), (table.published != "").any()
    return [case, mean] * bool(has_scores) + [printed] * bool(has_published)


def few_cases(scores: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Select a few cases of each dataset, evenly spread, and write the caption of their figure."""
    selected = []
    is_complete = True
    for _, of_dataset in scores.groupby("dataset", sort=False):
        cases = list(of_dataset.case.unique())
        few = cases[:: -(-len(cases) // FIGURE_CASES)]
        is_complete &= len(few) == len(cases)
        selected.append(of_dataset[of_dataset.case.isin(few)])
    some = "" if is_complete else " A few cases of each dataset, evenly spread; the table has all."
    return pd.concat(selected) if selected else scores, SPREAD_CAPTION + some


def sensitivity_plot(scores: pd.DataFrame, out: Path, text: str, titles: Titles = NO_TITLES) -> None:
    """Write `out`.png and `out`.pdf: a panel per case, a row per method, a dot per seed.

    A bar reaches one standard deviation to either side of the mean. The panels of a dataset show equally many
    dB, so that spreads can be compared.

    Args:
        scores: As in scores.csv, of one metric.
        out: The files without their suffix.
        text: The caption.
        titles: Method to its title, for those that the config names.
    """
    cases = list(scores[["dataset", "case"]].drop_duplicates().itertuples(index=False, name=None))
    methods = list(scores.method.unique())
    height = ROW * max(len(methods), 1) + 0.75
    figure, axes = plot_axes(max(len(cases), 1), NARROW, height)
    spans = {
        dataset: max(_span(of_case.value) for _, of_case in of_dataset.groupby("case"))
        for dataset, of_dataset in scores.groupby("dataset")
    }
    for index, (axis, (dataset, case)) in enumerate(zip(axes, cases, strict=False)):
        of_case = scores[(scores.dataset == dataset) & (scores.case == case)]
        for line, method in enumerate(methods):
            _seeds(axis, line, of_case[of_case.method == method].value.dropna(), method_colour(method))
        centre = (of_case.value.min() + of_case.value.max()) / 2
        if np.isfinite(centre):
            axis.set_xlim(centre - 0.6 * spans[dataset], centre + 0.6 * spans[dataset])
        _row_labels(axis, [method_title(method, titles) for method in methods])
        axis.set_title(f"{dataset} / {case}", fontsize=7, loc="left")
        axis.set_xlabel(METRICS[of_case.metric.iloc[0]].heading, fontsize=7)
        axis.tick_params(labelleft=index % PANELS_A_ROW == 0)
        plain(axis)
    if not cases:
        write_centred(axes[0], "no scores")
        axes[0].set_axis_off()
    caption(figure, text)
    save(figure, out)


def _seeds(axis: Axes, line: int, values: pd.Series, colour: str) -> None:
    """Draw the values of a method's seeds on a row."""
    if values.empty:
        return
    mean = values.mean()
    deviation = values.std() if len(values) > 1 else 0.0
    _mean(axis, line, mean, (mean - deviation, mean + deviation), colour)
    axis.plot(values, np.full(len(values), line), "o", color=colour, markersize=4, alpha=0.5, mew=0)


def _span(values: pd.Series) -> float:
    """Return the difference between the highest and the lowest value, at least `SMALLEST_SPAN`."""
    return max(float(values.max() - values.min()), SMALLEST_SPAN) if values.notna().any() else SMALLEST_SPAN


def conditions_plot(
    scores: pd.DataFrame, conditions: Mapping[str, str], out: Path, text: str, titles: Titles = NO_TITLES
) -> None:
    """Write `out`.png and `out`.pdf: a panel per metric, a line per method from condition to condition.

    A point is the mean over cases of the means over seeds; a bar reaches from the lowest case to the highest.

    Args:
        scores: As in scores.csv, of the metrics to show.
        conditions: Label to dataset.
        out: The files without their suffix.
        text: The caption.
        titles: Method to its title, for those that the config names.
    """
    methods, metrics = list(scores.method.unique()), list(scores.metric.unique())
    figure, axes = line_axes(len(metrics), len(methods))
    for axis, metric in zip(axes, metrics, strict=True):
        for number, method in enumerate(methods):
            of_method = scores[(scores.metric == metric) & (scores.method == method)]
            cases = [values_by_case(of_method[of_method.dataset == name]) for name in conditions.values()]
            means = np.array([values.mean() for values in cases])
            bars = np.array(
                [(values.mean() - values.min(), values.max() - values.mean()) for values in cases]
            )
            # Side by side, so that bars can be told apart.
            places = np.arange(len(cases)) + 0.08 * (number - (len(methods) - 1) / 2)
            axis.errorbar(
                places, means, yerr=bars.T, color=method_colour(method),
                linestyle=line_style(method, methods), marker="o", markersize=3, linewidth=1.2,
                elinewidth=0.5, label=method_title(method, titles),
            )  # fmt: skip
        plain(axis)
        axis.set_xticks(range(len(conditions)), list(conditions), fontsize=7)
        axis.set_ylabel(METRICS[metric].heading, fontsize=7)
    legend(figure, axes)
    caption(figure, text)
    save(figure, out)


def success_plot(scores: pd.DataFrame, out: Path, text: str, titles: Titles = NO_TITLES) -> None:
    """Write `out`.png and `out`.pdf: a panel per metric, the share of images at least as good as a threshold.

    An image is a case of a dataset, its value the mean over seeds. One without a value is never a success.

    Args:
        scores: As in scores.csv, of the metrics to show, all datasets together.
        out: The files without their suffix.
        text: The caption.
        titles: Method to its title, for those that the config names.
    """
    methods, metrics = list(scores.method.unique()), list(scores.metric.unique())
    figure, axes = line_axes(len(metrics), len(methods))
    for axis, name in zip(axes, metrics, strict=True):
        metric, of_metric = METRICS[name], scores[scores.metric == name]
        thresholds = np.linspace(of_metric.value.min(), of_metric.value.max(), THRESHOLDS)
        for method in methods:
            of_method = of_metric[of_metric.method == method]
            values: NDArray[Any] = of_method.groupby(["dataset", "case"]).value.mean().to_numpy()[:, None]
            reached = values <= thresholds if metric.lower_is_better else values >= thresholds
            axis.plot(
                thresholds, reached.mean(0), color=method_colour(method),
                linestyle=line_style(method, methods), linewidth=1.3, label=method_title(method, titles),
            )  # fmt: skip
        plain(axis)
        axis.set_ylim(-0.02, 1.02)
        axis.set_xlabel(f"{metric.heading}, threshold", fontsize=7)
        axis.set_ylabel("Share of images", fontsize=7)
    legend(figure, axes)
    caption(figure, text)
    save(figure, out)
