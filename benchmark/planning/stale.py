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
from benchmark.planning.parts import TableKind
from benchmark.planning.plan import Plan
from benchmark.pretraining.job import jobs
from benchmark.runs import provenance
from benchmark.runs.names import base_method
from benchmark.runs.settings import method_settings
from benchmark.scoring.ledger import ROWS, ledger_of
from benchmark.scoring.protocols import find_protocol
from benchmark.tables.claims import claim_table
from benchmark.tables.paper_tables import paper_table


def observations(plan: Plan, dataset: str) -> dict[str, Any]:
    """Collect what decides the observations of a dataset: its recipe, its cases, the seed, and the code."""
    return _observations(*_observed(plan, dataset))


def restorations(plan: Plan, method: str, shard: int) -> dict[str, Any]:
    """Collect what decides the restorations of a shard.

    The method's settings and code, the files that it reads, and the observations. Another device or other
    snapshots start the job, too: it keeps the cases that they leave as they are.
    """
    parts = plan.shards[method][shard]
    spec = base_method(method)
    settings = _settings(method, json.dumps(plan.methods[method].given, sort_keys=True))
    files = [files_hash(provenance.files_of(spec, settings, case)) for part in parts for case in part.cases]
    return {
        "cases": [list(part) for part in parts],
        "settings": plan.methods[method].settings,
        "snapshots": plan.methods[method].snapshots,
        "code": provenance.code_of(spec, settings),
        "files": digest(*files),
        "observations": {
            part.dataset: _hash_of_observations(*_observed(plan, part.dataset)) for part in parts
        },
        "device": plan.methods[method].device,
        "jobs_per_gpu": plan.config["jobs_per_gpu"],
        **{key: plan.config[key] for key in ("minutes_per_case",) if key in plan.config},
    }


def scores(plan: Plan, method: str, shard: int) -> dict[str, Any]:
    """Collect what decides the scores of a shard: protocols, metrics, and whether their weights are here."""
    parts = plan.score_shards[method][shard]
    return {
        "cases": [list(part) for part in parts],
        "snapshots": plan.methods[method].snapshots,
        "metrics": {part.dataset: _metrics(plan, part.dataset) for part in parts},
    }


def _metrics(plan: Plan, dataset: str) -> dict[str, Any]:
    """Return the protocol and the metrics of a dataset's scores, and which of them lack their weights."""
    protocol = plan.datasets[dataset].protocol
    metrics = [find_protocol(protocol).metric(name) for name in plan.config["metrics"]]
    return {
        "protocol": protocol,
        "metrics": [metric.name for metric in metrics],
        "without_weights": [metric.name for metric in metrics if metric.missing_weights],
    }


def table(plan: Plan, name: str) -> dict[str, Any]:
    """Collect what a table says besides its numbers: datasets, titles, captions, and published numbers."""
    entry = plan.tables[name]
    own = [plan.datasets[dataset] for dataset in entry.datasets if dataset in plan.datasets]
    return {
        **asdict(entry),
        "sections": [(dataset.title, dataset.caption, dataset.absent) for dataset in own],
        "grid": plan.config["grids"].get(name),
        "published": _published(plan, name, entry.kind),
        "reference": plan.reference if entry.kind == "convergence" else "",
        "baseline": plan.baseline if entry.kind in ("own", "grid") else "",
        "compare": _ledger(plan) if entry.kind == "own" else "",
        "caption": plan.config["caption"],
        "titles": plan.config["titles"],
    }


def report(plan: Plan) -> dict[str, Any]:
    """Collect what the page says besides the tables and the runs: titles, captions, and what is not here."""
    return {
        "caption": plan.config["caption"],
        "titles": plan.config["titles"],
        "datasets": {name: (own.title, own.caption, own.absent) for name, own in plan.datasets.items()},
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


def _observed(plan: Plan, dataset: str) -> tuple[tuple[str, ...], str, int]:
    """Return the cases of a dataset, its recipe, and the seed of its kernels and noise."""
    planned = plan.datasets[dataset]
    return tuple(planned.cases), planned.recipe, plan.config["experiment_seed"]


def _observations(cases: tuple[str, ...], recipe: str, seed: int) -> dict[str, Any]:
    return {
        "cases": list(cases),
        "recipe": recipe,
        "experiment_seed": seed,
        "code": provenance.code_hash("benchmark.data.synthesis", "benchmark.data.cases"),
    }


@cache  # every job of a dataset asks for it
def _hash_of_observations(cases: tuple[str, ...], recipe: str, seed: int) -> str:
    return digest(_observations(cases, recipe, seed))


def _published(plan: Plan, name: str, kind: TableKind) -> str:
    """Hash what a paper printed and how the table shows it; empty for a table of no paper."""
    if kind == "claims":
        return digest(repr(claim_table(name)))
    return digest(repr(paper_table(name, plan.config["stand_ins"]))) if kind in ("paper", "best") else ""


def _ledger(plan: Plan) -> str:
    """Hash the rows of the ledger that the profile is compared with; empty for none."""
    return files_hash([ledger_of(plan.config["compare"]) / ROWS]) if "compare" in plan.config else ""


def _definition(name: str) -> str:
    """Hash the definition of a paper's figure; its kind by name, as a function has no lasting text."""
    figure = paper_figure(name)
    others = {key: value for key, value in vars(figure).items() if key != "kind"}
    return digest(figure.kind.name, repr(others))


@cache
def _settings(method: str, given: str) -> Any:
    """Return the effective settings of a method; `given` is the JSON of those that the config names."""
    return method_settings(method, json.loads(given), f"methods.{method}")
