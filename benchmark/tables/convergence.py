"""How fast methods get there: PSNR over iterations, and when a reference's final PSNR is reached.

From convergence.csv, whose rows are the scores of snapshots and, marked as `is_result`, of the restorations.
"""

import numpy as np
import pandas as pd

from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.scoring.metrics import METRICS, Metric, gain_metrics
from benchmark.tables.text import Sheet

NEVER = "not reached"
CURVE_COLUMNS = ("dataset", "method", "metric", "iteration", "seconds", "mean", "low", "high", "seeds")
REACH_COLUMNS = (
    "dataset", "method", "reference", "metric", "cases", "seeds", "final", "reference_final", "iteration",
    "seconds", "runs", "reached", "median_iteration",
)  # fmt: skip
RUN = ["case", "seed"]


def curves(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per dataset, method and iteration, of PSNR: `CURVE_COLUMNS`.

    `mean` is over the cases of a seed, then over seeds, whose lowest and highest mean are `low` and `high`;
    `seconds` the mean over all runs. Iterations that not every run of a method has are left out: a mean over
    others would jump.
    """
    rows = []
    shown = frame[frame.metric.isin(gain_metrics())]
    for names, own in shown.groupby(["dataset", "method", "metric"], sort=False):
        runs = len(own[RUN].drop_duplicates())
        for iteration, point in own.groupby("iteration"):
            if len(point) < runs:
                continue
            by_seed = point.groupby("seed").value.mean()
            seconds = point.seconds.mean()
            values = (by_seed.mean(), by_seed.min(), by_seed.max(), len(by_seed))
            rows.append((*names, iteration, seconds, *values))
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def reach(frame: pd.DataFrame, reference: str) -> pd.DataFrame:
    """One row per dataset and method, of PSNR: `REACH_COLUMNS`. Datasets without the reference have none.

    `iteration` and `seconds` are those of the first snapshot at which the mean over cases and seeds is no
    lower than the reference's final mean, both over the cases that both have; missing where there is none.
    `reached` counts the runs (a case and a seed) that are somewhere no lower than the reference's final mean
    over seeds of the same case, `median_iteration` is the median of their first such snapshots over all
    runs, infinite for a run that has none; missing when it is.
    """
    rows = []
    shown = frame[frame.metric.isin(gain_metrics())]
    for (dataset, metric), of_dataset in shown.groupby(["dataset", "metric"], sort=False):
        goals = _final(of_dataset[of_dataset.method == reference]).groupby("case").mean().to_dict()
        for method, of_method in of_dataset.groupby("method", sort=False):
            own = of_method[of_method.case.isin(list(goals))]
            if own.empty:
                continue
            goal = float(np.mean([goals[case] for case in own.case.unique()]))
            curve = curves(own)
            there = curve[curve["mean"] >= goal - ROUNDING]
            firsts = [_first(run, goals[case]) for (case, _), run in own.groupby(RUN)]
            median = float(np.median(firsts))
            rows.append(
                (
                    *(dataset, method, reference, metric, own.case.nunique(), own.seed.nunique()),
                    *(_final(own).groupby("seed").mean().mean(), goal),
                    *(there.iloc[0][["iteration", "seconds"]] if len(there) else (np.nan, np.nan)),
                    *(len(firsts), int(np.isfinite(firsts).sum())),
                    median if np.isfinite(median) else np.nan,
                )
            )
    return pd.DataFrame(rows, columns=list(REACH_COLUMNS))


def gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per dataset, case, method, seed and metric: how far `of_result` and `of_last` fall short.

    Of the best iteration scored: the restoration, and the last estimate scored. What early stopping is worth
    is the difference of the two. For metrics of which more is better, as those of convergence.csv are.
    """
    rows = []
    keys = ["dataset", "case", "method", "seed", "metric"]
    for names, run in frame.groupby(keys, sort=False):
        best, last = run.value.max(), run.sort_values("iteration").value.iloc[-1]
        rows.append((*names, best - run[run.is_result].value.iloc[0], best - last))
    return pd.DataFrame(rows, columns=[*keys, "of_result", "of_last"])


def reach_sheets(table: pd.DataFrame, titles: Titles = NO_TITLES) -> list[Sheet]:
    """The table of `reach` for people, a sheet per dataset."""
    return [
        _reach_sheet(str(dataset), METRICS[str(metric)], str(reference), rows, titles)
        for (dataset, reference, metric), rows in table.groupby(
            ["dataset", "reference", "metric"], sort=False
        )
    ]


def _reach_sheet(dataset: str, metric: Metric, reference: str, rows: pd.DataFrame, titles: Titles) -> Sheet:
    goal = f"{rows.reference_final.iloc[0]:.{metric.digits}f} {metric.unit}"
    over = f"mean over {rows.cases.max()} cases and {rows.seeds.max()} seeds"
    title = method_title(reference, titles)
    caption = (
        f"When the final {metric.title} of {title} is reached ({goal}, {over}). Iteration and seconds: of "
        "the first snapshot whose mean is no lower; the seconds include building the problem. Runs: how many "
        f"restorations have a snapshot no lower than {title} at its end in the same case. Median: of the "
        "first such iterations, over all restorations."
    )

    def number(value: float, digits: int) -> str:
        return NEVER if np.isnan(value) else f"{value:.{digits}f}"

    return Sheet(
        f"Convergence ({dataset})",
        caption,
        ["Method", f"Final {metric.heading}", "Iteration", "Seconds", "Runs", "Median iteration"],
        [
            [
                method_title(row["method"], titles),
                number(row["final"], metric.digits),
                number(row["iteration"], 0),
                number(row["seconds"], 1),
                f"{row['reached']} of {row['runs']}",
                number(row["median_iteration"], 0),
            ]
            for row in rows.to_dict("records")
        ],
    )


ROUNDING = 1e-9  # dB: the mean of a method's own final values reaches itself in whatever order it was summed


def _final(frame: pd.DataFrame) -> pd.Series:
    """(case, seed) to the value of the restoration."""
    return frame[frame.is_result].set_index(RUN).value


def _first(run: pd.DataFrame, goal: float) -> float:
    """The first iteration of one run that is no lower than `goal`; infinite when there is none."""
    there = run[run.value >= goal - ROUNDING]
    return float(there.iteration.min()) if len(there) else np.inf
