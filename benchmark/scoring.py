"""Scores of restorations, as one tidy table."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.alignment import Image
from benchmark.files import replacing
from benchmark.metrics import Metric
from benchmark.protocols import PROTOCOLS, Protocol
from benchmark.store import Store, read_record, read_restored_image
from benchmark.types import InputError, Status, Truth

SCORE_COLUMNS = ("dataset", "group", "case", "method", "seed", "protocol", "metric", "value", "note")
RUN_COLUMNS = (
    "dataset", "case", "method", "seed", "status", "reason", "iterations", "seconds", "peak_memory_mib",
    "device", "weights", "config_hash", "code_version",
)  # fmt: skip


def score_method(
    store: Store,
    dataset: str,
    method: str,
    cases: Sequence[str],
    *,
    seed: int,
    protocol: str,
    metrics: Sequence[str],
) -> pd.DataFrame:
    """One row per case and metric; `value` is missing where there is none, and `note` says why.

    `protocol` and `metrics` are named as in configs. Raises InputError for an unknown metric and for a case
    that was not restored.
    """
    rows = []
    rules = PROTOCOLS[protocol]
    wanted = [rules.metric(asked) for asked in metrics]
    for case in cases:
        truth = store.read_truth(dataset, case)
        folder = store.case_folder(dataset, method, seed, case)
        for metric, value, note in _score_case(folder, truth, rules, wanted):
            rows.append((dataset, truth.group, case, method, seed, protocol, metric, value, note))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _score_case(
    folder: Path, truth: Truth, protocol: Protocol, metrics: Sequence[Metric]
) -> list[tuple[str, float, str]]:
    """(metric, value, note) for each metric."""
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder}: not restored, or altered since; run `blindbench restore` first")
    if Status(record["status"]) is not Status.OK:
        return [(metric.name, np.nan, f"{record['status']}: {record['reason']}") for metric in metrics]
    restored = read_restored_image(folder).astype(np.float64)
    pair, unpaired = _pair(restored, truth, protocol)
    scores = []
    for metric in metrics:
        images = pair if metric.needs_reference else (restored,)
        value, note = np.nan, unpaired
        if images:
            try:
                value, note = metric.function(*images), ""
            except InputError as error:
                note = str(error)
        scores.append((metric.name, value, note))
    return scores


def _pair(restored: Image, truth: Truth, protocol: Protocol) -> tuple[tuple[Image, ...], str]:
    """What full-reference metrics compare, (estimate, reference); or nothing, and the reason."""
    if truth.sharp is None:
        return (), "no sharp image exists"
    try:
        aligned = protocol.align(restored, truth.sharp.astype(np.float64))
    except InputError as error:
        return (), str(error)
    return (aligned.estimate, aligned.reference), ""


def runs_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per case and method: how it ended and what it cost."""
    return pd.DataFrame(list(records)).reindex(columns=list(RUN_COLUMNS))


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, values in full precision."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False)


def read_frame(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a CSV that `write_frame` wrote. Raises InputError when it is missing or its columns are others."""
    try:
        frame = pd.read_csv(path, keep_default_na=False, na_values={"value": [""]})
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV table ({error})") from error
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(f"{path}: the column '{missing[0]}' is missing; delete the file and run again")
    return frame
