"""Read the records of all runs of a plan: what each `run.json` holds, from the files that jobs write last."""

from pathlib import Path
from typing import Any

from benchmark.core.files import read_json
from benchmark.core.seals import require_whole
from benchmark.core.types import InputError
from benchmark.planning.plan import Plan
from benchmark.runs.store import RESTORE, Store


def read_records(plan: Plan, store: Store) -> list[dict[str, Any]]:
    """Read the records of all runs of a plan, in its order. Raises InputError where one did not run."""
    files = [
        store.records(method, number)
        for method, shards in plan.shards.items()
        for number, _ in enumerate(shards)
    ]
    for path in files:
        require_whole(path)
    records = [record for path in files for record in _records_in(path)]
    place = {tuple(run): number for number, run in enumerate(plan.runs())}
    return sorted(records, key=lambda run: place[run["dataset"], run["method"], run["seed"]])


def _records_in(path: Path) -> list[dict[str, Any]]:
    """Read the records of one job. Raises InputError where the file does not hold any."""
    records = read_json(path, RESTORE)
    needed = {"dataset", "case", "method", "seed", "status", "reason"}
    if not isinstance(records, list) or not all(isinstance(r, dict) and needed <= r.keys() for r in records):
        raise InputError(f"{path}: damaged; delete it and run `blindbench restore` again")
    return records
