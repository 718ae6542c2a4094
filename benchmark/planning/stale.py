"""What decides whether a result is stale: the parameters of the workflow's rules.

A rule runs again when its parameter changes. So each function here returns everything that decides one kind
of result, apart from the files that the rule reads, and nothing else.
"""

import json
from dataclasses import asdict
from functools import cache
from typing import Any

from benchmark.core.hashes import digest, files_hash
from benchmark.figures.paper_figures import paper_figure
from benchmark.figures.training_sheets import PRETRAINED
from benchmark.planning.plan import Plan
from benchmark.pretraining.job import jobs
from benchmark.runs import provenance
from benchmark.runs.names import base_method
from benchmark.runs.settings import effective
from benchmark.scoring.protocols import find_protocol
from benchmark.tables.paper_tables import paper_table


def observations(plan: Plan, dataset: str) -> dict[str, Any]:
    """Collect what decides the observations of a dataset: its recipe, its cases, the seed, and the code."""
    return {
        "cases": list(plan.datasets[dataset].cases),
        "recipe": plan.datasets[dataset].recipe,
        "experiment_seed": plan.config["experiment_seed"],
        "code": provenance.code_hash("benchmark.data.synthesis", "benchmark.data.cases"),
    }


def restorations(plan: Plan, dataset: str, method: str, shard: int) -> dict[str, Any]:
    """Collect what decides the restorations of a shard.

    The method's settings and code, the files that it reads, and the observations. Another device or other
    snapshots start the job, too: it keeps the cases that they leave as they are.
    """
    cases = plan.shards(dataset)[shard]
    spec = base_method(method)
    settings = _settings(method, json.dumps(plan.methods[method].given, sort_keys=True))
    files = [files_hash(provenance.files_of(spec, settings, case)) for case in cases]
    return {
        "cases": cases,
        "settings": plan.methods[method].settings,
        "snapshots": plan.methods[method].snapshots,
        "code": provenance.code_of(spec, settings),
        "files": digest(*files),
        "observations": digest(observations(plan, dataset)),
        "device": plan.config["device"],
        "jobs_per_gpu": plan.config["jobs_per_gpu"],
    }


def scores(plan: Plan, dataset: str, method: str) -> dict[str, Any]:
    """Collect what decides the scores of a method: protocol, metrics, and whether their weights are here."""
    protocol = plan.datasets[dataset].protocol
    metrics = [find_protocol(protocol).metric(name) for name in plan.config["metrics"]]
    return {
        "cases": list(plan.datasets[dataset].cases),
        "protocol": protocol,
        "metrics": [metric.name for metric in metrics],
        "without_weights": [metric.name for metric in metrics if metric.missing_weights],
        "snapshots": plan.methods[method].snapshots,
    }


def table(plan: Plan, name: str) -> dict[str, Any]:
    """Collect what a table says besides its numbers: datasets, titles, captions, and published numbers."""
    entry = plan.tables[name]
    own = [plan.datasets[dataset] for dataset in entry.datasets if dataset in plan.datasets]
    return {
        **asdict(entry),
        "sections": [(dataset.title, dataset.caption, dataset.absent) for dataset in own],
        "grid": plan.config["grids"].get(name),
        "published": digest(repr(paper_table(name))) if entry.kind == "paper" else "",
        "reference": plan.reference if entry.kind == "convergence" else "",
        "caption": plan.config["caption"],
        "titles": plan.config["titles"],
    }


def figure(plan: Plan, name: str) -> dict[str, Any]:
    """Collect what a figure shows: cases and methods, titles and captions, and its definition in a paper."""
    entry = plan.figures[name]
    return {
        **asdict(entry),
        "of_table": table(plan, entry.table) if entry.kind == "scores" else {},
        "definition": _definition(name) if entry.kind == "paper" else "",
        "protocols": [plan.datasets[dataset].protocol for dataset in entry.cases],
        "reference": plan.reference if entry.kind == "convergence" else "",
        "caption": plan.config["caption"],
        "titles": plan.config["titles"],
    }


def training(plan: Plan, stem: str) -> dict[str, Any]:
    """Collect what decides the weights of a training: its order, its settings, and the photographs.

    Raises:
        InputError: the photographs cannot be read.
    """
    job = jobs(plan.config["pretrain"], plan.results / PRETRAINED)[stem]
    return {"recipe": job.recipe(), "device": plan.config["device"]}


def _definition(name: str) -> str:
    """Hash the definition of a paper's figure; its kind by name, as a function has no lasting text."""
    figure = paper_figure(name)
    others = {key: value for key, value in vars(figure).items() if key != "kind"}
    return digest(figure.kind.name, repr(others))


@cache
def _settings(method: str, given: str) -> Any:
    """Return the effective settings of a method; `given` is the JSON of those that the config names."""
    return effective(base_method(method).settings, json.loads(given), f"methods.{method}")
