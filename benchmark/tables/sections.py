"""Lay out the numbers of `benchmark.tables.summary` as the sections of a page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.runs.names import find_method, method_title
from benchmark.scoring.metrics import METRICS, gain_metrics
from benchmark.scoring.protocols import PROTOCOLS
from benchmark.tables.definition import Block, Column, Definition, Grid
from benchmark.tables.page import RANKS, Cell, Page, Section, with_full_stop
from benchmark.tables.summary import CONFIDENCE, FEWEST_CASES

Numbers = Mapping[Any, Any]  # a row of the table of numbers, see `TABLE_COLUMNS`
PUBLISHED_ONLY = "†"


def table_page(
    table: pd.DataFrame, definition: Definition, *, caption: str = "", notes: Sequence[str] = ()
) -> Page:
    """Lay out a table: a section per block of its definition.

    A metric without any value, ours or published, gets no column but a sentence with the reason.

    Args:
        table: The numbers, from `summary`.
        definition: The table's definition.
        caption: What every table says of the profile.
        notes: Sentences at the end, after the definition's own.
    """
    sections = [
        _block_section(block, table[table.block == block.title], is_paper=bool(definition.title))
        for block in definition.blocks
    ]
    own_notes = [with_full_stop(note) for note in definition.notes]
    return Page(definition.title, sections, caption, [*own_notes, *notes])


def grid_page(table: pd.DataFrame, grid: Grid, *, caption: str = "", notes: Sequence[str] = ()) -> Page:
    """Lay out a grid: a section per row of the grid, its methods over the conditions of its columns.

    Args:
        table: The numbers, from `summary` of the grid's definition.
        grid: The grid.
        caption: What every table says of the profile.
        notes: Sentences at the end.
    """
    return Page(grid.title, [_grid_section(table, grid, row) for row in grid.rows], caption, notes)


class _Footnotes:
    """Numbers texts in the order in which they first occur."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Return the number of a footnote; 0 for no text."""
        return self.numbers.setdefault(text, len(self.numbers) + 1) if text else 0

    def lines(self) -> list[tuple[int, str]]:
        """Return all footnotes with their numbers."""
        return [(number, text) for text, number in self.numbers.items()]


def _block_section(block: Block, cells: pd.DataFrame, is_paper: bool) -> Section:
    """Lay out a block; in a paper's table the rows have the paper's titles with our methods in brackets."""
    footnotes = _Footnotes()
    headings = ["Method"]
    rows: list[list[str | Cell]] = [
        [_row_title(row) if is_paper else str(row["row"])]
        for row in cells[cells.column == block.columns[0].title].to_dict("records")
    ]
    left_out: dict[str, list[str]] = {}  # reason to the metrics that have no column
    for column in block.columns:
        of_column = cells[cells.column == column.title]
        if not (of_column.cases > 0).any() and (of_column.published == "").all():
            reason = "; ".join(dict.fromkeys(note for note in of_column.note if note))
            left_out.setdefault(reason, []).append(_title(column))
            continue
        is_first = len(headings) == 1
        for heading, text in _printed_columns(column, of_column, footnotes, is_first):
            headings.append(heading)
            for row, numbers in zip(rows, of_column.to_dict("records"), strict=True):
                row.append(text(numbers))
    if (cells.runs > 0).any():
        headings += ["Cases", "Failed"]
        for row, of_row in zip(rows, _by_row(cells, len(rows)), strict=True):
            row += [_case_count(of_row), _failures(of_row)]
    remarks = [f"No column for {', '.join(names)}: {reason}" for reason, names in left_out.items()]
    if (cells.role == "published").any():
        remarks.append(f"{PUBLISHED_ONLY} published only: no such method here")
    lines = [*footnotes.lines(), *((0, remark) for remark in remarks)]
    return Section(block.title, block.caption, headings, rows, _legend(cells, headings), lines)


def _grid_section(table: pd.DataFrame, grid: Grid, row: str) -> Section:
    """Lay out a row of a grid: its methods over the conditions of the columns."""
    metric = METRICS[grid.metric]
    footnotes = _Footnotes()
    columns = [table[table.block == grid.heading(row, column)] for column in grid.columns]
    rows: list[list[str | Cell]] = [
        [str(cells[0]["row"]), *(_our_value(cell, metric.digits, footnotes) for cell in cells)]
        for cells in zip(*(cells.to_dict("records") for cells in columns), strict=True)
    ]
    headings = ["Method", *grid.columns]
    caption = f"{metric.heading}. {grid.caption}".rstrip()
    return Section(row, caption, headings, rows, _legend(pd.concat(columns), headings), footnotes.lines())


def _our_value(numbers: Numbers, digits: int, footnotes: _Footnotes) -> Cell:
    """Write our number with its interval and spread, or the footnote on why there is none."""
    text = ""
    if pd.notna(numbers["mean"]):
        text = f"{numbers['mean']:.{digits}f}"
        if pd.notna(numbers["low"]):
            text += f" [{numbers['low']:.{digits - 1}f}, {numbers['high']:.{digits - 1}f}]"
        if round(numbers["seed_deviation"], digits) > 0:
            text += f" ±{numbers['seed_deviation']:.{digits}f}"
    return Cell(text, numbers["rank"], footnotes.number(numbers["note"]))


def _published_value(numbers: Numbers, footnotes: _Footnotes) -> Cell:
    """Write the published number with its standard deviation; a dash where a note says why there is none."""
    text = numbers["published"] or ("–" if numbers["published_note"] else "")
    text += f" ({numbers['published_deviation']})" if numbers["published_deviation"] else ""
    return Cell(text, footnote=footnotes.number(numbers["published_note"]))


def _difference(value: float, digits: int) -> str:
    """Write a number with its sign; nothing for NaN."""
    return "" if pd.isna(value) else f"{value:+.{digits}f}".replace("-", "−")


def _printed_columns(
    column: Column, cells: pd.DataFrame, footnotes: _Footnotes, is_first: bool
) -> Iterator[tuple[str, Callable[[Numbers], str | Cell]]]:
    """Yield the printed columns of one metric: the heading, and a function from numbers to a cell.

    Only those that hold something: no gain without a floor, no difference without a number on both sides.
    """
    metric = METRICS.get(column.metric)
    digits = metric.digits if metric else 2
    has_published = bool((cells.published != "").any())
    if column.metric:
        heading = metric.heading if metric else column.title
        yield heading, lambda numbers: _our_value(numbers, digits, footnotes)
    if has_published:
        heading = f"{column.title}, paper" if column.metric else column.title
        yield heading, lambda numbers: _published_value(numbers, footnotes)
    if cells.difference.notna().any():
        heading = f"{column.title}, ours − paper"
        yield heading, lambda numbers: _difference(numbers["difference"], digits)
    if metric and not has_published and cells.gain.notna().any():
        yield f"Gain, {metric.unit}", lambda numbers: _difference(numbers["gain"], digits)
    # One such column is enough to read; the CSV has it for every metric.
    if is_first and (cells.seeds > 1).any():
        yield (
            f"{_title(column)}, worst seed",
            lambda numbers: (
                "" if pd.isna(numbers["seed_deviation"]) else f"{numbers['worst_seed']:.{digits}f}"
            ),
        )


def _title(column: Column) -> str:
    """Return the metric's title, or the paper's where this suite has no such metric."""
    metric = METRICS.get(column.metric)
    return metric.title if metric else column.title


def _row_title(row: Numbers) -> str:
    """Write a row's title in a paper's table: the paper's with our method in brackets, or our own."""
    if row["role"] == "published":
        return f"{row['row']} {PUBLISHED_ONLY}"
    is_ours = find_method(row["method"]) is not None and method_title(row["method"]) == row["row"]
    return str(row["row"]) if is_ours else f"{row['row']} ({row['method']})"


def _by_row(cells: pd.DataFrame, rows: int) -> list[list[Numbers]]:
    """Split the cells into the table's rows; `summary` has them row by row."""
    records: list[Numbers] = list(cells.to_dict("records"))
    columns = len(records) // rows
    return [records[start : start + columns] for start in range(0, len(records), columns)]


def _case_count(row: Sequence[Numbers]) -> str:
    """Write how many cases of a row were scored; nothing where nothing ran."""
    return str(max(cell["cases"] for cell in row)) if any(cell["runs"] for cell in row) else ""


def _failures(row: Sequence[Numbers]) -> str:
    """Write the failure rate of a row; nothing where nothing ran."""
    cell = max(row, key=lambda cell: int(cell["runs"]))
    if not cell["runs"]:
        return ""
    counts = f" ({cell['failed']} of {cell['runs']})" if cell["failed"] else ""
    return f"{cell['failure_rate']:.0%}{counts}"


def _legend(cells: pd.DataFrame, headings: Sequence[str]) -> list[str]:
    """Explain the numbers of a section, and only what it shows."""
    scored = cells[cells["mean"].notna()]
    several_seeds = bool((scored.seeds > 1).any())
    full_frame = [
        METRICS[name].title
        for name in scored.metric.unique()
        if name in METRICS and METRICS[name].inputs == "image"
    ]
    gain_headings = {f"Gain, {METRICS[name].unit}" for name in gain_metrics()}
    protocols = [f"Protocol {name}: {PROTOCOLS[name].title}" for name in cells.protocol.dropna().unique()]
    sentences = {
        "Mean over cases" + ", the seeds of a case averaged first" * several_seeds: len(scored) > 0,
        "Arrows point to better values": len(scored) > 0,
        f"In brackets the {CONFIDENCE:.0%} bootstrap interval over cases": scored.low.notna().any(),
        f"No interval for fewer than {FEWEST_CASES} cases": (scored.cases < FEWEST_CASES).any(),
        RANKS: (cells["rank"] != "").any(),
        "Gain: mean difference to the blurry input": bool(gain_headings & set(headings)),
        "After ±, the standard deviation of the seeds' means": several_seeds,
        f"{', '.join(full_frame)}: of the restored image alone, whole frame": len(full_frame) > 0,
        "Failed: share without an image, unsupported cases and missing weights aside": "Failed" in headings,
    }
    return [*protocols, *(sentence for sentence, applies in sentences.items() if applies)]
