"""Check that names in a config match: those of its methods and datasets, of tables and of metrics."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.core.errors import InputError
from benchmark.core.schema import did_you_mean
from benchmark.data.descriptors import Dataset, find_dataset
from benchmark.data.sources import find_source
from benchmark.figures.paper_figures import paper_figure
from benchmark.planning.figures import COST, PERFORMANCE
from benchmark.planning.methods import require_matches
from benchmark.planning.tables import CONVERGENCE, SENSITIVITY
from benchmark.scoring.ledger import ledger_of, read_shipped
from benchmark.scoring.metrics import find_metric, variants
from benchmark.scoring.protocols import find_protocol
from benchmark.tables.claims import claim_tables
from benchmark.tables.definition import Grid
from benchmark.tables.paper_tables import paper_tables


def require(key: str, name: str, what: str, known: Sequence[str]) -> None:
    """Raise InputError that names `key` unless `name` is `known`; `what` says what the known names are."""
    if name not in known:
        hint = did_you_mean(name, list(known)) if known else "There are none."
        raise InputError(f"{key}: '{name}' is none of the {what}. {hint}")


def named(place: str, find: Callable[[str], object], name: str) -> None:
    """Look up a name; when it does not exist, raise InputError that starts with `place`."""
    try:
        find(name)
    except InputError as error:
        raise InputError(f"{place}: {error}") from error


def check_descriptors(datasets: Iterable[Dataset], sources: Sequence[str]) -> None:
    """Check that the protocol and the source of each dataset exist; the message names the descriptor."""
    for dataset in datasets:
        named(f"{dataset.path}: protocol", find_protocol, dataset.content["protocol"])
        require(f"{dataset.path}: source", dataset.content["source"], "sources", sources)


def check_names(config: Mapping[str, Any]) -> None:
    """Check that whatever a config refers to by name exists.

    Raises:
        InputError: naming the key and the closest known name.
    """
    for name in config["metrics"]:
        named("metrics", variants, name)
    for name in config["cases"]:
        require("cases", name, "datasets", config["datasets"])
    for name in config["titles"]:
        require("titles", name, "methods", list(config["methods"]))
    if "baseline" in config:
        require("baseline", config["baseline"], "methods", list(config["methods"]))
    for key in ("only", "snapshots_of"):
        require_matches(key, config[key], config["methods"])
    for name, stand_in in config["stand_ins"].items():
        named("stand_ins", find_dataset, name)
        require(f"stand_ins.{name}", stand_in, "datasets", config["datasets"])
    for name, datasets in config["only"].items():
        for dataset in datasets:
            require(f"only.{name}", dataset, "datasets", config["datasets"])
    for name in config["accept_terms"]:
        find_source(name)
    for name in config["paper_tables"]:
        require("paper_tables", name, "tables of the papers", [*paper_tables(), *claim_tables()])
    for name in config["paper_figures"]:
        paper_figure(name)


def check_compared(config: Mapping[str, Any], datasets: Sequence[str]) -> None:
    """Check that the ledger under `compare`, if there is one, has rows of any of the datasets."""
    if "compare" not in config:
        return
    ledger = ledger_of(config["compare"])
    try:
        has = list(read_shipped(ledger).dataset.unique())
    except InputError as error:
        raise InputError(f"compare: {error}") from error
    if not set(has) & set(datasets):
        raise InputError(f"compare: {ledger} has no rows of these datasets; it has {', '.join(has)}")


def check_snapshots(config: Mapping[str, Any], kept: Mapping[str, Sequence[int]]) -> None:
    """Check that some method reaches each snapshot, and that the reference method has any.

    Args:
        config: the checked config.
        kept: method to the snapshots that it reaches.
    """
    reached = {iteration for iterations in kept.values() for iteration in iterations}
    for iteration in config["snapshots"]:
        if iteration not in reached:
            raise InputError(
                f"snapshots: no method takes {iteration} iterations; drop it, or give some method more"
            )
    if "reference" in config:
        converging = [name for name, iterations in kept.items() if iterations]
        require("reference", config["reference"], "methods with snapshots", converging)


def check_grids(config: Mapping[str, Any], tables: Sequence[str], descriptors: Path) -> None:
    """Check the datasets, the metric and the name of each table over two sets of conditions.

    Args:
        config: the checked config.
        tables: the names of the profile's own tables, which no grid may have.
        descriptors: the folder of dataset descriptors.
    """
    for name, content in config["grids"].items():
        grid = Grid(**content)
        if name in (*tables, *paper_tables(), *claim_tables(), CONVERGENCE, SENSITIVITY, COST, PERFORMANCE):
            raise InputError(f"grids: '{name}' is the name of another table; choose another name")
        named(f"grids.{name}.metric", find_metric, grid.metric)
        for row in grid.rows:
            for column in grid.columns:
                find_dataset(grid.cell(row, column), descriptors)
