"""From scores to the numbers of a table: `summary` computes every cell, the profile's own and the papers'."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from benchmark.core.seeds import generator
from benchmark.core.types import Status
from benchmark.runs.names import find_method, is_control, method_title, role_of
from benchmark.scoring.metrics import METRICS, Metric, gain_metrics
from benchmark.tables.ablations import without_other_trainings
from benchmark.tables.coverage import case_count, why_not_run
from benchmark.tables.definition import BEST, Block, Column, Definition, Published, Row
from benchmark.tables.missing import completed, why_no_image, why_no_score
from benchmark.tables.paired import LEVEL, holm, paired_test
from benchmark.tables.resampling import bootstrap_interval, by_case_and_seed

TABLE_COLUMNS = (
    "table", "block", "dataset", "group", "row", "method", "role", "column", "metric", "protocol",
    "mean", "low", "high", "min", "max", "cases", "seeds", "seed_deviation", "worst_seed", "worst_case",
    "below_floor", "gain", "own_mean", "asked_cases", "all_cases", "runs", "scored", "complete", "failed",
    "failure_rate", "published", "published_deviation", "difference", "rank", "baseline", "baseline_cases",
    "baseline_p", "versus_baseline", "weights", "failures", "note", "published_note",
)  # fmt: skip


def summary(definition: Definition, scores: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Compute every cell of a table, with the floor and the ceiling wherever they ran.

    Args:
        definition: The table.
        scores: As in scores.csv.
        runs: As in runs.csv.

    Returns:
        `TABLE_COLUMNS`, a row per block, row and column of the table:

        - asked_cases: those of the block that the profile ran; all_cases: those of its dataset or group, NaN
          where that is not known.
        - runs: restorations, one per case and seed; scored: those with a score; failed, failure_rate: those
          that ended without an image, for whatever reason, and their share.
        - mean: over cases, the seeds of a case averaged first; low, high: its 95% bootstrap interval over
          cases and seeds; min, max: over cases; worst_case: of single restorations. Where a restoration has
          no score, all of them take that of the floor, which is the blurry input, if it has one; own_mean
          leaves these out.
        - cases: those with a score; complete: whether the row has a score wherever any other row has one.
        - below_floor: how many restorations are worse than the blurry input; NaN without a floor, and for it.
        - seed_deviation: standard deviation of the seeds' means; worst_seed: the worst of them.
        - gain: mean difference to the floor over cases, for metrics that show one.
        - published, published_deviation, published_note: as printed; difference: mean minus published, if the
          row is complete and has all cases of the dataset or group.
        - rank: 'best' and 'second', see `_ranks`.
        - baseline: the method that this one is tested against: that of the definition or, for `BEST`, the
          best of the block and metric. baseline_cases, baseline_p: see `paired_test`; p after Holm's
          correction over the methods of the block and metric. versus_baseline: 'better' or 'worse' where p
          is below `LEVEL`.
        - weights: labels of the pre-trained weights behind the number; failures: why there are no images;
          note: why another number of ours is missing.
    """
    rows = [*_control_rows(definition, scores), *definition.rows]
    scores = completed(scores)
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
            "asked_cases": scores_of_block(scores, block).case.nunique(),
            "all_cases": case_count(block.dataset, block.group) if block.dataset else None,
            **_our_numbers(block, row, column, scores, runs),
            **_published_numbers(definition, block, row, column),
        }
        for block in definition.blocks
        for row in rows
        if not block.methods or row.method in block.methods
        for column in block.columns
    ]
    table = pd.DataFrame(records).reindex(columns=list(TABLE_COLUMNS))
    table = without_other_trainings(table, definition)
    is_comparable = table.complete.eq(True) & ~(table.asked_cases < table.all_cases.astype(float))
    is_comparable &= ~table.block.isin([block.title for block in definition.blocks if block.stands_for])
    difference = table["mean"] - pd.to_numeric(table.published, errors="coerce")
    table["difference"] = difference.where(is_comparable)
    table[["rank", "baseline", "versus_baseline"]] = ""
    blocks = {block.title: block for block in definition.blocks}
    for (title, metric), group in table.groupby(["block", "metric"], sort=False):
        ranks = _ranks(group, METRICS.get(str(metric)))
        for index, rank in ranks.items():
            table.loc[index, "rank"] = rank
        baseline = definition.baseline
        if baseline == BEST:
            baseline = next((group.method[index] for index, rank in ranks.items() if rank == "best"), "")
        if baseline:
            tests = _tests_against(baseline, group, scores_of_block(scores, blocks[str(title)]))
            table.loc[tests.index, list(tests)] = tests
    return table


def scores_of_block(scores: pd.DataFrame, block: Block) -> pd.DataFrame:
    """Return the scores of a block's cases."""
    of_dataset = scores[scores.dataset == block.dataset]
    return of_dataset if block.group is None else of_dataset[of_dataset.group == block.group]


def values_by_case(scores: pd.DataFrame) -> pd.Series:
    """Average the scores of one method and metric over seeds, case by case; leave out cases without any."""
    return scores.dropna(subset="value").groupby("case").value.mean()


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
    nothing: dict[str, Any] = dict.fromkeys(("cases", "seeds", "runs", "scored", "failed"), 0)
    nothing |= {"complete": False, "weights": "", "failures": "", "note": ""}
    if row.method is None:
        return nothing
    # To count the operations of a network takes seconds: not for a score, which is none of its properties.
    counted = None if column.metric in METRICS else _network_properties(row.method).get(column.metric)
    if counted is not None:
        return {**nothing, "mean": counted, "complete": True}
    of_block = scores_of_block(scores, block)
    of_method = of_block[of_block.method == row.method]
    cell = of_method[of_method.metric == column.metric]
    if cell.empty:
        runs_elsewhere = bool((scores.method == row.method).any())
        note = _why_empty(block, row.method, column, of_block, of_method, runs_elsewhere)
        return {**nothing, "note": note}
    of_job = (runs.dataset == block.dataset) & (runs.method == row.method)
    jobs = runs[of_job & runs.case.isin(of_method.case.unique())]
    rng = generator("interval", block.dataset or "", block.group or "", row.method, column.metric)
    failed = int((jobs.status != Status.OK.value).sum())
    return {
        "protocol": cell.protocol.iloc[0],
        **_statistics(cell, of_block[of_block.metric == column.metric], column.metric, rng),
        "runs": len(cell),
        "scored": int(cell.scored.sum()),
        "failed": failed,
        "failure_rate": failed / len(cell),
        "weights": ", ".join(sorted(filter(None, jobs.weights.dropna().unique()))),
        "failures": why_no_image(jobs),
        "note": why_no_score(cell, jobs),
    }


def _statistics(
    cell: pd.DataFrame, of_metric: pd.DataFrame, metric: str, rng: np.random.Generator
) -> dict[str, Any]:
    """Compute the statistics of a cell's scores; `of_metric` has those of all methods in the block."""
    own = cell[cell.scored]
    numbers = {"cases": own.case.nunique(), "seeds": cell.seed.nunique(), "complete": False}
    if own.empty:
        return numbers
    values = values_by_case(cell)
    by_seed = cell.groupby("seed").value.mean().dropna()
    low, high = bootstrap_interval(by_case_and_seed(cell), rng)
    lacking = cell[~cell.scored].case
    return numbers | {
        "mean": values.mean(),
        "low": low,
        "high": high,
        "min": values.min(),
        "max": values.max(),
        "seed_deviation": by_seed.std(),
        "worst_seed": by_seed.max() if _lower_is_better(metric) else by_seed.min(),
        "worst_case": cell.value.max() if _lower_is_better(metric) else cell.value.min(),
        "below_floor": _below_floor(own, of_metric, metric),
        "gain": _gain(values, of_metric) if metric in gain_metrics() else np.nan,
        "own_mean": values_by_case(own).mean(),
        "complete": not lacking.isin(of_metric[of_metric.scored].case).any(),
    }


def _tests_against(baseline: str, cells: pd.DataFrame, of_block: pd.DataFrame) -> pd.DataFrame:
    """Test the methods of a block against a baseline; controls and the baseline itself are not tested.

    Args:
        baseline: A method.
        cells: The block's cells of one metric.
        of_block: The scores of the block.

    Returns:
        The columns about the baseline, with the indices of the cells that were tested.
    """
    tests = {}
    for index, cell in cells.iterrows():
        if not cell.method or cell.method == baseline or is_control(cell.method):
            continue
        of_metric = of_block[of_block.metric == cell.metric]
        of, over = (values_by_case(of_metric[of_metric.method == name]) for name in (cell.method, baseline))
        tests[index] = paired_test(of, over, lower_is_better=_lower_is_better(cell.metric))
    frame = pd.DataFrame.from_dict(tests, orient="index").assign(baseline=baseline)
    if len(frame):
        frame["baseline_p"] = holm(frame.baseline_p)
        frame["versus_baseline"] = frame.versus_baseline.where(frame.baseline_p < LEVEL, "")
    return frame


def _lower_is_better(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].lower_is_better


@cache
def _network_properties(method: str) -> Mapping[str, float]:
    """Return what is counted of a method's published network, such as its parameters."""
    registered = find_method(method)
    return {} if registered is None else registered.properties()


def _gain(values: pd.Series, scores: pd.DataFrame) -> float:
    """Average the differences to the floor over cases; NaN without a floor."""
    return float((values - _floor_by_case(scores)).mean())


def _below_floor(own: pd.DataFrame, scores: pd.DataFrame, metric: str) -> float:
    """Count the restorations that are worse than the floor; NaN without a floor, and for a floor."""
    floor = own.case.map(_floor_by_case(scores))
    if floor.isna().all() or role_of(own.method.iloc[0]) == "floor":
        return np.nan
    return float((own.value > floor if _lower_is_better(metric) else own.value < floor).sum())


def _floor_by_case(scores: pd.DataFrame) -> pd.Series:
    """Map cases to the score of the floor; empty without a floor."""
    floors = [method for method in scores.method.unique() if role_of(method) == "floor"]
    return values_by_case(scores[scores.method.isin(floors)])


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
    if column.metric not in METRICS:
        return f"{method} has no setting {column.metric}"
    return f"not scored: {column.metric} is not among this profile's metrics for {block.dataset}"


def _published_numbers(definition: Definition, block: Block, row: Row, column: Column) -> dict[str, str]:
    number = definition.published.get((block.title, row.title, column.title), Published(""))
    return {
        "published": number.value,
        "published_deviation": number.deviation,
        "published_note": number.note,
    }


def prefers_blur(cells: pd.DataFrame, metric: Metric) -> bool:
    """Tell whether a metric finds the ceiling worse than the floor: then it says nothing of deblurring."""
    shown = cells[cells.complete.eq(True)].assign(cost=_cost(cells, metric))
    return bool(shown[shown.role == "floor"].cost.min() < shown[shown.role == "ceiling"].cost.min())


def _cost(cells: pd.DataFrame, metric: Metric) -> pd.Series:
    """Return the means as tables show them, with a sign that makes lower ones better."""
    return cells["mean"].round(metric.digits) * (1 if metric.lower_is_better else -1)


def _ranks(cells: pd.DataFrame, metric: Metric | None) -> dict[Any, str]:
    """Map the indices of the best and second-best cells of one block and metric to 'best' and 'second'.

    Several of our methods must be comparable: complete, so that their means are over the same cases. Of these
    only such take a place as are better than the floor, after rounding. A metric that `prefers_blur` ranks
    nothing. Controls take no part.
    """
    shown = cells[cells["mean"].notna() & cells.complete.eq(True)]
    if metric is None or (shown.role == "method").sum() < 2 or prefers_blur(shown, metric):
        return {}
    cost = _cost(shown, metric)
    of_methods, floor = cost[shown.role == "method"], cost[shown.role == "floor"].min()
    places = of_methods[~(of_methods >= floor)].rank(method="dense")
    names = {1.0: "best", 2.0: "second"}
    return {index: names[place] for index, place in places.items() if place in names}
