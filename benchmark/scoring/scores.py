"""Scores of restorations, as one tidy table."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from benchmark.core.files import replacing
from benchmark.core.types import Array, InputError, Observation, Status, Truth
from benchmark.data.images import read_image
from benchmark.runs.store import (
    Store,
    read_kernel_field,
    read_kernels,
    read_record,
    read_restored_image,
    read_snapshots,
)
from benchmark.scoring.alignment import Image
from benchmark.scoring.metrics import Metric, Sight
from benchmark.scoring.protocols import PROTOCOLS, Protocol

Seen = tuple[Any, ...]  # a metric's arguments; empty when they lack

SCORE_COLUMNS = ("dataset", "group", "case", "method", "seed", "protocol", "metric", "value", "note")
CONVERGENCE_COLUMNS = (
    "dataset", "group", "case", "method", "seed", "iteration", "is_result", "seconds", "protocol", "metric",
    "value",
)  # fmt: skip
NAMES = {"case": str, "group": str}  # such as MS COCO's, which look like numbers
CONVERGENCE_METRICS = ("psnr", "ssim")  # as in configs
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
        sights = _sights(folder, store.read_observation(dataset, case), truth, rules)
        for metric in wanted:
            value, note = _score(metric, *sights[metric.sees])
            rows.append((dataset, truth.group, case, method, seed, protocol, metric.name, value, note))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def score_snapshots(
    store: Store,
    dataset: str,
    method: str,
    cases: Sequence[str],
    *,
    seed: int,
    protocol: str,
    snapshots: Collection[int],
) -> pd.DataFrame:
    """One row per case, iteration of `snapshots` and metric of `CONVERGENCE_METRICS`, and for the result.

    The result is the restoration, whose score is that of `score_method`, at the iteration that it is from:
    the last one, unless the method chose another. Cases that failed or have no sharp image have no rows.
    Raises InputError for a case that was not restored.
    """
    rows = []
    rules = PROTOCOLS[protocol]
    metrics = [rules.metric(asked) for asked in CONVERGENCE_METRICS]
    for case in cases:
        truth = store.read_truth(dataset, case)
        folder = store.case_folder(dataset, method, seed, case)
        record = _record(folder)
        if Status(record["status"]) is not Status.OK:
            continue
        points = [
            (snapshot.iteration, snapshot.seconds, snapshot.image.astype(np.float32) / np.float32(255))
            for snapshot in read_snapshots(folder)
            # After the last iteration the estimate is the result, wherever that is from.
            if snapshot.iteration in snapshots
            and snapshot.iteration < record["iterations"]
            and snapshot.iteration != record["returned"]
        ]
        points.append((record["returned"], record["seconds"], read_restored_image(folder)))
        for iteration, seconds, image in sorted(points, key=lambda point: point[0]):
            is_result = iteration == record["returned"]
            for metric, value in zip(metrics, score_image(image, truth, rules, metrics), strict=True):
                names = (dataset, truth.group, case, method, seed)
                rows.append((*names, iteration, is_result, seconds, protocol, metric.name, value))
    return pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS)).dropna(subset="value")


def score_image(image: Array, truth: Truth, protocol: Protocol, metrics: Sequence[Metric]) -> list[float]:
    """The values of full-reference metrics of (C, H, W); missing where there is nothing to compare."""
    pair, masked, reason = _aligned(image.astype(np.float64), truth, protocol)
    return [_score(metric, masked if metric.sees == "masked" else pair, reason)[0] for metric in metrics]


def _record(folder: Path) -> Mapping[str, Any]:
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder}: not restored, or altered since; run `blindbench restore` first")
    return record


def _score(metric: Metric, seen: Seen, reason: str) -> tuple[float, str]:
    """(value, note); the value is missing where there is nothing to see or the metric has none."""
    if not seen:
        return np.nan, reason
    try:
        return metric.function(*seen), ""
    except InputError as error:
        return np.nan, str(error)


def _sights(
    folder: Path, observation: Observation, truth: Truth, protocol: Protocol
) -> dict[Sight, tuple[Seen, str]]:
    """What each kind of metric sees of a restoration; nothing where something lacks, and the reason."""
    record = _record(folder)
    if Status(record["status"]) is not Status.OK:
        ended = ((), f"{record['status']}: {record['reason']}")
        return dict.fromkeys(get_args(Sight), ended)
    restored = read_restored_image(folder).astype(np.float64)
    kernels, reason = _kernels(read_kernels(folder), truth.kernels)
    blur = (observation.blurry, truth.sharp, *kernels)
    pair, masked, reason_against = _aligned(restored, truth, protocol)
    return {
        "pair": (pair, reason_against),
        "masked": (masked, reason_against),
        "image": ((restored,), ""),
        "kernels": (kernels, reason),
        "blur": ((), "no sharp image exists") if truth.sharp is None else (blur if kernels else (), reason),
        "field": _field(read_kernel_field(folder), observation, truth),
    }


def _aligned(restored: Image, truth: Truth, protocol: Protocol) -> tuple[Seen, Seen, str]:
    """(estimate, reference), the same with a mask, and the reason where there is no pair."""
    if truth.sharp is None and not truth.frames:
        return (), (), "no sharp image exists"
    try:
        aligned = protocol.align(restored, _references(truth))
    except InputError as error:
        return (), (), str(error)
    pair = (aligned.estimate, aligned.reference)
    return pair, () if aligned.mask is None else (*pair, aligned.mask), ""


def _references(truth: Truth) -> Iterator[Image]:
    """The sharp image or the sharp frames, one in memory at a time."""
    if truth.sharp is not None:
        yield truth.sharp.astype(np.float64)
    for path in truth.frames:
        yield read_image(path).astype(np.float64)


def _kernels(estimated: Array | None, true: Array | None) -> tuple[Seen, str]:
    if true is None:
        return (), "the true kernel is not known"
    if estimated is None:
        return (), "the method estimates no kernel"
    if len(estimated) != 1 or len(true) != 1:
        return (), "kernels are compared for uniform blur only"
    return (estimated[0], true[0]), ""


def _field(field: Array | None, observation: Observation, truth: Truth) -> tuple[Seen, str]:
    if truth.sharp is None:
        return (), "no sharp image exists"
    if field is None:
        return (), "the method estimates no kernel field"
    return (observation.blurry, truth.sharp, field), ""


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
        frame = pd.read_csv(path, keep_default_na=False, na_values={"value": [""]}, dtype=NAMES)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV table ({error})") from error
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(f"{path}: the column '{missing[0]}' is missing; delete the file and run again")
    if "value" in frame and len(frame) and not pd.api.types.is_numeric_dtype(frame["value"]):
        wrong = frame[pd.to_numeric(frame["value"], errors="coerce").isna() & frame["value"].notna()]
        raise InputError(
            f"{path}: line {wrong.index[0] + 2}: '{wrong['value'].iloc[0]}' is no value; "
            "delete the file and run again"
        )
    return frame
