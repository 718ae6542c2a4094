"""What a table says below each of its blocks: means outside the controls, and how methods were tested."""

import pandas as pd

from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.tables.controls import control_notes
from benchmark.tables.definition import BEST, Definition
from benchmark.tables.paired import baseline_note
from benchmark.tables.summary import scores_of_block


def remarks_of(
    definition: Definition, numbers: pd.DataFrame, scores: pd.DataFrame, titles: Titles = NO_TITLES
) -> dict[str, list[str]]:
    """Write which means of each block lie outside floor and ceiling, and how methods were tested.

    Args:
        definition: The table.
        numbers: From `benchmark.tables.summary.summary`.
        scores: As in scores.csv.
        titles: Method to its title, for those that the config names.

    Returns:
        Title of a block to sentences without a full stop.
    """
    remarks = {}
    for block in definition.blocks:
        of_block = scores_of_block(scores, block)
        shown = of_block.metric.isin([column.metric for column in block.columns])
        remarks[block.title] = control_notes(of_block[shown], titles)
        cells = numbers[numbers.block == block.title]
        if definition.baseline == BEST:
            if cells.baseline_p.notna().any():  # else nobody has asked for a test
                remarks[block.title].append(baseline_note(cells, "the best of the column"))
        elif definition.baseline:
            remarks[block.title].append(baseline_note(cells, method_title(definition.baseline, titles)))
    return remarks
