"""Plots of quality against time: what each method reaches, and what a case takes."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from benchmark.core.seeds import generator
from benchmark.figures.layout import HEIGHT, WIDTH, caption, plot_axes, save
from benchmark.figures.style import CONTROL, looks, plain
from benchmark.runs.names import NO_TITLES, Titles, is_control, is_made_elsewhere, method_title
from benchmark.scoring.metrics import METRICS
from benchmark.tables.missing import completed
from benchmark.tables.resampling import CONFIDENCE, bootstrap_interval, by_case_and_seed
from benchmark.tables.summary import values_by_case

# Where the name of a point may stand, the first free place first: offset in points, alignment.
PLACES = ((5, 0, "left", "center"), (-5, 0, "right", "center"), (0, 6, "center", "bottom"),
          (0, -6, "center", "top"), (5, 7, "left", "bottom"), (5, -7, "left", "top"),
          (-5, 7, "right", "bottom"), (-5, -7, "right", "top"), (5, 16, "left", "bottom"),
          (5, -16, "left", "top"), (-5, 16, "right", "bottom"), (-5, -16, "right", "top"))  # fmt: skip
DOT = 3  # px around the middle of a point that no name may cover
POINTS = (
    f"A point is the mean over cases, with its {CONFIDENCE:.0%} bootstrap interval over cases and seeds; the "
    "thin line goes to the worst case. Dotted lines: the blurry input and the true kernel."
)
RINGS = "Rings: kernels or images made elsewhere, with the seconds of the last step alone."
WIDER = 1.6  # times the width of other panels: names stand beside the points


def costs(scores: pd.DataFrame, runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Average the quality and the time of each method on each dataset.

    Args:
        scores: As in scores.csv.
        runs: As in runs.csv.
        metric: Which quality.

    Returns:
        `dataset`, `method`, `mean` over cases, the seeds of each averaged first, its 95% bootstrap interval
        `low` to `high`, `worst`: of single restorations, and `seconds`: the median of a case, by the clock. A
        failed case has the quality of the blurry input.
    """
    keys = ["dataset", "method"]
    points = []
    for (dataset, method), own in completed(scores[scores.metric == metric]).groupby(keys, sort=False):
        values = own.value.dropna()
        rng = generator("interval", str(dataset), "", str(method), metric)  # the draws of the tables
        low, high = bootstrap_interval(by_case_and_seed(own), rng)
        worst = values.max() if METRICS[metric].lower_is_better else values.min()
        points.append((dataset, method, values_by_case(own).mean(), low, high, worst))
    quality = pd.DataFrame(points, columns=[*keys, "mean", "low", "high", "worst"])
    return quality.merge(runs.groupby(keys).seconds.median().reset_index(), "left", on=keys)


def cost_plot(
    scores: pd.DataFrame,
    runs: pd.DataFrame,
    metric: str,
    out: Path,
    text: str,
    titles: Titles = NO_TITLES,
    unit: str = "Seconds",
) -> None:
    """Write `out`.png and `out`.pdf: quality against the seconds of a case, a panel per dataset.

    A point is a method, with its interval and a thin line to its worst case. The controls take no time that
    would mean anything: they are lines across the panel.

    Args:
        scores: As in scores.csv.
        runs: As in runs.csv.
        metric: Which quality, such as 'psnr'.
        out: The files without their suffix.
        text: What the caption says of the profile.
        titles: Method to its title, for those that the config names.
        unit: What the seconds of `runs` are, for the axis.
    """
    points = costs(scores, runs, metric).dropna(subset=["mean"])
    datasets, of_method = list(points.dataset.unique()), looks(list(scores.method.unique()))
    figure, axes = plot_axes(len(datasets), WIDER * WIDTH, 1.4 * HEIGHT)
    for axis, dataset in zip(axes, datasets, strict=True):
        of_dataset = points[points.dataset == dataset]
        controls = of_dataset[[is_control(method) for method in of_dataset.method]]
        ours = of_dataset.drop(controls.index)
        for control in controls.itertuples():
            axis.axhline(control.mean, color=CONTROL, linestyle=":", linewidth=0.8)
        for method in ours.itertuples():
            colour = of_method[str(method.method)].colour
            ends = [method.worst, method.mean]
            axis.plot([method.seconds] * 2, ends, color=colour, linewidth=0.6, alpha=0.5)
            axis.plot([method.seconds] * 2, [method.low, method.high], color=colour, linewidth=2.2, alpha=0.6)
            elsewhere = is_made_elsewhere(str(method.method))
            fill = "none" if elsewhere else "full"
            axis.plot(method.seconds, method.mean, "o", color=colour, markersize=4, fillstyle=fill)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.margins(x=0.25)
        axis.set_title(dataset, fontsize=8, loc="left")
        axis.set_xlabel(f"{unit} of a case (median)", fontsize=7)
        axis.set_ylabel(METRICS[metric].heading, fontsize=7)
        plain(axis, ticks=None)
        axis.grid(axis="y", linewidth=0.3, color="0.85")
    rings = RINGS if any(map(is_made_elsewhere, points.method)) else ""
    caption(figure, " ".join(filter(None, (POINTS, rings, text))))
    figure.draw_without_rendering()  # only now the panels have their final size
    for axis, dataset in zip(axes, datasets, strict=True):
        of_dataset = points[points.dataset == dataset]
        _name_points(axis, of_dataset, titles)
    save(figure, out)


def _name_points(axis: Axes, points: pd.DataFrame, titles: Titles) -> None:
    """Write each method's title beside its point, and a control's above its line."""
    left = axis.get_xlim()[0]
    places = axis.transData.transform(points[["seconds", "mean"]].dropna())
    taken = [Bbox.from_bounds(x - DOT, y - DOT, 2 * DOT, 2 * DOT) for x, y in places]
    for point in points.sort_values("mean", ascending=False).itertuples():
        name = str(point.method)
        title = method_title(name, titles)
        if is_control(name):
            label = axis.annotate(title, (left, point.mean), (3, 2), textcoords="offset points", fontsize=6,
                                  color=CONTROL)  # fmt: skip
            taken.append(label.get_window_extent())
            continue
        for x, y, across, along in PLACES:
            label = axis.annotate(title, (point.seconds, point.mean), (x, y), textcoords="offset points",
                                  fontsize=6, ha=across, va=along)  # fmt: skip
            box = label.get_window_extent()
            inside = axis.bbox.x0 <= box.x0 and box.x1 <= axis.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken):
                break
            label.remove()
        else:
            label = axis.annotate(title, (point.seconds, point.mean), (5, 0), textcoords="offset points",
                                  fontsize=6, va="center")  # fmt: skip
        taken.append(label.get_window_extent())
