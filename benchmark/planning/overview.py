"""What would run: the table of `blindbench plan`."""

from typing import Any

from benchmark.data.descriptors import find_dataset
from benchmark.planning.plan import Plan


def plan_overview(plan: Plan) -> list[dict[str, Any]]:
    """Make a row per table and dataset: how many cases it has, how many run, and why the others do not."""
    own: dict[str, list[str]] = {}
    for name, dataset in plan.datasets.items():
        own.setdefault(dataset.table, []).append(name)
    papers = {name: plan.tables[name].datasets for name in plan.config["paper_tables"]}
    return [
        {
            "table": table,
            "dataset": name,
            "cases": find_dataset(name).case_count,
            "run": len(plan.datasets[name].cases) if name in plan.datasets else 0,
            "remark": _remark(plan, name),
        }
        for table, names in (own | papers).items()
        for name in names
    ]


def _remark(plan: Plan, name: str) -> str:
    if name not in plan.datasets:
        return "not among the config's datasets"
    dataset = plan.datasets[name]
    return f"{dataset.source} will be downloaded" if dataset.download else dataset.absent
