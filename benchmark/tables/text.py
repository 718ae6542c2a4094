"""Tables as text: Markdown for people, LaTeX for papers, from the numbers of `benchmark.tables.summary`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from tabulate import tabulate

from benchmark.runs.names import find_method, method_title
from benchmark.scoring.metrics import METRICS
from benchmark.scoring.protocols import PROTOCOLS
from benchmark.tables.definition import Column, Definition, Grid
from benchmark.tables.summary import CONFIDENCE, FEWEST_CASES

Cell = Mapping[Any, Any]  # a row of the table of numbers
PUBLISHED_ONLY = "†"
GAIN = "Gain, dB"


def markdown(
    table: pd.DataFrame, definition: Definition, *, caption: str = "", notes: Sequence[str] = ()
) -> str:
    """The table as a page: a section per block, empty cells footnoted; `notes` are sentences at the end.

    A metric that has no value in any row, ours or published, gets no column but a sentence with the reason.
    """
    parts = _parts(table, definition, _MARKDOWN)
    return _markdown(definition.title, parts, caption, [*(f"{note}." for note in definition.notes), *notes])


def latex(
    table: pd.DataFrame, definition: Definition, *, caption: str = "", notes: Sequence[str] = ()
) -> str:
    """The same, to be input by a LaTeX document that loads the packages booktabs and graphicx."""
    parts = _parts(table, definition, _LATEX)
    return _latex(definition.title, parts, caption, [*(f"{note}." for note in definition.notes), *notes])


def grid_markdown(table: pd.DataFrame, grid: Grid, *, caption: str = "", notes: Sequence[str] = ()) -> str:
    """A page with a section per row of the grid: methods over the conditions of its columns.

    `table` is the `benchmark.tables.summary.summary` of the grid's definition.
    """
    return _markdown(grid.title, _grid_parts(table, grid, _MARKDOWN), caption, notes)


def grid_latex(table: pd.DataFrame, grid: Grid, *, caption: str = "", notes: Sequence[str] = ()) -> str:
    """The same, as `latex` has it."""
    return _latex(grid.title, _grid_parts(table, grid, _LATEX), caption, notes)


@dataclass(frozen=True)
class Sheet:
    """A table of finished texts, before a markup."""

    title: str
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def sheets_markdown(title: str, sheets: Sequence[Sheet], *, caption: str = "") -> str:
    """A page of tables with a title; `caption` stands in each."""
    return _markdown(title, _escaped(sheets, _MARKDOWN), caption, [])


def sheets_latex(title: str, sheets: Sequence[Sheet], *, caption: str = "") -> str:
    """The same, as `latex` has it."""
    return _latex(title, _escaped(sheets, _LATEX), caption, [])


def _escaped(sheets: Sequence[Sheet], markup: "_Markup") -> "Iterator[_Part]":
    for sheet in sheets:
        yield _Part(
            sheet.title,
            sheet.caption,
            headings=[markup.escape(heading) for heading in sheet.headings],
            rows=[[markup.escape(text) for text in row] for row in sheet.rows],
        )


def _markdown(title: str, parts: "Iterable[_Part]", caption: str, notes: Sequence[str]) -> str:
    lines = [f"# {title}"] if title else []
    for part in parts:
        body = tabulate(part.rows, headers=part.headings, tablefmt="pipe", disable_numparse=True)
        about = [text for text in (part.caption, caption, part.legend) if text]
        lines += [f"## {part.title}", *about, body, *part.footnotes]
    lines += [_MARKDOWN.escape(note) for note in notes]
    return "\n\n".join(lines) + "\n"


def _latex(title: str, parts: "Iterable[_Part]", caption: str, notes: Sequence[str]) -> str:
    lines = ["% needs \\usepackage{booktabs,graphicx}"]
    for part in parts:
        about = [text.rstrip(".") for text in (title, part.title, part.caption, caption) if text]
        body = pd.DataFrame(part.rows, columns=part.headings).to_latex(
            index=False, escape=False, column_format="l" + "r" * (len(part.headings) - 1)
        )
        lines += [
            "\\begin{table}[htbp]",
            "\\centering",
            f"\\caption{{{_tex('. '.join(about))}.}}",
            # No wider than the page.
            "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
            f"{body.rstrip()}}}",
            "\\par\\smallskip\\footnotesize",
            *(f"{text}\\par" for text in (_tex(part.legend), *part.footnotes) if text),
            "\\end{table}",
        ]
    remarks = [f"{_tex(note)}\\par" for note in notes]
    return "\n".join([*lines, *(["{\\footnotesize", *remarks, "}"] if remarks else [])]) + "\n"


# TeX's special characters, and what its fonts do not have under the character itself.
_TEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "<": r"$<$", ">": r"$>$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "†": r"$\dagger$", "±": r"$\pm$",
        "×": r"$\times$", "−": "$-$", "–": "--", "σ": r"$\sigma$", "λ": r"$\lambda$",
    }
)  # fmt: skip


def _tex(text: str) -> str:
    return text.translate(_TEX)


@dataclass(frozen=True)
class _Markup:
    """What Markdown and LaTeX write differently."""

    escape: Callable[[str], str]
    ranks: Mapping[str, str]  # rank to a format of the cell's text
    mark: str  # a format of a footnote's number
    legend: str  # of the ranks


_MARKDOWN = _Markup(
    escape=lambda text: text.replace("|", "\\|").replace("<", "&lt;"),
    ranks={"best": "**{}**", "second": "_{}_", "": "{}"},
    mark="[{}]",
    legend="Best of ours **bold**, second _italic_",
)
_LATEX = _Markup(
    escape=_tex,
    ranks={"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}", "": "{}"},
    mark=r"\textsuperscript{{{}}}",
    legend="Best of ours bold, second underlined",
)


@dataclass
class _Part:
    """A block, laid out."""

    title: str
    caption: str
    legend: str = ""
    headings: list[str] = field(default_factory=lambda: ["Method"])
    rows: list[list[str]] = field(default_factory=list)
    footnotes: list[str] = field(default_factory=list)


class _Footnotes:
    """Numbers texts in the order in which they are met."""

    def __init__(self, markup: _Markup) -> None:
        self.markup = markup
        self.numbers: dict[str, int] = {}

    def mark(self, text: str) -> str:
        """The mark of a footnote; nothing for no text."""
        return self.markup.mark.format(self.numbers.setdefault(text, len(self.numbers) + 1)) if text else ""

    def lines(self) -> list[str]:
        """The footnotes themselves."""
        return [f"{self.mark(text)} {self.markup.escape(text)}." for text in list(self.numbers)]


def _parts(table: pd.DataFrame, definition: Definition, markup: _Markup) -> Iterator[_Part]:
    for block in definition.blocks:
        of_block = table[table.block == block.title]
        footnotes = _Footnotes(markup)
        part = _Part(block.title, block.caption)
        part.rows = [
            [markup.escape(_label(cell) if definition.title else str(cell["row"]))]
            for cell in of_block[of_block.column == block.columns[0].title].to_dict("records")
        ]
        left_out: dict[str, list[str]] = {}
        for column in block.columns:
            of_column = of_block[of_block.column == column.title]
            if not (of_column.cases > 0).any() and (of_column.published == "").all():
                reason = "; ".join(dict.fromkeys(note for note in of_column.note if note))
                left_out.setdefault(reason, []).append(_title(column))
                continue
            is_first = len(part.headings) == 1
            for heading, text in _layout(column, of_column, markup, footnotes, is_first):
                part.headings.append(markup.escape(heading))
                for row, cell in zip(part.rows, of_column.to_dict("records"), strict=True):
                    row.append(text(cell))
        if (of_block.runs > 0).any():
            part.headings += ["Cases", "Failed"]
            for row, cells in zip(part.rows, _by_row(of_block, len(part.rows)), strict=True):
                row += [_cases(cells), markup.escape(_failed(cells))]
        part.legend = _legend(of_block, part.headings, markup)
        part.footnotes = [
            *footnotes.lines(),
            *(markup.escape(f"No column for {', '.join(names)}: {why}.") for why, names in left_out.items()),
        ]
        if (of_block.role == "published").any():
            part.footnotes.append(markup.escape(f"{PUBLISHED_ONLY} published only: no such method here."))
        yield part


def _grid_parts(table: pd.DataFrame, grid: Grid, markup: _Markup) -> Iterator[_Part]:
    metric = METRICS[grid.metric]
    for row in grid.rows:
        footnotes = _Footnotes(markup)
        columns = [table[table.block == grid.heading(row, column)] for column in grid.columns]
        part = _Part(row, f"{metric.heading}. {grid.caption}".rstrip())
        part.headings += [markup.escape(column) for column in grid.columns]
        for cells in zip(*(of_cell.to_dict("records") for of_cell in columns), strict=True):
            texts = [_value(cell, metric.digits, markup, footnotes) for cell in cells]
            part.rows.append([markup.escape(str(cells[0]["row"])), *texts])
        part.legend = _legend(pd.concat(columns), part.headings, markup)
        part.footnotes = footnotes.lines()
        yield part


def _value(cell: Cell, digits: int, markup: _Markup, footnotes: _Footnotes) -> str:
    """Our number in a cell with its interval and spread, or the mark of why there is none."""
    text = ""
    if pd.notna(cell["mean"]):
        text = f"{cell['mean']:.{digits}f}"
        if pd.notna(cell["low"]):
            text += f" [{cell['low']:.{digits - 1}f}, {cell['high']:.{digits - 1}f}]"
        if round(cell["seed_deviation"], digits) > 0:
            text += markup.escape(f" ±{cell['seed_deviation']:.{digits}f}")
    return f"{markup.ranks[cell['rank']].format(text)} {footnotes.mark(cell['note'])}".strip()


def _by_row(of_block: pd.DataFrame, rows: int) -> list[list[Cell]]:
    """The cells of each row; `summary` has them row by row."""
    cells: list[Cell] = list(of_block.to_dict("records"))
    columns = len(cells) // rows
    return [cells[start : start + columns] for start in range(0, len(cells), columns)]


def _layout(
    column: Column, of_column: pd.DataFrame, markup: _Markup, footnotes: _Footnotes, is_first: bool
) -> Iterator[tuple[str, Callable[[Cell], str]]]:
    """The printed columns of one metric, as heading and function from cell to text.

    Only those that hold something: no gain without a floor, no difference without a number on both sides.
    """
    metric = METRICS.get(column.metric)
    digits = metric.digits if metric else 2
    published = bool((of_column.published != "").any())

    def ours(cell: Cell) -> str:
        return _value(cell, digits, markup, footnotes)

    def theirs(cell: Cell) -> str:
        text = cell["published"] or ("–" if cell["published_note"] else "")
        text += f" ({cell['published_deviation']})" if cell["published_deviation"] else ""
        return f"{markup.escape(text)} {footnotes.mark(cell['published_note'])}".strip()

    def worst_seed(cell: Cell) -> str:
        return "" if pd.isna(cell["seed_deviation"]) else f"{cell['worst_seed']:.{digits}f}"

    def signed(key: str) -> Callable[[Cell], str]:
        def text(cell: Cell) -> str:
            if pd.isna(cell[key]):
                return ""
            return markup.escape(f"{cell[key]:+.{digits}f}".replace("-", "−"))

        return text

    if column.metric:
        yield metric.heading if metric else column.title, ours
    if published:
        yield f"{column.title}, paper" if column.metric else column.title, theirs
    if of_column.difference.notna().any():
        yield f"{column.title}, ours − paper", signed("difference")
    if not published and of_column.gain.notna().any():
        yield GAIN, signed("gain")
    # One such column is enough to read; the CSV has it for every metric.
    if is_first and (of_column.seeds > 1).any():
        yield f"{_title(column)}, worst seed", worst_seed


def _title(column: Column) -> str:
    metric = METRICS.get(column.metric)
    return metric.title if metric else column.title


def _label(cell: Cell) -> str:
    """The title of a row of a paper's table: the paper's with our name for it, or our own."""
    if cell["role"] == "published":
        return f"{cell['row']} {PUBLISHED_ONLY}"
    is_ours = find_method(cell["method"]) is not None and method_title(cell["method"]) == cell["row"]
    return str(cell["row"]) if is_ours else f"{cell['row']} ({cell['method']})"


def _cases(cells: Sequence[Cell]) -> str:
    """How many cases were scored, in one row; nothing where nothing ran."""
    return str(max(cell["cases"] for cell in cells)) if any(cell["runs"] for cell in cells) else ""


def _failed(cells: Sequence[Cell]) -> str:
    """The failure rate of one row; nothing where nothing ran."""
    cell = max(cells, key=lambda cell: int(cell["runs"]))
    if not cell["runs"]:
        return ""
    return f"{cell['failure_rate']:.0%}" + (
        f" ({cell['failed']} of {cell['runs']})" if cell["failed"] else ""
    )


def _legend(cells: pd.DataFrame, headings: Sequence[str], markup: _Markup) -> str:
    """What the numbers of a block are; only of what it shows."""
    scored = cells[cells["mean"].notna()]
    several_seeds = bool((scored.seeds > 1).any())
    full_frame = [
        METRICS[name].title
        for name in scored.metric.unique()
        if name in METRICS and METRICS[name].inputs == "image"
    ]
    protocols = [f"Protocol {name}: {PROTOCOLS[name].title}" for name in cells.protocol.dropna().unique()]
    sentences = {
        "Mean over cases" + ", the seeds of a case averaged first" * several_seeds: len(scored) > 0,
        "Arrows point to better values": len(scored) > 0,
        f"In brackets the {CONFIDENCE:.0%} bootstrap interval over cases": scored.low.notna().any(),
        f"No interval for fewer than {FEWEST_CASES} cases": (scored.cases < FEWEST_CASES).any(),
        markup.legend: (cells["rank"] != "").any(),
        "Gain: mean difference to the blurry input": GAIN in headings,
        "After ±, the standard deviation of the seeds' means": several_seeds,
        f"{', '.join(full_frame)}: of the restored image alone, whole frame": len(full_frame) > 0,
        "Failed: share without an image, unsupported cases and missing weights aside": "Failed" in headings,
    }
    parts = [*protocols, *(sentence for sentence, applies in sentences.items() if applies)]
    return ". ".join(parts) + "." if parts else ""
