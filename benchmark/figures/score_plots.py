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
    LABELS,
    NARROW,
    ROW,
    caption,
    is_leftmost,
    legend,
    line_axes,
    panels_a_row,
    plot_axes,
    save,
    text_figure,
)
from benchmark.figures.style import Look, looks, plain
from benchmark.runs.names import NO_TITLES, Titles, is_control, method_title, short_label
from benchmark.scoring.metrics import METRICS, Metric
from benchmark.tables.definition import Block, Column, Definition
from benchmark.tables.missing import completed, share
from benchmark.tables.resampling import CONFIDENCE
from benchmark.tables.summary import scores_of_block, values_by_case

THRESHOLDS = 200  # of a success rate, over the range of all values
FARTHEST = 10.0  # dB from the best, of a performance profile
NEAR_BEST = (
    "At 0 the share of cases in which a method is the best one; farther right, within so much of the best. A "
    "case that a method did not run is never within it."
)
SMALLEST_SPAN = 0.5  # dB, of a panel of the spread over seeds
MISSING_RULE = "(1 of 2): one of two restorations has a score, the other counts as the blurry input."
SUCCESS_RULE = (
    "(1 of 2): one of two restorations has a score; an image that no seed restored is never a success."
)
SPREAD_CAPTION = (
    "A dot per seed. The bar reaches one standard deviation to either side of the mean. All panels of a "
    "dataset show equally many dB."
)


def score_plot(
    definition: Definition,
    table: pd.DataFrame,
    scores: pd.DataFrame,
    out: Path,
    text: str,
    weights: Mapping[str, str],
) -> str:
    """Write `out`.png and `out`.pdf: the scores behind a table, a panel per metric of each block.

    A row per method: a dot per case (mean over the seeds that have a score), the mean of several cases, its
    bootstrap interval where the table has one, and the published number. Restorations without a score have
    no dot and count in the mean as the blurry input; beside the row stands how many have one. Blocks,
    metrics and methods without any number are not drawn.

    Args:
        definition: The table's definition.
        table: Its numbers, from `benchmark.tables.summary.summary`.
        scores: As in scores.csv.
        out: The files without their suffix.
        text: What the caption says of the profile.
        weights: Method to the weights behind its results, from `benchmark.runs.names.weights_behind`.

    Returns:
        Why there is nothing to show, which is then all that the files say; empty if there is something.
    """
    numbers = table[(table.cases > 0) | (table.published != "")]
    shown = {block.title: columns for block in definition.blocks if (columns := _filled(block, numbers))}
    if not shown:
        why = "there is neither a score nor a published number to show"
        text_figure(f"{definition.title}: {why}.", out)
        return why
    rows = {title: list(numbers[numbers.block == title].row.unique()) for title in shown}
    line = ROW * (1.5 if weights else 1)  # labels have two lines
    across = {title: panels_a_row(len(columns), NARROW) for title, columns in shown.items()}
    heights = [
        -(-len(columns) // across[title]) * (line * len(rows[title]) + 0.55) + 0.25
        for title, columns in shown.items()
    ]
    figure = Figure(
        layout="constrained", figsize=(NARROW * max(across.values()) + LABELS, sum(heights) + 0.3)
    )
    parts = figure.subfigures(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
    of_method = looks(list(scores.method.unique()))
    blocks = {block.title: block for block in definition.blocks}
    for part, (title, columns) in zip(parts, shown.items(), strict=True):
        part.suptitle(title, fontsize=8, x=0.01, ha="left")
        lines = -(-len(columns) // across[title])
        axes = list(part.subplots(lines, across[title], squeeze=False).flat)
        for axis in axes[len(columns) :]:
            axis.remove()
        in_block = table[(table.block == title) & table.row.isin(rows[title])]
        of_block = scores_of_block(scores, blocks[title])
        for axis, column in zip(axes, columns, strict=False):
            cells = in_block[in_block.column == column.title]
            _metric_panel(axis, column, cells, of_block, of_method)
            _label_rows(axis, _row_titles(cells, weights))
    figure.legend(handles=_handles(numbers), loc="outside upper center", ncols=4, fontsize=7, frameon=False)
    drawn = {row for names in rows.values() for row in names}
    without = [str(row) for row in table.row.unique() if row not in drawn]
    sentences = [MISSING_RULE] * bool((numbers.scored < numbers.runs)[numbers.cases > 0].any())
    sentences += [f"Without a number: {', '.join(without)}."] * bool(without) + [text] * bool(text)
    if sentences:
        caption(figure, " ".join(sentences))
    save(figure, out)
    return ""


def _filled(block: Block, numbers: pd.DataFrame) -> Sequence[Column]:
    """Keep the columns of a block that have a number."""
    with_number = set(numbers[numbers.block == block.title].column)
    return [column for column in block.columns if column.title in with_number]


def _metric_panel(
    axis: Axes, column: Column, cells: pd.DataFrame, scores: pd.DataFrame, of_method: Mapping[str, Look]
) -> None:
    """Draw the values of each method on a row of its own, the table's first row on top."""
    for line, cell in enumerate(cells.to_dict("records")):
        if cell["cases"]:
            colour = of_method[cell["method"]].colour
            of_cell = scores[(scores.method == cell["method"]) & (scores.metric == cell["metric"])]
            values = values_by_case(of_cell)
            line_of = np.full(len(values), line)
            axis.plot(values, line_of, "o", color=colour, markersize=3.5, alpha=0.7, mew=0)
            if cell["cases"] > 1:
                _mean(axis, line, cell["mean"], (cell["low"], cell["high"]), colour)
            _write_share(axis, line, cell["scored"], cell["runs"])
        if cell["published"]:
            axis.plot([float(cell["published"])], [line], "D", color="black", markersize=4, fillstyle="none")
    axis.set_xlabel(METRICS[column.metric].heading if column.metric in METRICS else column.title, fontsize=7)
    plain(axis, ticks=4)


def _mean(axis: Axes, line: int, mean: float, bar: tuple[float, float], colour: str) -> None:
    """Draw a mean on a row, and a bar where it has ends."""
    if np.isfinite(bar).all():
        axis.plot(bar, [line, line], "-", color=colour, linewidth=1.2)
    axis.plot([mean], [line], "|", color=colour, markersize=9, markeredgewidth=1.8)


def _write_share(axis: Axes, line: int, scored: int, runs: int) -> None:
    """Write beside a row how many of its restorations have a score, if not all."""
    axis.text(1.01, line, share(scored, runs), transform=axis.get_yaxis_transform(), fontsize=6, va="center")


def _row_titles(cells: pd.DataFrame, weights: Mapping[str, str]) -> list[str]:
    """Write the labels of rows, with the weights behind their methods on a second line."""
    return [
        f"{row}\n[{short_label(weights[method])}]" if method in weights else row
        for row, method in zip(cells.row, cells.method, strict=True)
    ]


def _label_rows(axis: Axes, labels: Sequence[str]) -> None:
    """Give each row its label, where the panel is the first of its line."""
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.tick_params(labelleft=is_leftmost(axis))


def _handles(numbers: pd.DataFrame) -> list[Line2D]:
    """Make the legend of `score_plot`, of what it shows."""
    case, mean = (Line2D([], [], color="0.3", linestyle="", marker=marker) for marker in "o|")
    case.set(markersize=3.5, alpha=0.7, label="a case")
    mean.set(markersize=8, markeredgewidth=1.8, label="mean")
    interval = Line2D([], [], color="0.3", linewidth=1.2, label=f"{CONFIDENCE:.0%} bootstrap interval")
    printed = Line2D([], [], color="black", marker="D", markersize=4, fillstyle="none", linestyle="")
    printed.set_label("published")
    is_mean = numbers.cases > 1
    shown = {
        case: (numbers.cases > 0).any(),
        mean: is_mean.any(),
        interval: numbers.low[is_mean].notna().any(),
        printed: (numbers.published != "").any(),
    }
    return [handle for handle, is_shown in shown.items() if is_shown]


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


def sensitivity_plot(
    scores: pd.DataFrame, out: Path, text: str, titles: Titles = NO_TITLES, excluded: str = ""
) -> None:
    """Write `out`.png and `out`.pdf: a panel per case, a row per method, a dot per seed.

    A bar reaches one standard deviation to either side of the mean. Seeds without a score have no dot and
    count as the blurry input. The panels of a dataset show equally many dB, so that spreads can be compared.

    Args:
        scores: As in scores.csv, of one metric, from `benchmark.tables.missing.completed`.
        out: The files without their suffix.
        text: The caption.
        titles: Method to its title, for those that the config names.
        excluded: What is not shown; ends the caption.
    """
    if scores.empty:
        text_figure("There is no score to show.", out)
        return
    cases = list(scores[["dataset", "case"]].drop_duplicates().itertuples(index=False, name=None))
    methods = list(scores.method.unique())
    of_method = looks(methods)
    figure, axes = plot_axes(len(cases), NARROW, ROW * len(methods) + 0.75)
    spans = {
        dataset: max(_span(of_case.value) for _, of_case in of_dataset.groupby("case"))
        for dataset, of_dataset in scores.groupby("dataset")
    }
    for axis, (dataset, case) in zip(axes, cases, strict=True):
        of_case = scores[(scores.dataset == dataset) & (scores.case == case)]
        for line, method in enumerate(methods):
            _seeds(axis, line, of_case[of_case.method == method], of_method[method].colour)
        centre = (of_case.value.min() + of_case.value.max()) / 2
        if np.isfinite(centre):
            axis.set_xlim(centre - 0.6 * spans[dataset], centre + 0.6 * spans[dataset])
        axis.set_title(f"{dataset}\n{case}", fontsize=7, loc="left")
        axis.set_xlabel(METRICS[of_case.metric.iloc[0]].heading, fontsize=7)
        plain(axis, ticks=4)
        _label_rows(axis, [method_title(method, titles) for method in methods])
    rule = MISSING_RULE if (~scores.scored & scores.value.notna()).any() else ""
    caption(figure, " ".join(filter(None, (text, rule, excluded))))
    save(figure, out)


def _seeds(axis: Axes, line: int, seeds: pd.DataFrame, colour: str) -> None:
    """Draw the values of a method's seeds in a case on a row."""
    values, own = seeds.value.dropna(), seeds.value[seeds.scored]
    if values.empty:
        return
    mean = values.mean()
    deviation = values.std() if len(values) > 1 else 0.0
    _mean(axis, line, mean, (mean - deviation, mean + deviation), colour)
    axis.plot(own, np.full(len(own), line), "o", color=colour, markersize=4, alpha=0.5, mew=0)
    _write_share(axis, line, len(own), len(seeds))


def _span(values: pd.Series) -> float:
    """Return the difference between the highest and the lowest value, at least `SMALLEST_SPAN`."""
    return max(float(values.max() - values.min()), SMALLEST_SPAN) if values.notna().any() else SMALLEST_SPAN


def conditions_plot(
    scores: pd.DataFrame,
    conditions: Mapping[str, str],
    out: Path,
    text: str,
    titles: Titles = NO_TITLES,
    excluded: str = "",
) -> None:
    """Write `out`.png and `out`.pdf: a panel per metric, a line per method from condition to condition.

    A point is the mean over cases of the means over seeds; a bar reaches from the lowest case to the highest.
    Restorations without a score count as the blurry input; the legend says how many have one, if not all. A
    metric without any number has no panel.

    Args:
        scores: As in scores.csv, of the metrics to show, from `benchmark.tables.missing.completed`.
        conditions: Label to dataset.
        out: The files without their suffix.
        text: The caption.
        titles: Method to its title, for those that the config names.
        excluded: What is not shown; ends the caption.
    """
    methods, metrics = list(scores.method.unique()), list(scores[scores.scored].metric.unique())
    of_method = looks(methods)
    labels, is_short = _labels_with_shares(scores, titles)
    figure, axes = line_axes(len(metrics), len(methods))
    for axis, metric in zip(axes, metrics, strict=True):
        for number, method in enumerate(methods):
            own = scores[(scores.metric == metric) & (scores.method == method)]
            cases = [values_by_case(own[own.dataset == name]) for name in conditions.values()]
            means = np.array([values.mean() for values in cases])
            bars = np.array(
                [(values.mean() - values.min(), values.max() - values.mean()) for values in cases]
            )
            # Side by side, so that bars can be told apart.
            places = np.arange(len(cases)) + 0.08 * (number - (len(methods) - 1) / 2)
            axis.errorbar(
                places, means, yerr=bars.T, color=of_method[method].colour,
                linestyle=of_method[method].line, marker="o", markersize=3, linewidth=1.2,
                elinewidth=0.5, label=labels[method],
            )  # fmt: skip
        plain(axis)
        axis.set_xticks(range(len(conditions)), list(conditions), fontsize=7)
        axis.set_ylabel(METRICS[metric].heading, fontsize=7)
    legend(figure, axes)
    caption(figure, " ".join(filter(None, (text, MISSING_RULE * is_short, excluded))))
    save(figure, out)


def _labels_with_shares(scores: pd.DataFrame, titles: Titles) -> tuple[dict[str, str], bool]:
    """Map methods to their titles with how many restorations have any score; tell whether some have none."""
    by_run = scores.groupby(["method", "dataset", "case", "seed"], sort=False).scored.any()
    by_method = by_run.groupby("method", sort=False).agg(["sum", "count"])
    labels = {
        str(method): method_title(str(method), titles) + share(scored, runs)
        for method, (scored, runs) in by_method.iterrows()
    }
    return labels, not by_run.all()


def success_plot(
    scores: pd.DataFrame, out: Path, text: str, titles: Titles = NO_TITLES, excluded: str = ""
) -> None:
    """Write `out`.png and `out`.pdf: a panel per metric, the share of images at least as good as a threshold.

    An image is a case of a dataset, its value the mean over seeds, of which one without a score counts as the
    blurry input. An image that no seed restored is never a success. A metric without any number has no panel.

    Args:
        scores: As in scores.csv, of the metrics to show, all datasets together, from
            `benchmark.tables.missing.completed`.
        out: The files without their suffix.
        text: The caption.
        titles: Method to its title, for those that the config names.
        excluded: What is not shown; ends the caption.
    """
    methods, metrics = list(scores.method.unique()), list(scores[scores.scored].metric.unique())
    of_method = looks(methods)
    labels, is_short = _labels_with_shares(scores, titles)
    figure, axes = line_axes(len(metrics), len(methods))
    for axis, name in zip(axes, metrics, strict=True):
        metric, of_metric = METRICS[name], scores[scores.metric == name]
        is_restored = of_metric.groupby(["method", "dataset", "case"]).scored.transform("any").astype(bool)
        of_metric = of_metric.assign(value=of_metric.value.where(is_restored))
        thresholds = np.linspace(of_metric.value.min(), of_metric.value.max(), THRESHOLDS)
        for method in methods:
            own = of_metric[of_metric.method == method]
            values: NDArray[Any] = own.groupby(["dataset", "case"]).value.mean().to_numpy()[:, None]
            reached = values <= thresholds if metric.lower_is_better else values >= thresholds
            axis.plot(
                thresholds, reached.mean(0), color=of_method[method].colour,
                linestyle=of_method[method].line, linewidth=1.3, label=labels[method],
            )  # fmt: skip
        plain(axis)
        axis.set_ylim(-0.02, 1.02)
        axis.set_xlabel(f"{metric.heading}, threshold", fontsize=7)
        axis.set_ylabel("Share of images", fontsize=7)
    legend(figure, axes)
    caption(figure, " ".join(filter(None, (text, SUCCESS_RULE * is_short, excluded))))
    save(figure, out)


def performance_plot(
    scores: pd.DataFrame, metric: str, out: Path, text: str, titles: Titles = NO_TITLES
) -> None:
    """Write `out`.png and `out`.pdf: the share of cases within x of the best method of each case.

    These are the performance profiles of Dolan and More, Mathematical Programming 2002, with differences in
    place of ratios. A panel per dataset, a line per method; the controls take no part. The value of a case is
    the mean over its seeds, of which one without a score counts as the blurry input.

    Args:
        scores: As in scores.csv.
        metric: Which score, such as 'psnr'.
        out: The files without their suffix.
        text: What the caption says of the profile.
        titles: Method to its title, for those that the config names.
    """
    of_metric = completed(scores[scores.metric == metric])
    of_methods = of_metric[~of_metric.method.map(is_control)].dropna(subset="value")
    if of_methods.empty:
        text_figure(f"There is no {METRICS[metric].title} of a method to show.", out)
        return
    distances = distances_to_best(of_methods, METRICS[metric])
    datasets, of_method = list(of_methods.dataset.unique()), looks(list(scores.method.unique()))
    most = min(FARTHEST, float(distances.max()))
    steps = np.linspace(0, max(most, SMALLEST_SPAN), THRESHOLDS)
    figure, axes = line_axes(len(datasets), of_methods.method.nunique())
    for axis, dataset in zip(axes, datasets, strict=True):
        of_dataset = distances[dataset]
        cases = len(of_dataset.index.get_level_values("case").unique())
        for name in of_methods[of_methods.dataset == dataset].method.unique():
            own: NDArray[Any] = of_dataset.xs(name, level="method").to_numpy()[:, None]
            axis.plot(
                steps, (own <= steps).sum(0) / cases, color=of_method[name].colour,
                linestyle=of_method[name].line, linewidth=1.3, label=method_title(name, titles),
            )  # fmt: skip
        plain(axis)
        axis.set_ylim(-0.02, 1.02)
        axis.set_title(f"{dataset}, {cases} cases", fontsize=8, loc="left")
        axis.set_xlabel(
            f"{METRICS[metric].title}: within x {METRICS[metric].unit} of the best method", fontsize=7
        )
        axis.set_ylabel("Share of cases", fontsize=7)
    legend(figure, axes)
    caption(figure, f"{NEAR_BEST} {text}".rstrip())
    save(figure, out)


def distances_to_best(scores: pd.DataFrame, metric: Metric) -> pd.Series:
    """Return how far each method is from the best one of each case: 0 or more, by dataset, case and method.

    Args:
        scores: As in scores.csv, of one metric and of methods alone.
        metric: The metric.
    """
    values = scores.groupby(["dataset", "case", "method"], sort=False).value.mean()
    cost = values * (1 if metric.lower_is_better else -1)
    return cost - cost.groupby(level=["dataset", "case"], sort=False).transform("min")
