"""What would run: the table of `blindbench plan`."""

from collections.abc import Sequence
from typing import Any

from benchmark.data.descriptors import find_dataset
from benchmark.planning.plan import Plan
from benchmark.tables.paper_tables import paper_table


def plan_overview(plan: Plan) -> list[dict[str, Any]]:
    """One row per table and dataset: how many cases it has, how many run, and why the others do not."""
    tables: dict[str, Sequence[str]] = {
        name: plan.asked_for(name)
        for name in dict.fromkeys(dataset.content["table"] for dataset in plan.asked.values())
    }
    tables |= {name: paper_table(name).datasets for name in plan.config["paper_tables"]}
    return [
        {
            "table": table,
            "dataset": dataset,
            "cases": find_dataset(dataset).case_count,
            "run": len(plan.cases.get(dataset, [])),
            "remark": _remark(plan, dataset),
        }
        for table, datasets in tables.items()
        for dataset in datasets
    ]


def _remark(plan: Plan, dataset: str) -> str:
    if dataset in plan.downloads:
        return f"{plan.downloads[dataset]} will be downloaded"
    return plan.absent.get(dataset, "" if dataset in plan.datasets else "not among the config's datasets")
