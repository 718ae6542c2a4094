"""Which table and figure shows what: their definitions, and the papers' tables with their published numbers.

The numbers are as printed, in `papers/*.csv`; `papers/tables.yaml` says where each stands and what it
is compared with, `benchmark/figures/papers.yaml` what the papers' figures show.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.core.schema import checked, did_you_mean, read_yaml
from benchmark.core.types import InputError
from benchmark.tables.definition import Block, Column, Definition, Published, Row

FOLDER = Path(__file__).parent / "papers"
DEVIATION = "_std"  # ends the name of a published metric's standard deviation


def paper_tables() -> list[str]:
    """The names of the papers' tables."""
    return list(_definitions()["tables"])


def paper_table(name: str) -> Definition:
    """The paper's table called `name`. Raises InputError when there is none."""
    document = _definitions()
    if name not in document["tables"]:
        raise InputError(f"unknown table '{name}'. {did_you_mean(name, paper_tables())}")
    return define(name, document, FOLDER)


def define(name: str, document: Mapping[str, Any], folder: Path) -> Definition:
    """The table `name` of a document that follows `workflow/schemas/papers.schema.yaml`.

    Raises InputError for a published number that has no place in it or more than one, and for names that
    match no number.
    """
    table = document["tables"][name]
    paper = document["papers"][table["paper"]]
    named_by = table.get("rows", "method")
    entries = [
        entry for entry in _numbers(folder / paper["numbers"]) if entry["table"] == str(table["number"])
    ]
    titles = list(dict.fromkeys(entry[named_by] for entry in entries))
    methods = {**paper["methods"], **table.get("methods", {})}
    require_known(name, "methods", list(table.get("methods", {})), titles)
    for key in ("row", "split", "metric"):
        wanted = [note[key] for note in table.get("notes", []) if key in note]
        require_known(name, "notes", wanted, [entry[named_by if key == "row" else key] for entry in entries])

    published: dict[tuple[str, str, str], Published] = {}
    for block, entry in _placed(name, table["blocks"], entries):
        metric = entry["metric"].removesuffix(DEVIATION)
        place = (_title(block), entry[named_by], metric)
        if metric not in _metrics(table, block):
            raise InputError(
                f"{name}: metrics: '{metric}' is missing, which the paper has for {block['title']}"
            )
        known = published.get(place, Published(""))
        if entry["metric"] == metric:
            published[place] = Published(
                entry["value"], known.deviation, _note(table, entry, entry[named_by])
            )
        else:
            remark = entry["note"] and f"standard deviation: {entry['note']}"
            published[place] = Published(known.value, entry["value"], _joined(known.note, remark))
    rows = tuple(Row(title, methods.get(title)) for title in titles)
    row_notes, published = _split_off_row_notes(rows, published)
    blocks = tuple(
        Block(
            title=_title(block),
            columns=tuple(
                Column(document["titles"].get(title, title), metric)
                for title, metric in _metrics(table, block).items()
                if any((_title(block), row.title, title) in published for row in rows)
            ),
            dataset=block.get("dataset"),
            group=block.get("group"),
            reason=block.get("reason", ""),
        )
        for block in table["blocks"]
    )
    general = [note["text"] for note in table.get("notes", []) if not {"row", "split", "metric"} & set(note)]
    return Definition(
        name=name,
        title=f"{paper['title']}, Table {table['number']}: {table['title']}",
        blocks=blocks,
        rows=rows,
        published={
            (block, row, document["titles"].get(metric, metric)): number
            for (block, row, metric), number in published.items()
        },
        notes=(*general, *row_notes),
    )


@cache
def _definitions() -> dict[str, Any]:
    path = FOLDER / "tables.yaml"
    return checked(read_yaml(path), "papers", str(path))


@cache
def _numbers(path: Path) -> Sequence[Mapping[str, str]]:
    """The rows of a file of published numbers: paper, table, dataset, split, method, metric, value, note."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _title(block: Mapping[str, Any]) -> str:
    dataset = block.get("dataset")
    return f"{block['title']} ({dataset})" if dataset else str(block["title"])


def _metrics(table: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, str]:
    """The paper's metric to ours; to an empty name where there is none."""
    metrics = {**table["metrics"], **block.get("metrics", {})}
    return {paper: ours or "" for paper, ours in metrics.items()}


def _placed(
    name: str, blocks: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, str]]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, str]]]:
    """Each published number with the one block it stands in."""
    for entry in entries:
        places = [
            block
            for block in blocks
            if block["published"] == entry["dataset"] and block.get("split", entry["split"]) == entry["split"]
        ]
        if len(places) != 1:
            raise InputError(
                f"{name}: the numbers of {entry['dataset']}, {entry['split']} have {len(places)} blocks "
                "to stand in, not one"
            )
        yield places[0], entry


def _note(table: Mapping[str, Any], entry: Mapping[str, str], row: str) -> str:
    """What is remarked at a published number, in its file and in the definitions."""
    place = {"row": row, "split": entry["split"], "metric": entry["metric"]}
    matching = [
        note["text"]
        for note in table.get("notes", [])
        if set(place) & set(note) and all(note.get(key, value) == value for key, value in place.items())
    ]
    return _joined(entry["note"], *matching)


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _split_off_row_notes(
    rows: Sequence[Row], published: dict[tuple[str, str, str], Published]
) -> tuple[list[str], dict[tuple[str, str, str], Published]]:
    """A remark that all numbers of a row share is said once, under the table."""
    shared = {}
    for row in rows:
        parts = [number.note.split("; ") for key, number in published.items() if key[1] == row.title]
        common = [part for part in parts[0] if part and all(part in other for other in parts)]
        if common and len(parts) > 1:
            shared[row.title] = common
    stripped = {
        key: Published(
            number.value,
            number.deviation,
            "; ".join(part for part in number.note.split("; ") if part not in shared.get(key[1], [])),
        )
        for key, number in published.items()
    }
    notes = [f"{title}: {'; '.join(common)}" for title, common in shared.items()]
    return (["Rows of the paper: " + ". ".join(notes)] if notes else []), stripped


def require_known(table: str, what: str, words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            hint = did_you_mean(word, list(dict.fromkeys(known)))
            raise InputError(f"{table}: {what}: '{word}' is not among the published numbers. {hint}")
