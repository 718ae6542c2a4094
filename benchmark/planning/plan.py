"""The plan of a profile: a checked config and what follows from it, written once for all steps of a run."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from benchmark.core.errors import InputError
from benchmark.core.files import try_lock, write_json
from benchmark.core.schema import checked, did_you_mean
from benchmark.planning.parts import DatasetPlan, FigurePlan, MethodPlan, TablePlan, TrainingPlan
from benchmark.runs.names import base_method
from benchmark.runs.shards import Part, cut
from benchmark.runs.store import Store
from benchmark.tables.definition import BEST
from methods.parts.registry import Cost

FILE = "plan.json"  # in the results folder
AUTO = "auto"  # the value of a config's `batch` that leaves it to the device
SCORED_PER_JOB = 200  # restorations: minutes of scoring. Ours.
# The most restorations of several methods that one job scores. To load the metrics takes longer than to score
# one. Ours.
SCORED_TOGETHER = 20
TOGETHER = "score_together_"  # begins the names of the workflow's rules for these jobs; a number follows
# For which a job of restorations asks a cluster, by the cost of its method. One that takes longer is sent
# again and goes on from its checkpoint. Ours.
JOB_MINUTES: Mapping[Cost, int] = {"seconds": 60, "minutes": 240, "long": 720}
Item = TypeVar("Item")


def results_folder(config: Mapping[str, Any]) -> Path:
    """Return the folder that a config's results go to, below the working directory."""
    return Path("results") / str(config["profile"])


class Run(NamedTuple):
    """One method on one dataset, for one repetition."""

    dataset: str
    method: str
    seed: int


class Step(NamedTuple):
    """The files that a job of the workflow reads and writes."""

    inputs: list[Path]
    outputs: list[Path]


@dataclass(frozen=True)
class Plan:
    """What a profile runs, compiles and draws.

    The workflow checks a config, writes the plan into the results folder, and gives each step names, which
    the step looks up in the plan. `benchmark.planning.config.make_plan` makes a plan, `Plan.read` reads it.
    """

    config: dict[str, Any]  # as `workflow/schemas/config.schema.yaml` describes it, with its defaults
    datasets: dict[str, DatasetPlan]  # all that the config names, whether or not they can run
    methods: dict[str, MethodPlan]
    tables: dict[str, TablePlan]
    figures: dict[str, FigurePlan]
    trainings: dict[str, TrainingPlan]  # by the stem of the files that they write

    @classmethod
    def read(cls, results: Path) -> "Plan":
        """Read the plan of a results folder.

        Raises:
            InputError: there is no plan, or it is damaged or of another version.
        """
        path = results / FILE
        again = "run the workflow, or `blindbench plan CONFIG --write`"
        damaged = f"{path}: damaged, or written by another version; {again} again"
        try:
            plan = TypeAdapter(cls).validate_python(json.loads(path.read_text(encoding="utf-8")))
            is_whole = plan.config == checked(plan.config, "config", str(path))  # which adds what is missing
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file; {again}, which writes it") from error
        except (ValidationError, InputError, ValueError, OSError) as error:
            raise InputError(damaged) from error
        if not is_whole:
            raise InputError(damaged)
        return plan

    def write(self) -> Path:
        """Write the plan into the results folder and return its path."""
        path = self.results / FILE
        write_json(path, asdict(self))
        return path

    def claim_results(self) -> IO[str]:
        """Take the results folder for this process, until the returned file is closed.

        Raises:
            InputError: another process has it.
        """
        lock = try_lock(self.results / ".lock")
        if lock is None:
            raise InputError(f"another run is working in {self.results}; wait for it or stop it")
        return lock

    def require_folder(self) -> None:
        """Raise InputError when a file lies where the results folder belongs."""
        for path in (self.results, *self.results.parents):
            if path.exists() and not path.is_dir():
                raise InputError(f"{path}: a file lies where a folder for results belongs; move it away")

    def require_data(self) -> None:
        """Raise InputError when no dataset can run."""
        if not self.running:
            name, dataset = next(iter(self.datasets.items()))
            count = len(self.datasets) - 1
            others = f" (and {count} more, see `blindbench plan`)" if count else ""
            raise InputError(f"{self.results}: no dataset can run: {name}: {dataset.absent}{others}")

    @property
    def results(self) -> Path:
        """The results folder, `results/<profile>` below the working directory."""
        return results_folder(self.config)

    @property
    def store(self) -> Store:
        """Where things lie in the results folder."""
        return Store(self.results)

    @property
    def seeds(self) -> list[int]:
        """The repetitions of every method."""
        return list(self.config["seeds"])

    @property
    def running(self) -> list[str]:
        """The datasets that can run."""
        return [name for name, dataset in self.datasets.items() if dataset.runs]

    @property
    def absent(self) -> dict[str, str]:
        """The datasets that cannot run, and why."""
        return {name: dataset.absent for name, dataset in self.datasets.items() if not dataset.runs}

    @property
    def converging(self) -> list[str]:
        """The methods whose estimates on the way are kept and scored."""
        return [name for name, method in self.methods.items() if method.snapshots]

    @property
    def on_gpu(self) -> list[str]:
        """The methods whose jobs may use a GPU."""
        return [name for name, method in self.methods.items() if method.device != "cpu"]

    @property
    def reference(self) -> str:
        """The method whose final PSNR the others are asked to reach; empty where no method has snapshots."""
        name: str = self.config.get("reference", next(iter(self.converging), ""))
        return name

    @property
    def baseline(self) -> str:
        """The method that tables test the others against: the best of each column by default."""
        name: str = self.config.get("baseline", BEST)
        return name

    @property
    def default_tables(self) -> list[Path]:
        """The files of the target `tables`, apart from the page."""
        names = [name for name, table in self.tables.items() if table.default]
        return [*(file for name in names for file in self.store.table_files(name)), *self.joined]

    @property
    def default_figures(self) -> list[Path]:
        """The files of the target `figures`."""
        names = [name for name, figure in self.figures.items() if figure.default]
        return [file for name in names for file in self.store.figure_files(name)]

    @property
    def targets(self) -> list[str]:
        """The names that the workflow can be asked for, apart from paths of files."""
        return ["tables", "figures", "pretrain", "reference", *self.named_figures, *self.named_tables]

    @property
    def named_figures(self) -> list[str]:
        """The figures that are targets by their name: those of the papers."""
        return [name for name, figure in self.figures.items() if figure.kind == "paper"]

    @property
    def named_tables(self) -> list[str]:
        """The tables that are targets by their name: those of the papers, and those over conditions."""
        kinds = ("paper", "best", "claims", "grid")
        return [name for name, table in self.tables.items() if table.kind in kinds]

    def methods_on(self, dataset: str) -> list[str]:
        """List the methods that run on a dataset."""
        return [name for name, method in self.methods.items() if dataset in method.datasets]

    def runs(self) -> Iterator[Run]:
        """Yield a run for every method, every dataset that it runs on, and every seed."""
        for dataset in self.running:
            for method in self.methods_on(dataset):
                for seed in self.seeds:
                    yield Run(dataset, method, seed)

    def restorations(self) -> int:
        """Count the restorations: a method on a case, once per seed."""
        return sum(len(self.datasets[run.dataset].cases) for run in self.runs())

    @cached_property
    def shards(self) -> dict[str, list[list[Part]]]:
        """The shards of every method: one job restores one of them."""
        return {name: cut(self._parts(name), method.shard_size) for name, method in self.methods.items()}

    @cached_property
    def score_shards(self) -> dict[str, list[list[Part]]]:
        """The shards of every method's restorations: one job scores one of them."""
        return {name: cut(self._parts(name), SCORED_PER_JOB) for name in self.methods}

    @cached_property
    def scored_together(self) -> list[list[str]]:
        """Groups of methods with few restorations, in the config's order: one job scores a group."""
        groups: list[list[str]] = []
        room = 0
        for name in self.methods:
            count = sum(len(part.cases) for part in self._parts(name))
            if not 0 < count <= SCORED_TOGETHER or name in self.converging:
                continue
            if count > room:
                groups.append([])
                room = SCORED_TOGETHER
            groups[-1].append(name)
            room -= count
        return [group for group in groups if len(group) > 1]

    @property
    def scored_alone(self) -> list[str]:
        """The other methods: each has scoring jobs of its own."""
        together = {name for group in self.scored_together for name in group}
        return [name for name in self.methods if name not in together]

    def _parts(self, method: str) -> list[Part]:
        """List what a method restores, in order."""
        return [
            Part(run.dataset, run.seed, list(self.datasets[run.dataset].cases))
            for run in self.runs()
            if run.method == method
        ]

    def job_minutes(self, method: str) -> int:
        """Return how many minutes a job of the method asks a cluster for."""
        return JOB_MINUTES[base_method(method).cost]

    def records(self, method: str, wanted: Collection[Part] | None = None) -> list[Path]:
        """List the files of records of a method's jobs; with `wanted`, of those that restore any of it."""
        return [
            self.store.records(method, number)
            for number, shard in enumerate(self.shards[method])
            if wanted is None or any(_overlap(part, other) for part in shard for other in wanted)
        ]

    def restore_inputs(self, method: str, shard: int) -> list[Path]:
        """List the manifests of the observations that a job restores."""
        datasets = dict.fromkeys(part.dataset for part in self.shards[method][shard])
        return [self.store.observations_manifest(dataset) for dataset in datasets]

    def score_inputs(self, method: str, shard: int) -> list[Path]:
        """List the files of records of the restorations that a job scores."""
        size = self.methods[method].shard_size
        first, last = shard * SCORED_PER_JOB // size, ((shard + 1) * SCORED_PER_JOB - 1) // size
        numbers = range(first, min(last + 1, len(self.shards[method])))
        return [self.store.records(method, number) for number in numbers]

    def observation_inputs(self, dataset: str) -> list[Path]:
        """List the file that marks the download as finished; none for a dataset that needs no download."""
        marker = self.datasets[dataset].marker
        return [Path(marker)] if marker else []

    def score_files(self, method: str, shard: int) -> list[Path]:
        """List the files of a scoring job: the scores of results and, where there are any, of snapshots."""
        on_the_way = [self.store.convergence_of(method, shard)] if method in self.converging else []
        return [self.store.scores_of(method, shard), *on_the_way]

    def score_step(self, group: Sequence[str]) -> Step:
        """Return the files that the job of a group of `scored_together` reads and writes."""
        names = [(method, number) for method in group for number, _ in enumerate(self.score_shards[method])]
        inputs = [file for name in names for file in self.score_inputs(*name)]
        return Step(inputs, [file for name in names for file in self.score_files(*name)])

    @property
    def joined(self) -> list[Path]:
        """The files that hold the scores and the runs of all methods."""
        return [self.store.scores, self.store.runs, *[self.store.convergence] * bool(self.converging)]

    def joined_inputs(self) -> list[Path]:
        """List the files of scores from which `joined` is made.

        The runs are read from the files of records. They are not listed: scores are made from them, so new
        records bring new scores, and Snakemake would spend minutes on those of a large profile.
        """
        return [
            file
            for method, shards in self.score_shards.items()
            for number, _ in enumerate(shards)
            for file in self.score_files(method, number)
        ]

    def table_inputs(self, name: str) -> list[Path]:
        """List the files that a table is compiled from."""
        if self.tables[name].kind == "claims":
            return self.joined
        return [self.results / self.tables[name].reads, self.store.runs]

    def figure_inputs(self, name: str) -> list[Path]:
        """List the files that a figure is drawn from."""
        figure = self.figures[name]
        if figure.reads:
            return [self.results / figure.reads, self.store.runs]
        observations = [self.store.observations_manifest(dataset) for dataset in figure.cases]
        shown = [
            Part(dataset, seed, cases) for dataset, cases in figure.cases.items() for seed in figure.seeds
        ]
        restorations = [file for method in figure.methods for file in self.records(method, shown)]
        return [*observations, *restorations, *map(Path, figure.sheets)]

    def steps(self) -> Iterator[Step]:
        """Yield every job, from trainings to figures, each after those whose files it reads."""
        for training in self.trainings.values():
            yield Step([Path(path) for path in training.inputs], [Path(training.record)])
        for dataset in self.running:
            yield Step([], [self.store.observations_manifest(dataset)])
        for method in self.methods:
            for number, _ in enumerate(self.shards[method]):
                yield Step(self.restore_inputs(method, number), [self.store.records(method, number)])
        for method in self.scored_alone:
            for number, _ in enumerate(self.score_shards[method]):
                yield Step(self.score_inputs(method, number), self.score_files(method, number))
        for group in self.scored_together:
            yield self.score_step(group)
        yield Step(self.joined_inputs(), self.joined)
        for table in self.tables:
            yield Step(self.table_inputs(table), self.store.table_files(table))
        yield Step(self.default_tables, [self.store.report])
        for figure in self.figures:
            yield Step(self.figure_inputs(figure), self.store.figure_files(figure))

    def find_dataset(self, name: str) -> DatasetPlan:
        """Find a dataset that runs. Raises InputError, with the closest name or why it does not run."""
        dataset = _find(self.datasets, name, "dataset")
        if not dataset.runs:
            raise InputError(f"{name} cannot run: {dataset.absent}")
        return dataset

    def find_method(self, name: str) -> MethodPlan:
        """Find a method of the plan. Raises InputError, with the closest name, when there is none."""
        return _find(self.methods, name, "method")

    def find_table(self, name: str) -> TablePlan:
        """Find a table of the plan. Raises InputError, with the closest name, when there is none."""
        return _find(self.tables, name, "table")

    def find_figure(self, name: str) -> FigurePlan:
        """Find a figure of the plan. Raises InputError, with the closest name, when there is none."""
        return _find(self.figures, name, "figure")


def _overlap(part: Part, other: Part) -> bool:
    return part[:2] == other[:2] and not set(part.cases).isdisjoint(other.cases)


def _find(known: Mapping[str, Item], name: str, what: str) -> Item:
    if name not in known:
        raise InputError(f"the plan has no {what} '{name}'. {did_you_mean(name, list(known))}")
    return known[name]
