"""Which methods a config runs: their settings, their snapshots, and the datasets they run on."""

import json
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from benchmark.core.errors import InputError
from benchmark.core.schema import did_you_mean
from benchmark.planning.parts import MethodPlan
from benchmark.runs.names import base_method
from benchmark.runs.settings import kept_snapshots, method_settings
from methods.parts.registry import Cost, Method
from methods.parts.settings import flat

# A job takes minutes where it can, so that neither its start nor Snakemake's count of jobs weighs. Ours.
CASES_PER_JOB: Mapping[Cost, int] = {"seconds": 100, "minutes": 10, "long": 4}


def planned_methods(config: Mapping[str, Any]) -> dict[str, MethodPlan]:
    """Check the methods and settings of a config.

    Raises:
        InputError: a method or a setting does not exist, or a value is out of its range.
    """
    methods = {}
    for name, given in config["methods"].items():
        kept = any(fnmatchcase(name, pattern) for pattern in config["snapshots_of"])
        only = [datasets for pattern, datasets in config["only"].items() if fnmatchcase(name, pattern)]
        spec = base_method(name)
        settings = method_settings(name, given, f"methods.{name}")
        methods[name] = MethodPlan(
            given=dict(given),
            settings=json.loads(json.dumps(flat(settings))),  # lists for tuples, as plan.json has them
            snapshots=kept_snapshots(settings, config["snapshots"] if kept else []),
            datasets=list(only[0] if only else config["datasets"]),
            shard_size=_shard_size(config, spec),
            device=config["device"] if spec.gpu else "cpu",
        )
    return methods


def _shard_size(config: Mapping[str, Any], spec: Method) -> int:
    """Return how many cases a job takes: at least as many as are on their way at once.

    Raises:
        InputError: The config gives a number below its `batch`.
    """
    batch = config["batch"] if isinstance(config["batch"], int) else 1
    size: int = config.get("shard_size", max(batch, CASES_PER_JOB[spec.cost]))
    if size < batch:
        raise InputError(
            f"batch: a job of {size} cases (shard_size) cannot have {batch} on their way; raise shard_size, "
            "or lower batch"
        )
    return size


def with_sweeps(config: Mapping[str, Any]) -> dict[str, Any]:
    """Add a method for each value of each sweep, after those that the config names itself.

    Raises:
        InputError: the config names a method of this name itself.

    >>> sweep = {"setting": "regulariser_weight", "values": [0.1, 1e-5], "settings": {"regulariser": "tv"}}
    >>> list(with_sweeps({"methods": {}, "sweeps": {"robust-bid@l1": sweep}})["methods"])
    ['robust-bid@l1-1e-1', 'robust-bid@l1-1e-5']
    """
    methods = dict(config["methods"])
    for name, sweep in config["sweeps"].items():
        for value in sweep["values"]:
            mantissa, exponent = f"{value:e}".split("e")
            variant = f"{name}-{float(mantissa):g}e{int(exponent)}"
            if variant in methods:
                raise InputError(f"sweeps.{name}: '{variant}' is among the methods, too; choose another name")
            methods[variant] = {**sweep.get("settings", {}), sweep["setting"]: value}
    return {**config, "methods": methods}


def require_matches(key: str, patterns: Collection[str], methods: Collection[str]) -> None:
    """Raise InputError that names `key` for a shell pattern that matches none of the methods."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in methods):
            hint = did_you_mean(pattern, list(methods))
            raise InputError(f"{key}: '{pattern}' matches none of the methods. {hint}")
