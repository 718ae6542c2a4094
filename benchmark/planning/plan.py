"""The plan of a profile: a checked config and what follows from it, written once for all steps of a run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from benchmark.core.files import try_lock, write_json
from benchmark.core.schema import did_you_mean
from benchmark.core.types import InputError
from benchmark.planning.parts import DatasetPlan, FigurePlan, MethodPlan, TablePlan, TrainingPlan
from benchmark.runs.store import Store

FILE = "plan.json"  # in the results folder
Item = TypeVar("Item")


def results_folder(config: Mapping[str, Any]) -> Path:
    """Return the folder that a config's results go to, below the working directory."""
    return Path("results") / str(config["profile"])


class Run(NamedTuple):
    """One method on one dataset, for one repetition."""

    dataset: str
    method: str
    seed: int


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
        try:
            return TypeAdapter(cls).validate_python(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file; {again}, which writes it") from error
        except (ValidationError, ValueError, OSError) as error:
            raise InputError(f"{path}: damaged, or written by another version; {again} again") from error

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
    def reference(self) -> str:
        """The method whose final PSNR the others are asked to reach; empty where no method has snapshots."""
        name: str = self.config.get("reference", next(iter(self.converging), ""))
        return name

    @property
    def default_tables(self) -> list[Path]:
        """The files of the target `tables`."""
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
        return ["tables", "figures", "pretrain", *self.named_figures, *self.named_tables]

    @property
    def named_figures(self) -> list[str]:
        """The figures that are targets by their name: those of the papers."""
        return [name for name, figure in self.figures.items() if figure.kind == "paper"]

    @property
    def named_tables(self) -> list[str]:
        """The tables that are targets by their name: those of the papers, and those over conditions."""
        return [name for name, table in self.tables.items() if table.kind in ("paper", "grid")]

    def methods_on(self, dataset: str) -> list[str]:
        """List the methods that run on a dataset."""
        return [name for name, method in self.methods.items() if dataset in method.datasets]

    def runs(self) -> Iterator[Run]:
        """Yield a run for every method, every dataset that it runs on, and every seed."""
        for dataset in self.running:
            for method in self.methods_on(dataset):
                for seed in self.seeds:
                    yield Run(dataset, method, seed)

    def shards(self, dataset: str) -> list[list[str]]:
        """Cut the dataset's cases into shards: one job restores one shard."""
        cases, size = list(self.datasets[dataset].cases), self.config["shard_size"]
        return [cases[start : start + size] for start in range(0, len(cases), size)]

    def manifests(self, run: Run, cases: Sequence[str] | None = None) -> list[Path]:
        """List the manifests of a run's shards; with `cases`, only of the shards that hold any of them."""
        return [
            self.store.shard_manifest(*run, number)
            for number, shard in enumerate(self.shards(run.dataset))
            if cases is None or set(shard) & set(cases)
        ]

    def observation_inputs(self, dataset: str) -> list[Path]:
        """List the file that marks the download as finished; none for a dataset that needs no download."""
        marker = self.datasets[dataset].marker
        return [Path(marker)] if marker else []

    def score_files(self, run: Run) -> list[Path]:
        """List the files with the scores of a run: of its results and, where it has any, of its snapshots."""
        on_the_way = [self.store.convergence_of(*run)] if run.method in self.converging else []
        return [self.store.scores_of(*run), *on_the_way]

    @property
    def joined(self) -> list[Path]:
        """The files that hold the scores and the runs of all methods."""
        return [self.store.scores, self.store.runs, *[self.store.convergence] * bool(self.converging)]

    def joined_inputs(self) -> list[Path]:
        """List the files from which `joined` is made."""
        return [file for run in self.runs() for file in (*self.score_files(run), *self.manifests(run))]

    def table_inputs(self, name: str) -> list[Path]:
        """List the files that a table is compiled from."""
        return [self.results / self.tables[name].reads, self.store.runs]

    def figure_inputs(self, name: str) -> list[Path]:
        """List the files that a figure is drawn from."""
        figure = self.figures[name]
        if figure.reads:
            return [self.results / figure.reads, self.store.runs]
        observations = [self.store.observations_manifest(dataset) for dataset in figure.cases]
        restorations = [
            manifest
            for dataset, cases in figure.cases.items()
            for method in figure.methods
            if method in self.methods_on(dataset)
            for seed in figure.seeds
            for manifest in self.manifests(Run(dataset, method, seed), cases)
        ]
        return [*observations, *restorations, *map(Path, figure.sheets)]

    def find_dataset(self, name: str) -> DatasetPlan:
        """Find a dataset that runs. Raises InputError, with the closest name or why it does not run."""
        dataset = _find(self.datasets, name, "dataset")
        if not dataset.runs:
            raise InputError(f"{name} cannot run: {dataset.absent}")
        return dataset

    def find_run(self, dataset: str, method: str, seed: int) -> Run:
        """Find a run of the plan. Raises InputError, with the closest name, when the plan has no such run."""
        self.find_dataset(dataset)
        if dataset not in _find(self.methods, method, "method").datasets:
            raise InputError(f"the plan keeps {method} to {', '.join(self.methods[method].datasets)}")
        if seed not in self.seeds:
            raise InputError(f"the plan has no seed {seed}; it has {', '.join(map(str, self.seeds))}")
        return Run(dataset, method, seed)

    def find_table(self, name: str) -> TablePlan:
        """Find a table of the plan. Raises InputError, with the closest name, when there is none."""
        return _find(self.tables, name, "table")

    def find_figure(self, name: str) -> FigurePlan:
        """Find a figure of the plan. Raises InputError, with the closest name, when there is none."""
        return _find(self.figures, name, "figure")


def _find(known: Mapping[str, Item], name: str, what: str) -> Item:
    if name not in known:
        raise InputError(f"the plan has no {what} '{name}'. {did_you_mean(name, list(known))}")
    return known[name]
