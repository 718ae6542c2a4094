"""How fast methods converge: PSNR over iterations, and when a reference's final PSNR is reached.

All start from convergence.csv: the scores of snapshots and, where `is_result`, of the restored images.
"""

import numpy as np
import pandas as pd

from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.scoring.metrics import METRICS, Metric, gain_metrics
from benchmark.tables.missing import completed, share
from benchmark.tables.page import Section

NEVER = "not reached"
CURVE_COLUMNS = (
    "dataset", "method", "metric", "iteration", "seconds", "mean", "low", "high", "seeds", "runs", "scored",
)  # fmt: skip
REACH_COLUMNS = (
    "dataset", "method", "reference", "metric", "cases", "seeds", "final", "reference_final", "iteration",
    "seconds", "runs", "scored", "reached", "median_iteration",
)  # fmt: skip
RUN = ["case", "seed"]
ROUNDING = 1e-9  # dB: a mean reaches itself in whatever order it was summed


def curves(frame: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Average PSNR over the runs of each method, iteration by iteration.

    Args:
        frame: As in convergence.csv.
        scores: As in scores.csv, with the runs that failed and the blurry input, as which they count.

    Returns:
        `CURVE_COLUMNS`. `mean` is over the cases of a seed, then over seeds; `low` and `high` are the lowest
        and highest mean of a seed; `seconds` is the mean over the runs that did not fail, `scored` of all
        `runs`. Iterations that some run of a method lacks are left out: the curve would jump.
    """
    return _means(_with_failed_runs(frame, scores))


def _with_failed_runs(frame: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Add the runs that failed: at each iteration they have the score of the blurry input, and no seconds."""
    of_run = ["dataset", "method", *RUN]
    counted = completed(scores[scores.metric.isin(gain_metrics())])
    failed = counted[~counted.scored & counted.value.notna()].drop(columns=["note", "scored"])
    failed = failed[~failed.set_index(of_run).index.isin(frame.set_index(of_run).index)]
    iterations = frame[["dataset", "method", "metric", "iteration"]].drop_duplicates()
    rows = failed.merge(iterations, on=["dataset", "method", "metric"]).assign(
        is_result=False, seconds=np.nan
    )
    return pd.concat([frame, rows], ignore_index=True) if len(rows) else frame


def _means(frame: pd.DataFrame) -> pd.DataFrame:
    """Compute `CURVE_COLUMNS` from the runs that a frame has; those without seconds are not `scored`."""
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
            rows.append((*names, iteration, seconds, *values, runs, int(point.seconds.notna().sum())))
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def times_to_reach(frame: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Find when each method reaches the final PSNR of the reference.

    Args:
        frame: As in convergence.csv.
        reference: A method; datasets that it did not run on have no rows.

    Returns:
        `REACH_COLUMNS`, a row per dataset and method:

        - cases: those that method and reference share; seeds: the method's; final, reference_final: the mean
          final PSNR of both over these cases.
        - iteration, seconds: of the first snapshot whose mean over cases and seeds is no lower than
          `reference_final`; NaN when there is none.
        - runs: restorations, one per seed and case of the reference; scored: those that the frame has. The
          others failed and have no mean, and they count as never reaching the reference.
        - reached: runs with a snapshot no lower than the reference's final mean in the same case.
        - median_iteration: over all runs, of their first such snapshot; NaN when more than half have none.
    """
    rows = []
    of_psnr = frame[frame.metric.isin(gain_metrics())]
    for (dataset, metric), of_dataset in of_psnr.groupby(["dataset", "metric"], sort=False):
        goals = _final(of_dataset[of_dataset.method == reference]).groupby("case").mean().to_dict()
        asked = len(goals) * of_dataset.seed.nunique()
        for method, of_method in of_dataset.groupby("method", sort=False):
            own = of_method[of_method.case.isin(list(goals))]
            if own.empty:
                continue
            goal = float(np.mean([goals[case] for case in own.case.unique()]))
            curve = _means(own)
            late = curve[curve["mean"] >= goal - ROUNDING]
            firsts = [_first(run, goals[case]) for (case, _), run in own.groupby(RUN)]
            median = float(np.median([*firsts, *[np.inf] * (asked - len(firsts))]))
            rows.append(
                (
                    *(dataset, method, reference, metric, own.case.nunique(), own.seed.nunique()),
                    *(_final(own).groupby("case").mean().mean(), goal),
                    *(late.iloc[0][["iteration", "seconds"]] if len(late) else (np.nan, np.nan)),
                    *(asked, len(firsts), int(np.isfinite(firsts).sum())),
                    median if np.isfinite(median) else np.nan,
                )
            )
    return pd.DataFrame(rows, columns=list(REACH_COLUMNS))


def iterations_to_reach(frame: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Find when each run reaches the final score of the reference in the same case and from the same seed.

    Args:
        frame: As in convergence.csv, of one dataset and one metric.
        reference: A method.

    Returns:
        A row per method, case and seed for which the reference has a run: the first `iteration` whose score
        is no lower; infinite when there is none.
    """
    goals = _final(frame[frame.method == reference]).to_dict()
    runs = [(names, run) for names, run in frame.groupby(["method", *RUN], sort=False) if names[1:] in goals]
    rows = [(*names, _first(run, goals[names[1:]])) for names, run in runs]
    return pd.DataFrame(rows, columns=["method", *RUN, "iteration"])


def stopping_losses(frame: pd.DataFrame) -> pd.DataFrame:
    """Compute how far the result and the last iteration of each run fall short of its best iteration.

    What early stopping is worth is the difference of the two.

    Args:
        frame: As in convergence.csv.

    Returns:
        A row per dataset, case, method, seed and metric, with the columns `of_result` and `of_last`: zero at
        best, whether the metric is better when higher or when lower.
    """
    rows = []
    keys = ["dataset", "case", "method", "seed", "metric"]
    for names, run in frame.groupby(keys, sort=False):
        in_order = run.sort_values("iteration")
        values = -in_order.value if METRICS[str(names[-1])].lower_is_better else in_order.value
        best = values.max()
        rows.append((*names, best - values[in_order.is_result].iloc[0], best - values.iloc[-1]))
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
    is_short = bool((rows.scored < rows.runs).any())
    of_reference = rows[rows.method == reference].iloc[0]
    goal = f"{of_reference.reference_final:.{metric.digits}f} {metric.unit}"
    over = f"mean over {of_reference.cases} cases and {of_reference.seeds} seeds"
    title = method_title(reference, titles)
    caption = (
        f"When the final {metric.title} of {title} is reached ({goal}, {over}). Iteration and seconds: of "
        "the first snapshot whose mean is no lower; the seconds include building the problem. Runs: how many "
        f"restorations have a snapshot no lower than {title} at its end in the same case. Median: of the "
        "first such iterations, over all restorations."
    )
    if is_short:
        caption += (
            " (1 of 2): of one of two restorations, the other has no image; the goal is on the same cases."
        )

    def number(value: float, digits: int, counts: str = "") -> str:
        return (NEVER if np.isnan(value) else f"{value:.{digits}f}") + counts

    lines = []
    for row in rows.to_dict("records"):
        counts = share(row["scored"], row["runs"])
        lines.append(
            [
                method_title(row["method"], titles),
                number(row["final"], metric.digits, counts),
                *([number(row["reference_final"], metric.digits)] if is_short else []),
                number(row["iteration"], 0, counts),
                number(row["seconds"], 1, counts),
                f"{row['reached']} of {row['runs']}",
                number(row["median_iteration"], 0),
            ]
        )
    headings = ["Method", f"Final {metric.heading}", *["Goal"] * is_short, "Iteration", "Seconds"]
    return Section(f"Convergence ({dataset})", caption, [*headings, "Runs", "Median iteration"], lines)


def _final(frame: pd.DataFrame) -> pd.Series:
    """Map case and seed to the value of the restored image."""
    return frame[frame.is_result].set_index(RUN).value


def _first(run: pd.DataFrame, goal: float) -> float:
    """Return the first iteration of a run that is no lower than `goal`; infinite when there is none."""
    late = run[run.value >= goal - ROUNDING]
    return float(late.iteration.min()) if len(late) else np.inf
