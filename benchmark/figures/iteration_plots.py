"""Plots over iterations: how methods converge, single runs, and what early stopping costs."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.figures.layout import HEIGHT, WIDTH, caption, legend, line_axes, plot_axes, save, text_figure
from benchmark.figures.score_plots import MISSING_RULE
from benchmark.figures.style import COLOURS, looks, plain
from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.scoring.metrics import METRICS
from benchmark.tables.missing import share

BINS = 30  # of a histogram
FEWEST_RUNS = 3  # that a dataset must have to get a histogram of its own
OTHERS = "all datasets together"  # the title of the histogram of the datasets with fewer runs


def convergence_plot(
    curves: pd.DataFrame, reference: str, out: Path, text: str, titles: Titles = NO_TITLES
) -> None:
    """Write `out`.png and `out`.pdf: PSNR over iterations, a panel per dataset.

    A line is the mean over cases and seeds, its band reaches from the lowest seed to the highest. A dotted
    line marks the final value of the reference. Where runs failed, the legend says how many there are of all.

    Args:
        curves: From `benchmark.tables.convergence.curves`.
        reference: A method.
        out: The files without their suffix.
        text: What the caption says of the profile.
        titles: Method to its title, for those that the config names.
    """
    if curves.empty:
        text_figure("There is no score to show.", out)
        return
    datasets = list(curves.dataset.unique())
    methods = list(curves.method.unique())
    of_method = looks(methods)
    figure, axes = line_axes(len(datasets), len(methods))
    for axis, dataset in zip(axes, datasets, strict=True):
        of_dataset = curves[curves.dataset == dataset]
        for method in methods:
            curve = of_dataset[of_dataset.method == method].sort_values("iteration")
            if curve.empty:
                continue
            colour, style = of_method[method].colour, of_method[method].line
            of_first = curves[curves.method == method].groupby("dataset")[["scored", "runs"]].first().sum()
            title = method_title(method, titles) + share(of_first.scored, of_first.runs)
            axis.plot(
                curve.iteration, curve["mean"], color=colour, linestyle=style, linewidth=1.3, label=title
            )
            axis.fill_between(curve.iteration, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
            if method == reference:
                axis.axhline(curve["mean"].iloc[-1], color=colour, linestyle=":", linewidth=0.8)
        axis.set_title(dataset, fontsize=8, loc="left")
        axis.set_xlabel("Iteration", fontsize=7)
        axis.set_ylabel(METRICS[of_dataset.metric.iloc[0]].heading, fontsize=7)
        plain(axis)
    legend(figure, axes)
    lines = (
        "Mean over cases; the band reaches from the lowest seed to the highest. The dotted line is the "
        f"final value of {method_title(reference, titles)}."
    )
    rule = MISSING_RULE if (curves.scored < curves.runs).any() else ""
    caption(figure, " ".join(filter(None, (lines, rule, text))))
    save(figure, out)


def runs_plot(frame: pd.DataFrame, out: Path, text: str, titles: Titles = NO_TITLES) -> None:
    """Write `out`.png and `out`.pdf: scores over the iterations of single runs, with a dot on the result.

    A panel per dataset, case and metric, a line per method and seed.

    Args:
        frame: As in convergence.csv.
        out: The files without their suffix.
        text: The caption.
        titles: Method to its title, for those that the config names.
    """
    methods = list(frame.method.unique())
    of_method = looks(methods)
    panels = list(frame.groupby(["dataset", "case", "metric"], sort=False))
    figure, axes = line_axes(len(panels), len(methods))
    for axis, ((dataset, case, metric), of_panel) in zip(axes, panels, strict=True):
        for (method, _), run in of_panel.sort_values("iteration").groupby(["method", "seed"], sort=False):
            name, result = str(method), run[run.is_result]
            look, label = of_method[name], method_title(name, titles)
            axis.plot(
                run.iteration, run.value, color=look.colour, linestyle=look.line, linewidth=1.2, label=label
            )
            axis.plot(result.iteration, result.value, "o", color=look.colour, markersize=4)
        plain(axis)
        axis.set_title(f"{dataset} / {case}", fontsize=7, loc="left")
        axis.set_xlabel("Iteration", fontsize=7)
        axis.set_ylabel(METRICS[str(metric)].heading, fontsize=7)
    legend(figure, axes)
    caption(figure, text)
    save(figure, out)


def stopping_plot(losses: pd.DataFrame, out: Path, text: str) -> None:
    """Write `out`.png and `out`.pdf: histograms of the gaps of results and last iterations to the best one.

    A panel per dataset and metric; datasets with fewer than `FEWEST_RUNS` runs share one. Source: Zhuang et
    al., IJCV 2023, Figure 26, which names the two gaps.

    Args:
        losses: From `benchmark.tables.convergence.stopping_losses`.
        out: The files without their suffix.
        text: The caption.
    """
    runs = losses.groupby(["dataset", "metric"]).metric.transform("size")
    shared = losses.assign(dataset=losses.dataset.where(runs >= FEWEST_RUNS, OTHERS))
    panels = list(shared.groupby(["dataset", "metric"], sort=False))
    figure, axes = plot_axes(len(panels), WIDTH, HEIGHT)
    for axis, ((dataset, name), of_panel) in zip(axes, panels, strict=True):
        metric = METRICS[str(name)]
        values = {
            "ES gap: from the result of early stopping to the best iteration": of_panel.of_result,
            "base gap: from the last iteration to the best iteration": of_panel.of_last,
        }
        widest = max(*(column.max() for column in values.values()), 10**-metric.digits)
        bins = np.linspace(0, widest, BINS + 1).tolist()
        axis.hist(list(values.values()), bins, label=list(values), color=COLOURS[:2])
        plain(axis)
        axis.set_title(str(dataset), fontsize=7, loc="left")
        unit = f", {metric.unit}" if metric.unit else ""
        axis.set_xlabel(f"Gap of {metric.title}{unit}", fontsize=7)
        axis.set_ylabel("Runs", fontsize=7)
    legend(figure, axes)
    caption(figure, text)
    save(figure, out)
