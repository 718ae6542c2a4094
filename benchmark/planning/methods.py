"""Which methods a config runs: their settings, their snapshots, and the datasets they run on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.planning.parts import MethodPlan
from benchmark.runs.names import base_method
from benchmark.runs.settings import effective, kept_snapshots
from methods.parts.settings import flat


def planned_methods(config: Mapping[str, Any]) -> dict[str, MethodPlan]:
    """Check the methods and settings of a config.

    Raises:
        InputError: a method or a setting does not exist, or a value is out of its range.
    """
    return {
        name: _planned(name, given, config["snapshots"], config["only"].get(name, config["datasets"]))
        for name, given in config["methods"].items()
    }


def _planned(
    name: str, given: Mapping[str, Any], snapshots: Sequence[int], datasets: Sequence[str]
) -> MethodPlan:
    settings = effective(base_method(name).settings, given, f"methods.{name}")
    return MethodPlan(
        given=dict(given),
        settings=json.loads(json.dumps(flat(settings))),  # lists for tuples, as plan.json has them
        snapshots=kept_snapshots(settings, snapshots),
        datasets=list(datasets),
    )
