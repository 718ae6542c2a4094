"""Run one method on a shard of cases, and continue where a killed run stopped."""

import os
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmark.core.files import locked, remove_leftovers, write_json
from benchmark.core.hashes import digest, files_hash
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


@dataclass(frozen=True)
class Shard:
    """What one job restores: some cases of a dataset, by one method, for one repetition."""

    dataset: str
    method: str  # <method> or <method>@<setting>
    cases: Sequence[str]
    number: int  # of the manifest
    seed: int  # which repetition: seeds the method's initial weights
    experiment_seed: int  # has seeded kernels and noise
    overrides: Mapping[str, Any]  # settings that differ from the method's defaults
    snapshots: Collection[int] = ()  # iterations whose estimates are kept, as far as the method takes so many


def restore_shard(store: Store, shard: Shard, device: torch.device, report: Report) -> None:
    """Restore every case that is not finished yet, then write the shard's manifest.

    If another process still works on the same shard, as when its Snakemake was killed alone, wait for it. A
    case that failed for a reason that may pass (out of memory, a crash, missing weights) is tried again. A
    case that was finished with more snapshots than asked for is kept: they decide no result.

    Args:
        store: the results folder, with the observations.
        shard: what to restore.
        device: where to compute.
        report: called with the progress of each case.

    Raises:
        InputError: a setting is wrong, or an observation is missing or damaged.
    """
    method = base_method(shard.method)
    settings = effective(method.settings, shard.overrides, f"methods.{shard.method}")
    kept = kept_snapshots(settings, shard.snapshots)
    folder = store.method_folder(shard.dataset, shard.method, shard.seed)
    with locked(folder / f".shard{shard.number}.lock"):
        tasks: list[Task] = []
        records: dict[str, dict[str, Any]] = {}
        for case in shard.cases:
            read = store.read_known_blur if method.needs_true_kernels else store.read_observation
            observation = read(shard.dataset, case)
            record = records[case] = _record(shard, method, settings, observation)
            remove_leftovers(folder / case)
            if _is_finished(read_record(folder / case), record["config_hash"], kept):
                continue
            start = seed_from(shard.experiment_seed, shard.dataset, case, shard.method, shard.seed)
            tasks.append(
                Task(
                    name=case,
                    build=_builder(method, observation, settings, start, device),
                    checkpoint=folder / case / CHECKPOINT,
                    # A checkpoint of a run with fewer snapshots lacks the earlier ones.
                    key=" ".join([record["config_hash"], *map(str, kept)]),
                    snapshots=frozenset(kept),
                )
            )
        environment = _environment()
        for case, restoration in solve(tasks, report):
            write_restoration(folder / case, restoration, records[case] | environment)
            (folder / case / CHECKPOINT).unlink(missing_ok=True)
        runs = [read_record(folder / case) for case in shard.cases]
        manifest = store.shard_manifest(shard.dataset, shard.method, shard.seed, shard.number)
        write_json(manifest, runs)


def _record(shard: Shard, method: Method, settings: Any, observation: Observation) -> dict[str, Any]:
    """Collect what is known of a run before it starts: its names, and what decides its result."""
    files = provenance.files_of(method, settings, observation.case)
    decides = {
        "settings": flat(settings),
        "observation": observation_hash(observation),
        "weights": files_hash(files),
        "code": provenance.code_of(method, settings),
        "seeds": [shard.experiment_seed, shard.seed],
    }
    return {
        "dataset": shard.dataset,
        "case": observation.case,
        "method": shard.method,
        "seed": shard.seed,
        "config_hash": digest(decides),
        "provenance": decides,
    }


def _is_finished(record: Mapping[str, Any] | None, config_hash: str, snapshots: Collection[int]) -> bool:
    """Tell whether a case ended for good, by the same settings and code, with all of these snapshots."""
    if record is None or record.get("config_hash") != config_hash:
        return False
    status = Status(record["status"])
    return status.final and (status is not Status.OK or set(snapshots) <= set(record.get("snapshots", ())))


def _builder(
    method: Method, observation: Observation, settings: Any, seed: int, device: torch.device
) -> Callable[[], Problem]:
    """Put off building the problem until its turn, when a failure belongs to its case."""

    def build() -> Problem:
        if observation.blur_model not in method.blur_models:
            raise NotSupportedError(f"{method.name} does not treat {observation.blur_model} blur")
        return method.problem(observation, settings, torch.Generator().manual_seed(seed), device)

    return build


def _environment() -> dict[str, Any]:
    """Collect with what a result is computed, for its record."""
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
