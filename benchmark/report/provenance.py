"""Say where a number of a table comes from: its cases and values, what made them, and how to repeat them."""

import json
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.schema import look_up
from benchmark.planning.plan import Plan
from benchmark.planning.records import read_records
from benchmark.runs import provenance as hashes
from benchmark.runs.names import base_method, method_title
from benchmark.runs.settings import changed, method_settings
from benchmark.runs.store import Store
from benchmark.scoring.csv_files import SCORE_COLUMNS, read_frame
from benchmark.scoring.protocols import find_protocol

Record = Mapping[str, Any]  # the content of a `run.json`


@dataclass(frozen=True)
class Origin:
    """What made the restorations of one method on one dataset.

    What may differ between restorations is a list of the different values: one, unless a run was continued
    with other code or on another machine.
    """

    dataset: str
    method: str
    title: str  # of the method, as in tables
    paper: str  # that describes the method
    protocol: str  # by which the restorations are scored
    protocol_title: str  # what the protocol does
    cases: int
    seeds: Sequence[int]
    settings: Mapping[str, Any]  # all, as they took effect
    # Those that differ from the method's defaults, which are the paper's where it prints them.
    changed: Mapping[str, Any]
    weights: Sequence[str]  # labels of pre-trained weights; none for methods without any
    cards: Sequence[str]  # paths of the model cards of these weights, as far as they are here
    code: Sequence[str]  # hashes of the method's code
    code_versions: Sequence[str]
    devices: Sequence[str]
    machines: Sequence[Mapping[str, Any]]  # see `benchmark.runs.machine.describe`
    versions: Sequence[Mapping[str, str]]  # of Python and the libraries
    command: str  # that repeats the restorations and compares the scores


@dataclass(frozen=True)
class Value:
    """The score of one restoration, and how the restoration ended."""

    case: str
    seed: int
    value: float  # NaN where there is none
    note: str  # why there is none
    status: str  # as in runs.csv
    reason: str  # why the status is not ok
    seconds: float
    config_hash: str  # of everything that decides the restoration
    observation: str  # hash of what the method saw
    image_sha256: str  # of the restored image; empty where there is none


@dataclass(frozen=True)
class Provenance:
    """Where the number of one method, dataset and metric comes from."""

    origin: Origin
    metric: str  # as in scores.csv
    values: Sequence[Value]  # a row per case and seed


def provenance(results: Path, dataset: str, method: str, metric: str) -> Provenance:
    """Collect where the number of a table comes from.

    Args:
        results: The results folder of a finished run.
        dataset: A dataset of its plan, with conditions if it has any.
        method: A method of its plan.
        metric: A metric as scores.csv names it, such as psnr or lpips-alex.

    Raises:
        InputError: The run is not finished, or there is no such dataset, method or metric; the message has
            the closest name.
    """
    plan, store = Plan.read(results), Store(results)
    plan.find_dataset(dataset)
    plan.find_method(method)
    if method not in plan.methods_on(dataset):
        raise InputError(
            f"{method} does not run on {dataset}; there are {', '.join(plan.methods_on(dataset))}"
        )
    scores = read_frame(store.scores, SCORE_COLUMNS)
    scores = scores[(scores.dataset == dataset) & (scores.method == method)]
    look_up(dict.fromkeys(scores.metric), metric, "metric")
    records = [
        record
        for record in read_records(plan, store)
        if (record["dataset"], record["method"]) == (dataset, method)
    ]
    return Provenance(
        origin(plan, dataset, method, records), metric, values(scores[scores.metric == metric], records)
    )


def origin(plan: Plan, dataset: str, method: str, records: Sequence[Record]) -> Origin:
    """Collect what made the restorations of a method on a dataset; `records` are theirs."""
    planned, spec = plan.methods[method], base_method(method)
    protocol = plan.datasets[dataset].protocol
    decides = [record.get("provenance", {}) for record in records]
    weights = _different(record.get("weights", "") for record in records)
    return Origin(
        dataset=dataset,
        method=method,
        title=method_title(method, plan.config["titles"]),
        paper=spec.paper,
        protocol=protocol,
        protocol_title=find_protocol(protocol).title,
        cases=len(plan.datasets[dataset].cases),
        seeds=plan.seeds,
        settings=planned.settings,
        changed=changed(spec.settings, planned.settings),
        weights=weights,
        cards=_cards(plan, dataset, method) if weights else (),
        code=_different(part.get("code", "") for part in decides),
        code_versions=_different(record.get("code_version", "") for record in records),
        devices=_different(record.get("device", "") for record in records),
        machines=_different(record.get("machine", {}) for record in records),
        versions=_different(record.get("versions", {}) for record in records),
        command=repeating(plan, dataset, method),
    )


def values(scores: pd.DataFrame, records: Iterable[Record]) -> list[Value]:
    """Join the scores of one method, dataset and metric with the records of its runs."""
    by_run = {(record["case"], record["seed"]): record for record in records}
    rows = []
    for row in scores.to_dict("records"):
        record = by_run.get((row["case"], row["seed"]), {})
        rows.append(
            Value(
                case=row["case"],
                seed=row["seed"],
                value=float(row["value"]),
                note=row["note"],
                status=record.get("status", ""),
                reason=record.get("reason", ""),
                seconds=record.get("seconds", math.nan),
                config_hash=record.get("config_hash", ""),
                observation=record.get("provenance", {}).get("observation", ""),
                image_sha256=record.get("image_sha256", ""),
            )
        )
    return rows


def repeating(plan: Plan, dataset: str, method: str) -> str:
    """Write the command that repeats the restorations of a method and compares their scores.

    >>> from benchmark.planning.config import make_plan
    >>> config = {"profile": "my", "caption": "A test.", "datasets": ["demo-uniform"]}
    >>> plan = make_plan({**config, "methods": {"blurry": {}}}, "my.yaml")
    >>> print(repeating(plan, "demo-uniform", "blurry"))
    blindbench ship my.csv --results results/my && blindbench verify my.csv --rows 'demo-uniform/blurry/*'
    """
    file = shlex.quote(f"{plan.config['profile']}.csv")
    rows = shlex.quote(f"{dataset}/{method}/*")
    return (
        f"blindbench ship {file} --results {shlex.quote(str(plan.results))}"
        f" && blindbench verify {file} --rows {rows}"
    )


def _cards(plan: Plan, dataset: str, method: str) -> list[str]:
    """Find the model cards of the weights that a method reads: they lie beside the weights."""
    spec = base_method(method)
    settings = method_settings(method, plan.methods[method].given, f"methods.{method}")
    files = {file for case in plan.datasets[dataset].cases for file in hashes.files_of(spec, settings, case)}
    records = {record for folder in {file.parent for file in files} for record in folder.glob("*.json")}
    names = {file.name for file in files}
    return sorted(
        str(record.with_suffix(".md"))
        for record in records
        if names & _weights_of(record) and record.with_suffix(".md").exists()
    )


def _weights_of(record: Path) -> set[str]:
    """Return the names of the files of weights that the record of a training lists."""
    try:
        return set(json.loads(record.read_text(encoding="utf-8"))["weights"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()  # a JSON file of something else


def _different(items: Iterable[Any]) -> list[Any]:
    """List the different values that are not empty, in order."""
    by_text = {json.dumps(item, sort_keys=True): item for item in items if item}
    return list(by_text.values())
