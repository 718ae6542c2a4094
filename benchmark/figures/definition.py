"""What a figure of a paper shows: its kind, its cases or conditions, its methods, and its caption."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmark.runs.names import Titles
from benchmark.runs.store import Store

FIGURE_CASES = 6  # at most, in a figure of images


def _nothing_against_it(drawing: "Drawing") -> str:
    """Find nothing that keeps a figure from being drawn."""
    del drawing
    return ""


# What a kind of figure is drawn from: restored images of some cases, the scores of some conditions in one of
# two files, the sheets of pre-trained networks, or formulas alone.
Reads = Literal["cases", "scores.csv", "convergence.csv", "sheets", "nothing"]


@dataclass(frozen=True)
class Kind:
    """A kind of figure: what it needs, and the function that draws it."""

    name: str  # as in papers.yaml
    reads: Reads
    draw: "Callable[[Drawing], None]"
    # Whether it is drawn without any of its methods ('optional'), or shows none at all ('none').
    methods: Literal["required", "optional", "none"] = "required"
    all_seeds: bool = False  # or the first one only
    names_protocol: bool = False  # whether it shows PSNR, so that its caption names seed and protocol
    options: tuple[str, ...] = ()  # keys that its definitions must have under `options`
    # Says why what is here makes no such figure; an empty text where it does.
    why_not: "Callable[[Drawing], str]" = _nothing_against_it

    @property
    def shows_conditions(self) -> bool:
        """Whether it compares whole datasets by their scores."""
        return self.reads in ("scores.csv", "convergence.csv")


@dataclass(frozen=True)
class FirstCases:
    """The first cases of a dataset, for datasets whose cases only the user's own files name."""

    count: int
    # Take so many of each of these groups, or of each of so many groups; empty means of all cases together.
    groups: tuple[str, ...] | int = ()

    def choose_from(self, cases: Mapping[str, str]) -> list[str]:
        """Choose from cases, which are mapped to their groups."""
        if not self.groups:
            return list(cases)[: self.count]
        if isinstance(self.groups, int):
            names = list(dict.fromkeys(cases.values()))[: self.groups]
        else:
            names = list(self.groups)
        by_group = [[case for case, group in cases.items() if group == name] for name in names]
        return [case for of_group in by_group for case in of_group[: self.count]]


@dataclass(frozen=True)
class PaperFigure:
    """The definition of a figure of a paper, or of our own on the method of a paper."""

    name: str
    title: str
    kind: Kind
    # Alternatives: the first of which a profile has anything is shown.
    cases: Sequence[Mapping[str, Sequence[str] | FirstCases]]  # dataset to its cases
    conditions: Sequence[Mapping[str, str]]  # label to dataset
    metrics: Sequence[str]  # of figures of conditions, as in scores.csv
    methods: Sequence[str]
    sheets: str  # a shell pattern of the sheets' names
    options: Mapping[str, Any]  # of this kind alone
    caption: str


@dataclass(frozen=True)
class Content:
    """What a profile can show of a figure; neither cases nor conditions means no dataset."""

    cases: Mapping[str, Sequence[str]]  # dataset to its cases
    methods: Sequence[str]
    seeds: Sequence[int]
    protocol: str
    titles: Titles
    conditions: Mapping[str, str] = field(default_factory=dict)  # label to dataset

    @property
    def datasets(self) -> list[str]:
        """All datasets, each once."""
        return list(dict.fromkeys([*self.cases, *self.conditions.values()]))


@dataclass(frozen=True)
class Drawing:
    """All that the function of a kind draws from."""

    figure: PaperFigure
    store: Store
    content: Content
    text: str  # the caption, up to what is not shown
    excluded: str  # what is not shown; ends the caption
    out: Path  # the files without their suffix

    @property
    def seed(self) -> int:
        """The first seed."""
        return self.content.seeds[0]

    def caption(self, *sentences: str) -> str:
        """Write the caption, with more sentences on what is shown."""
        return " ".join(filter(None, (self.text, *sentences, self.excluded)))
