"""How far metrics agree on the order of the methods: Kendall's rank correlation."""

from collections.abc import Iterator

import pandas as pd

from benchmark.scoring.metrics import METRICS
from benchmark.tables.definition import Definition
from benchmark.tables.page import Section

FEWEST_METHODS = 4  # with fewer, few orders are possible


def agreement(cells: pd.DataFrame) -> pd.DataFrame:
    """Compare the orders in which the metrics of a block put its methods by their means.

    Args:
        cells: The block's rows of the table of numbers, from `benchmark.tables.summary.summary`. Controls and
            rows that lack a score take no part.

    Returns:
        Kendall's tau-b of each two metrics, in [-1, 1]: 1 where they order the methods alike. Empty with
        fewer than `FEWEST_METHODS` methods or two metrics.
    """
    counted = cells[(cells.role == "method") & cells.complete.eq(True) & cells.metric.isin(list(METRICS))]
    if counted.empty:
        return pd.DataFrame()
    means = counted.pivot_table(index="method", columns="metric", values="mean", sort=False).astype(float)
    means = means.dropna(axis="columns", thresh=FEWEST_METHODS).dropna()
    if len(means) < FEWEST_METHODS or len(means.columns) < 2:
        return pd.DataFrame()
    better = means.mul([-1.0 if METRICS[str(name)].lower_is_better else 1.0 for name in means.columns])
    return better.corr("kendall")


def agreement_sections(table: pd.DataFrame, definition: Definition) -> Iterator[Section]:
    """Lay out `agreement` of each block of a table: a section for each that has any."""
    for block in definition.blocks:
        cells = table[table.block == block.title]
        taus = agreement(cells)
        if taus.empty:
            continue
        titles = [METRICS[str(name)].title for name in taus.columns]
        counted = cells[(cells.role == "method") & cells.complete.eq(True)].method.nunique()
        yield Section(
            f"Do the metrics agree? {block.title}",
            f"Kendall's τ between the orders in which two metrics put the {counted} methods by their means, "
            "best first: 1 the same order, −1 the reverse. Controls and rows that lack a score take no part.",
            ["", *titles],
            [
                [title, *(f"{tau:.2f}".replace("-", "−") for tau in row)]
                for title, row in zip(titles, taus.to_numpy(), strict=True)
            ],
        )
