"""What a table shows, before any score: its blocks of columns, its rows, and what a paper printed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

BEST = "best"  # in place of a baseline's name: the best method of each column


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
    stands_for: str = ""  # the paper's dataset, where `dataset` stands in for it

    def with_stand_in(self, dataset: str) -> "Block":
        """Return the block with `dataset` in place of the paper's; the title names both."""
        title = f"{self.title}, stand-in: {dataset}"
        return replace(self, title=title, dataset=dataset, stands_for=self.dataset or "")


@dataclass(frozen=True)
class Row:
    """One method."""

    title: str
    # None where there are only published numbers; in a table of best variants a shell pattern of their names.
    method: str | None


@dataclass(frozen=True)
class Published:
    """A published number as printed; empty where the paper has none."""

    value: str
    deviation: str = ""  # standard deviation over cases
    note: str = ""


@dataclass(frozen=True)
class BestOf:
    """For each case, the variant of a method whose run reaches the highest PSNR."""

    setting: str  # the setting in which the variants differ
    column: str  # the title of the column that shows its value in the best variant


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
    # Titles of rows whose networks must have the same size and training to be compared.
    ablations: tuple[tuple[str, ...], ...] = ()
    best_of: BestOf | None = None  # set where the rows show the best of several variants
    # The method that the others are tested against, case by case, or `BEST`; empty for none.
    baseline: str = ""

    def with_stand_ins(self, stand_ins: Mapping[str, str]) -> "Definition":
        """Return the table with other datasets in place of the paper's; headings name both.

        Args:
            stand_ins: Dataset to the one that stands in for it.
        """
        blocks = {
            block.title: block.with_stand_in(stand_ins[block.dataset])
            for block in self.blocks
            if block.dataset and block.dataset in stand_ins
        }
        return replace(
            self,
            blocks=tuple(blocks.get(block.title, block) for block in self.blocks),
            published={
                (blocks[title].title if title in blocks else title, row, column): number
                for (title, row, column), number in self.published.items()
            },
        )

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
