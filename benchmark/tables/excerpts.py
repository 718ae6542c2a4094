"""Fill the tables of Markdown pages from shipped scores and times.

A comment above a table names the dataset and the files of shipped scores, from the top of the repository:

    <!-- scores of demo-uniform from docs/results/three-seeds.csv, docs/results/demo.csv -->

The table's own header says which columns it shows, by the headings of the workflow's tables. One more is the
median of the seconds by the clock. Later files add the methods that
earlier ones lack. A ledger serves as a file; its methods come in order of quality. A table of times has all
columns; its comment says what grows:

    <!-- times by channels from docs/results/performance.csv -->

and so has the table of the best method within some core-seconds:

    <!-- best per budget on levin from results/reference -->
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd
from tabulate import tabulate

from benchmark.core.errors import InputError
from benchmark.runs.names import short_label, weights_behind
from benchmark.scoring.ledger import is_ledger, read_shipped
from benchmark.tables.leaderboard import Standings, best_within, in_order, of_dataset, standings
from benchmark.tables.page import Cell
from benchmark.tables.sections import table_page
from benchmark.tables.timings import timings

_TABLE = re.compile(
    r"(<!-- (scores of|times by|best per budget on) ([^>]+?) from ([^>]+?) -->\n)((?:\|.*\n)+)"
)
SECONDS = "Seconds"


def filled(page: str, root: Path) -> str:
    """Return a Markdown page with every table that names its source compiled anew.

    Args:
        page: The text of the page.
        root: The folder that the names of files start from.

    Raises:
        InputError: A file or a dataset is missing, or a table asks for a column that there is not.
    """

    known: dict[tuple[str, ...], _Shipped] = {}  # tables take seconds, and a page shows some of them twice

    def compiled(match: re.Match[str]) -> str:
        comment, kind, of, files, table = match.groups()
        paths = [root / name.strip() for name in files.split(",")]
        if kind == "times by":
            return f"{comment}{timings(paths[0], of)}\n"
        if (of, files) not in known:
            known[of, files] = _Shipped.read(of, paths)
        shipped = known[of, files]
        if kind == "best per budget on":
            section = best_within(of, shipped.rows, shipped.table)
            return f"{comment}{_pipe(section.rows, section.headings)}\n"
        headings = [cell.strip() for cell in table.splitlines()[0].strip("|").split("|")]
        return f"{comment}{_excerpt(shipped, headings, str(paths[0]))}\n"

    return _TABLE.sub(compiled, page)


def tables_of(page: str) -> list[tuple[str, list[str]]]:
    """List the tables of a page that name their source: the text of each with its comment, and its files."""
    return [
        (match[1] + match[5], [name.strip() for name in match[4].split(",")])
        for match in _TABLE.finditer(page)
    ]


@dataclass(frozen=True)
class _Shipped:
    """The shipped scores of a dataset, and their table."""

    rows: pd.DataFrame
    table: Standings

    @classmethod
    def read(cls, dataset: str, paths: list[Path]) -> Self:
        """Read the rows of a dataset; later files add the methods that earlier ones lack.

        Raises InputError where a file is missing or has no such dataset.
        """
        rows = pd.DataFrame()
        for path in paths:
            more = of_dataset(dataset, read_shipped(path), str(path))
            more = in_order(more) if is_ledger(path) else more
            known = set(rows["method"]) if len(rows) else set()
            rows = pd.concat([rows, more[~more.method.isin(known)]], ignore_index=True)
        return cls(rows, standings(dataset, rows))


def _excerpt(shipped: _Shipped, headings: list[str], where: str) -> str:
    """Lay out columns of a table.

    Args:
        shipped: The scores and their table.
        headings: The columns to show, as the workflow's tables have them, or SECONDS.
        where: Names the scores in messages.

    Returns:
        The table as Markdown, its best values bold, the label of pre-trained weights behind a method's title.

    Raises:
        InputError: There is no such column.
    """
    table = shipped.table
    (section,) = table_page(table.numbers, table.definition).sections
    known_headings = [*(_text(heading) for heading in section.headings), SECONDS]
    columns = []
    for heading in headings:
        if heading not in known_headings:
            raise InputError(f"{where}: no column '{heading}'; there are {', '.join(known_headings)}")
        columns.append(known_headings.index(heading))
    labels = {
        table.titles[method]: f" (`{short_label(label)}`)"
        for method, label in weights_behind(table.runs).items()
    }
    seconds = pd.to_numeric(shipped.rows.seconds).groupby(shipped.rows.title).median()
    whole = [[*map(_text, row), f"{seconds[_text(row[0])]:.1f}"] for row in section.rows]
    rows = [[row[column] for column in columns] for row in whole]
    rows = [[title + labels.get(title, ""), *values] for title, *values in rows]
    return _pipe(rows, headings)


def _pipe(rows: Sequence[Sequence[str | Cell]], headings: Sequence[str | Cell]) -> str:
    texts = [[_text(cell) for cell in row] for row in rows]
    return tabulate(texts, headers=[_text(each) for each in headings], tablefmt="pipe", disable_numparse=True)


def _text(cell: str | Cell) -> str:
    """Write a cell, the best of its column bold; footnotes stay with the workflow's tables."""
    if isinstance(cell, str):
        return cell
    return f"**{cell.text}**" if cell.rank == "best" else cell.text
