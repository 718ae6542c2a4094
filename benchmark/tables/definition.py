"""What a table shows, before any score: its blocks of columns, its rows, and what a paper printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FIGURE_CASES = 6  # at most, in a figure of images


@dataclass(frozen=True)
class Column:
    """One metric."""

    title: str  # the paper's name, where a paper has one
    metric: str  # as in scores.csv; empty for published numbers that are no score


@dataclass(frozen=True)
class Block:
    """The columns of one dataset, or of one group of its cases."""

    title: str
    columns: tuple[Column, ...]
    dataset: str | None
    group: str | None = None  # all cases without one
    reason: str = ""  # why no dataset can fill the block, when it has none
    caption: str = ""
    methods: tuple[str, ...] = ()  # ours that have a row in it; without any, all rows of the table


@dataclass(frozen=True)
class Row:
    """One method."""

    title: str
    method: str | None  # ours; None where there are published numbers only


@dataclass(frozen=True)
class Published:
    """A published number as printed; empty where the paper has none."""

    value: str
    deviation: str = ""  # standard deviation over cases
    note: str = ""


@dataclass(frozen=True)
class Definition:
    """A table before any score: blocks of columns, rows, and what a paper printed in the cells."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    rows: tuple[Row, ...]
    # By the titles of block, row and column.
    published: Mapping[tuple[str, str, str], Published] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def datasets(self) -> list[str]:
        """The datasets that can fill it, each once."""
        return list(dict.fromkeys(block.dataset for block in self.blocks if block.dataset))


@dataclass(frozen=True)
class Grid:
    """A table of one score over two sets of conditions, such as noise and declared kernel size."""

    title: str
    dataset: str  # without conditions
    rows: Mapping[str, str]  # words to conditions, several joined by @; to nothing for the dataset as it is
    columns: Mapping[str, str]
    metric: str  # as in scores.csv
    caption: str = ""

    def cell(self, row: str, column: str) -> str:
        """The dataset whose scores stand in a cell."""
        return "@".join(filter(None, (self.dataset, self.rows[row], self.columns[column])))

    def definition(
        self, name: str, rows: Sequence[Row], running: Mapping[str, tuple[str, ...]]
    ) -> Definition:
        """A block per cell, row by row, each with the one column and the methods `running` in its row."""
        blocks = tuple(
            Block(
                self.heading(row, column),
                (Column(self.metric, self.metric),),
                self.cell(row, column),
                methods=running[row],
            )
            for row in self.rows
            for column in self.columns
        )
        return Definition(name, self.title, blocks, tuple(rows))

    @staticmethod
    def heading(row: str, column: str) -> str:
        """What a cell is called."""
        return f"{row}, {column}"
