"""The definitions of the papers' tables, from `papers/tables.yaml`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.core.schema import checked, look_up, read_yaml
from benchmark.tables.definition import BestOf, Block, Column, Definition, Row
from benchmark.tables.published import (
    block_title,
    metrics_of,
    placed,
    printed_numbers,
    require_known,
    without_row_notes,
)

FOLDER = Path(__file__).parent / "papers"
NO_STAND_INS: Mapping[str, str] = {}


def paper_tables() -> list[str]:
    """List the names of the papers' tables."""
    return list(_document()["tables"])


def paper_table(name: str, stand_ins: Mapping[str, str] = NO_STAND_INS) -> Definition:
    """Return the definition of a paper's table.

    Args:
        name: The table's name.
        stand_ins: Dataset of the paper to the one that is shown in its place, as in a config.

    Raises:
        InputError: There is no such table.
    """
    document = _document()
    look_up(document["tables"], name, "table")
    return define(name, document, FOLDER).with_stand_ins(stand_ins)


def paper_of(key: str) -> Mapping[str, Any]:
    """Return a paper's title, file of printed numbers and rows. Raises InputError when there is none."""
    paper: Mapping[str, Any] = look_up(_document()["papers"], key, "paper")
    return paper


def define(name: str, document: Mapping[str, Any], folder: Path) -> Definition:
    """Make the definition of a paper's table.

    Args:
        name: The table's name.
        document: Follows `workflow/schemas/papers.schema.yaml`.
        folder: Holds the CSV files with the printed numbers.

    Raises:
        InputError: A printed number has no place in the table, or more than one; or a name in the document
            matches no number.
    """
    table = document["tables"][name]
    paper = document["papers"][table["paper"]]
    row_key = table.get("rows", "method")
    entries = printed_numbers(folder / paper["numbers"], str(table["number"]))
    titles = list(dict.fromkeys(entry[row_key] for entry in entries))
    require_known(name, "methods", list(table.get("methods", {})), titles)
    for key, column in (("row", row_key), ("split", "split"), ("metric", "metric")):
        named = [note[key] for note in table.get("notes", []) if key in note]
        require_known(name, "notes", named, [entry[column] for entry in entries])

    ablations = table.get("ablations", [])
    require_known(name, "ablations", [row for rows in ablations for row in rows], titles)

    published, row_notes = without_row_notes(titles, placed(name, table, entries))
    headings: Mapping[str, str] = document["titles"]
    filled = {(block, metric) for block, _, metric in published}
    methods = {**paper["methods"], **table.get("methods", {})}
    return Definition(
        name=name,
        title=f"{paper['title']}, Table {table['number']}: {table['title']}",
        blocks=tuple(
            Block(
                title=block_title(block),
                columns=tuple(
                    Column(headings.get(title, title), metric)
                    for title, metric in metrics_of(table, block).items()
                    if (block_title(block), title) in filled
                ),
                dataset=block.get("dataset"),
                group=block.get("group"),
                reason=block.get("reason", ""),
            )
            for block in table["blocks"]
        ),
        rows=tuple(Row(title, methods.get(title)) for title in titles),
        published={
            (block, row, headings.get(metric, metric)): number
            for (block, row, metric), number in published.items()
        },
        notes=(*_table_notes(table), *row_notes),
        ablations=tuple(tuple(rows) for rows in ablations),
        best_of=BestOf(**table["best_of"]) if "best_of" in table else None,
    )


def _table_notes(table: Mapping[str, Any]) -> list[str]:
    """List the notes on a whole table; the others are footnotes."""
    notes = table.get("notes", [])
    return [note["text"] for note in notes if not {"row", "split", "metric"} & set(note)]


@cache
def _document() -> dict[str, Any]:
    path = FOLDER / "tables.yaml"
    return checked(read_yaml(path), "papers", str(path))
