"""What a table shows, before any score: its blocks of columns, its rows, and what a paper printed."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    group: str | None = None  # None means all cases
    reason: str = ""  # why the block has no dataset
    caption: str = ""
    methods: tuple[str, ...] = ()  # those that have a row here; empty means all rows of the table


@dataclass(frozen=True)
class Row:
    """One method."""

    title: str
    method: str | None  # None where there are only published numbers


@dataclass(frozen=True)
class Published:
    """A published number as printed; empty where the paper has none."""

    value: str
    deviation: str = ""  # standard deviation over cases
    note: str = ""


@dataclass(frozen=True)
class Definition:
    """A table before any score."""

    name: str
    title: str  # a paper's; empty for a profile's own table
    blocks: tuple[Block, ...]
    rows: tuple[Row, ...]
    # By the titles of block, row and column.
    published: Mapping[tuple[str, str, str], Published] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # below the table, without a full stop

    @property
    def datasets(self) -> list[str]:
        """The datasets of its blocks, each once."""
        return list(dict.fromkeys(block.dataset for block in self.blocks if block.dataset))


@dataclass(frozen=True)
class Grid:
    """A table of one metric over two sets of conditions, such as noise and declared kernel size."""

    title: str
    dataset: str  # without conditions
    # Heading to conditions, several joined by @; an empty text means the dataset without conditions.
    rows: Mapping[str, str]
    columns: Mapping[str, str]
    metric: str  # as in scores.csv
    caption: str = ""

    def cell(self, row: str, column: str) -> str:
        """Return the dataset of a cell, with its conditions."""
        return "@".join(filter(None, (self.dataset, self.rows[row], self.columns[column])))

    @staticmethod
    def heading(row: str, column: str) -> str:
        """Return the title of a cell's block."""
        return f"{row}, {column}"
