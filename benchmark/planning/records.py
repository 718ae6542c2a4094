"""Read the records of a plan's runs, that is what each `run.json` holds, and their scores."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.files import read_json
from benchmark.core.seals import require_whole
from benchmark.planning.plan import Plan, Run
from benchmark.runs.store import RESTORE, Store, read_record
from benchmark.scoring.csv_files import SCORE_COLUMNS, read_frame
from benchmark.scoring.scores import score_method


def read_records(plan: Plan, store: Store) -> list[dict[str, Any]]:
    """Read the records of all runs of a plan, in its order, from the files that jobs write last.

    Raises InputError where one did not run.
    """
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


def finished_records(plan: Plan, store: Store) -> list[dict[str, Any]]:
    """Read the records of the restorations that have ended, in the plan's order, while others still run.

    Those that were made with other settings than the plan's, of an earlier config, are left out.
    """
    found = [
        read_record(store.case_folder(run.dataset, run.method, run.seed, case))
        for run in plan.runs()
        for case in plan.datasets[run.dataset].cases
    ]
    return [
        record
        for record in found
        if record and record["provenance"]["settings"] == plan.methods[record["method"]].settings
    ]


def finished_scores(plan: Plan, store: Store, records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the scores of restorations, as in scores.csv; compute those that no job has computed yet.

    Args:
        plan: The plan.
        store: Its results folder.
        records: From `finished_records`.

    Raises:
        InputError: An observation or a restored image is missing or damaged.
    """
    scored = {
        method: [store.scores_of(method, number) for number, _ in enumerate(shards)]
        for method, shards in plan.score_shards.items()
    }
    frames = [pd.DataFrame(columns=list(SCORE_COLUMNS))]
    for names, of_run in groupby(records, _run_of):
        cases = {str(record["case"]): record for record in of_run}
        for file in filter(Path.exists, scored[names.method]):
            known = read_frame(file, SCORE_COLUMNS)
            known = known[(known.dataset == names.dataset) & (known.seed == names.seed)]
            # Scores that are older than a restoration are of an earlier one.
            newer = [case for case in cases if _ended(store, names, case) <= file.stat().st_mtime]
            frames.append(known[known.case.isin(newer)])
            cases = {case: record for case, record in cases.items() if case not in set(frames[-1].case)}
        frames.append(
            score_method(
                store,
                names.dataset,
                names.method,
                list(cases),
                seed=names.seed,
                protocol=plan.datasets[names.dataset].protocol,
                metrics=plan.config["metrics"],
            )
        )
    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)


def _run_of(record: Mapping[str, Any]) -> Run:
    return Run(record["dataset"], record["method"], record["seed"])


def _ended(store: Store, run: Run, case: str) -> float:
    """Return the time of a restoration's record."""
    return (store.case_folder(run.dataset, run.method, run.seed, case) / "run.json").stat().st_mtime
