"""Run one method on a shard of cases, and continue where a killed run stopped."""

import math
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmark.core.errors import NotSupportedError
from benchmark.core.files import locked, remove_leftovers, write_json
from benchmark.core.hashes import digest, files_hash
from benchmark.core.progress import Report
from benchmark.core.resources import version
from benchmark.core.seals import sealed
from benchmark.core.seeds import seed_from
from benchmark.core.types import Observation, Restoration, Status
from benchmark.runs import machine, provenance
from benchmark.runs.names import base_method
from benchmark.runs.settings import kept_snapshots, method_settings
from benchmark.runs.shards import Part
from benchmark.runs.store import Store, observation_hash, read_record, write_restoration
from benchmark.runs.watch import Watch
from methods.parts.registry import Method
from methods.parts.settings import flat
from methods.parts.solver import Problem, Task, solve

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Shard:
    """What one job restores: cases by one method."""

    method: str  # <method> or <method>@<setting>
    parts: Sequence[Part]
    number: int = 0  # among the method's shards
    experiment_seed: int = 0  # has seeded kernels and noise
    overrides: Mapping[str, Any] = field(default_factory=dict)  # what differs from the defaults or the preset
    snapshots: Collection[int] = ()  # iterations whose estimates are kept, as far as the method takes so many
    minutes: float | None = None  # that each case may take; None: as long as it wants
    batch: int = 1  # cases that are on their way at once; results do not depend on it

    @property
    def restorations(self) -> Iterator[tuple[str, int, str]]:
        """The dataset, the seed and the case of each restoration."""
        for dataset, seed, cases in self.parts:
            for case in cases:
                yield dataset, seed, case


NOBODY = Watch()


def restore_shard(
    store: Store, shard: Shard, device: torch.device, report: Report, watch: Watch = NOBODY
) -> None:
    """Restore every case that is not finished yet, then write the records of all.

    If another process still works on the same shard or on one of its cases, as when its Snakemake was killed
    alone, wait for it; its shards may have been of another size. A case that failed for a reason that may
    pass (out of memory, a crash, missing weights) is tried again. A case that was finished with more
    snapshots than asked for is kept: they decide no result. One that timed out goes on where it was if it may
    take longer now.

    Args:
        store: the results folder, with the observations.
        shard: what to restore.
        device: where to compute.
        report: called with the progress of each case.
        watch: is told which case begins, and knows the cases in which workers died.

    Raises:
        InputError: a setting is wrong, or an observation is missing or damaged.
        MachineError: the machine failed.
    """
    method = base_method(shard.method)
    settings = method_settings(shard.method, shard.overrides, f"methods.{shard.method}")
    kept = kept_snapshots(settings, shard.snapshots)
    file = store.records(shard.method, shard.number)
    folders: dict[str, Path] = {}  # of the restorations, by the names of their tasks
    records: dict[str, dict[str, Any]] = {}  # what is known of each before it starts

    def is_finished(name: str) -> bool:
        record, config_hash = read_record(folders[name]), records[name]["config_hash"]
        return _is_finished(record, config_hash, kept, shard.minutes)

    locks: dict[str, ExitStack] = {}  # of the cases that this process works on

    def begun(tasks: Iterable[Task]) -> Iterator[Task]:
        """Yield each task that is still to do, locked until `done` with it."""
        for task in tasks:
            with ExitStack() as lock:
                lock.enter_context(locked(folders[task.name] / ".lock"))
                remove_leftovers(folders[task.name])
                if is_finished(task.name):
                    continue
                locks[task.name] = held.enter_context(lock.pop_all())
            if task.name not in watch.lost:
                watch.begin(task.name, shard.minutes)
            yield task

    def done(name: str) -> None:
        watch.end(name)
        locks.pop(name).close()

    # While cases change, the file of records has no seal: theirs are newer.
    tasks: list[Task] = []
    with locked(file.with_name(f".{file.stem}.lock")), sealed(file), ExitStack() as held:
        for dataset, seed, case in shard.restorations:
            read = store.read_known_blur if method.needs_true_kernels else store.read_observation
            observation = read(dataset, case)
            name = f"{dataset}/{case}" + (f", seed {seed}" if seed else "")
            folders[name] = store.case_folder(dataset, shard.method, seed, case)
            record = records[name] = _record(shard, seed, method, settings, observation)
            if is_finished(name):
                continue
            start = seed_from(shard.experiment_seed, dataset, case, shard.method, seed)
            tasks.append(
                Task(
                    name=name,
                    build=builder(method, observation, settings, start, device),
                    checkpoint=folders[name] / CHECKPOINT,
                    # A checkpoint of a run with fewer snapshots lacks the earlier ones.
                    key=" ".join([record["config_hash"], *map(str, kept)]),
                    snapshots=frozenset(kept),
                    shape=observation.blurry.shape,
                    seconds=math.inf if shard.minutes is None else 60 * shard.minutes,
                )
            )
        environment = _environment() | {"batch": shard.batch} if tasks else {}
        # Closed while the locks are held: that saves the cases which an error leaves on their way.
        with closing(_solved(tasks, begun, report, watch, shard.batch)) as solved:
            for name, restoration in solved:
                is_late = restoration.status is Status.TIMED_OUT
                limit = {"minutes_per_case": shard.minutes} if is_late else {}
                write_restoration(folders[name], restoration, records[name] | environment | limit)
                if not is_late:
                    (folders[name] / CHECKPOINT).unlink(missing_ok=True)
                done(name)
        write_json(file, [read_record(folder) for folder in folders.values()])


def _solved(
    tasks: Sequence[Task],
    begun: Callable[[Iterable[Task]], Iterator[Task]],
    report: Report,
    watch: Watch,
    batch: int,
) -> Generator[tuple[str, Restoration]]:
    """Solve tasks and yield how each ended, also those in which a worker died."""
    for task in begun([task for task in tasks if task.name in watch.lost]):
        yield task.name, watch.lost[task.name]
    others = [task for task in tasks if task.name not in watch.lost]
    yield from solve(begun([task for task in others if task.name in watch.suspects]), report)
    together = [task for task in others if task.name not in watch.suspects]
    if batch > 1:
        # A process that holds locks and waits for another takes them in the order that all processes do,
        # whatever their configs: else two could wait for each other.
        together.sort(key=lambda task: task.name)
    yield from solve(begun(together), report, batch)


def _record(
    shard: Shard, seed: int, method: Method, settings: Any, observation: Observation
) -> dict[str, Any]:
    """Collect what is known of a run before it starts: its names, and what decides its result."""
    files = provenance.files_of(method, settings, observation.case)
    decides = {
        "settings": flat(settings),
        "observation": observation_hash(observation),
        "weights": files_hash(files),
        "code": provenance.code_of(method, settings),
        "seeds": [shard.experiment_seed, seed],
    }
    return {
        "dataset": observation.dataset,
        "case": observation.case,
        "method": shard.method,
        "seed": seed,
        "config_hash": digest(decides),
        "provenance": decides,
    }


def _is_finished(
    record: Mapping[str, Any] | None, config_hash: str, snapshots: Collection[int], minutes: float | None
) -> bool:
    """Tell whether a case ended for good.

    Args:
        record: how it ended; None if it did not.
        config_hash: of the settings and the code that it should have run with.
        snapshots: those that it should have.
        minutes: that it may take.
    """
    if record is None or record.get("config_hash") != config_hash:
        return False
    status = Status(record["status"])
    if status is Status.TIMED_OUT:
        return minutes is not None and minutes <= record["minutes_per_case"]
    return status.final and (status is not Status.OK or set(snapshots) <= set(record.get("snapshots", ())))


def builder(
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
    return {"code_version": version(), "versions": machine.versions(), "machine": machine.describe()}
