"""Fill the tables of Markdown pages from shipped scores and times.

A comment above a table names the dataset and the files of shipped scores, from the top of the repository:

    <!-- scores of demo-uniform from docs/results/three-seeds.csv, docs/results/demo.csv -->

The table's own header says which columns it shows, by the headings of the workflow's tables. Two more are of
single cases: the worst PSNR, and the median of the seconds by the clock. Later files add the methods that
earlier ones lack. A ledger serves as a file; its methods come in order of quality. A table of times has all
columns; its comment says what grows:

    <!-- times by channels from docs/results/performance.csv -->
"""

import re
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from benchmark.core.types import InputError
from benchmark.data.descriptors import find_dataset
from benchmark.runs.names import short_label, weights_behind
from benchmark.scoring.ledger import is_ledger, read_shipped
from benchmark.scoring.shipped import scores_and_runs
from benchmark.tables.leaderboard import in_order
from benchmark.tables.page import Cell
from benchmark.tables.profile_tables import own_table
from benchmark.tables.sections import table_page
from benchmark.tables.summary import summary
from benchmark.tables.timings import timings

_TABLE = re.compile(r"(<!-- (scores of|times by) ([^>]+?) from ([^>]+?) -->\n)((?:\|.*\n)+)")
WORST, SECONDS = "PSNR, worst case", "Seconds"


def filled(page: str, root: Path) -> str:
    """Return a Markdown page with every table that names its source compiled anew.

    Args:
        page: The text of the page.
        root: The folder that the names of files start from.

    Raises:
        InputError: A file or a dataset is missing, or a table asks for a column that there is not.
    """

    def compiled(match: re.Match[str]) -> str:
        comment, kind, of, files, table = match.groups()
        paths = [root / name.strip() for name in files.split(",")]
        if kind == "times by":
            return f"{comment}{timings(paths[0], of)}\n"
        headings = [cell.strip() for cell in table.splitlines()[0].strip("|").split("|")]
        return f"{comment}{excerpt(of, paths, headings)}\n"

    return _TABLE.sub(compiled, page)


def tables_of(page: str) -> list[tuple[str, list[str]]]:
    """List the tables of a page that name their source: the text of each with its comment, and its files."""
    return [
        (match[1] + match[5], [name.strip() for name in match[4].split(",")])
        for match in _TABLE.finditer(page)
    ]


def excerpt(dataset: str, paths: list[Path], headings: list[str]) -> str:
    """Compile columns of a dataset's table from shipped scores.

    Args:
        dataset: A dataset, or <dataset>@<condition>.
        paths: The files; the later ones add the methods that the earlier ones lack.
        headings: The columns to show, as the workflow's tables have them, or WORST and SECONDS.

    Returns:
        The table as Markdown, its best values bold, the label of pre-trained weights behind a method's title.

    Raises:
        InputError: A file is missing or has no such dataset, or there is no such column.
    """
    shipped = pd.DataFrame()
    for path in paths:
        more = read_shipped(path)
        more = more[more.dataset == dataset]
        if more.empty:
            raise InputError(f"{path}: there are no scores of {dataset}")
        more = in_order(more) if is_ledger(path) else more
        known = set(shipped["method"]) if len(shipped) else set()
        shipped = pd.concat([shipped, more[~more.method.isin(known)]], ignore_index=True)
    scores, runs = scores_and_runs(shipped)
    titles = dict(zip(shipped.method, shipped.title, strict=True))
    definition = own_table(dataset, {dataset: find_dataset(dataset)}, scores, titles)
    (section,) = table_page(summary(definition, scores, runs), definition).sections
    known_headings = [*(_text(heading) for heading in section.headings), WORST, SECONDS]
    columns = []
    for heading in headings:
        if heading not in known_headings:
            raise InputError(f"{paths[0]}: no column '{heading}'; there are {', '.join(known_headings)}")
        columns.append(known_headings.index(heading))
    labels = {titles[method]: f" (`{short_label(label)}`)" for method, label in weights_behind(runs).items()}
    numbers = shipped[["psnr", "seconds"]].apply(pd.to_numeric).groupby(shipped.title)
    worst, seconds = numbers.psnr.min().map("{:.2f}".format), numbers.seconds.median().map("{:.1f}".format)
    whole = [
        [*map(_text, row), *(column[_text(row[0])] for column in (worst, seconds))] for row in section.rows
    ]
    rows = [[row[column] for column in columns] for row in whole]
    rows = [[title + labels.get(title, ""), *values] for title, *values in rows]
    return tabulate(rows, headers=headings, tablefmt="pipe", disable_numparse=True)


def _text(cell: str | Cell) -> str:
    """Write a cell, the best of its column bold; footnotes stay with the workflow's tables."""
    if isinstance(cell, str):
        return cell
    return f"**{cell.text}**" if cell.rank == "best" else cell.text
