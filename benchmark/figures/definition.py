"""What a figure of a paper shows: its cases, its methods, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from benchmark.core.schema import checked, did_you_mean, read_yaml
from benchmark.core.types import InputError
from benchmark.tables.paper_tables import paper_table
from benchmark.tables.published import require_known
from methods.parts.weight_files import SHIPPED


@dataclass(frozen=True)
class First:
    """Cases by their place, where their names are a user's."""

    count: int
    groups: tuple[str, ...] = ()  # of each; without any, of all cases together

    def of(self, groups: Mapping[str, str]) -> list[str]:
        """The first of the cases, which are given with their groups."""
        if not self.groups:
            return list(groups)[: self.count]
        by_group = [[case for case, group in groups.items() if group == name] for name in self.groups]
        return [case for cases in by_group for case in cases[: self.count]]


Kind = Literal[
    "comparison", "fields", "sensitivity", "pretraining", "conditions", "success", "gaps", "runs",
    "gradients", "landscape", "kernel-models",
]  # fmt: skip


WITHOUT_METHODS = ("pretraining", "gradients", "landscape", "kernel-models")


FIGURE_CASES = 6  # at most, in a figure of images
PRETRAINED = "pretrain"  # folder of pre-trained networks, in a profile's results or beside them


@dataclass(frozen=True)
class PaperFigure:
    """A figure of a paper: which cases and methods it shows, and how."""

    name: str
    title: str
    kind: Kind
    # Dataset to its cases; the first of these sets of which a profile has any is shown.
    cases: Sequence[Mapping[str, Sequence[str] | First]]
    # Words to dataset; the first of these sets of which a profile has any is shown. Of kinds with scores.
    conditions: Sequence[Mapping[str, str]]
    metrics: Sequence[str]  # as in scores.csv; of the same kinds
    methods: Sequence[str]  # ours, as far as they run
    sheets: str  # of a pre-training: the names of its sheets, as a shell pattern
    caption: str
    steps: int = 0  # of the fits of kernel priors

    @property
    def reads(self) -> str:
        """The table of a profile's results that it shows; empty where it shows something else."""
        tables = {"conditions": "scores", "success": "scores", "gaps": "convergence", "runs": "convergence"}
        return f"{tables[self.kind]}.csv" if self.kind in tables else ""

    def found_sheets(self, results: Path) -> list[Path]:
        """The sheets of finished pre-trainings: of the profile's `results`, else those that profiles share.

        Else those of the networks that ship. None for a figure of another kind.
        """
        if not self.sheets:
            return []
        for folder in (results / PRETRAINED, results.parent / PRETRAINED, SHIPPED):
            found = [path for path in folder.glob(self.sheets) if path.with_suffix(".json").is_file()]
            if found:
                return sorted(found)
        return []


def paper_figures() -> list[str]:
    """The names of the papers' figures."""
    return list(_figures()["figures"])


def paper_figure(name: str) -> PaperFigure:
    """The paper's figure called `name`. Raises InputError when there is none."""
    document = _figures()
    if name not in document["figures"]:
        raise InputError(f"unknown figure '{name}'. {did_you_mean(name, paper_figures())}")
    figure = document["figures"][name]
    table = paper_table(figure["table"])
    wanted = figure.get("rows", [row.title for row in table.rows])
    require_known(name, "rows", wanted, [row.title for row in table.rows])
    of_table = [row.method for row in table.rows if row.method and row.title in wanted]
    methods = figure.get("methods", of_table)
    return PaperFigure(
        name=name,
        title=f"{table.title.partition(', Table')[0]}, Figure {figure['number']}: {figure['title']}",
        kind=figure["kind"],
        cases=[
            {dataset: _cases(chosen) for dataset, chosen in wanted.items()}
            for wanted in figure.get("cases", [])
        ],
        conditions=figure.get("conditions", []),
        metrics=figure.get("metrics", []),
        methods=[] if figure["kind"] in WITHOUT_METHODS else list(dict.fromkeys(methods)),
        sheets=figure.get("sheets", ""),
        caption=figure["caption"],
        steps=figure.get("steps", 0),
    )


def _cases(chosen: Sequence[str] | Mapping[str, Any]) -> Sequence[str] | First:
    return First(chosen["first"], tuple(chosen.get("of_each", ()))) if isinstance(chosen, Mapping) else chosen


@cache
def _figures() -> dict[str, Any]:
    path = Path(__file__).parent / "papers.yaml"
    return checked(read_yaml(path), "figures", str(path))
