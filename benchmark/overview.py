"""What there is and what would run: the tables behind `blindbench datasets` and `blindbench plan`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.descriptors import FOLDER, dataset_names, find_dataset, presence
from benchmark.papers import paper_table
from benchmark.plan import Plan
from benchmark.sources import find_source


def datasets_overview(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """One row per dataset: its cases, whether its files are here, how to get them, and their terms."""
    rows = []
    for name in dataset_names(folder):
        dataset = find_dataset(name, folder)
        source = find_source(dataset.content["source"])
        present = presence(dataset)
        rows.append(
            {
                "dataset": name,
                "cases": dataset.case_count,
                "blur": dataset.content["blur"],
                "protocol": dataset.content["protocol"],
                "here": present,
                "how to get it": "" if present == "yes" else source.how_to_get,
                "size": source.size,
                "link seen": source.verified,
                "licence": source.licence,
            }
        )
    return rows


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
