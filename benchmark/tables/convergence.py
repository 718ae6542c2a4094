"""How fast methods converge: PSNR over iterations, and when a reference's final PSNR is reached.

All start from convergence.csv: the scores of snapshots and, where `is_result`, of the restored images.
"""

import numpy as np
import pandas as pd

from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.scoring.metrics import METRICS, Metric, gain_metrics
from benchmark.tables.page import Section

NEVER = "not reached"
CURVE_COLUMNS = ("dataset", "method", "metric", "iteration", "seconds", "mean", "low", "high", "seeds")
REACH_COLUMNS = (
    "dataset", "method", "reference", "metric", "cases", "seeds", "final", "reference_final", "iteration",
    "seconds", "runs", "reached", "median_iteration",
)  # fmt: skip
RUN = ["case", "seed"]
ROUNDING = 1e-9  # dB: a mean reaches itself in whatever order it was summed


def curves(frame: pd.DataFrame) -> pd.DataFrame:
    """Average PSNR over the runs of each method, iteration by iteration.

    Args:
        frame: As in convergence.csv.

    Returns:
        `CURVE_COLUMNS`. `mean` is over the cases of a seed, then over seeds; `low` and `high` are the lowest
        and highest mean of a seed; `seconds` is the mean over all runs. Iterations that some run of a method
        lacks are left out: the curve would jump.
    """
    rows = []
    of_psnr = frame[frame.metric.isin(gain_metrics())]
    for names, of_method in of_psnr.groupby(["dataset", "method", "metric"], sort=False):
        runs = len(of_method[RUN].drop_duplicates())
        for iteration, point in of_method.groupby("iteration"):
            if len(point) < runs:
                continue
            by_seed = point.groupby("seed").value.mean()
            seconds = point.seconds.mean()
            values = (by_seed.mean(), by_seed.min(), by_seed.max(), len(by_seed))
            rows.append((*names, iteration, seconds, *values))
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def times_to_reach(frame: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Find when each method reaches the final PSNR of the reference.

    Args:
        frame: As in convergence.csv.
        reference: A method; datasets that it did not run on have no rows.

    Returns:
        `REACH_COLUMNS`, a row per dataset and method, over the cases that method and reference share.
        `iteration` and `seconds` belong to the first snapshot whose mean over cases and seeds is no lower
        than the reference's final mean; NaN when there is none. `runs` counts the pairs of case and seed,
        `reached` those with a snapshot no lower than the reference's final mean in the same case.
        `median_iteration` is the median over all runs of their first such snapshot; NaN when more than half
        have none.
    """
    rows = []
    of_psnr = frame[frame.metric.isin(gain_metrics())]
    for (dataset, metric), of_dataset in of_psnr.groupby(["dataset", "metric"], sort=False):
        goals = _final(of_dataset[of_dataset.method == reference]).groupby("case").mean().to_dict()
        for method, of_method in of_dataset.groupby("method", sort=False):
            own = of_method[of_method.case.isin(list(goals))]
            if own.empty:
                continue
            goal = float(np.mean([goals[case] for case in own.case.unique()]))
            curve = curves(own)
            late = curve[curve["mean"] >= goal - ROUNDING]
            firsts = [_first(run, goals[case]) for (case, _), run in own.groupby(RUN)]
            median = float(np.median(firsts))
            rows.append(
                (
                    *(dataset, method, reference, metric, own.case.nunique(), own.seed.nunique()),
                    *(_final(own).groupby("seed").mean().mean(), goal),
                    *(late.iloc[0][["iteration", "seconds"]] if len(late) else (np.nan, np.nan)),
                    *(len(firsts), int(np.isfinite(firsts).sum())),
                    median if np.isfinite(median) else np.nan,
                )
            )
    return pd.DataFrame(rows, columns=list(REACH_COLUMNS))


def stopping_losses(frame: pd.DataFrame) -> pd.DataFrame:
    """Compute how far the result and the last iteration of each run fall short of its best iteration.

    What early stopping is worth is the difference of the two.

    Args:
        frame: As in convergence.csv, whose metrics are all better when higher.

    Returns:
        A row per dataset, case, method, seed and metric, with the columns `of_result` and `of_last`.
    """
    rows = []
    keys = ["dataset", "case", "method", "seed", "metric"]
    for names, run in frame.groupby(keys, sort=False):
        best, last = run.value.max(), run.sort_values("iteration").value.iloc[-1]
        rows.append((*names, best - run[run.is_result].value.iloc[0], best - last))
    return pd.DataFrame(rows, columns=[*keys, "of_result", "of_last"])


def reach_sections(table: pd.DataFrame, titles: Titles = NO_TITLES) -> list[Section]:
    """Lay out the table of `times_to_reach`: a section per dataset."""
    groups = table.groupby(["dataset", "reference", "metric"], sort=False)
    return [
        _reach_section(str(dataset), METRICS[str(metric)], str(reference), rows, titles)
        for (dataset, reference, metric), rows in groups
    ]


def _reach_section(
    dataset: str, metric: Metric, reference: str, rows: pd.DataFrame, titles: Titles
) -> Section:
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

    return Section(
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


def _final(frame: pd.DataFrame) -> pd.Series:
    """Map case and seed to the value of the restored image."""
    return frame[frame.is_result].set_index(RUN).value


def _first(run: pd.DataFrame, goal: float) -> float:
    """Return the first iteration of a run that is no lower than `goal`; infinite when there is none."""
    late = run[run.value >= goal - ROUNDING]
    return float(late.iteration.min()) if len(late) else np.inf
