"""Scores of restorations, as one tidy table."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.files import replacing
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
    """One row per case and metric; `value` is missing where nothing can be compared, and `note` says why."""
    rows = []
    for case in cases:
        truth = store.read_truth(dataset, case)
        values = _score_case(
            store.case_folder(dataset, method, seed, case), truth, PROTOCOLS[protocol], metrics
        )
        for metric, value, note in values:
            rows.append((dataset, truth.group, case, method, seed, protocol, metric, value, note))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _score_case(
    folder: Path, truth: Truth, protocol: Protocol, metrics: Sequence[str]
) -> list[tuple[str, float, str]]:
    def empty(note: str) -> list[tuple[str, float, str]]:
        return [(protocol.metrics[metric][0], np.nan, note) for metric in metrics]

    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder}: not restored, or altered since; run `blindbench restore` first")
    if Status(record["status"]) is not Status.OK:
        return empty(f"{record['status']}: {record['reason']}")
    if truth.sharp is None:
        return empty("no sharp image exists")
    try:
        aligned = protocol.align(
            read_restored_image(folder).astype(np.float64), truth.sharp.astype(np.float64)
        )
    except InputError as error:
        return empty(str(error))
    scores = []
    for metric in metrics:
        variant, function = protocol.metrics[metric]
        try:
            scores.append((variant, function(aligned.estimate, aligned.reference), ""))
        except InputError as error:
            scores.append((variant, np.nan, str(error)))
    return scores


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
