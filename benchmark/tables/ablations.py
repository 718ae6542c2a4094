"""Keep the rows of an ablation comparable: a row whose network was trained otherwise has no number there.

Rows of an ablation differ in one part of a network. With weights of another size or another training they
would differ in more, and the table would not show what its title says.
"""

import numpy as np
import pandas as pd

from benchmark.runs.names import training_of
from benchmark.tables.definition import Definition

# The columns of `summary` that are emptied, and what they then hold.
EMPTY: dict[str, float | str] = {
    **dict.fromkeys(("mean", "low", "high", "min", "max", "own_mean", "gain"), np.nan),
    **dict.fromkeys(("seed_deviation", "worst_seed", "failure_rate"), np.nan),
    **dict.fromkeys(("cases", "seeds", "runs", "scored", "failed"), 0),
    **dict.fromkeys(("weights", "failures"), ""),
    "complete": False,
}


def without_other_trainings(table: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Empty the cells of ablations whose weights were trained otherwise than those of the last row.

    Args:
        table: as `benchmark.tables.summary.summary` computes it.
        definition: the table's definition, which names its ablations.

    Returns:
        The table; `note` of an emptied cell names both weights.
    """
    table = table.copy()
    for block in definition.blocks:
        for rows in definition.ablations:
            weights = _weights(table[(table.block == block.title) & table.row.isin(rows)])
            ran = [row for row in rows if row in weights]
            for row in ran[:-1]:
                ours, last = weights[row], weights[ran[-1]]
                if training_of(ours) != training_of(last):
                    cells = (table.block == block.title) & (table.row == row)
                    for column, nothing in EMPTY.items():
                        table.loc[cells, column] = nothing
                    table.loc[cells, "note"] = (
                        f"left out: {ours} differs in size or training from {last}, with which {ran[-1]} ran"
                    )
    return table


def _weights(cells: pd.DataFrame) -> dict[str, str]:
    """Map the rows that ran with weights to the labels of these."""
    named = cells[cells.weights.fillna("") != ""]
    return {str(row): str(of_row.weights.iloc[0]) for row, of_row in named.groupby("row")}
