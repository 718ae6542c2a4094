"""Plots of scores on the way, over seeds, over conditions and over cases."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.figures.definition import FIGURE_CASES
from benchmark.figures.images import COLOURS, LINE, PANELS_A_ROW, method_colour, save
from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.scoring.metrics import METRICS
from benchmark.tables.summary import values_by_case

WIDTH = 3.4  # inches, one panel
HEIGHT = 2.6
STYLES: Sequence[str | tuple[int, tuple[int, ...]]] = (
    "-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 3)), (0, (8, 2, 2, 2)),
)  # fmt: skip
BINS = 30  # of a histogram
FEWEST_RUNS = 3  # of a dataset with a histogram of its own
FEW_RUNS = "all datasets together"  # the others': where one dataset has few runs, the figure's have as many
THRESHOLDS = 200  # of a success rate, over the range of all values
CAPTION_SIZE = 6.5  # points


def convergence_plot(curves: pd.DataFrame, reference: str, out: Path, titles: Titles = NO_TITLES) -> None:
    """Write `out`.png and `out`.pdf: PSNR over iterations, a panel per dataset.

    `curves` as `benchmark.tables.convergence.curves` gives them: a line is the mean over cases and seeds,
    its band reaches from the lowest seed to the highest. A dotted line marks the final value of `reference`.
    """
    datasets = list(curves.dataset.unique())
    methods = list(curves.method.unique())
    figure, axes = _panels(max(len(datasets), 1), WIDTH, HEIGHT + 0.16 * len(methods))
    for axis, dataset in zip(axes, datasets, strict=False):
        shown = curves[curves.dataset == dataset]
        for method in methods:
            own = shown[shown.method == method].sort_values("iteration")
            if own.empty:
                continue
            colour, style = method_colour(method), _style(method, methods)
            title = method_title(method, titles)
            axis.plot(own.iteration, own["mean"], color=colour, linestyle=style, linewidth=1.3, label=title)
            axis.fill_between(own.iteration, own.low, own.high, color=colour, alpha=0.15, linewidth=0)
            if method == reference:
                axis.axhline(own["mean"].iloc[-1], color=colour, linestyle=":", linewidth=0.8)
        axis.set_title(dataset, fontsize=8, loc="left")
        axis.set_xlabel("Iteration", fontsize=7)
        axis.set_ylabel(METRICS[shown.metric.iloc[0]].heading, fontsize=7)
        _plain(axis)
    if datasets:
        _legend(figure, axes)
        caption(
            figure,
            "Mean over cases; the band reaches from the lowest seed to the highest. The horizontal line is "
            f"what {method_title(reference, titles)} ends at.",
        )
    else:
        axes[0].text(0.5, 0.5, "no scores", ha="center", va="center", fontsize=8)
        axes[0].set_axis_off()
    save(figure, out)


def sensitivity_plot(scores: pd.DataFrame, out: Path, text: str, titles: Titles = NO_TITLES) -> None:
    """Write `out`.png and `out`.pdf: a panel per case, a line per method, a dot per seed; `text` below.

    `scores` of one metric, as in scores.csv. A bar reaches one standard deviation to either side of the mean.
    The panels of a dataset show equally many dB, so that spreads can be compared.
    """
    cases = list(scores[["dataset", "case"]].drop_duplicates().itertuples(index=False, name=None))
    methods = list(scores.method.unique())
    panel = LINE * max(len(methods), 1) + 0.75
    figure, axes = _panels(max(len(cases), 1), 2.3, panel)
    spans = {
        dataset: max(_span(own.value) for _, own in of_dataset.groupby("case"))
        for dataset, of_dataset in scores.groupby("dataset")
    }
    for index, (axis, (dataset, case)) in enumerate(zip(axes, cases, strict=False)):
        own = scores[(scores.dataset == dataset) & (scores.case == case)]
        for line, method in enumerate(methods):
            values = own[own.method == method].value.dropna()
            if values.empty:
                continue
            colour, mean = method_colour(method), values.mean()
            reach = values.std() if len(values) > 1 else 0.0
            axis.plot([mean - reach, mean + reach], [line, line], "-", color=colour, linewidth=1.2)
            axis.plot([mean], [line], "|", color=colour, markersize=9, markeredgewidth=1.8)
            axis.plot(values, np.full(len(values), line), "o", color=colour, markersize=4, alpha=0.5, mew=0)
        centre = (own.value.min() + own.value.max()) / 2
        if np.isfinite(centre):
            axis.set_xlim(centre - 0.6 * spans[dataset], centre + 0.6 * spans[dataset])
        axis.set_yticks(range(len(methods)), [method_title(method, titles) for method in methods])
        axis.set_ylim(len(methods) - 0.4, -0.6)
        axis.set_title(f"{dataset} / {case}", fontsize=7, loc="left")
        axis.set_xlabel(METRICS[own.metric.iloc[0]].heading, fontsize=7)
        axis.tick_params(labelleft=index % PANELS_A_ROW == 0)
        _plain(axis)
    if not cases:
        axes[0].text(0.5, 0.5, "no scores", ha="center", va="center", fontsize=8)
        axes[0].set_axis_off()
    caption(figure, text)
    save(figure, out)


SPREAD_CAPTION = (
    "A dot per seed. The bar reaches one standard deviation to either side of the mean. All panels of a "
    "dataset show equally many dB."
)


def few_cases(scores: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Select a few cases of each dataset, evenly spread, and write the caption of their figure."""
    kept = []
    left_out = False
    for _, of_dataset in scores.groupby("dataset", sort=False):
        cases = list(of_dataset.case.unique())
        selected = cases[:: -(-len(cases) // FIGURE_CASES)]
        left_out |= len(selected) < len(cases)
        kept.append(of_dataset[of_dataset.case.isin(selected)])
    some = " A few cases of each dataset, evenly spread; the table has all." * left_out
    return pd.concat(kept) if kept else scores, SPREAD_CAPTION + some


def conditions_plot(
    scores: pd.DataFrame, conditions: Mapping[str, str], out: Path, text: str, titles: Titles = NO_TITLES
) -> None:
    """Write `out`.png and `out`.pdf: a panel per metric, a line per method from condition to condition.

    `scores` as in scores.csv, of the metrics to show; `conditions` words to dataset. A point is the mean over
    cases of the means over seeds; a bar reaches from the lowest case to the highest. `text` stands below.
    """
    methods, metrics = list(scores.method.unique()), list(scores.metric.unique())
    figure, axes = _panels(len(metrics), WIDTH, HEIGHT + 0.16 * len(methods))
    for axis, metric in zip(axes, metrics, strict=True):
        for number, method in enumerate(methods):
            own = scores[(scores.metric == metric) & (scores.method == method)]
            cases = [values_by_case(own[own.dataset == dataset]) for dataset in conditions.values()]
            means = np.array([values.mean() for values in cases])
            reach = np.array(
                [(values.mean() - values.min(), values.max() - values.mean()) for values in cases]
            )
            # Side by side, so that bars can be told apart.
            places = np.arange(len(cases)) + 0.08 * (number - (len(methods) - 1) / 2)
            axis.errorbar(
                places, means, yerr=reach.T, color=method_colour(method), linestyle=_style(method, methods),
                marker="o", markersize=3, linewidth=1.2, elinewidth=0.5, label=method_title(method, titles),
            )  # fmt: skip
        _plain(axis)
        axis.set_xticks(range(len(conditions)), list(conditions), fontsize=7)
        axis.set_ylabel(METRICS[metric].heading, fontsize=7)
    _legend(figure, axes)
    caption(figure, text)
    save(figure, out)


def success_plot(scores: pd.DataFrame, out: Path, text: str, titles: Titles = NO_TITLES) -> None:
    """Write `out`.png and `out`.pdf: a panel per metric, the share of images no worse than a threshold.

    `scores` as in scores.csv, of the metrics to show, of all datasets together; an image is a case of a
    dataset, its value the mean over seeds. One without a value is never a success.
    """
    methods, metrics = list(scores.method.unique()), list(scores.metric.unique())
    figure, axes = _panels(len(metrics), WIDTH, HEIGHT + 0.16 * len(methods))
    for axis, name in zip(axes, metrics, strict=True):
        metric, of_metric = METRICS[name], scores[scores.metric == name]
        thresholds = np.linspace(of_metric.value.min(), of_metric.value.max(), THRESHOLDS)
        for method in methods:
            own = of_metric[of_metric.method == method]
            values = own.groupby(["dataset", "case"]).value.mean().to_numpy()[:, None]
            reached = values <= thresholds if metric.lower_is_better else values >= thresholds
            axis.plot(
                thresholds, reached.mean(0), color=method_colour(method), linestyle=_style(method, methods),
                linewidth=1.3, label=method_title(method, titles),
            )  # fmt: skip
        _plain(axis)
        axis.set_ylim(-0.02, 1.02)
        axis.set_xlabel(f"{metric.heading}, threshold", fontsize=7)
        axis.set_ylabel("Share of images", fontsize=7)
    _legend(figure, axes)
    caption(figure, text)
    save(figure, out)


def gaps_plot(gaps: pd.DataFrame, out: Path, text: str) -> None:
    """Write `out`.png and `out`.pdf: histograms of what early stopping and no stopping fall short.

    `gaps` as `benchmark.tables.convergence.gaps` gives them; a panel per metric and dataset. Datasets of
    fewer than `FEWEST_RUNS` share one.
    """
    runs = gaps.groupby(["dataset", "metric"]).metric.transform("size")
    shared = gaps.assign(dataset=gaps.dataset.where(runs >= FEWEST_RUNS, FEW_RUNS))
    panels = list(shared.groupby(["dataset", "metric"], sort=False))
    figure, axes = _panels(len(panels), WIDTH, HEIGHT)
    for axis, ((dataset, name), own) in zip(axes, panels, strict=True):
        metric = METRICS[str(name)]
        both = {"the result of early stopping": own.of_result, "the last iteration": own.of_last}
        widest = max(*(values.max() for values in both.values()), 10**-metric.digits)
        bins = np.linspace(0, widest, BINS + 1).tolist()
        axis.hist(list(both.values()), bins, label=list(both), color=COLOURS[:2])
        _plain(axis)
        axis.set_title(str(dataset), fontsize=7, loc="left")
        what = f"{metric.unit} of {metric.title}" if metric.unit else metric.title
        axis.set_xlabel(f"{what} below the best iteration", fontsize=7)
        axis.set_ylabel("Runs", fontsize=7)
    _legend(figure, axes)
    caption(figure, text)
    save(figure, out)


def runs_plot(frame: pd.DataFrame, out: Path, text: str, titles: Titles = NO_TITLES) -> None:
    """Write `out`.png and `out`.pdf: PSNR over the iterations of single runs, a dot where the result is from.

    `frame` as convergence.csv, of one metric; a panel per dataset and case, a line per method and seed.
    """
    methods = list(frame.method.unique())
    panels = list(frame.groupby(["dataset", "case"], sort=False))
    figure, axes = _panels(len(panels), WIDTH, HEIGHT + 0.16 * len(methods))
    for axis, ((dataset, case), own) in zip(axes, panels, strict=True):
        for (method, _), run in own.sort_values("iteration").groupby(["method", "seed"], sort=False):
            name, result = str(method), run[run.is_result]
            colour = COLOURS[methods.index(name) % len(COLOURS)]
            label = method_title(name, titles)
            axis.plot(run.iteration, run.value, color=colour, linewidth=1.2, label=label)
            axis.plot(result.iteration, result.value, "o", color=colour, markersize=4)
        _plain(axis)
        axis.set_title(f"{dataset} / {case}", fontsize=7, loc="left")
        axis.set_xlabel("Iteration", fontsize=7)
        axis.set_ylabel(METRICS[own.metric.iloc[0]].heading, fontsize=7)
    _legend(figure, axes)
    caption(figure, text)
    save(figure, out)


def caption(figure: Figure, text: str) -> None:
    """Write `text` under the figure, in lines of its width."""
    words = figure.supxlabel(text, fontsize=CAPTION_SIZE, x=0.01, ha="left", wrap=True)
    # Constrained layout takes the room from the panels; they keep theirs.
    height = words.get_window_extent().height / figure.dpi + 2 * CAPTION_SIZE / 72
    figure.set_figheight(figure.get_figheight() + height)


def _panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, a few side by side."""
    columns = min(count, PANELS_A_ROW)
    rows = -(-count // columns)
    figure, axes = pyplot.subplots(
        rows,
        columns,
        squeeze=False,
        layout="constrained",
        figsize=(width * columns + 1.3, height * rows + 0.3),
    )
    shown = list(axes.flat)
    for axis in shown[count:]:
        axis.set_axis_off()
    return figure, shown[:count]


def _span(values: pd.Series) -> float:
    """From the lowest to the highest value, and no less than 0.5 dB."""
    return max(float(values.max() - values.min()), 0.5) if values.notna().any() else 0.5


def _style(method: str, methods: Sequence[str]) -> str | tuple[int, tuple[int, ...]]:
    """Settings of one method share its colour; the line's style tells them apart."""
    base = method.partition("@")[0]
    settings = [name for name in methods if name.partition("@")[0] == base]
    return STYLES[settings.index(method) % len(STYLES)]


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """The lines of all panels, each once."""
    found: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    handles, labels = list(found.values()), list(found)
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=7, frameon=False)


def _plain(axis: Axes) -> None:
    axis.tick_params(labelsize=7, length=2)
    axis.locator_params(axis="x", nbins=6)
    axis.grid(axis="y", linewidth=0.3, color="0.85")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
