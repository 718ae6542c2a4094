"""The files of shipped scores: a CSV with the rows of one profile, or a ledger, a folder that grows.

A ledger adds up the rows of many profiles and sessions. Its three compressed CSVs hold once what rows share:

    rows.csv.gz      a row per dataset, method, case and seed, sorted by these
    settings.csv.gz  the hash of settings, and the settings
    machines.csv.gz  the hash of a machine with its libraries, and both

`rows.csv.gz` is written last, and the others never lose what it names: a writer that is killed leaves the
ledger as it was.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.files import locked
from benchmark.core.hashes import digest
from benchmark.core.resources import here_or_shipped
from benchmark.scoring.csv_files import read_frame, write_frame
from benchmark.scoring.metrics import METRICS
from benchmark.scoring.shipped import JSON_COLUMNS, NAME_COLUMNS, ORIGIN_COLUMNS, metrics_of, row_name

ROWS = "rows.csv.gz"
# The file of what rows share: its columns, first the hash by which a row names it.
SHARED = {
    "settings.csv.gz": ("settings_hash", "settings"),
    "machines.csv.gz": ("machine_hash", "machine", "versions"),
}
ROW_KEY = ["dataset", "method", "case", "seed"]
ROW_COLUMNS = (
    *NAME_COLUMNS,
    *METRICS,
    *(column for column in ORIGIN_COLUMNS if column not in ("settings", "machine", "versions")),
    "machine_hash",
)
# What makes a row what it is, and how a message names it.
DECIDES = {
    "experiment_seed": "another experiment seed",
    "observation_hash": "another observation",
    "settings_hash": "other settings",
    "weights_hash": "other weights",
    "protocol": "another protocol",
}
ADVICE = "give what `blindbench ship` wrote, such as docs/results/demo.csv or results/reference"


def is_ledger(path: Path) -> bool:
    """Tell whether a path names a ledger and not one file: whatever does not end in .csv."""
    return path.suffix != ".csv"


def ledger_of(name: str) -> Path:
    """Return the ledger of a name, below results/: here, or as it ships."""
    return here_or_shipped(Path("results") / name)


def read_shipped(path: Path) -> pd.DataFrame:
    """Read shipped scores.

    Args:
        path: A CSV of shipped scores, or a ledger.

    Returns:
        As `benchmark.scoring.shipped.shipped_frame`.

    Raises:
        InputError: There is no such file or folder, or it holds no such scores.
    """
    if is_ledger(path):
        return _read_ledger(path)
    frame = read_frame(path, [*NAME_COLUMNS, *ORIGIN_COLUMNS], if_absent=ADVICE, if_wrong=ADVICE)
    return _with_values(_with_numbers(frame), path, JSON_COLUMNS)


def write_shipped(frame: pd.DataFrame, path: Path) -> None:
    """Write shipped scores as a CSV, or as a ledger that holds these rows and no others."""
    frame = _with_texts(frame, JSON_COLUMNS)
    if not is_ledger(path):
        write_frame(frame, path)
        return
    frame = frame.sort_values(ROW_KEY, kind="stable", ignore_index=True)
    frame["machine_hash"] = [digest(*texts) for texts in zip(frame.machine, frame.versions, strict=True)]
    _write_shared(frame, path, keep=True)  # the rows that are still there name those of before
    write_frame(frame.reindex(columns=list(ROW_COLUMNS)), path / ROWS)
    _write_shared(frame, path, keep=False)


def _write_shared(frame: pd.DataFrame, ledger: Path, *, keep: bool) -> None:
    """Write what rows share, sorted by its hash; `keep` says whether also what no row of `frame` has."""
    for name, columns in SHARED.items():
        shared = frame[list(columns)]
        if keep and (ledger / name).exists():
            shared = pd.concat([read_frame(ledger / name, columns, if_wrong=ADVICE), shared])
        write_frame(shared.drop_duplicates(columns[0]).sort_values(columns[0]), ledger / name)


def add(frame: pd.DataFrame, ledger: Path, *, replace: bool = False) -> dict[str, int]:
    """Add rows to a ledger, which is made if there is none.

    See `merged` for what becomes of rows that are there. A second process waits for the first.

    Returns:
        How many rows are 'new', 'changed' (replaced, or with more scores than before), and there in 'all'.

    Raises:
        InputError: As `merged`, or the ledger is damaged.
    """
    ledger.mkdir(parents=True, exist_ok=True)
    with locked(ledger / ".lock"):
        before = _read_ledger(ledger) if (ledger / ROWS).exists() else frame.iloc[:0]
        after = merged(before, frame, str(ledger), replace=replace)
        write_shipped(after, ledger)
    known = {row_name(row): _scored(row) for row in before.to_dict("records")}
    now = {row_name(row): _scored(row) for row in after.to_dict("records")}
    changed = sum(known[name] != now[name] for name in known)
    return {"new": len(now) - len(known), "changed": changed, "all": len(now)}


def merged(before: pd.DataFrame, frame: pd.DataFrame, where: str, *, replace: bool = False) -> pd.DataFrame:
    """Merge rows into those that are there.

    A row that is there stays where the new one was made from the same (`DECIDES`) by the same code, or has
    the same image: it only gains the scores that it lacks. A row without an image gives way to one with an
    image.

    Args:
        before: The rows that are there.
        frame: The new ones.
        where: Names the ledger in messages.
        replace: New rows take the place of those that they contradict.

    Raises:
        InputError: A row is there from other settings, another observation, other weights, by another
            protocol, or with another image by other code, and `replace` is not given.
    """
    there = {row_name(row): row for row in before.to_dict("records")}
    conflicts: dict[str, str] = {}  # row to what differs
    for row in frame.to_dict("records"):
        name = row_name(row)
        old = there.get(name)
        why = _conflict(old, row) if old else ""
        if why and not replace:
            conflicts[name] = why
        elif old is None or why or (not old["image_sha256"] and row["image_sha256"]):
            there[name] = row
        elif old["image_sha256"] == row["image_sha256"]:
            there[name] = _with_more_scores(old, row)
    if conflicts:
        name, why = next(iter(conflicts.items()))
        others = f" ({len(conflicts)} such rows)" if len(conflicts) > 1 else ""
        raise InputError(
            f"{where}: {name} is there with {why}{others}; add --replace to put the new rows in their place"
        )
    metrics = [name for name in METRICS if name in before or name in frame]
    return pd.DataFrame(list(there.values()), columns=[*NAME_COLUMNS, *metrics, *ORIGIN_COLUMNS])


def _conflict(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> str:
    """Say in what a row contradicts the one that is there; empty where it does not."""
    for column, what in DECIDES.items():
        if old[column] != new[column]:
            return what
    both_have_images = old["image_sha256"] and new["image_sha256"]
    if (
        both_have_images
        and old["code_hash"] != new["code_hash"]
        and old["image_sha256"] != new["image_sha256"]
    ):
        return "another image, by other code"
    return ""


def _with_more_scores(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> dict[Any, Any]:
    """Add the scores that a row lacks."""
    more = {name: new[name] for name in METRICS if pd.notna(new.get(name)) and pd.isna(old.get(name))}
    notes = {**new["notes"], **old["notes"]}
    return {**old, **more, "notes": {metric: note for metric, note in notes.items() if metric not in more}}


def _scored(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Return what tells whether a row has changed."""
    scores = (row.get(name) for name in METRICS)
    return row["image_sha256"], row["settings_hash"], row["observation_hash"], *map(_or_none, scores)


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value


def _read_ledger(ledger: Path) -> pd.DataFrame:
    """Read a ledger as `shipped_frame` has it; metrics that no row has are left out."""
    rows = read_frame(ledger / ROWS, [*NAME_COLUMNS, "machine_hash"], if_absent=ADVICE, if_wrong=ADVICE)
    for name, (key, *columns) in SHARED.items():
        shared = read_frame(ledger / name, [key, *columns], if_absent=ADVICE, if_wrong=ADVICE)
        lacking = rows[~rows[key].isin(shared[key])]
        if len(lacking):
            raise InputError(f"{ledger / name}: {key} {lacking[key].iloc[0]} is missing; {ADVICE}")
        rows = rows.merge(_with_values(shared, ledger / name, columns), "left", on=key)
    rows = _with_numbers(_with_values(rows, ledger / ROWS, ["notes"]).drop(columns="machine_hash"))
    noted = {metric for notes in rows.notes for metric in notes}
    used = [name for name in metrics_of(rows) if name in noted or rows[name].notna().any()]
    return rows[[*NAME_COLUMNS, *used, *ORIGIN_COLUMNS]]


def _with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Read the columns of metrics as numbers."""
    metrics = metrics_of(frame)
    return frame.assign(**{metric: pd.to_numeric(frame[metric], errors="coerce") for metric in metrics})


def _with_texts(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Write the values of columns as JSON."""
    return frame.assign(
        **{column: [json.dumps(value, sort_keys=True) for value in frame[column]] for column in columns}
    )


def _with_values(frame: pd.DataFrame, path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read the values of columns of JSON. Raises InputError where a text is none."""
    values: dict[str, list[Any]] = {column: [] for column in columns}
    for column, read in values.items():
        for line, text in enumerate(frame[column], start=2):
            try:
                read.append(json.loads(text))
            except ValueError as error:
                raise InputError(
                    f"{path}: line {line}: '{column}' is not JSON ({error}); {ADVICE}"
                ) from error
    return frame.assign(**values)
