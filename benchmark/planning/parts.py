"""The parts of a plan: what it says of each dataset, method, table, figure and training."""

from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark.runs.store import SCORES_FILE

TableKind = Literal["own", "paper", "best", "claims", "grid", "convergence", "sensitivity"]
FigureKind = Literal["images", "scores", "paper", "convergence", "sensitivity", "cost", "performance"]


@dataclass(frozen=True)
class DatasetPlan:
    """A dataset that a config names."""

    title: str
    caption: str
    table: str  # the profile's table that shows it
    protocol: str  # how its results are scored
    source: str  # where its files come from
    recipe: str  # hash of everything in its descriptor that decides the observations
    cases: dict[str, str]  # the cases to run and the group of each, in order; empty when it cannot run
    download: bool = False  # whether its source has to be downloaded first
    marker: str = ""  # the file that marks the download as finished; empty if none was or is needed
    absent: str = ""  # why it cannot run; empty when it can

    @property
    def runs(self) -> bool:
        """Whether its files are here or can be downloaded."""
        return not self.absent


@dataclass(frozen=True)
class MethodPlan:
    """A method of a config, `<method>` or `<method>@<setting>`."""

    given: dict[str, Any]  # the settings that the config names
    settings: dict[str, Any]  # all settings as they take effect
    snapshots: list[int]  # the iterations whose estimates are kept
    datasets: list[str]  # those of the config's datasets that it runs on, whether or not they are here
    shard_size: int  # cases per job
    device: str  # where it computes: the config's device, or 'cpu' for a method that needs no GPU


@dataclass(frozen=True)
class TablePlan:
    """A table.

    Its `kind` says what it shows: the scores of datasets that name it in their descriptors ('own'), a paper's
    table beside the published numbers ('paper'), such a table with the best of several variants ('best'), a
    paper's claims in words ('claims'), one score over two sets of conditions ('grid'), when each method
    reaches a reference ('convergence'), or the spread over seeds ('sensitivity').
    """

    kind: TableKind
    datasets: list[str]  # that it shows, whether or not they can run
    default: bool  # whether the target `tables` makes it
    reads: str = SCORES_FILE  # the file of scores that it is compiled from


@dataclass(frozen=True)
class FigurePlan:
    """A figure.

    Its `kind` says what it shows: restored images of a table's first dataset ('images'), the scores behind a
    table ('scores'), a figure of a paper ('paper'), PSNR over iterations ('convergence'), the spread over
    seeds ('sensitivity'), PSNR against seconds ('cost'), or the share of cases near the best method
    ('performance'). A figure of a paper with neither cases nor
    conditions is drawn as a sentence that says why.
    """

    kind: FigureKind
    default: bool  # whether the target `figures` draws it
    reads: str = ""  # the file of scores that it shows; empty where it shows none
    table: str = ""  # of 'images' and 'scores': the table it belongs to
    cases: dict[str, list[str]] = field(default_factory=dict)  # dataset to the cases it shows
    conditions: dict[str, str] = field(default_factory=dict)  # in place of cases: label to dataset
    methods: list[str] = field(default_factory=list)  # in the order of the columns
    seeds: list[int] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)  # pictures from trainings, as paths
    notes: list[str] = field(default_factory=list)  # a sentence on each thing that is left out


@dataclass(frozen=True)
class TrainingPlan:
    """A training."""

    command: str  # that starts it
    files: list[str]  # the paths of all that it writes, the record first: the file that the workflow asks for
    inputs: list[str]  # the records of the trainings whose weights it reads, and weights from elsewhere
    threads: int

    @property
    def record(self) -> str:
        """The path of the record, which is there once the training is finished."""
        return self.files[0]
