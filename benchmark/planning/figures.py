"""Which figures a config draws, and what its datasets and methods can show of each figure of the papers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.figures.definition import FIGURE_CASES, FirstCases, PaperFigure
from benchmark.figures.paper_figures import paper_figure, paper_figures
from benchmark.figures.training_sheets import find_sheets
from benchmark.planning.parts import DatasetPlan, FigurePlan, MethodPlan, TablePlan
from benchmark.planning.tables import CONVERGENCE, SENSITIVITY
from benchmark.runs.names import base_method
from benchmark.runs.store import CONVERGENCE_FILE, SCORES_FILE

COST = "cost"  # the name of the figure of quality against time
PERFORMANCE = "performance-profiles"  # the name of the figure of cases near the best method
MOST_NAMES = 3  # that a note on what is left out lists
SUFFIX = "-scores"  # ends the name of the figure with the scores behind a table


@dataclass(frozen=True)
class Profile:
    """What figures can be made from."""

    datasets: Mapping[str, DatasetPlan]
    methods: Mapping[str, MethodPlan]
    seeds: Sequence[int]
    results: Path  # the results folder

    def methods_on(self, dataset: str) -> list[str]:
        """List the methods that run on a dataset."""
        return [name for name, method in self.methods.items() if dataset in method.datasets]

    def is_here(self, dataset: str) -> bool:
        """Tell whether the config names the dataset and the dataset can run."""
        return dataset in self.datasets and self.datasets[dataset].runs

    def cases_of(self, dataset: str) -> dict[str, str]:
        """Map the cases that run to their groups; none of a dataset that cannot run."""
        return self.datasets[dataset].cases if dataset in self.datasets else {}


def planned_figures(
    config: Mapping[str, Any], profile: Profile, tables: Mapping[str, TablePlan]
) -> dict[str, FigurePlan]:
    """List the figures that a profile can be asked for.

    Args:
        config: the checked config.
        profile: its datasets, methods and seeds, and where its results lie.
        tables: its tables; a table of scores gets a figure of images and a figure of scores.
    """
    figures: dict[str, FigurePlan] = {}
    for name, table in tables.items():
        if table.kind in ("own", "paper"):
            here = [dataset for dataset in table.datasets if profile.is_here(dataset)]
            if here:
                figures[name] = _images(profile, name, here[0], table.default)
            figures[f"{name}{SUFFIX}"] = FigurePlan("scores", table.default, SCORES_FILE, table=name)
    if CONVERGENCE in tables:
        figures[CONVERGENCE] = FigurePlan("convergence", True, CONVERGENCE_FILE)
    if SENSITIVITY in tables:
        figures[SENSITIVITY] = FigurePlan("sensitivity", True, SCORES_FILE)
    if "psnr" in config["metrics"]:
        figures[COST] = FigurePlan("cost", False, SCORES_FILE)
        figures[PERFORMANCE] = FigurePlan("performance", False, SCORES_FILE)
    for name in paper_figures():
        figures[name] = _of_paper(paper_figure(name), profile, name in config["paper_figures"])
    return figures


def _images(profile: Profile, table: str, dataset: str, default: bool) -> FigurePlan:
    """Plan a figure of a few of the dataset's cases, evenly spread, by all methods at the first seed."""
    cases = list(profile.cases_of(dataset))
    step = -(-len(cases) // FIGURE_CASES)  # rounded up
    return FigurePlan(
        "images",
        default,
        table=table,
        cases={dataset: cases[::step]},
        methods=profile.methods_on(dataset),
        seeds=list(profile.seeds[:1]),
    )


def _of_paper(figure: PaperFigure, profile: Profile, default: bool) -> FigurePlan:
    """Plan what the profile can show of a paper's figure, with a note on everything else."""
    if figure.kind.reads in ("sheets", "nothing"):  # shows no dataset
        sheets = find_sheets(figure.sheets, profile.results) if figure.sheets else []
        return FigurePlan("paper", default, sheets=[str(path) for path in sheets])
    if figure.conditions:
        return _of_conditions(figure, profile, default)
    cases: dict[str, list[str]] = {}
    wanted: list[str] = []
    notes: list[str] = []
    for alternative in figure.cases:  # the first of these sets of which anything is here
        wanted += alternative
        for dataset, chosen in alternative.items():
            runs = profile.cases_of(dataset)
            named = chosen.choose_from(runs) if isinstance(chosen, FirstCases) else chosen
            if selected := [case for case in named if case in runs]:
                cases[dataset] = selected
            others = ", ".join(case for case in named if case not in runs)
            if profile.is_here(dataset) and others:
                notes.append(f"{dataset}: left out, as the config does not select them: {others}")
        if cases:
            break
    methods = _running(profile, figure.methods, cases)
    notes = [*_absent_datasets(profile, wanted), *notes, *_absent_methods(figure.methods, methods)]
    seeds = list(profile.seeds)
    if not figure.kind.all_seeds:
        seeds = seeds[:1]
    return FigurePlan("paper", default, cases=cases, methods=methods, seeds=seeds, notes=notes)


def _of_conditions(figure: PaperFigure, profile: Profile, default: bool) -> FigurePlan:
    """Plan what the profile can show of a figure that compares conditions by their scores."""
    scored = [
        name
        for name, method in profile.methods.items()
        if method.snapshots or figure.kind.reads != CONVERGENCE_FILE
    ]
    if not scored:
        notes = [
            *_absent_methods(figure.methods, []),
            "It needs the estimates of some iterations: put `snapshots` into the config",
        ]
        return FigurePlan("paper", default, notes=notes)
    conditions: dict[str, str] = {}
    wanted: list[str] = []
    for alternative in figure.conditions:  # the first of these sets of which anything is here
        conditions = {label: name for label, name in alternative.items() if profile.is_here(name)}
        wanted += alternative.values()
        if conditions:
            break
    running = _running(profile, figure.methods, conditions.values())
    methods = [name for name in running if name in scored]
    return FigurePlan(
        "paper",
        default,
        figure.kind.reads if conditions else "",
        conditions=conditions,
        methods=methods,
        seeds=list(profile.seeds),
        notes=[*_absent_methods(figure.methods, methods), *_absent_datasets(profile, wanted)],
    )


def _running(profile: Profile, methods: Sequence[str], datasets: Iterable[str]) -> list[str]:
    """Keep the methods that run on any of the datasets; without datasets, those that the config has.

    A preset, such as selfdeblur@quick, stands in for its method where the config has no other row of it.
    """
    running = [profile.methods_on(name) for name in datasets] or [list(profile.methods)]
    here = {name for names in running for name in names}
    return [row for method in methods for row in _rows_of(method) if row in here and not _covered(row, here)]


def _rows_of(method: str) -> list[str]:
    """List the rows that may show a method in a figure: itself, then its presets."""
    return (
        [method] if "@" in method else [method, *(f"{method}@{key}" for key in base_method(method).presets)]
    )


def _covered(row: str, here: Collection[str]) -> bool:
    """Tell whether a row is a preset whose method itself runs."""
    name, at, preset = row.partition("@")
    return bool(at) and preset in base_method(name).presets and name in here


def _absent_datasets(profile: Profile, datasets: Iterable[str]) -> list[str]:
    """Write a sentence for each reason why some of the datasets are not here."""
    by_reason: dict[str, list[str]] = {}
    for name in datasets:
        if not profile.is_here(name):
            known = profile.datasets.get(name)
            reason = known.absent.split("; ", maxsplit=1)[0] if known else "not among the config's datasets"
            by_reason.setdefault(reason, []).append(name)
    return [
        f"{_listed(names)} {'is' if len(names) == 1 else 'are'} left out: {reason}"
        for reason, names in by_reason.items()
    ]


def _absent_methods(methods: Sequence[str], running: Sequence[str]) -> list[str]:
    """Write a sentence on the methods that do not run; none when all do."""
    absent = [method for method in methods if not set(_rows_of(method)) & set(running)]
    return [f"Methods that did not run: {_listed(absent)}"] if absent else []


def _listed(names: Sequence[str]) -> str:
    """List the first few names, and count the others."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
