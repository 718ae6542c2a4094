"""Which table and figure shows what: their definitions, and the papers' tables with their published numbers.

The numbers are as printed, in `published/*.csv`; `published/tables.yaml` says where each stands and what it
is compared with, `published/figures.yaml` what the papers' figures show.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from benchmark.schema import checked, did_you_mean, read_yaml
from benchmark.types import InputError
from methods import SHIPPED

FOLDER = Path(__file__).parent / "published"
PRETRAINED = "pretrain"  # folder of pre-trained networks, in a profile's results or beside them
DEVIATION = "_std"  # ends the name of a published metric's standard deviation


@dataclass(frozen=True)
class Column:
    """One metric."""

    title: str  # the paper's name, where a paper has one
    metric: str  # as in scores.csv; empty for published numbers that are no score


@dataclass(frozen=True)
class Block:
    """The columns of one dataset, or of one group of its cases."""

    title: str
    columns: tuple[Column, ...]
    dataset: str | None
    group: str | None = None  # all cases without one
    reason: str = ""  # why no dataset can fill the block, when it has none
    caption: str = ""
    methods: tuple[str, ...] = ()  # ours that have a row in it; without any, all rows of the table


@dataclass(frozen=True)
class Row:
    """One method."""

    title: str
    method: str | None  # ours; None where there are published numbers only


@dataclass(frozen=True)
class Published:
    """A published number as printed; empty where the paper has none."""

    value: str
    deviation: str = ""  # standard deviation over cases
    note: str = ""


@dataclass(frozen=True)
class Definition:
    """A table before any score: blocks of columns, rows, and what a paper printed in the cells."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    rows: tuple[Row, ...]
    # By the titles of block, row and column.
    published: Mapping[tuple[str, str, str], Published] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def datasets(self) -> list[str]:
        """The datasets that can fill it, each once."""
        return list(dict.fromkeys(block.dataset for block in self.blocks if block.dataset))


@dataclass(frozen=True)
class Grid:
    """A table of one score over two sets of conditions, such as noise and declared kernel size."""

    title: str
    dataset: str  # without conditions
    rows: Mapping[str, str]  # words to conditions, several joined by @; to nothing for the dataset as it is
    columns: Mapping[str, str]
    metric: str  # as in scores.csv
    caption: str = ""

    def cell(self, row: str, column: str) -> str:
        """The dataset whose scores stand in a cell."""
        return "@".join(filter(None, (self.dataset, self.rows[row], self.columns[column])))

    def definition(
        self, name: str, rows: Sequence[Row], running: Mapping[str, tuple[str, ...]]
    ) -> Definition:
        """A block per cell, row by row, each with the one column and the methods `running` in its row."""
        blocks = tuple(
            Block(
                self.heading(row, column),
                (Column(self.metric, self.metric),),
                self.cell(row, column),
                methods=running[row],
            )
            for row in self.rows
            for column in self.columns
        )
        return Definition(name, self.title, blocks, tuple(rows))

    @staticmethod
    def heading(row: str, column: str) -> str:
        """What a cell is called."""
        return f"{row}, {column}"


@dataclass(frozen=True)
class First:
    """Cases by their place, where their names are a user's."""

    count: int
    groups: tuple[str, ...] = ()  # of each; without any, of all cases together

    def of(self, groups: Mapping[str, str]) -> list[str]:
        """The first of the cases, which are given with their groups."""
        if not self.groups:
            return list(groups)[: self.count]
        by_group = [[case for case, group in groups.items() if group == name] for name in self.groups]
        return [case for cases in by_group for case in cases[: self.count]]


Kind = Literal[
    "comparison", "fields", "sensitivity", "pretraining", "conditions", "success", "gaps", "runs",
    "gradients", "landscape", "kernel-models",
]  # fmt: skip
WITHOUT_METHODS = ("pretraining", "gradients", "landscape", "kernel-models")


@dataclass(frozen=True)
class PaperFigure:
    """A figure of a paper: which cases and methods it shows, and how."""

    name: str
    title: str
    kind: Kind
    # Dataset to its cases; the first of these sets of which a profile has any is shown.
    cases: Sequence[Mapping[str, Sequence[str] | First]]
    # Words to dataset; the first of these sets of which a profile has any is shown. Of kinds with scores.
    conditions: Sequence[Mapping[str, str]]
    metrics: Sequence[str]  # as in scores.csv; of the same kinds
    methods: Sequence[str]  # ours, as far as they run
    sheets: str  # of a pre-training: the names of its sheets, as a shell pattern
    caption: str
    steps: int = 0  # of the fits of kernel priors

    @property
    def reads(self) -> str:
        """The table of a profile's results that it shows; empty where it shows something else."""
        tables = {"conditions": "scores", "success": "scores", "gaps": "convergence", "runs": "convergence"}
        return f"{tables[self.kind]}.csv" if self.kind in tables else ""

    def found_sheets(self, results: Path) -> list[Path]:
        """The sheets of finished pre-trainings: of the profile's `results`, else those that profiles share.

        Else those of the networks that ship. None for a figure of another kind.
        """
        if not self.sheets:
            return []
        for folder in (results / PRETRAINED, results.parent / PRETRAINED, SHIPPED):
            found = [path for path in folder.glob(self.sheets) if path.with_suffix(".json").is_file()]
            if found:
                return sorted(found)
        return []


def paper_figures() -> list[str]:
    """The names of the papers' figures."""
    return list(_figures()["figures"])


def paper_figure(name: str) -> PaperFigure:
    """The paper's figure called `name`. Raises InputError when there is none."""
    document = _figures()
    if name not in document["figures"]:
        raise InputError(f"unknown figure '{name}'. {did_you_mean(name, paper_figures())}")
    figure = document["figures"][name]
    table = paper_table(figure["table"])
    wanted = figure.get("rows", [row.title for row in table.rows])
    _require_known(name, "rows", wanted, [row.title for row in table.rows])
    of_table = [row.method for row in table.rows if row.method and row.title in wanted]
    methods = figure.get("methods", of_table)
    return PaperFigure(
        name=name,
        title=f"{table.title.partition(', Table')[0]}, Figure {figure['number']}: {figure['title']}",
        kind=figure["kind"],
        cases=[
            {dataset: _cases(chosen) for dataset, chosen in wanted.items()}
            for wanted in figure.get("cases", [])
        ],
        conditions=figure.get("conditions", []),
        metrics=figure.get("metrics", []),
        methods=[] if figure["kind"] in WITHOUT_METHODS else list(dict.fromkeys(methods)),
        sheets=figure.get("sheets", ""),
        caption=figure["caption"],
        steps=figure.get("steps", 0),
    )


def _cases(chosen: Sequence[str] | Mapping[str, Any]) -> Sequence[str] | First:
    return First(chosen["first"], tuple(chosen.get("of_each", ()))) if isinstance(chosen, Mapping) else chosen


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
    _require_known(name, "methods", list(table.get("methods", {})), titles)
    for key in ("row", "split", "metric"):
        wanted = [note[key] for note in table.get("notes", []) if key in note]
        _require_known(name, "notes", wanted, [entry[named_by if key == "row" else key] for entry in entries])

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
def _figures() -> dict[str, Any]:
    path = FOLDER / "figures.yaml"
    return checked(read_yaml(path), "figures", str(path))


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


def _require_known(table: str, what: str, words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            hint = did_you_mean(word, list(dict.fromkeys(known)))
            raise InputError(f"{table}: {what}: '{word}' is not among the published numbers. {hint}")
