"""Tables of what a step of a method costs, from times that `blindbench bench` and `scaling` measure.

Times of the efforts of `deblur` (docs/efforts.py) have the same columns.

A row of times is one way to do a step: which loop, or which ceiling of the machine, and in which precision.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from benchmark.core.errors import InputError
from benchmark.scoring.csv_files import read_frame

PLAIN, OURS = "plain loop", "blindbench"
CONVOLUTION, PRODUCT = "convolution", "matrix product"  # the machine's ceilings
MACHINE = "machine"  # what the ceilings are compared by
THREADS = "threads"  # what wall clock is shown for, too
HELP = "see docs/results/README.md for what writes it"
COLUMNS = (
    "method", "by", "at", "what", "precision", "core_seconds", "seconds", "flop", "peak_memory_mib", "cpu",
)  # fmt: skip


def timings(path: Path, by: str) -> str:
    """Lay out the times of a file as a Markdown table.

    Args:
        path: A CSV that `blindbench scaling` wrote.
        by: What grows, such as 'pixels', or 'machine' for the comparison with the ceilings.

    Raises:
        InputError: The file is missing or has no such times.
    """
    frame = read_frame(path, COLUMNS, if_absent=HELP, if_wrong=HELP)
    rows = frame[frame.by == by]
    if rows.empty:
        raise InputError(f"{path}: no times by '{by}'; there are {', '.join(frame.by.unique())}")
    table = beside_ceilings(rows) if by == MACHINE else growth(rows)
    digits = ["", *(_format(heading) for heading in table.columns[1:])]
    cells = table.replace({np.nan: None}).to_dict("list")
    return tabulate(cells, headers="keys", tablefmt="pipe", floatfmt=digits)


def beside_ceilings(rows: pd.DataFrame) -> pd.DataFrame:
    """Compare loops with the plain one, and with what the machine can do.

    Args:
        rows: Times of loops and ceilings on the same work; the precision of a loop may be empty.

    Returns:
        For each row: core-seconds; how many times faster it is than the plain loop; its operations in all and
        a second; their share of the machine's ceilings in this precision; memory. Empty where there is
        nothing to compare with.
    """
    speed = rows.flop / rows.core_seconds / 1e9
    is_loop = rows.what.isin([PLAIN, OURS])
    plain = rows.core_seconds[rows.what == PLAIN]
    table = pd.DataFrame({"what": rows.what, "precision": rows.precision, "core-s": rows.core_seconds})
    table["times as fast"] = (plain.iloc[0] / rows.core_seconds).where(is_loop) if len(plain) else np.nan
    table["GFLOP"], table["GFLOP/s"] = rows.flop / 1e9, speed
    for ceiling in (CONVOLUTION, PRODUCT):
        best = speed[rows.what == ceiling].set_axis(rows.precision[rows.what == ceiling])
        highest = rows.precision.replace("", "float32").map(best)
        table[f"% of {ceiling}"] = (100 * speed / highest).where(is_loop)
    table["MiB"] = rows.peak_memory_mib.where(is_loop)
    return table


def growth(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay out what each loop costs as one thing grows.

    Args:
        rows: Times of loops; `at` says how large that thing is.

    Returns:
        A row for each `at`, in order: core-seconds of each loop and precision, how many times faster ours are
        than the plain loop, and the memory of each.
    """
    by = str(rows.by.iloc[0])
    rows = rows.assign(way=[_way(*pair) for pair in zip(rows.what, rows.precision, strict=True)])
    ways = list(rows.way.unique())
    wide = rows.pivot(index="at", columns="way").loc[rows["at"].unique()]
    table = pd.DataFrame({by: wide.index})
    for column, unit in (("core_seconds", "core-s"), *[("seconds", "s")] * (by == THREADS)):
        for way in ways:
            table[f"{way}, {unit}"] = wide[column, way].to_numpy()
    for way in ways[1:] if ways[0] == PLAIN else ():
        table[f"{way}, times as fast"] = (wide["core_seconds", PLAIN] / wide["core_seconds", way]).to_numpy()
    for way in ways:
        table[f"{way}, MiB"] = wide["peak_memory_mib", way].to_numpy()
    return table


def _way(what: str, precision: str) -> str:
    return what if what == PLAIN else precision or what


def _format(heading: str) -> str:
    """Return how the numbers of a column are written."""
    if heading.endswith("-s") or heading.endswith(", s"):
        return ".3f"
    return ".1f" if heading.endswith("fast") else ".0f"
