"""Run one method on a shard of cases, and continue where a killed run stopped."""

import json
import os
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from benchmark.core.files import locked, remove_leftovers, write_text
from benchmark.core.progress import Report
from benchmark.core.resources import version
from benchmark.core.seeds import seed_from
from benchmark.core.types import NotSupportedError, Observation, Status
from benchmark.runs import provenance
from benchmark.runs.names import base_method
from benchmark.runs.settings import effective, kept_snapshots
from benchmark.runs.store import Store, observation_hash, read_record, write_restoration
from methods.parts.registry import Method
from methods.parts.settings import flat
from methods.parts.solver import Problem, Task, solve

CHECKPOINT = "checkpoint.pt"


def restore_shard(
    store: Store,
    dataset: str,
    method_name: str,
    cases: Sequence[str],
    *,
    seed: int,
    shard: int,
    overrides: Mapping[str, Any],
    experiment_seed: int,
    device: torch.device,
    report: Report,
    snapshots: Collection[int] = (),
) -> None:
    """Restore every case that is not finished yet, then write the shard's manifest.

    A process that still works on the same shard (its Snakemake was killed alone) is waited for. A case whose
    ending may not repeat (out of memory, a crash) is tried again; one that ended for good is not. Nor is one
    with more `snapshots` than asked for: they decide no result.
    """
    method = base_method(method_name)
    settings = effective(method.settings, overrides, f"methods.{method_name}")
    code = provenance.code_of(method, settings)
    kept = kept_snapshots(settings, snapshots)
    folder = store.method_folder(dataset, method_name, seed)
    with locked(folder / f".shard{shard}.lock"):
        tasks: list[Task] = []
        records: dict[str, dict[str, Any]] = {}
        for case in cases:
            read = store.read_known_blur if method.needs_true_kernels else store.read_observation
            observation = read(dataset, case)
            parts: dict[str, Any] = {
                "settings": flat(settings),
                "observation": observation_hash(observation),
                "weights": provenance.files_hash(provenance.files_of(method, settings, case)),
                "code": code,
                "seeds": [experiment_seed, seed],
            }
            records[case] = {
                "dataset": dataset,
                "case": case,
                "method": method_name,
                "seed": seed,
                "config_hash": provenance.digest(parts),
                "provenance": parts,
            }
            case_folder = folder / case
            remove_leftovers(case_folder)
            if _finished(read_record(case_folder), records[case]["config_hash"], kept):
                continue
            names = (experiment_seed, dataset, case, method_name, seed)
            tasks.append(
                Task(
                    name=case,
                    build=_builder(method, observation, settings, seed_from(*names), device),
                    checkpoint=case_folder / CHECKPOINT,
                    # A checkpoint of a run that kept fewer lacks the earlier ones.
                    key=" ".join([records[case]["config_hash"], *map(str, kept)]),
                    snapshots=frozenset(kept),
                )
            )
        for case, restoration in solve(tasks, report):
            write_restoration(folder / case, restoration, records[case] | _environment())
            (folder / case / CHECKPOINT).unlink(missing_ok=True)
        finished = [read_record(folder / case) for case in cases]
        write_text(folder / f"shard{shard}.json", json.dumps(finished, indent=2) + "\n")


def _finished(record: Mapping[str, Any] | None, config_hash: str, snapshots: Collection[int]) -> bool:
    if record is None or record.get("config_hash") != config_hash:
        return False
    status = Status(record["status"])
    return status.final and (status is not Status.OK or set(snapshots) <= set(record.get("snapshots", ())))


def _builder(
    method: Method, observation: Observation, settings: Any, seed: int, device: torch.device
) -> Callable[[], Problem]:
    def build() -> Problem:
        if observation.blur_model not in method.blur_models:
            raise NotSupportedError(f"{method.name} does not treat {observation.blur_model} blur")
        return method.problem(observation, settings, torch.Generator().manual_seed(seed), device)

    return build


def _environment() -> dict[str, Any]:
    return {
        "code_version": version(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }
