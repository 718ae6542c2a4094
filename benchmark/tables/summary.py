"""From scores to the numbers of a table; `benchmark.tables.text` makes text of them.

One way for all tables, the profile's own and the papers': a `Definition` says which blocks, columns and rows
there are, `summary` computes each cell.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import scipy  # loads its parts when they are used; stats takes a second
from numpy.typing import NDArray

from benchmark.core.seeds import generator
from benchmark.core.types import InputError, Status
from benchmark.data.descriptors import Dataset, find_dataset, presence
from benchmark.runs.names import NO_TITLES, Titles, find_method, is_control, method_title, role_of
from benchmark.scoring.metrics import METRICS, Metric, gain_metrics
from benchmark.tables.definition import Block, Column, Definition, Grid, Published, Row

CONFIDENCE = 0.95
FEWEST_CASES = 3  # below, an interval over cases says nothing
TABLE_COLUMNS = (
    "table", "block", "dataset", "group", "row", "method", "role", "column", "metric", "protocol",
    "mean", "low", "high", "min", "max", "cases", "seeds", "seed_deviation", "worst_seed", "gain",
    "runs", "failed", "failure_rate", "published", "published_deviation", "difference", "rank", "note",
    "published_note",
)  # fmt: skip


def own_table(
    name: str, datasets: Mapping[str, Dataset], scores: pd.DataFrame, titles: Titles = NO_TITLES
) -> Definition:
    """A table of the profile: every method and metric that its datasets were scored with.

    Datasets without scores get no block (`gaps` has a sentence on them). Raises InputError if none has any.
    """
    selected = scores[scores.dataset.isin(list(datasets))]
    if selected.empty:
        raise InputError(f"{', '.join(datasets)}: there are no scores; run `blindbench score` first")
    blocks = []
    for dataset, descriptor in datasets.items():
        metrics = selected[selected.dataset == dataset].metric.unique()
        if not len(metrics):
            continue
        blocks.append(
            Block(
                title=f"{descriptor.content['title']} ({dataset})",
                columns=tuple(Column(metric, metric) for metric in metrics),
                dataset=dataset,
                caption=descriptor.content["caption"],
                methods=tuple(selected[selected.dataset == dataset].method.unique()),
            )
        )
    rows = tuple(Row(method_title(method, titles), method) for method in selected.method.unique())
    return Definition(name, "", tuple(blocks), rows)


def grid_table(name: str, grid: Grid, scores: pd.DataFrame, titles: Titles = NO_TITLES) -> Definition:
    """The table of `grid`: in each of its rows every method that was scored in any of that row's cells.

    Raises InputError if none was scored in any.
    """
    cells = {row: [grid.cell(row, column) for column in grid.columns] for row in grid.rows}
    scored = scores[scores.dataset.isin(list(chain(*cells.values()))) & (scores.metric == grid.metric)]
    if scored.empty:
        first = next(iter(cells.values()))[0]
        raise InputError(f"{name}: {first} and the others have no {grid.metric} in scores.csv")
    running = {row: tuple(scored[scored.dataset.isin(own)].method.unique()) for row, own in cells.items()}
    rows = [Row(method_title(method, titles), method) for method in scored.method.unique()]
    return grid.definition(name, rows, running)


def summary(definition: Definition, scores: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """One row per row of the table, block and column, with the columns `TABLE_COLUMNS`.

    `mean` is over cases, the seeds of a case averaged first; `low` and `high` bound its 95% bootstrap
    interval. `gain`, of PSNR alone, is the mean difference to the floor, case by case; `seed_deviation` the
    standard deviation of the seeds' means, `worst_seed` the worst of them; `failure_rate` the share of
    restorations that failed; `difference` is `mean` minus `published`. `rank` marks the best and
    second-best method of ours, as rounded, among those with as many cases as any; controls take no part.
    `note` says why a cell is empty.
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
            **_ours(block, row, column, scores, runs),
            **_theirs(definition.published.get((block.title, row.title, column.title), Published(""))),
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


def gaps(datasets: Sequence[str], scores: pd.DataFrame) -> list[str]:
    """A sentence on the datasets of which not all cases were scored, for each reason and number."""
    found: dict[str, list[str]] = {}
    for name in datasets:
        expected, scored = _case_count(name), scores[scores.dataset == name].case.nunique()
        if expected is not None and scored < expected:
            why = _why_not_run(name) if scored == 0 else "the config selects these"
            found.setdefault(f"{scored} of {expected} cases: {why}.", []).append(name)
    return [f"{', '.join(names)}: {text}" for text, names in found.items()]


def _case_count(dataset: str) -> int | None:
    """How many cases the dataset has; None for one that does not exist (yet)."""
    try:
        return find_dataset(dataset).case_count
    except InputError:
        return None


@cache
def _why_not_run(dataset: str) -> str:
    if _case_count(dataset) is None:
        return "no such dataset here yet"
    if presence(find_dataset(dataset)) != "yes":
        return "its files are not all here, see `blindbench datasets`"
    return "it is not in this profile"


def select(scores: pd.DataFrame, block: Block) -> pd.DataFrame:
    """The scores of a block's cases."""
    chosen = scores[scores.dataset == block.dataset]
    return chosen if block.group is None else chosen[chosen.group == block.group]


def values_by_case(scores: pd.DataFrame) -> pd.Series:
    """Case to the mean over its seeds, of scores of one method and metric; unscored cases are left out."""
    return scores.dropna(subset="value").groupby("case").value.mean()


def interval(values: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    """Compute the 95% percentile bootstrap interval of the mean.

    Args:
        values: one number per case.
        rng: draws the resamples.

    Returns:
        The lower and the upper bound; NaN for fewer than `FEWEST_CASES` values or infinite ones.

    >>> low, high = interval(np.array([1.0, 2.0, 3.0, 4.0]), np.random.default_rng(0))
    >>> 1 < low < 2.5 < high < 4
    True
    """
    if len(values) < FEWEST_CASES or not np.isfinite(values).all():
        return np.nan, np.nan
    # Percentile and not BCa: it has a value for equal scores too.
    found = scipy.stats.bootstrap(
        (values,), np.mean, confidence_level=CONFIDENCE, method="percentile", rng=rng
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _control_rows(definition: Definition, scores: pd.DataFrame) -> list[Row]:
    """Controls stand in every table, where they ran."""
    listed = {row.method for row in definition.rows}
    ran = scores[scores.dataset.isin(definition.datasets)].method.unique()
    return [
        Row(method_title(method), method) for method in ran if method not in listed and is_control(method)
    ]


def _ours(block: Block, row: Row, column: Column, scores: pd.DataFrame, runs: pd.DataFrame) -> dict[str, Any]:
    """Our part of a cell: the statistics, or the reason why there are none."""
    measured = _properties(row.method).get(column.metric) if row.method else None
    if measured is not None:
        return {"mean": measured, "cases": 0, "seeds": 0, "runs": 0, "failed": 0, "note": ""}
    cases = select(scores, block)
    ran = cases[cases.method == row.method]
    cell = ran[ran.metric == column.metric]
    if cell.empty:
        nothing = dict.fromkeys(("cases", "seeds", "runs", "failed"), 0)
        elsewhere = bool((scores.method == row.method).any())
        return {**nothing, "note": _reason(block, row, column, cases, ran, elsewhere)}
    jobs = runs[
        (runs.dataset == block.dataset) & (runs.method == row.method) & runs.case.isin(ran.case.unique())
    ]
    # Declining a case is no failure, nor is what never began.
    no_failure = [status.value for status in (Status.OK, Status.NOT_SUPPORTED, Status.WEIGHTS_MISSING)]
    failed = int((~jobs.status.isin(no_failure)).sum())
    values = values_by_case(cell)
    by_seed = cell.groupby("seed").value.mean().dropna()
    names = ("interval", block.dataset or "", block.group or "", str(row.method), column.metric)
    low, high = interval(values.to_numpy(), generator(*names))
    notes = [*cell.note, *(_weights(jobs) if len(values) else ())]
    lower_is_better = column.metric in METRICS and METRICS[column.metric].lower_is_better
    return {
        "protocol": cell.protocol.iloc[0],
        "mean": values.mean(),
        "low": low,
        "high": high,
        "min": values.min(),
        "max": values.max(),
        "cases": len(values),
        "seeds": cell.seed.nunique(),
        "seed_deviation": by_seed.std(),
        "worst_seed": by_seed.max() if lower_is_better else by_seed.min(),
        "gain": _gain(values, cases[cases.metric == column.metric])
        if column.metric in gain_metrics()
        else np.nan,
        "runs": len(jobs),
        "failed": failed,
        "failure_rate": failed / len(jobs) if len(jobs) else np.nan,
        "note": "; ".join(dict.fromkeys(filter(None, notes))),
    }


@cache
def _properties(method: str) -> Mapping[str, float]:
    """What is counted of a method's published network."""
    found = find_method(method)
    return {} if found is None else found.properties()


def _weights(jobs: pd.DataFrame) -> list[str]:
    """A note on each set of pre-trained weights behind a number: its label says whether it is a demo's."""
    return [f"with the weights {label}" for label in sorted(jobs.weights.dropna().unique()) if label]


def _gain(values: pd.Series, scores: pd.DataFrame) -> float:
    """Mean difference to the floor, case by case, of scores of one metric; missing without a floor."""
    floors = [method for method in scores.method.unique() if role_of(method) == "floor"]
    floor = scores[scores.method.isin(floors)]
    return float((values - values_by_case(floor)).mean())


def _reason(
    block: Block, row: Row, column: Column, cases: pd.DataFrame, ran: pd.DataFrame, elsewhere: bool
) -> str:
    """Why a cell of ours is empty; nothing for a row that is published only and marked so.

    `elsewhere`: whether the method ran on another dataset.
    """
    if row.method is None:
        return ""
    if block.reason or not column.metric:
        return block.reason or "a published number without a counterpart here"
    if cases.empty:
        part = f", group {block.group}" if block.group else ""
        return f"not run: dataset {block.dataset}{part}: {_why_not_run(str(block.dataset))}"
    if find_method(row.method) is None:
        return "not run: no such method here yet"
    if ran.empty:
        where = "runs on other datasets of this profile" if elsewhere else "is not in this profile"
        return f"not run: {row.method} {where}"
    return f"not scored: {column.metric} is not among this profile's metrics for {block.dataset}"


def _theirs(number: Published) -> dict[str, Any]:
    return {
        "published": number.value,
        "published_deviation": number.deviation,
        "published_note": number.note,
    }


def _ranks(group: pd.DataFrame, shown: Metric | None) -> dict[Any, str]:
    """Index to 'best' or 'second', for the cells of one block and metric."""
    compared = group[(group.role == "method") & group["mean"].notna()]
    compared = compared[compared.cases == compared.cases.max()]
    if shown is None or len(compared) < 2:
        return {}
    values = compared["mean"].round(shown.digits)
    places = values.rank(method="dense", ascending=shown.lower_is_better)
    words = {1.0: "best", 2.0: "second"}
    return {index: words[place] for index, place in places.items() if place in words}
