"""The numbers that papers printed: read them from `papers/*.csv` and give each its place in a table.

`papers/tables.yaml` says where each number stands. Every number must have exactly one place.
"""

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.core.errors import InputError
from benchmark.core.schema import did_you_mean
from benchmark.tables.definition import Published

DEVIATION = "_std"  # ends the name of a published metric's standard deviation

Printed = Mapping[str, str]  # a row of a file: paper, table, dataset, split, method, metric, value, note
Place = tuple[str, str, str]  # the titles of block and row, and the paper's name of the metric


def printed_numbers(path: Path, table: str) -> list[Printed]:
    """Read the numbers that a file has for a table of its paper."""
    return [entry for entry in _all_numbers(path) if entry["table"] == table]


@cache
def _all_numbers(path: Path) -> Sequence[Printed]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def placed(name: str, table: Mapping[str, Any], entries: Sequence[Printed]) -> dict[Place, Published]:
    """Give each printed number its place in a table.

    Args:
        name: The table's name, for messages.
        table: Its entry in `papers/tables.yaml`.
        entries: Its printed numbers.

    Raises:
        InputError: A number has no place, or more than one.
    """
    row_key = table.get("rows", "method")
    published: dict[Place, Published] = {}
    for entry in entries:
        block = _block_of(name, table["blocks"], entry)
        metric = entry["metric"].removesuffix(DEVIATION)
        if metric not in metrics_of(table, block):
            raise InputError(
                f"{name}: metrics: '{metric}' is missing, which the paper has for {block['title']}"
            )
        place = (block_title(block), entry[row_key], metric)
        known = published.get(place, Published(""))
        if entry["metric"] == metric:
            note = _note(table, entry, entry[row_key])
            published[place] = Published(entry["value"], known.deviation, note)
        else:
            remark = entry["note"] and f"standard deviation: {entry['note']}"
            published[place] = Published(known.value, entry["value"], _joined(known.note, remark))
    return published


def block_title(block: Mapping[str, Any]) -> str:
    """Write a block's title: the paper's name of the dataset, with ours in brackets."""
    dataset = block.get("dataset")
    return f"{block['title']} ({dataset})" if dataset else str(block["title"])


def metrics_of(table: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, str]:
    """Map a block's metrics, named as in the paper, to ours; to an empty name where there is none."""
    metrics = {**table["metrics"], **block.get("metrics", {})}
    return {paper: ours or "" for paper, ours in metrics.items()}


def require_known(name: str, key: str, used: Sequence[str], known: Sequence[str]) -> None:
    """Raise InputError for a name used in a definition that matches no published number."""
    for title in used:
        if title not in known:
            hint = did_you_mean(title, list(dict.fromkeys(known)))
            raise InputError(f"{name}: {key}: '{title}' is not among the published numbers. {hint}")


def without_row_notes(
    rows: Sequence[str], published: Mapping[Place, Published]
) -> tuple[dict[Place, Published], list[str]]:
    """Take out the notes that all numbers of a row share.

    Args:
        rows: Titles of rows.
        published: The numbers with their places.

    Returns:
        The numbers with their other notes, and a note on the shared ones, if any, for below the table.
    """
    shared = {}
    for row in rows:
        parts = [number.note.split("; ") for place, number in published.items() if place[1] == row]
        common = [part for part in parts[0] if part and all(part in other for other in parts)]
        if common and len(parts) > 1:
            shared[row] = common
    stripped = {
        place: Published(
            number.value,
            number.deviation,
            "; ".join(part for part in number.note.split("; ") if part not in shared.get(place[1], [])),
        )
        for place, number in published.items()
    }
    notes = [f"{row}: {'; '.join(common)}" for row, common in shared.items()]
    return stripped, ["Rows of the paper: " + ". ".join(notes)] if notes else []


def _block_of(name: str, blocks: Sequence[Mapping[str, Any]], entry: Printed) -> Mapping[str, Any]:
    """Find the one block that a printed number stands in."""
    matches = [
        block
        for block in blocks
        if block["published"] == entry["dataset"] and block.get("split", entry["split"]) == entry["split"]
    ]
    if len(matches) != 1:
        raise InputError(
            f"{name}: the numbers of {entry['dataset']}, {entry['split']} have {len(matches)} blocks "
            "to stand in, not one"
        )
    return matches[0]


def _note(table: Mapping[str, Any], entry: Printed, row: str) -> str:
    """Join the notes on a printed number: that of its file, and those of the definition that match it."""
    place = {"row": row, "split": entry["split"], "metric": entry["metric"]}
    matches = [
        note["text"]
        for note in table.get("notes", [])
        if set(place) & set(note) and all(note.get(key, value) == value for key, value in place.items())
    ]
    return _joined(entry["note"], *matches)


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)
