"""Collect what the page of a run shows, as values for JSON. All statistics are those of the tables."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.core.files import read_text
from benchmark.core.types import Status
from benchmark.planning.plan import Plan
from benchmark.report.provenance import Origin, Record, origin
from benchmark.runs.names import method_title, role_of
from benchmark.runs.store import Store
from benchmark.scoring.csv_files import SCORE_COLUMNS, read_frame
from benchmark.scoring.metrics import METRICS
from benchmark.tables.paper_tables import paper_table
from benchmark.tables.summary import TABLE_COLUMNS

Json = dict[str, Any]
# The kinds of tables that `benchmark.tables.summary` computes: a row per block, row and column.
SUMMARISED = ("own", "paper", "best", "grid")
NUMBERS = (
    "mean", "low", "high", "seed_deviation", "worst_seed", "gain", "difference", "cases", "asked_cases",
    "seeds", "runs", "scored", "failed", "baseline_cases", "baseline_p",
)  # fmt: skip
TEXTS = (
    "published", "published_deviation", "published_note", "rank", "baseline", "versus_baseline", "weights",
    "failures", "note",
)  # fmt: skip
HASH_SHOWN = 16  # digits; enough to tell two images apart


def content(plan: Plan, store: Store, records: Sequence[Record]) -> Json:
    """Collect what the page shows.

    Args:
        plan: The plan of a finished run.
        store: Its results folder, with scores.csv and the tables.
        records: Those of all runs, in the plan's order.

    Returns:
        - profile, caption, seeds, versions, baseline: what holds for the whole run.
        - metrics, methods: how to show each.
        - datasets: their cases, scores and runs; see `_dataset`.
        - blocks: the tables; see `_blocks`. otherTables: those of other kinds, which lie beside the page.
        - failures: the runs that ended without an image.
        - missing: what is not there, and why.

    Raises:
        InputError: scores.csv or a table is missing or damaged.
    """
    scores = read_frame(store.scores, SCORE_COLUMNS)
    blocks = [block for name in _tables(plan) for block in _blocks(plan, store, name)]
    used = {column["metric"] for block in blocks for column in block["columns"]}
    titles = plan.config["titles"]
    datasets = [
        _dataset(
            plan,
            name,
            scores[scores.dataset == name],
            [record for record in records if record["dataset"] == name],
        )
        for name in plan.running
    ]
    return {
        "profile": plan.config["profile"],
        "caption": plan.config["caption"],
        "seeds": plan.seeds,
        "baseline": plan.config.get("baseline", ""),
        "versions": sorted({record["code_version"] for record in records if "code_version" in record}),
        "metrics": {
            name: {
                "title": metric.title,
                "heading": metric.heading,
                "unit": metric.unit,
                "digits": metric.digits,
                "lowerIsBetter": metric.lower_is_better,
                "showsGain": metric.shows_gain,
            }
            for name, metric in METRICS.items()
            if name in used or name in set(scores.metric)
        },
        "methods": {
            name: {"title": method_title(name, titles), "role": role_of(name)} for name in plan.methods
        },
        "datasets": datasets,
        "blocks": blocks,
        "otherTables": [
            name for name, table in plan.tables.items() if table.default and table.kind not in SUMMARISED
        ],
        "failures": list(_failures(records)),
        "missing": list(_missing(plan, blocks)),
    }


def _dataset(plan: Plan, name: str, scores: pd.DataFrame, records: Sequence[Record]) -> Json:
    """Collect the scores and runs of a dataset.

    Its lists of scores and of what is said of runs have an entry per case and seed, the seeds of a case
    beside each other.
    """
    planned = plan.datasets[name]
    place = {
        (case, seed): number
        for number, (case, seed) in enumerate((case, seed) for case in planned.cases for seed in plan.seeds)
    }
    methods = plan.methods_on(name)
    own = {method: [run for run in records if run["method"] == method] for method in methods}

    def placed(keys: Iterable[tuple[str, int]], values: Iterable[Any]) -> list[Any]:
        row: list[Any] = [None] * len(place)
        for key, value in zip(keys, values, strict=True):
            row[place[key]] = value
        return row

    by_metric: dict[str, dict[str, list[Any]]] = {}
    for (metric, method), cell in scores.groupby(["metric", "method"], sort=False):
        keys = zip(cell.case, cell.seed, strict=True)
        by_metric.setdefault(str(metric), {})[str(method)] = placed(
            keys, (_number(value, _digits(str(metric))) for value in cell.value)
        )
    runs = {
        method: {
            key: placed(((run["case"], run["seed"]) for run in mine), map(value, mine))
            for key, value in RUN_VALUES.items()
        }
        for method, mine in own.items()
    }
    return {
        "name": name,
        "title": planned.title,
        "caption": planned.caption,
        "cases": list(planned.cases),
        "groups": list(planned.cases.values()),
        "methods": methods,
        "scores": by_metric,
        "runs": runs,
        "origins": {method: _origin(origin(plan, name, method, mine)) for method, mine in own.items()},
    }


# What the page says of each run.
RUN_VALUES: Mapping[str, Any] = {
    "status": lambda run: run["status"],
    "seconds": lambda run: run.get("seconds"),
    "image": lambda run: run.get("image_sha256", "")[:HASH_SHOWN],
    "hash": lambda run: run.get("config_hash", ""),
}


def _tables(plan: Plan) -> list[str]:
    """List the tables that the page shows, the profile's own first."""
    names = [name for name, table in plan.tables.items() if table.default and table.kind in SUMMARISED]
    return sorted(names, key=lambda name: plan.tables[name].kind != "own")


def _blocks(plan: Plan, store: Store, name: str) -> Iterator[Json]:
    """Read the blocks of a table: each has its columns, and its rows with a cell per column."""
    kind = plan.tables[name].kind
    heading = ""
    if kind in ("paper", "best"):
        heading = paper_table(name, plan.config["stand_ins"]).title
    elif kind == "grid":
        heading = plan.config["grids"][name]["title"]
    cells = read_frame(store.table_files(name)[0], TABLE_COLUMNS)
    for column in NUMBERS:
        cells[column] = pd.to_numeric(cells[column], errors="coerce")
    for title, block in cells.groupby("block", sort=False):
        columns = block[["column", "metric"]].drop_duplicates()
        yield {
            "table": name,
            "kind": kind,
            "heading": heading,
            "title": str(title),
            "dataset": block.dataset.iloc[0],
            "group": block.group.iloc[0],
            "columns": [{"title": row.column, "metric": row.metric} for row in columns.itertuples()],
            "rows": [
                _row(list(row.to_dict("records"))) for _, row in block.groupby(["row", "method"], sort=False)
            ],
        }


def _row(cells: Sequence[Mapping[Any, Any]]) -> Json:
    """Collect a row of a block: its method, and what each cell has of `NUMBERS` and `TEXTS`."""
    first = cells[0]
    return {
        "title": first["row"],
        "method": first["method"],
        "role": first["role"],
        "cells": {cell["column"]: _cell(cell) for cell in cells},
    }


def _cell(cell: Mapping[Any, Any]) -> Json:
    numbers = {key: _number(cell[key], _digits(cell["metric"])) for key in NUMBERS}
    texts = {key: str(cell[key]) for key in TEXTS}
    given = {key: number for key, number in numbers.items() if number is not None}
    return given | {key: text for key, text in texts.items() if text}


def _origin(made_by: Origin) -> Json:
    """Return what made some restorations, with the texts of the model cards in place of their paths."""
    cards = [Path(path) for path in made_by.cards]
    return asdict(made_by) | {"cards": [{"name": card.stem, "text": read_text(card)} for card in cards]}


def _failures(records: Sequence[Record]) -> Iterator[Json]:
    """Yield the runs that ended without an image, with the cause."""
    for run in records:
        status = Status(run["status"])
        if status is not Status.OK:
            names = {key: run[key] for key in ("dataset", "case", "method", "seed")}
            yield {**names, "status": status.value, "sentence": status.sentence, "reason": run["reason"]}


def _missing(plan: Plan, blocks: Sequence[Json]) -> Iterator[Json]:
    """Yield each reason why something is not there, with all that it holds for."""
    what: dict[str, list[str]] = {}
    for name, reason in plan.absent.items():
        what.setdefault(reason, []).append(f"dataset {name}")
    for block in blocks:
        for row in block["rows"]:
            for column, cell in row["cells"].items():
                if note := cell.get("note"):
                    where = " · ".join(filter(None, (block["heading"], block["title"])))
                    what.setdefault(note, []).append(f"{where}: {column}, {row['title']}")
    for reason, names in what.items():
        yield {"reason": reason, "what": list(dict.fromkeys(names))}


def _digits(metric: str) -> int:
    """Return how many digits after the point the page gets of a metric: more than it shows."""
    return (METRICS[metric].digits if metric in METRICS else 2) + 3


def _number(value: Any, digits: int) -> float | str | None:
    """Return a number as JSON can write it: None for NaN, and a text for an infinite one."""
    if value is None or math.isnan(value):
        return None
    return str(value).replace("inf", "Infinity") if math.isinf(value) else round(float(value), digits)
