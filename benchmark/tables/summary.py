"""From scores to the numbers of a table: `summary` computes every cell, the profile's own and the papers'."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import scipy  # loads its parts when they are used; stats takes a second
from numpy.typing import NDArray

from benchmark.core.seeds import generator
from benchmark.core.types import Status
from benchmark.runs.names import find_method, is_control, method_title, role_of
from benchmark.scoring.metrics import METRICS, Metric, gain_metrics
from benchmark.tables.coverage import why_not_run
from benchmark.tables.definition import Block, Column, Definition, Published, Row

CONFIDENCE = 0.95
FEWEST_CASES = 3  # below, an interval over cases says nothing
TABLE_COLUMNS = (
    "table", "block", "dataset", "group", "row", "method", "role", "column", "metric", "protocol",
    "mean", "low", "high", "min", "max", "cases", "seeds", "seed_deviation", "worst_seed", "gain",
    "runs", "failed", "failure_rate", "published", "published_deviation", "difference", "rank", "note",
    "published_note",
)  # fmt: skip


def summary(definition: Definition, scores: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Compute every cell of a table, with the floor and the ceiling wherever they ran.

    Args:
        definition: The table.
        scores: As in scores.csv.
        runs: As in runs.csv.

    Returns:
        `TABLE_COLUMNS`, a row per block, row and column of the table:

        - mean: over cases, the seeds of a case averaged first; low, high: its 95% bootstrap interval;
          min, max: over cases.
        - seed_deviation: standard deviation of the seeds' means; worst_seed: the worst of them.
        - gain: mean difference to the floor over cases, for metrics that show one.
        - runs, failed, failure_rate: restorations, those that failed, their share.
        - published, published_deviation, published_note: as printed; difference: mean minus published.
        - rank: 'best' and 'second' among our methods, without the controls, after rounding, among those with
          the most cases.
        - note: why a number of ours is missing, or with which weights it was made.
    """
    rows = [*_control_rows(definition, scores), *definition.rows]
    records = [
        {
            "table": definition.name,
            "block": block.title,
            "dataset": block.dataset or "",
            "group": block.group or "",
            "row": row.title,
            "method": row.method or "",
            "role": role_of(row.method) if row.method else "published",
            "column": column.title,
            "metric": column.metric,
            **_our_numbers(block, row, column, scores, runs),
            **_published_numbers(definition, block, row, column),
        }
        for block in definition.blocks
        for row in rows
        if not block.methods or row.method in block.methods
        for column in block.columns
    ]
    table = pd.DataFrame(records).reindex(columns=list(TABLE_COLUMNS))
    table["difference"] = table["mean"] - pd.to_numeric(table.published, errors="coerce")
    table["rank"] = ""
    for (_, metric), group in table.groupby(["block", "metric"], sort=False):
        for index, rank in _ranks(group, METRICS.get(str(metric))).items():
            table.loc[index, "rank"] = rank
    return table


def scores_of_block(scores: pd.DataFrame, block: Block) -> pd.DataFrame:
    """Return the scores of a block's cases."""
    of_dataset = scores[scores.dataset == block.dataset]
    return of_dataset if block.group is None else of_dataset[of_dataset.group == block.group]


def values_by_case(scores: pd.DataFrame) -> pd.Series:
    """Average the scores of one method and metric over seeds, case by case; leave out cases without any."""
    return scores.dropna(subset="value").groupby("case").value.mean()


def bootstrap_interval(values: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    """Compute the 95% percentile bootstrap interval of the mean.

    Args:
        values: One number per case.
        rng: Draws the resamples.

    Returns:
        The lower and the upper bound; NaN for fewer than `FEWEST_CASES` values or infinite ones.

    >>> low, high = bootstrap_interval(np.array([1.0, 2.0, 3.0, 4.0]), np.random.default_rng(0))
    >>> 1 < low < 2.5 < high < 4
    True
    """
    if len(values) < FEWEST_CASES or not np.isfinite(values).all():
        return np.nan, np.nan
    # Percentile and not BCa: it has a value for equal scores too.
    bounds = scipy.stats.bootstrap(
        (values,), np.mean, confidence_level=CONFIDENCE, method="percentile", rng=rng
    ).confidence_interval
    return float(bounds.low), float(bounds.high)


def _control_rows(definition: Definition, scores: pd.DataFrame) -> list[Row]:
    """List the controls that ran and that the table does not list itself."""
    listed = {row.method for row in definition.rows}
    methods = scores[scores.dataset.isin(definition.datasets)].method.unique()
    return [
        Row(method_title(method), method) for method in methods if method not in listed and is_control(method)
    ]


def _our_numbers(
    block: Block, row: Row, column: Column, scores: pd.DataFrame, runs: pd.DataFrame
) -> dict[str, Any]:
    """Compute our numbers of a cell, or say why there are none."""
    counts = dict.fromkeys(("cases", "seeds", "runs", "failed"), 0)
    if row.method is None:
        return {**counts, "note": ""}
    counted = _network_properties(row.method).get(column.metric)
    if counted is not None:
        return {**counts, "mean": counted, "note": ""}
    of_block = scores_of_block(scores, block)
    of_method = of_block[of_block.method == row.method]
    cell = of_method[of_method.metric == column.metric]
    if cell.empty:
        runs_elsewhere = bool((scores.method == row.method).any())
        note = _why_empty(block, row.method, column, of_block, of_method, runs_elsewhere)
        return {**counts, "note": note}
    of_job = (runs.dataset == block.dataset) & (runs.method == row.method)
    jobs = runs[of_job & runs.case.isin(of_method.case.unique())]
    rng = generator("interval", block.dataset or "", block.group or "", row.method, column.metric)
    numbers = _statistics(cell, of_block[of_block.metric == column.metric], column.metric, rng)
    notes = [*cell.note, *(_weights_notes(jobs) if numbers["cases"] else ())]
    note = "; ".join(dict.fromkeys(filter(None, notes)))
    return {"protocol": cell.protocol.iloc[0], **numbers, **_failures(jobs), "note": note}


def _statistics(
    cell: pd.DataFrame, of_metric: pd.DataFrame, metric: str, rng: np.random.Generator
) -> dict[str, Any]:
    """Compute the statistics of a cell's scores; `of_metric` has those of all methods in the block."""
    values = values_by_case(cell)
    by_seed = cell.groupby("seed").value.mean().dropna()
    low, high = bootstrap_interval(values.to_numpy(), rng)
    return {
        "mean": values.mean(),
        "low": low,
        "high": high,
        "min": values.min(),
        "max": values.max(),
        "cases": len(values),
        "seeds": cell.seed.nunique(),
        "seed_deviation": by_seed.std(),
        "worst_seed": by_seed.max() if _lower_is_better(metric) else by_seed.min(),
        "gain": _gain(values, of_metric) if metric in gain_metrics() else np.nan,
    }


def _lower_is_better(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].lower_is_better


def _failures(jobs: pd.DataFrame) -> dict[str, Any]:
    """Count the restorations and those that failed; declining a case is no failure, nor is not starting."""
    no_failure = [status.value for status in (Status.OK, Status.NOT_SUPPORTED, Status.WEIGHTS_MISSING)]
    failed = int((~jobs.status.isin(no_failure)).sum())
    return {
        "runs": len(jobs),
        "failed": failed,
        "failure_rate": failed / len(jobs) if len(jobs) else np.nan,
    }


@cache
def _network_properties(method: str) -> Mapping[str, float]:
    """Return what is counted of a method's published network, such as its parameters."""
    registered = find_method(method)
    return {} if registered is None else registered.properties()


def _weights_notes(jobs: pd.DataFrame) -> list[str]:
    """Name each set of pre-trained weights; its label says whether it is a demo's."""
    return [f"with the weights {label}" for label in sorted(jobs.weights.dropna().unique()) if label]


def _gain(values: pd.Series, scores: pd.DataFrame) -> float:
    """Average the differences to the floor over cases; NaN without a floor."""
    floors = [method for method in scores.method.unique() if role_of(method) == "floor"]
    floor = scores[scores.method.isin(floors)]
    return float((values - values_by_case(floor)).mean())


def _why_empty(
    block: Block,
    method: str,
    column: Column,
    of_block: pd.DataFrame,
    of_method: pd.DataFrame,
    runs_elsewhere: bool,
) -> str:
    """Say why a number of ours is missing.

    Args:
        block: The cell's block.
        method: The cell's method.
        column: The cell's column.
        of_block: All scores of the block's cases.
        of_method: Those of the method.
        runs_elsewhere: Whether the method was scored on another dataset.
    """
    if block.reason or not column.metric:
        return block.reason or "a published number without a counterpart here"
    if of_block.empty:
        part = f", group {block.group}" if block.group else ""
        return f"not run: dataset {block.dataset}{part}: {why_not_run(str(block.dataset))}"
    if find_method(method) is None:
        return "not run: no such method here yet"
    if of_method.empty:
        where = "runs on other datasets of this profile" if runs_elsewhere else "is not in this profile"
        return f"not run: {method} {where}"
    return f"not scored: {column.metric} is not among this profile's metrics for {block.dataset}"


def _published_numbers(definition: Definition, block: Block, row: Row, column: Column) -> dict[str, str]:
    number = definition.published.get((block.title, row.title, column.title), Published(""))
    return {
        "published": number.value,
        "published_deviation": number.deviation,
        "published_note": number.note,
    }


def _ranks(cells: pd.DataFrame, metric: Metric | None) -> dict[Any, str]:
    """Map the indices of the best and second-best cells of one block and metric to 'best' and 'second'."""
    compared = cells[(cells.role == "method") & cells["mean"].notna()]
    compared = compared[compared.cases == compared.cases.max()]
    if metric is None or len(compared) < 2:
        return {}
    values = compared["mean"].round(metric.digits)
    places = values.rank(method="dense", ascending=metric.lower_is_better)
    names = {1.0: "best", 2.0: "second"}
    return {index: names[place] for index, place in places.items() if place in names}
