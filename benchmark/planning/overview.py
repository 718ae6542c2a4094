"""What there is and what would run: the tables behind `blindbench datasets` and `blindbench plan`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.data.descriptors import FOLDER, dataset_names, find_dataset, presence
from benchmark.data.sources import all_sources
from benchmark.planning.plan import Plan
from benchmark.tables.paper_tables import paper_table


def datasets_overview(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """One row per dataset: its cases, how they are treated, and whether their files are here."""
    return [
        {
            "dataset": name,
            "cases": dataset.case_count,
            "blur": dataset.content["blur"],
            "protocol": dataset.content["protocol"],
            "here": presence(dataset),
            "source": dataset.content["source"],
        }
        for name in dataset_names(folder)
        for dataset in [find_dataset(name, folder)]
    ]


def sources_overview() -> list[dict[str, Any]]:
    """One row per source: how to get it, its size, whether its links were ever seen to work, its terms."""
    return [
        {
            "source": source.name,
            "how to get it": source.how_to_get or source.access,
            "size": source.size,
            "link verified": source.verified if source.archives else "",
            "licence": source.licence,
        }
        for source in all_sources().values()
    ]


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
