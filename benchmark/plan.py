"""What a config asks for: the jobs of the workflow, checked at the door."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark import provenance
from benchmark.descriptors import FOLDER, Dataset, find_dataset
from benchmark.papers import paper_table
from benchmark.schema import checked
from benchmark.settings import effective
from benchmark.types import InputError
from methods import registry

FIGURE_CASES = 6  # at most, in a figure of images


@dataclass(frozen=True)
class MethodPlan:
    """A method with its effective settings; `name` may carry a setting, `<method>@<setting>`."""

    name: str
    settings: dict[str, Any]
    code: str  # hash of the method's own modules
    files: Callable[[str], Sequence[Path]]  # what it reads for a case beside the observation


@dataclass(frozen=True)
class Plan:
    """A checked config."""

    config: Mapping[str, Any]  # as `workflow/schemas/config.schema.yaml` has it
    datasets: Mapping[str, Dataset]
    methods: Mapping[str, MethodPlan]

    @classmethod
    def from_config(cls, config: Any, where: str, descriptors: Path = FOLDER) -> "Plan":
        """Raises InputError, naming `where` and the key, for anything that cannot run."""
        config = checked(config, "config", where)
        try:
            datasets = {name: find_dataset(name, descriptors) for name in config["datasets"]}
            methods = {
                name: _method_plan(name, overrides, where) for name, overrides in config["methods"].items()
            }
            for name in config["paper_tables"]:
                paper_table(name)
        except InputError as error:
            message = str(error)
            raise InputError(
                message if message.startswith((where, str(descriptors))) else f"{where}: {message}"
            ) from error
        return cls(config, datasets, methods)

    @property
    def results(self) -> Path:
        """`results/<profile>`, relative to the working directory."""
        profile: str = self.config["profile"]
        return Path("results") / profile

    def shards(self, dataset: str) -> list[list[str]]:
        """The dataset's cases, cut into the parts that one job each restores."""
        ids, size = self.datasets[dataset].case_ids, self.config["shard_size"]
        return [ids[start : start + size] for start in range(0, len(ids), size)]

    @cached_property
    def tables(self) -> dict[str, list[str]]:
        """Table name to the datasets it shows."""
        tables: dict[str, list[str]] = {}
        for name, dataset in self.datasets.items():
            tables.setdefault(dataset.content["table"], []).append(name)
        return tables

    def datasets_of(self, table: str) -> list[str]:
        """Those of the profile's datasets that a table shows, its own table or a paper's."""
        if table in self.tables:
            return self.tables[table]
        return [name for name in paper_table(table).datasets if name in self.datasets]

    def figure_cases(self, dataset: str) -> list[str]:
        """A few of the dataset's cases, evenly spread."""
        ids = self.datasets[dataset].case_ids
        return ids[:: -(-len(ids) // FIGURE_CASES)]

    def observations_hash(self, dataset: str) -> str:
        """Changes whenever the dataset would be synthesised differently."""
        return provenance.digest(
            self.datasets[dataset].recipe,
            self.config["experiment_seed"],
            provenance.code_hash("benchmark.synthesis"),
            provenance.code_hash("benchmark.descriptors"),
        )

    def files_hash(self, method: str, cases: Sequence[str]) -> str:
        """Changes with every file that the method reads for `cases` beside the observations."""
        files = self.methods[method].files
        return provenance.digest(*(provenance.files_hash(files(case)) for case in cases))


def base_method(name: str) -> registry.Method:
    """The method behind `<method>` or `<method>@<setting>`."""
    return registry.find(name.partition("@")[0])


def _method_plan(name: str, overrides: Mapping[str, Any], where: str) -> MethodPlan:
    method = base_method(name)
    settings = effective(method.settings, overrides, f"{where}: methods.{name}")
    return MethodPlan(
        name,
        asdict(settings),
        provenance.code_hash(method.problem.__module__),
        lambda case: method.files(case, settings),
    )
