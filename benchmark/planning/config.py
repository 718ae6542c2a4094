"""From config files to the plan of a profile."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemake.utils import update_config

from benchmark.core.errors import InputError
from benchmark.core.resources import mirror
from benchmark.core.schema import checked, read_yaml
from benchmark.data.descriptors import FOLDER, find_dataset
from benchmark.data.sources import all_sources
from benchmark.planning.checks import (
    check_compared,
    check_descriptors,
    check_grids,
    check_names,
    check_snapshots,
)
from benchmark.planning.datasets import planned_dataset
from benchmark.planning.figures import Profile, planned_figures
from benchmark.planning.methods import planned_methods, with_sweeps
from benchmark.planning.plan import Plan, results_folder
from benchmark.planning.tables import planned_tables
from benchmark.planning.trainings import planned_trainings


def read_configs(paths: Sequence[Path]) -> dict[str, Any]:
    """Merge config files into one config; where two files set the same key, the later file wins.

    Nested mappings are merged key by key, as `snakemake --configfile A B` does.

    Raises:
        InputError: a file is missing, is not YAML, or is not a mapping of keys to values.
    """
    config: dict[str, Any] = {}
    for path in paths:
        content = read_yaml(path)
        if not isinstance(content, dict):
            raise InputError(f"{path}: a config is a list of `key: value` lines; see config/README.md")
        update_config(config, content)
    return config


def make_plan(config: Any, where: str, descriptors: Path = FOLDER) -> Plan:
    """Check a config and plan everything that it asks for.

    Args:
        config: the content of a config file.
        where: how to name the config in messages, such as its path.
        descriptors: the folder of dataset descriptors.

    Raises:
        InputError: something in it cannot run; the message names `where` and the key.

    >>> config = {"profile": "mine", "caption": "A test."}
    >>> config |= {"datasets": ["demo-uniform"], "methods": {"blurry": {}}}
    >>> plan = make_plan(config, "mine.yaml")
    >>> list(plan.runs())
    [Run(dataset='demo-uniform', method='blurry', seed=0)]
    >>> plan.shards["blurry"]
    [[Part(dataset='demo-uniform', seed=0, cases=['camera', 'astronaut'])]]
    """
    mirror()  # refuses one that is not there: else every dataset would be missing
    config = checked(config, "config", where)
    results = results_folder(config)
    try:
        sources = all_sources()
        described = {name: find_dataset(name, descriptors) for name in config["datasets"]}
        check_descriptors(described.values(), list(sources))
        config = with_sweeps(config)
        methods = planned_methods(config)
        check_names(config)
        datasets = {
            name: planned_dataset(
                dataset,
                sources[dataset.content["source"]],
                config["cases"].get(name, "all"),
                config["accept_terms"],
            )
            for name, dataset in described.items()
        }
        check_compared(config, list(datasets))
        check_snapshots(config, {name: method.snapshots for name, method in methods.items()})
        check_grids(config, [dataset.table for dataset in datasets.values()], descriptors)
        converging = [name for name, method in methods.items() if method.snapshots]
        tables = planned_tables(config, datasets, converging)
        figures = planned_figures(config, Profile(datasets, methods, config["seeds"], results), tables)
        trainings = planned_trainings(config["pretrain"], results)
    except InputError as error:
        message = str(error)
        is_named = message.startswith((where, str(descriptors)))
        raise InputError(message if is_named else f"{where}: {message}") from error
    return Plan(config, datasets, methods, tables, figures, trainings)
