"""Repeat restorations whose scores ship, and compare.

On the machine that made a row (the same CPU, threads and libraries) the image must have the same bytes and
every score the same value. On another machine the libraries round otherwise, and iterations amplify that:
each score must lie within a tolerance of the shipped one. `docs/verify.md` says how these were measured.
"""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from benchmark.core.errors import InputError
from benchmark.core.progress import Progress, Report
from benchmark.core.seeds import generator
from benchmark.core.types import Status
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.runs.names import base_method, preset_of
from benchmark.runs.restore import Shard, restore_shard
from benchmark.runs.settings import changed
from benchmark.runs.shards import Part
from benchmark.runs.store import Store, read_record
from benchmark.scoring.metrics import METRICS
from benchmark.scoring.protocols import find_protocol
from benchmark.scoring.scores import score_case
from benchmark.scoring.shipped import row_name
from methods.parts.registry import with_used
from methods.parts.settings import compose

# By metric, the largest difference between two machines that counts as agreement: twice the largest one in
# docs/results/other-cpus.csv, and at least half a unit of the last digit that tables print, rounded up. NIQE,
# BRISQUE and PIQE jump too far for one.
# Of methods that take long, or run one that does: they fit networks in float32, which amplifies the last bit.
OF_FITS: Mapping[str, float] = {
    "psnr": 6.0,
    "ssim": 0.12,
    "lpips-alex": 0.07,
    "vif": 0.5,
    "kernel-similarity": 0.3,
    "error-ratio": 1.5,
}
# Of all others.
OF_OTHERS: Mapping[str, float] = {
    "psnr": 0.005,
    "ssim": 0.0005,
    "lpips-alex": 0.0005,
    "vif": 0.0005,
    "kernel-similarity": 0.0005,
    "error-ratio": 0.005,
}
Row = Mapping[Any, Any]  # of shipped scores
# 'other bits': of an observation, whose last bits may differ between machines.
Verdict = Literal["same", "within tolerance", "other bits", "differs", "not verified"]


@dataclass(frozen=True)
class Check:
    """One thing of a row that was compared, or that could not be."""

    row: str  # its name, see `row_name`
    what: str  # the metric, or 'status', 'observation', 'image'
    verdict: Verdict
    shipped: float | str = ""
    now: float | str = ""
    difference: float | str = ""
    allowed: float | str = ""
    reason: str = ""  # why it could not be compared, or what else to know


def chosen_rows(
    shipped: pd.DataFrame, patterns: Sequence[str] = (), sample: int | None = None, seed: int = 0
) -> list[Row]:
    """Choose rows of shipped scores.

    Args:
        shipped: From `read_shipped`.
        patterns: Shell patterns on `row_name`; none means all rows.
        sample: How many of these to draw at random; None for all.
        seed: Seeds the draw.

    Raises:
        InputError: A pattern matches no row, or there are fewer rows than `sample`.
    """
    rows: list[Row] = list(shipped.to_dict("records"))
    names = [row_name(row) for row in rows]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise InputError(f"--rows {pattern}: no row matches; the first row is {names[0]}")
    if patterns:
        rows = [row for row, name in zip(rows, names, strict=True) if _matches(name, patterns)]
    if sample is None:
        return rows
    if sample > len(rows):
        raise InputError(f"--sample {sample}: there are {len(rows)} rows to draw from; ask for fewer")
    drawn = generator("verify", seed).choice(len(rows), sample, replace=False)
    return [rows[index] for index in sorted(drawn)]


def verify(
    rows: Sequence[Row],
    folder: Path,
    device: torch.device,
    set_threads: Callable[[int], None],
    report: Report,
) -> list[Check]:
    """Repeat rows: make the observation, restore, score, compare.

    Args:
        rows: From `chosen_rows`.
        folder: An empty folder for what is made on the way.
        device: Where to restore.
        set_threads: Sets the number of CPU threads to that of a row.
        report: Called with the progress of each row.

    Returns:
        The checks of each row, in order. A row that cannot be repeated has one check with the reason.
    """
    checks = []
    for number, row in enumerate(rows, start=1):
        name = row_name(row)
        set_threads(row["machine"]["threads"])
        try:
            named = _named(report, number, len(rows), name)
            checks += _compared(row, Store(folder / str(number)), device, named)
        except InputError as error:
            checks.append(Check(name, "", "not verified", reason=str(error)))
    return checks


def table_of(checks: Sequence[Check]) -> list[dict[str, str]]:
    """Lay out checks for people, a row each."""
    return [
        {
            "row": check.row,
            "compared": check.what,
            "shipped": str(check.shipped),
            "now": str(check.now),
            "difference": str(check.difference),
            "allowed": str(check.allowed),
            "verdict": check.verdict,
        }
        for check in checks
    ]


def reasons(checks: Sequence[Check]) -> list[str]:
    """List why rows, or single metrics, were not verified; one line for a metric that all rows lack."""
    missing = [check for check in checks if check.verdict == "not verified"]
    lines = (f"{check.what or check.row}: not verified: {check.reason}" for check in missing)
    return list(dict.fromkeys(lines))


def exit_code(checks: Sequence[Check]) -> int:
    """Return 1 where something differs, else 2 where a row could not be repeated, else 0.

    A metric that has no value here, such as one whose weights are missing, changes nothing.
    """
    if any(check.verdict == "differs" for check in checks):
        return 1
    return 2 if any(check.verdict == "not verified" and not check.what for check in checks) else 0


def _compared(row: Row, store: Store, device: torch.device, report: Report) -> list[Check]:
    """Repeat one row and compare it. Raises InputError where it cannot be repeated."""
    record = _repeated(row, store, device, report)
    if record["status"] == Status.WEIGHTS_MISSING.value != row["status"]:
        raise InputError(record["reason"])
    # The hash is of all files of a folder. Weights of other sizes that came into it change neither the label
    # nor, on the same machine, the image.
    is_alike = record["weights"] == row["weights"] or record.get("image_sha256", "") == row["image_sha256"]
    if record["provenance"]["weights"] != row["weights_hash"] and not is_alike:
        raise InputError("the pre-trained weights here are others than the shipped row's")
    same_machine = all(record[key] == row[key] for key in ("machine", "versions", "device"))
    checks = [_equal(row, "status", row["status"], record["status"])]
    made = record["provenance"]["observation"]
    observation = _equal(row, "observation", row["observation_hash"], made)
    if observation.verdict == "differs" and not same_machine:
        observation = replace(observation, verdict="other bits")
    checks.append(observation)
    if same_machine:
        checks.append(_equal(row, "image", row["image_sha256"], record.get("image_sha256", ""), shown=12))
    metrics = [name for name in METRICS if pd.notna(row.get(name)) or name in row["notes"]]
    scores = score_case(
        store,
        row["dataset"],
        row["method"],
        row["case"],
        seed=row["seed"],
        protocol=find_protocol(row["protocol"]),
        metrics=[METRICS[metric] for metric in metrics],
    )
    allowed = dict.fromkeys(metrics, 0.0) if same_machine else tolerances(row["method"], row["settings"])
    return checks + [
        _score(row, metric, *scores[metric], allowed=allowed.get(metric))
        for metric in metrics
        if pd.notna(row[metric]) or pd.notna(scores[metric][0])
    ]


def tolerances(method: str, settings: Mapping[str, Any]) -> Mapping[str, float]:
    """Return how far each score of a method may lie from that of another machine.

    Args:
        method: <method>, <method>@<setting> or <method>@<preset>.
        settings: All its settings.
    """
    base = base_method(method)
    run = with_used(base, compose(base.settings, **settings))
    return OF_FITS if any(each.cost == "long" for each, _ in run) else OF_OTHERS


def _repeated(row: Row, store: Store, device: torch.device, report: Report) -> dict[str, Any]:
    """Make the observation of a row and restore it; return the record of the run."""
    dataset = find_dataset(row["dataset"])
    if row["case"] not in dataset.entries:
        raise InputError(f"{dataset.path}: there is no case '{row['case']}'")
    seed = row["experiment_seed"]
    store.write_observation(*observe(make_case(dataset, row["case"], seed), seed))
    shard = Shard(
        row["method"],
        [Part(row["dataset"], row["seed"], [row["case"]])],
        experiment_seed=seed,
        overrides=changed(base_method(row["method"]).settings, row["settings"], preset_of(row["method"])),
    )
    restore_shard(store, shard, device, report)
    record = read_record(store.case_folder(row["dataset"], row["method"], row["seed"], row["case"]))
    assert record is not None  # the shard has just been restored
    return record


def _equal(row: Row, what: str, shipped: str, now: str, shown: int | None = None) -> Check:
    """Compare two texts, such as hashes; `shown` is how many characters the table shows."""
    verdict: Verdict = "same" if shipped == now else "differs"
    return Check(row_name(row), what, verdict, shipped[:shown], now[:shown])


def _score(row: Row, metric: str, now: float, note: str, *, allowed: float | None) -> Check:
    """Compare a score; without `allowed` no tolerance is known."""
    shipped, digits = float(row[metric]), METRICS[metric].digits + 2
    check = Check(row_name(row), metric, "same", round(shipped, digits), round(now, digits))
    if np.isnan(shipped) or np.isnan(now):
        reason = note or row["notes"].get(metric, "")
        return replace(check, verdict="not verified", reason=reason)
    if shipped == now:
        return replace(check, difference=0.0, allowed=allowed or 0.0)
    check = replace(check, difference=round(now - shipped, digits))
    if allowed is None:
        return replace(check, verdict="not verified", reason="no tolerance between machines is known")
    agrees = abs(now - shipped) <= allowed
    return replace(check, allowed=allowed, verdict="within tolerance" if agrees else "differs")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _named(report: Report, number: int, count: int, name: str) -> Report:
    """Report progress under the name and the number of a row."""

    def under_its_name(step: Progress) -> None:
        report(replace(step, name=f"{number}/{count} {name}"))

    return under_its_name
