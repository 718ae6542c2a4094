"""The definitions of a profile's own tables: what its datasets were scored with, and its grids."""

from collections.abc import Mapping
from itertools import chain

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.data.descriptors import Dataset
from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.tables.definition import Block, Column, Definition, Grid, Row


def own_table(
    name: str,
    datasets: Mapping[str, Dataset],
    scores: pd.DataFrame,
    titles: Titles = NO_TITLES,
    baseline: str = "",
) -> Definition:
    """Define a table with a block per dataset, every method as a row and every metric as a column.

    Args:
        name: The table's name.
        datasets: Its datasets; those without scores get no block.
        scores: As in scores.csv.
        titles: Method to its title, for those that the config names.
        baseline: The method that the others are tested against; empty for none.

    Raises:
        InputError: None of the datasets has scores.
    """
    selected = scores[scores.dataset.isin(list(datasets))]
    if selected.empty:
        raise InputError(f"{', '.join(datasets)}: there are no scores; run `blindbench score` first")
    blocks = []
    for dataset, descriptor in datasets.items():
        of_dataset = selected[selected.dataset == dataset]
        if of_dataset.empty:
            continue
        blocks.append(
            Block(
                title=f"{descriptor.content['title']} ({dataset})",
                columns=tuple(Column(metric, metric) for metric in of_dataset.metric.unique()),
                dataset=dataset,
                caption=descriptor.content["caption"],
                methods=tuple(of_dataset.method.unique()),
            )
        )
    rows = tuple(Row(method_title(method, titles), method) for method in selected.method.unique())
    return Definition(name, "", tuple(blocks), rows, baseline=baseline)


def grid_table(
    name: str, grid: Grid, scores: pd.DataFrame, titles: Titles = NO_TITLES, baseline: str = ""
) -> Definition:
    """Define the table of a grid: each row of the grid has the methods that were scored in any of its cells.

    Args:
        name: The table's name.
        grid: Its conditions and its metric.
        scores: As in scores.csv.
        titles: Method to its title, for those that the config names.
        baseline: The method that the others are tested against; empty for none.

    Raises:
        InputError: No cell has scores.
    """
    cells = {row: [grid.cell(row, column) for column in grid.columns] for row in grid.rows}
    scored = scores[scores.dataset.isin(list(chain(*cells.values()))) & (scores.metric == grid.metric)]
    if scored.empty:
        first = next(iter(cells.values()))[0]
        raise InputError(f"{name}: {first} and the others have no {grid.metric} in scores.csv")
    methods = {
        row: tuple(scored[scored.dataset.isin(datasets)].method.unique()) for row, datasets in cells.items()
    }
    blocks = tuple(
        Block(
            grid.heading(row, column),
            (Column(grid.metric, grid.metric),),
            grid.cell(row, column),
            methods=methods[row],
        )
        for row in grid.rows
        for column in grid.columns
    )
    rows = tuple(Row(method_title(method, titles), method) for method in scored.method.unique())
    return Definition(name, grid.title, blocks, rows, baseline=baseline)
