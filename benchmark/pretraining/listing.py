"""List the trainings: what each trains, and what the networks of it that ship cost and are worth."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from methods.parts.weight_files import SHIPPED
from methods.training import registry

# The number of a record that is shown: the first of these that it has.
SHOWN = ("similarity", "noise loss", "PSNR, uniform", "reblur PSNR, uniform", "nats")
YARDSTICKS = ("mean kernel", "yardstick", "blurry")  # rows of a record that needed no training


def listing(folder: Path = SHIPPED) -> str:
    """Return a table of all trainings, with a row for each run of one whose record lies in `folder`.

    Args:
        folder: Holds the records `<stem>.json` that `benchmark.pretraining.job` writes.
    """
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    rows = []
    for training in registry.built_in().values():
        runs = [record for record in records if record["command"].split()[2] == training.name]
        rows += [
            {"training": training.name, "trains": training.title, **_run(record)} for record in runs or [{}]
        ]
    return tabulate(rows, headers="keys", tablefmt="simple", missingval="", disable_numparse=True)


def _run(record: Mapping[str, Any]) -> dict[str, str]:
    """Describe one run: its label, what it took, and its quality beside what needs no training."""
    if not record:
        return {"ships as": "-"}
    threads = f"{record['threads']} thread{'s' * (record['threads'] > 1)}"
    return {
        "ships as": record["label"],
        "steps": str(record["steps"]),
        "took": f"{record['minutes']:g} min, {record['device']}, {threads}",
        "worth on held-out data": _worth(record["quality"]),
    }


def _worth(quality: Mapping[str, Mapping[str, float]]) -> str:
    for metric in SHOWN:
        having = {name: row[metric] for name, row in quality.items() if metric in row}
        trained = next((name for name in having if name not in YARDSTICKS), None)
        if trained is None:
            continue
        beside = [f", {name} {having[name]:.3g}" for name in YARDSTICKS if name in having]
        return f"{metric}: {trained} {having[trained]:.3g}{''.join(beside)}"
    return ""
