"""Lay out the numbers of `benchmark.tables.summary` as the sections of a page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.runs.names import find_method, method_title
from benchmark.scoring.metrics import METRICS, gain_metrics
from benchmark.scoring.protocols import PROTOCOLS
from benchmark.tables.definition import Block, Column, Definition, Grid
from benchmark.tables.missing import share
from benchmark.tables.notes import Notes, placed
from benchmark.tables.page import RANKS, Cell, Page, Section, with_full_stop
from benchmark.tables.paired import MARKS
from benchmark.tables.resampling import CONFIDENCE, FEWEST_CASES
from benchmark.tables.summary import prefers_blur

Numbers = Mapping[Any, Any]  # a row of the table of numbers, see `TABLE_COLUMNS`
Remarks = Mapping[str, Sequence[str]]  # title of a section to sentences without a full stop
NO_REMARKS: Remarks = {}
PUBLISHED_ONLY = "†"
WORST_CASE = "worst case"
BELOW_FLOOR = "Worse than blurry"


def table_page(
    table: pd.DataFrame,
    definition: Definition,
    *,
    caption: str = "",
    remarks: Remarks = NO_REMARKS,
    notes: Sequence[str] = (),
) -> Page:
    """Lay out a table: a section per block of its definition.

    A metric without any value, ours or published, gets no column but a sentence with the reason.

    Args:
        table: The numbers, from `summary`.
        definition: The table's definition.
        caption: What every table says of the profile.
        remarks: Title of a block to what its section says below its table.
        notes: Sentences at the end, after the definition's own, without a full stop.
    """
    is_paper = bool(definition.title)
    sections = [
        _block_section(block, table[table.block == block.title], remarks.get(block.title, ()), is_paper)
        for block in definition.blocks
    ]
    own_notes = [with_full_stop(note) for note in (*definition.notes, *notes)]
    return Page(definition.title, sections, caption, own_notes)


def grid_page(table: pd.DataFrame, grid: Grid, *, caption: str = "", remarks: Remarks = NO_REMARKS) -> Page:
    """Lay out a grid: a section per row of the grid, its methods over the conditions of its columns.

    Args:
        table: The numbers, from `summary` of the grid's definition.
        grid: The grid.
        caption: What every table says of the profile.
        remarks: Title of a block, which is a cell of the grid, to what its section says below its table.
    """
    return Page(grid.title, [_grid_section(table, grid, row, remarks) for row in grid.rows], caption)


def _block_section(block: Block, cells: pd.DataFrame, remarks: Sequence[str], is_paper: bool) -> Section:
    """Lay out a block; in a paper's table the rows have the paper's titles with our methods in brackets."""
    ours = cells[(cells.role != "published") & (cells.metric != "")]
    notes = _notes(ours, "column")
    rows = [
        [Cell(_row_title(row[0]) if is_paper else str(row[0]["row"]), note=_about_row(row, notes))]
        for row in _by_row(cells, block)
    ]
    headings, left_out = [Cell("Method")], []
    for column in block.columns:
        of_column = cells[cells.column == column.title]
        if not (of_column.cases > 0).any() and (of_column.published == "").all():
            left_out.append(column)
            continue
        for heading, text in _printed_columns(column, of_column, notes, is_first=len(headings) == 1):
            headings.append(heading)
            for row, numbers in zip(rows, of_column.to_dict("records"), strict=True):
                row.append(text(numbers))
    if (cells.runs > 0).any():
        headings += [Cell("Cases"), Cell("Failed")]
        for row, of_row in zip(rows, _by_row(cells, block), strict=True):
            row += [_case_count(of_row), _failures(of_row)]
    below = [
        *remarks,
        f"Our numbers: {notes.table}" if notes.table else "",
        *_left_out(left_out, ours, notes),
        *(_prefers_blur(column, cells) for column in block.columns if column not in left_out),
        f"{PUBLISHED_ONLY} published only: no such method here" if "published" in set(cells.role) else "",
    ]
    legend = _legend(cells, [heading.text for heading in headings])
    return Section(block.title, block.caption, headings, rows, legend, list(filter(None, below)))


def _grid_section(table: pd.DataFrame, grid: Grid, row: str, remarks: Remarks) -> Section:
    """Lay out a row of a grid: its methods over the conditions of the columns."""
    metric = METRICS[grid.metric]
    titles = {grid.heading(row, column): column for column in grid.columns}
    cells = table[table.block.isin(list(titles))]
    notes = _notes(cells, "block")
    columns = [cells[cells.block == title].to_dict("records") for title in titles]
    rows = [
        [
            Cell(str(of_row[0]["row"]), note=_about_row(of_row, notes)),
            *(_our_value(numbers, metric.digits, _about_cell(numbers, "block", notes)) for numbers in of_row),
        ]
        for of_row in zip(*columns, strict=True)
    ]
    headings = [
        Cell("Method"),
        *(Cell(column, note=notes.columns.get(title, "")) for title, column in titles.items()),
    ]
    caption = f"{metric.heading}. {grid.caption}".rstrip()
    said: dict[str, list[str]] = {}  # remark to the columns that it is true of
    for title, column in titles.items():
        for remark in remarks.get(title, ()):
            said.setdefault(remark, []).append(column)
    below = [
        remark if len(names) == len(titles) else f"{', '.join(names)}: {remark}"
        for remark, names in said.items()
    ]
    below += [f"Our numbers: {notes.table}"] if notes.table else []
    return Section(row, caption, headings, rows, _legend(cells, list(grid.columns)), below)


def _notes(ours: pd.DataFrame, columns: str) -> Notes:
    """Place the reasons for missing numbers of ours; `columns` names the key of the printed columns.

    Rows without any image have none: they say why there is no image.
    """
    records = ours[(ours.runs == 0) | (ours.failed < ours.runs)].to_dict("records")
    return placed({(str(numbers["row"]), str(numbers[columns])): str(numbers["note"]) for numbers in records})


def _about_row(row: Sequence[Numbers], notes: Notes) -> str:
    """Say what holds for all numbers of a row: the weights behind them, and why they are missing."""
    labels = dict.fromkeys(numbers["weights"] for numbers in row if numbers["weights"])
    weights = f"with the weights {', '.join(labels)}" if labels else ""
    return _joined(weights, notes.rows.get(str(row[0]["row"]), ""))


def _about_cell(numbers: Numbers, columns: str, notes: Notes) -> str:
    """Say what holds for one number, in tables without a column for failures also why images are missing."""
    failures = str(numbers["failures"]) if columns == "block" else ""
    return _joined(failures, notes.cells.get((str(numbers["row"]), str(numbers[columns])), ""))


def _joined(*sentences: str) -> str:
    return ". ".join(filter(None, sentences))


def _left_out(columns: Sequence[Column], ours: pd.DataFrame, notes: Notes) -> Iterator[str]:
    """Write a sentence for each reason why metrics have no column; it names the rows where reasons differ."""
    metrics: dict[str, list[str]] = {}  # reason to the metrics that have no column
    for column in columns:
        rows: dict[str, list[str]] = {}
        for numbers in ours[ours.column == column.title].to_dict("records"):
            if numbers["note"] and str(numbers["row"]) not in notes.rows:
                rows.setdefault(numbers["note"], []).append(str(numbers["row"]))
        *first, last = rows or ["no restoration has an image"]
        reasons = [*(f"{reason} ({', '.join(rows[reason])})" for reason in first)]
        reasons.append(f"{last} (the others)" if first else last)
        metrics.setdefault("; ".join(reasons), []).append(_title(column))
    if not notes.table:
        yield from (f"No column for {', '.join(names)}: {reason}" for reason, names in metrics.items())


def _prefers_blur(column: Column, cells: pd.DataFrame) -> str:
    """Say which metric finds the true kernel's result worse than the blurry input; empty for the others."""
    metric, of_column = METRICS.get(column.metric), cells[cells.column == column.title]
    if metric is None or not prefers_blur(of_column, metric):
        return ""
    means = [of_column[of_column.role == role].iloc[0] for role in ("floor", "ceiling")]
    floor, ceiling = (f"{cell['row']} ({cell['mean']:.{metric.digits}f})" for cell in means)
    return f"{metric.title} marks no best value: it finds {floor} better than {ceiling}"


def _number(value: float, digits: int | None) -> str:
    """Write a number; without `digits`, as of a value that is no score, with four significant ones."""
    return f"{value:.4g}" if digits is None else f"{value:.{digits}f}"


def _our_value(numbers: Numbers, digits: int | None, note: str) -> Cell:
    """Write our number with its interval, its spread, and how many restorations have a score if not all."""
    text = ""
    if pd.notna(numbers["mean"]):
        text = _number(numbers["mean"], digits)
        if pd.notna(numbers["low"]):
            coarse = None if digits is None else digits - 1
            text += f" [{_number(numbers['low'], coarse)}, {_number(numbers['high'], coarse)}]"
        if digits is not None and round(numbers["seed_deviation"], digits) > 0:
            text += f" ±{_number(numbers['seed_deviation'], digits)}"
        text += share(numbers["scored"], numbers["runs"])
        if numbers["versus_baseline"]:
            text += f" {MARKS[numbers['versus_baseline']]}"
    return Cell(text, numbers["rank"], note=note)


def _published_value(numbers: Numbers) -> Cell:
    """Write the published number with its standard deviation; a dash where a note says why there is none."""
    text = numbers["published"] or ("–" if numbers["published_note"] else "")
    text += f" ({numbers['published_deviation']})" if numbers["published_deviation"] else ""
    return Cell(text, note=numbers["published_note"])


def _difference(value: float, digits: int | None) -> str:
    """Write a number with its sign; nothing for NaN."""
    if pd.isna(value):
        return ""
    return ("−" if value < 0 else "+") + _number(abs(value), digits)


def _printed_columns(
    column: Column, cells: pd.DataFrame, notes: Notes, is_first: bool
) -> Iterator[tuple[Cell, Callable[[Numbers], Cell]]]:
    """Yield the printed columns of one metric: the heading, and a function from numbers to a cell.

    Only those that hold something: no gain without a floor, no difference without a number on both sides.
    """
    metric = METRICS.get(column.metric)
    digits = metric.digits if metric else None
    has_published = bool((cells.published != "").any())
    if column.metric:
        heading = Cell(metric.heading if metric else column.title, note=notes.columns.get(column.title, ""))
        yield heading, lambda numbers: _our_value(numbers, digits, _about_cell(numbers, "column", notes))
    if has_published:
        yield Cell(f"{column.title}, paper" if column.metric else column.title), _published_value
    if cells.difference.notna().any():
        heading = Cell(f"{column.title}, ours − paper")
        yield heading, lambda numbers: Cell(_difference(numbers["difference"], digits))
    if metric and not has_published and cells.gain.notna().any():
        yield Cell(f"Gain, {metric.unit}"), lambda numbers: Cell(_difference(numbers["gain"], digits))
    # One such column is enough to read; the CSV has them for every metric.
    if is_first and metric and (cells.runs > 1).any():
        yield (
            Cell(f"{_title(column)}, {WORST_CASE}"),
            lambda numbers: Cell(
                "" if pd.isna(numbers["worst_case"]) else _number(numbers["worst_case"], digits)
            ),
        )
    if is_first and cells.below_floor.notna().any():
        yield Cell(BELOW_FLOOR), _share_below_floor
    if is_first and (cells.seeds > 1).any():
        yield (
            Cell(f"{_title(column)}, worst seed"),
            lambda numbers: Cell(
                "" if pd.isna(numbers["seed_deviation"]) else _number(numbers["worst_seed"], digits)
            ),
        )


def _share_below_floor(numbers: Numbers) -> Cell:
    """Write which share of a row's restorations is worse than the blurry input; nothing for that itself."""
    if pd.isna(numbers["below_floor"]):
        return Cell("")
    count, runs = int(numbers["below_floor"]), numbers["runs"]
    return Cell(f"{count / runs:.0%}" + (f" ({count} of {runs})" if count else ""))


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


def _by_row(cells: pd.DataFrame, block: Block) -> list[list[Numbers]]:
    """Split the cells into the table's rows; `summary` has them row by row."""
    records: list[Numbers] = list(cells.to_dict("records"))
    columns = len(block.columns)
    return [records[start : start + columns] for start in range(0, len(records), columns)]


def _case_count(row: Sequence[Numbers]) -> Cell:
    """Write how many cases of a row have a score, and of how many; nothing where nothing ran."""
    cell = max(row, key=lambda cell: int(cell["cases"]))
    if not any(cell["runs"] for cell in row):
        return Cell("")
    asked = cell["asked_cases"]
    return Cell(f"{cell['cases']} of {asked}" if cell["cases"] < asked else str(asked))


def _failures(row: Sequence[Numbers]) -> Cell:
    """Write the failure rate of a row and the reasons; nothing where nothing ran."""
    cell = max(row, key=lambda cell: int(cell["runs"]))
    if not cell["runs"]:
        return Cell("")
    counts = f" ({cell['failed']} of {cell['runs']})" if cell["failed"] else ""
    return Cell(f"{cell['failure_rate']:.0%}{counts}", note=cell["failures"])


def _legend(cells: pd.DataFrame, headings: Sequence[str]) -> list[str]:
    """Explain the numbers of a section, and only what it shows."""
    scored = cells[cells["mean"].notna() & (cells.runs > 0)]
    several_seeds = bool((scored.seeds > 1).any())
    full_frame = [
        METRICS[name].title
        for name in scored.metric.unique()
        if name in METRICS and METRICS[name].inputs == "image"
    ]
    gain_headings = {f"Gain, {METRICS[name].unit}" for name in gain_metrics()}
    protocols = [f"Protocol {name}: {PROTOCOLS[name].title}" for name in cells.protocol.dropna().unique()]
    sentences = {
        f"Mean over {_mean_over(scored)}" + ", the seeds of a case averaged first" * several_seeds: len(
            scored
        )
        > 0,
        "Arrows point to better values": len(scored) > 0,
        f"In brackets the {CONFIDENCE:.0%} bootstrap interval over cases"
        + " and, within a case, seeds" * several_seeds: scored.low.notna().any(),
        f"No interval for fewer than {FEWEST_CASES} cases": (scored.asked_cases < FEWEST_CASES).any(),
        RANKS: (cells["rank"] != "").any(),
        "Gain: mean difference to the blurry input": bool(gain_headings & set(headings)),
        "Ours − paper: only where ours has all cases of the dataset": len(scored) > 0
        and any("ours −" in text for text in headings),
        "Worst case: of single restorations, also of one that failed": any(
            text.endswith(WORST_CASE) for text in headings
        ),
        f"{BELOW_FLOOR}: share of restorations with an image below their input by {_first(cells)}": (
            BELOW_FLOOR in headings
        ),
        "After ±, the standard deviation of the seeds' means": several_seeds,
        f"{', '.join(full_frame)}: of the restored image alone, whole frame": len(full_frame) > 0,
        **dict.fromkeys(_about_counts(scored), True),
        "Failed: share of restorations that ended without an image, for whatever reason": "Failed"
        in headings,
    }
    return [*protocols, *(sentence for sentence, applies in sentences.items() if applies)]


def _first(cells: pd.DataFrame) -> str:
    """Return the title of the first metric that a section shows."""
    shown = cells[cells["mean"].notna()]
    metric = str(shown.metric.iloc[0]) if len(shown) else ""
    return METRICS[metric].title if metric in METRICS else metric


def _mean_over(scored: pd.DataFrame) -> str:
    """Say over how many cases the means of a section are, and of how many; several blocks may differ."""
    blocks: dict[str, list[str]] = {}  # what is said to the blocks that it is true of
    for block in scored.drop_duplicates("block").to_dict("records"):
        asked, every = block["asked_cases"], block["all_cases"]
        part = f"only {asked} of {every:.0f} cases, which the config selects"
        whole = f"{asked} case{'s' * (asked > 1)}"
        blocks.setdefault(part if asked < every else whole, []).append(block["block"])
    if len(blocks) == 1:
        return next(iter(blocks))
    return "; ".join(f"{text} ({', '.join(names)})" for text, names in blocks.items())


def _about_counts(scored: pd.DataFrame) -> list[str]:
    """Explain '(1 of 2)' behind a mean, as far as the section has such means."""
    keys = ["block", "metric"]
    with_floor = set(scored.loc[scored.role == "floor", keys].itertuples(index=False, name=None))
    few = scored.loc[scored.scored < scored.runs, keys].drop_duplicates().itertuples(index=False, name=None)
    places = list(few)
    alone = [METRICS[metric].title for block, metric in places if (block, metric) not in with_floor]
    start = "(1 of 2) behind a mean: one of two restorations has a score"
    sentences = [f"{start}, the other counts as the blurry input"] if len(places) > len(alone) else []
    if alone:
        of_metrics = f", of {', '.join(dict.fromkeys(alone))}" if sentences else ""
        sentences.append(
            f"(1 of 2) behind a mean{of_metrics}: of the one of two restorations that has a score"
        )
    return sentences
