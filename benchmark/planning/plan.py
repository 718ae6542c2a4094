"""What a config asks for: the jobs of the workflow, checked at the door."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark.core.schema import checked, did_you_mean
from benchmark.core.types import InputError
from benchmark.data.descriptors import FOLDER, Dataset, find_dataset
from benchmark.data.sources import find_source
from benchmark.figures.definition import FIGURE_CASES, First, PaperFigure
from benchmark.figures.paper_figures import paper_figure
from benchmark.runs import provenance
from benchmark.runs.names import base_method
from benchmark.runs.settings import effective, kept_snapshots
from benchmark.scoring.metrics import find_metric, variants
from benchmark.scoring.protocols import find_protocol
from benchmark.tables.definition import Grid
from benchmark.tables.paper_tables import paper_table, paper_tables
from methods.parts.settings import flat


@dataclass(frozen=True)
class MethodPlan:
    """A method with its effective settings; `name` may carry a setting, `<method>@<setting>`."""

    name: str
    settings: dict[str, Any]
    code: str  # hash of the method's own modules
    files: Callable[[str], Sequence[Path]]  # what it reads for a case beside the observation
    snapshots: Sequence[int]  # the iterations whose estimates are kept


@dataclass(frozen=True)
class FigurePlan:
    """What a profile can show of a paper's figure; without cases and conditions, nothing."""

    cases: dict[str, list[str]]  # by dataset
    methods: list[str]
    seeds: list[int]
    notes: list[str]  # a sentence on each thing that is left out
    conditions: Mapping[str, str] = field(default_factory=dict)  # or words to dataset


@dataclass(frozen=True)
class Plan:
    """A checked config."""

    config: Mapping[str, Any]  # as `workflow/schemas/config.schema.yaml` has it
    asked: Mapping[str, Dataset]  # all that the config names
    datasets: Mapping[str, Dataset]  # those of them whose files are here, or can be downloaded
    cases: Mapping[str, list[str]]  # of each of these datasets, all or those that the config selects
    downloads: Mapping[str, str]  # dataset to the source that has to be downloaded for it
    absent: Mapping[str, str]  # the others, and why they cannot run
    methods: Mapping[str, MethodPlan]

    @classmethod
    def from_config(cls, config: Any, where: str, descriptors: Path = FOLDER) -> "Plan":
        """Raises InputError, naming `where` and the key, for anything that cannot run."""
        config = checked(config, "config", where)
        try:
            asked = {name: find_dataset(name, descriptors) for name in config["datasets"]}
            for dataset in asked.values():
                _at(f"{dataset.path}: protocol", find_protocol, dataset.content["protocol"])
            for name in config["metrics"]:
                _at("metrics", variants, name)
            for name in config["cases"]:
                if name not in asked:
                    raise InputError(
                        f"cases: '{name}' is none of the datasets. {did_you_mean(name, list(asked))}"
                    )
            for name in config["accept_terms"]:
                find_source(name)
            presence = {
                name: _presence(dataset, config["cases"].get(name, ["*"]), config["accept_terms"])
                for name, dataset in asked.items()
            }
            methods = {
                name: _method_plan(name, overrides, config["snapshots"], where)
                for name, overrides in config["methods"].items()
            }
            _check_names(config, methods)
            for name, grid in config["grids"].items():
                tables = [dataset.content["table"] for dataset in asked.values()]
                _check_grid(name, Grid(**grid), tables, descriptors)
            for name in config["paper_tables"]:
                paper_table(name)
            for name in config["paper_figures"]:
                paper_figure(name)
        except InputError as error:
            message = str(error)
            raise InputError(
                message if message.startswith((where, str(descriptors))) else f"{where}: {message}"
            ) from error
        absent = {name: found.reason for name, found in presence.items() if found.reason}
        return cls(
            config=config,
            asked=asked,
            datasets={name: dataset for name, dataset in asked.items() if name not in absent},
            cases={name: found.cases for name, found in presence.items() if name not in absent},
            downloads={name: found.download for name, found in presence.items() if found.download},
            absent=absent,
            methods=methods,
        )

    def require_data(self) -> None:
        """Raises InputError when no dataset can run."""
        if not self.datasets:
            name, reason = next(iter(self.absent.items()))
            others = f" (and {len(self.absent) - 1} more, see `blindbench plan`)" * (len(self.absent) > 1)
            raise InputError(f"{self.results}: no dataset can run: {name}: {reason}{others}")

    def methods_on(self, dataset: str) -> list[str]:
        """The methods that run on a dataset: all but those that the config keeps to others."""
        kept: Mapping[str, Sequence[str]] = self.config["only"]
        return [name for name in self.methods if dataset in kept.get(name, [dataset])]

    @property
    def grids(self) -> dict[str, Grid]:
        """The config's tables over two sets of conditions."""
        return {name: Grid(**grid) for name, grid in self.config["grids"].items()}

    @property
    def results(self) -> Path:
        """`results/<profile>`, relative to the working directory."""
        profile: str = self.config["profile"]
        return Path("results") / profile

    def shards(self, dataset: str) -> list[list[str]]:
        """The dataset's cases, cut into the parts that one job each restores."""
        ids, size = self.cases[dataset], self.config["shard_size"]
        return [ids[start : start + size] for start in range(0, len(ids), size)]

    @cached_property
    def tables(self) -> dict[str, list[str]]:
        """Table name to the datasets it shows."""
        tables: dict[str, list[str]] = {}
        for name, dataset in self.datasets.items():
            tables.setdefault(dataset.content["table"], []).append(name)
        return tables

    def asked_for(self, table: str) -> list[str]:
        """The datasets that the config names for one of its own tables, whether they can run or not."""
        return [name for name, dataset in self.asked.items() if dataset.content["table"] == table]

    def datasets_of(self, table: str) -> list[str]:
        """Those of the profile's datasets that a table shows, its own table or a paper's."""
        if table in self.tables:
            return self.tables[table]
        return [name for name in paper_table(table).datasets if name in self.datasets]

    @property
    def converging(self) -> list[str]:
        """The methods whose snapshots are scored."""
        return [name for name, method in self.methods.items() if method.snapshots]

    @property
    def reference(self) -> str:
        """The one of them whose final PSNR the others are asked to reach."""
        name: str = self.config.get("reference", self.converging[0])
        return name

    @property
    def has_several_seeds(self) -> bool:
        """Whether there is a spread over seeds to show."""
        return len(self.config["seeds"]) > 1

    def figure_cases(self, dataset: str) -> list[str]:
        """A few of the dataset's cases, evenly spread."""
        ids = self.cases[dataset]
        return ids[:: -(-len(ids) // FIGURE_CASES)]

    def paper_figure(self, name: str) -> FigurePlan:
        """What this profile can show of a paper's figure, and why not more."""
        figure = paper_figure(name)
        if figure.kind.reads in ("sheets", "nothing"):  # shows no dataset
            return FigurePlan({}, [], [], [])
        if figure.conditions:
            return self._figure_of_conditions(figure)
        shown: dict[str, list[str]] = {}
        notes = []
        for wanted in figure.cases:
            notes += self._without_datasets(wanted)
            for dataset, cases in wanted.items():
                selected = self.cases.get(dataset, [])
                named = cases.of(self._groups(dataset)) if isinstance(cases, First) else cases
                shown[dataset] = [case for case in named if case in selected]
                absent = ", ".join(case for case in named if case not in selected)
                if dataset in self.datasets and absent:
                    notes.append(f"{dataset}: left out, as the config does not select them: {absent}")
            shown = {dataset: cases for dataset, cases in shown.items() if cases}
            if shown:
                break
        methods = self._running(figure.methods, shown)
        notes += _without(figure.methods, methods)
        seeds = list(self.config["seeds"])
        if not figure.kind.all_seeds:
            seeds = seeds[:1]
        elif not self.has_several_seeds:
            notes.append("One seed has no spread: put config/three-seeds.yaml on top")
        return FigurePlan(shown, methods, seeds, notes)

    def _figure_of_conditions(self, figure: PaperFigure) -> FigurePlan:
        here = self.converging if figure.kind.reads == "convergence.csv" else list(self.methods)
        if not here:
            notes = [
                *_without(figure.methods, []),
                "It needs estimates on the way: put `snapshots` into the config",
            ]
            return FigurePlan({}, [], [], notes)
        shown: dict[str, str] = {}
        absent: list[str] = []
        for wanted in figure.conditions:
            shown = {words: name for words, name in wanted.items() if name in self.datasets}
            absent += self._without_datasets(wanted.values())
            if shown:
                break
        methods = [name for name in self._running(figure.methods, shown.values()) if name in here]
        notes = [*_without(figure.methods, methods), *absent]
        return FigurePlan({}, methods, list(self.config["seeds"]) if shown else [], notes, shown)

    def _running(self, methods: Sequence[str], datasets: Iterable[str]) -> list[str]:
        """Those of `methods` that run on any of `datasets`; without datasets, that run at all."""
        running = [self.methods_on(name) for name in datasets] or [list(self.methods)]
        return [method for method in methods if any(method in names for names in running)]

    def _groups(self, dataset: str) -> dict[str, str]:
        """The groups of the cases of a dataset that run."""
        return {case: self.datasets[dataset].entries[case].group for case in self.cases.get(dataset, [])}

    def _without_datasets(self, wanted: Iterable[str]) -> list[str]:
        """A sentence on the datasets that are not here, for each reason."""
        found: dict[str, list[str]] = {}
        for name in wanted:
            if name not in self.datasets:
                reason = self.absent.get(name, "not among the config's datasets").split("; ", maxsplit=1)[0]
                found.setdefault(reason, []).append(name)
        return [
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} left out: {reason}"
            for reason, names in found.items()
        ]

    def shards_of(self, dataset: str, cases: Sequence[str]) -> list[int]:
        """The numbers of the shards that hold `cases`."""
        return [number for number, ids in enumerate(self.shards(dataset)) if set(ids) & set(cases)]

    def observations_hash(self, dataset: str) -> str:
        """Changes whenever the dataset would be synthesised differently."""
        return provenance.digest(
            self.datasets[dataset].recipe,
            self.config["experiment_seed"],
            provenance.code_hash("benchmark.data.synthesis"),
            provenance.code_hash("benchmark.data.cases"),
        )

    def files_hash(self, method: str, cases: Sequence[str]) -> str:
        """Changes with every file that the method reads for `cases` beside the observations."""
        files = self.methods[method].files
        return provenance.digest(*(provenance.files_hash(files(case)) for case in cases))


def _without(wanted: Sequence[str], methods: Sequence[str]) -> list[str]:
    """A sentence on the methods that are not here; none when all are."""
    absent = [method for method in wanted if method not in methods]
    return [f"Methods that this profile does not run here: {', '.join(absent)}"] * bool(absent)


@dataclass(frozen=True)
class _Presence:
    """Whether a dataset can run."""

    cases: list[str] = field(default_factory=list)
    download: str = ""  # the source to get first
    reason: str = ""  # why it cannot


def _presence(dataset: Dataset, patterns: Sequence[str], accepted: Sequence[str]) -> _Presence:
    """Raises InputError for a pattern that matches no case."""
    source = find_source(dataset.content["source"])
    try:
        dataset.case_ids  # noqa: B018 (needs the files, for some datasets)
    except InputError as error:
        return _Presence(reason="; ".join(filter(None, [str(error), source.how_to_get])))
    cases = dataset.selected(patterns)
    missing = dataset.missing(cases)
    if not missing:
        return _Presence(cases)
    if source.name in accepted and source.downloadable:
        return _Presence(cases, download=source.name)
    count = len(dataset.files(cases))
    return _Presence(
        reason=f"{len(missing)} of {count} files are missing, as {missing[0]}; {source.how_to_get}"
    )


def _at(place: str, find: Callable[[str], object], name: str) -> None:
    """Raise InputError that starts with `place` when `find` finds nothing called `name`."""
    try:
        find(name)
    except InputError as error:
        raise InputError(f"{place}: {error}") from error


def _check_names(config: Mapping[str, Any], methods: Mapping[str, MethodPlan]) -> None:
    """Raises InputError for a snapshot that nothing reaches, and for words on methods that are not there."""
    kept = {iteration for method in methods.values() for iteration in method.snapshots}
    for iteration in config["snapshots"]:
        if iteration not in kept:
            raise InputError(f"snapshots: no method takes {iteration} iterations")
    for key in ("titles", "only"):
        for name in config[key]:
            if name not in methods:
                hint = did_you_mean(name, list(methods))
                raise InputError(f"{key}: '{name}' is none of the methods. {hint}")
    for name, kept in config["only"].items():
        for dataset in kept:
            if dataset not in config["datasets"]:
                hint = did_you_mean(dataset, config["datasets"])
                raise InputError(f"only.{name}: '{dataset}' is none of the datasets. {hint}")
    converging = [name for name, method in methods.items() if method.snapshots]
    reference = config.get("reference")
    if reference is not None and reference not in converging:
        hint = did_you_mean(reference, converging) if converging else "No method has any: see `snapshots`."
        raise InputError(f"reference: '{reference}' is none of the methods with snapshots. {hint}")


def _check_grid(name: str, grid: Grid, tables: Sequence[str], descriptors: Path) -> None:
    """Raises InputError for datasets or a metric that do not exist, or the name of one of `tables`."""
    if name in (*tables, *paper_tables(), "convergence", "sensitivity"):
        raise InputError(f"grids: '{name}' is the name of another table")
    _at(f"grids.{name}.metric", find_metric, grid.metric)
    for row in grid.rows:
        for column in grid.columns:
            find_dataset(grid.cell(row, column), descriptors)


def _method_plan(name: str, overrides: Mapping[str, Any], snapshots: Sequence[int], where: str) -> MethodPlan:
    method = base_method(name)
    settings = effective(method.settings, overrides, f"{where}: methods.{name}")
    return MethodPlan(
        name,
        flat(settings),
        provenance.code_of(method, settings),
        lambda case: provenance.files_of(method, settings, case),
        kept_snapshots(settings, snapshots),
    )
