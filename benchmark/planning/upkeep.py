"""Keep results and data sound: find what is lost or altered, and have it made again."""

import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.core.errors import InputError
from benchmark.core.files import read_json, write_json
from benchmark.core.seals import file_hash, is_whole, seal_of, sealed_hashes
from benchmark.core.types import Status
from benchmark.data.download import download_again, downloaded_hashes, marker_of
from benchmark.data.sources import find_source
from benchmark.data.transfer import TransferError
from benchmark.planning.plan import Plan
from benchmark.runs.observations import make_observations
from benchmark.runs.store import Store, recorded_hashes, stored_record

AGAIN = "run the workflow again"
LOST, ALTERED, UNSEALED = "lost", "altered", "there, but not the hash to compare it with"


class Damage(NamedTuple):
    """A file that is not as it was made."""

    path: Path
    what: str  # LOST, ALTERED or UNSEALED
    made_with: Path  # the file that the workflow is asked for to have it again
    sha256: str = ""  # of the file as it was made; empty where that is not known


def find_damage(plan: Plan) -> list[Damage]:
    """Compare all files of a results folder with their hashes.

    What was never made is no damage: a file is lost if something that was made from it is there, and the last
    run was to make it. What the config has gained since is not lost.
    """
    steps, asked = list(plan.steps()), _outputs_of_last_run(plan)
    there = {file for step in steps for file in step.outputs if file.exists()}
    made = set(there)
    for step in reversed(steps):
        if made.intersection(step.outputs):
            made.update(step.inputs)
    damage = []
    for file in dict.fromkeys(file for step in steps for file in step.outputs):
        if file in made & asked and file not in there:
            damage.append(Damage(file, LOST, file))
        elif file in there and not is_whole(file):
            damage.append(Damage(file, ALTERED if seal_of(file).exists() else UNSEALED, file))
    known = {file.path for file in damage}
    damage += [file for file in _damaged_trainings(plan) if file.path not in known]
    return [*damage, *_damaged_observations(plan), *_damaged_restorations(plan)]


def _outputs_of_last_run(plan: Plan) -> set[Path]:
    """Return the files that the stored plan would make; those of `plan` where none is stored."""
    try:
        last = Plan.read(plan.results)
    except InputError:
        last = plan
    return {file for step in last.steps() for file in step.outputs}


def find_damaged_data(plan: Plan) -> list[Damage]:
    """Compare the files of finished downloads with their hashes.

    They are those of the sources of the plan's datasets, and of the sources whose terms its config accepts.
    Data that were not downloaded have no hashes, and an archive may be deleted once it is unpacked.
    """
    damage = []
    sources = [dataset.source for dataset in plan.datasets.values()] + plan.config["accept_terms"]
    for source in dict.fromkeys(sources):
        marker, hashes = marker_of(source), downloaded_hashes(source)
        if marker.exists() and not hashes:
            damage.append(Damage(marker, UNSEALED, marker))
        for path, recorded in hashes.items():
            damage += _compared(path, recorded, marker)
    return damage


def repair_data(plan: Plan, damage: Collection[Damage], say: Callable[[str], None]) -> list[str]:
    """Download and unpack again the sources that have damaged files.

    Args:
        plan: The plan whose data they are.
        damage: What `find_damaged_data` has found.
        say: Called with each line that a person should read.

    Returns:
        A sentence on each source that could not be repaired.
    """
    errors = []
    for marker in dict.fromkeys(file.made_with for file in damage):
        source = find_source(marker.parent.name)
        altered = [file.path for file in damage if file.made_with == marker and file.what == ALTERED]
        try:
            download_again(source, altered, say, accept_terms=source.name in plan.config["accept_terms"])
        except (InputError, TransferError) as error:
            errors.append(str(error))
    return errors


def prepare_repair(plan: Plan, damage: Collection[Damage]) -> list[list[Path]]:
    """Make lost and altered observations and records again, and make way for the rest.

    Args:
        plan: The plan of the results folder.
        damage: What `find_damage` has found there.

    Returns:
        The files that the workflow has to be asked for. None of them is there any more. Each list is to be
        made before the next: what lies between two files of one list would run again, too.
    """
    for path, folders in _shards(plan):
        for folder, record in _sealed_records(plan.store, path, folders).items():
            if stored_record(folder) != record:
                write_json(folder / "run.json", record)
    paths = {file.path for file in damage}
    for dataset in plan.running:
        manifest = plan.store.observations_manifest(dataset)
        damaged = [
            case
            for case in plan.datasets[dataset].cases
            if paths.intersection(plan.store.observation_files(dataset, case))
        ]
        if damaged and is_whole(manifest):
            hashes = read_json(manifest, AGAIN)
            again = hashes | make_observations(plan.store, dataset, damaged, plan.config["experiment_seed"])
            if again != hashes:
                plan.store.write_observations_manifest(dataset, again)
    missing = {file.made_with for file in find_damage(plan)}
    for target in missing:
        target.unlink(missing_ok=True)
    depths: dict[Path, int] = {}  # how many jobs lie behind a file
    for step in plan.steps():
        depth = 1 + max((depths.get(file, 0) for file in step.inputs), default=0)
        depths |= dict.fromkeys(step.outputs, depth)
    levels = sorted({depths[target] for target in missing})
    return [[file for file in depths if depths[file] == level and file in missing] for level in levels]


def remove_altered(plan: Plan) -> list[Path]:
    """Remove the files that do not match their seals, and all that was made from them.

    This looks at what the workflow's rules name, not into the folders of cases: it is for every start.

    Returns:
        The files that did not match.
    """
    altered = [
        file
        for step in plan.steps()
        for file in step.outputs
        if file.exists() and seal_of(file).exists() and not is_whole(file)
    ]
    _remove(plan, altered)
    return altered


def failed_cases(plan: Plan) -> dict[Path, list[Path]]:
    """Find the cases that ended without a result.

    Returns:
        The file of records of a job to the folders of its failed cases, where there are any.
    """
    failed = {}
    for path, folders in _shards(plan):
        records = {folder: stored_record(folder) for folder in folders}
        without = [folder for folder, record in records.items() if record and _has_failed(record)]
        if without:
            failed[path] = without
    return failed


def forget_failed(plan: Plan) -> None:
    """Remove the records of failed cases and all that was made from them: the workflow runs them again."""
    failed = failed_cases(plan)
    _remove(plan, failed)
    for folder in (folder for folders in failed.values() for folder in folders):
        (folder / "run.json").unlink()


def settle_times(plan: Plan) -> int:
    """Set the times of all files anew if any lies in the future, as after the clock was set back.

    Such a time says nothing about which file was made first, and each start would make again what is older.
    So every file is made to look newer than what was made from it: Snakemake then compares contents.

    Returns:
        How many files had a time in the future.
    """
    files = [file for step in plan.steps() for file in step.outputs if file.exists()]
    now = time.time()
    count = sum(file.stat().st_mtime > now for file in files)
    for age, file in enumerate(files if count else [], start=1):
        os.utime(file, (now - age, now - age))
    return count


def _has_failed(record: dict[str, Any]) -> bool:
    return Status(record["status"]) is not Status.OK


def _remove(plan: Plan, files: Collection[Path]) -> None:
    """Delete files and all that was made from them.

    The files themselves come last: after a kill on the way, the next call finds them and goes on.
    """
    removed = dict.fromkeys(files)
    for step in plan.steps():
        if not removed.keys().isdisjoint(step.inputs):
            removed.update(dict.fromkeys(step.outputs))
    for file in reversed(removed):
        file.unlink(missing_ok=True)


def _shards(plan: Plan) -> Iterator[tuple[Path, list[Path]]]:
    """Yield the file of records of every shard and the folders of its cases."""
    for method, shards in plan.shards.items():
        for number, parts in enumerate(shards):
            folders = [
                plan.store.case_folder(part.dataset, method, part.seed, case)
                for part in parts
                for case in part.cases
            ]
            yield plan.store.records(method, number), folders


def _sealed_records(store: Store, path: Path, folders: Collection[Path]) -> dict[Path, dict[str, Any]]:
    """Read the records of a shard's cases, by their folders; none where their file is lost or altered."""
    if not is_whole(path):
        return {}
    names = ("dataset", "method", "seed", "case")
    records = {
        store.case_folder(*(record[name] for name in names)): record for record in read_json(path, AGAIN)
    }
    return {folder: records[folder] for folder in folders if folder in records}


def _damaged_trainings(plan: Plan) -> Iterator[Damage]:
    for training in plan.trainings.values():
        record = Path(training.record)
        hashes = sealed_hashes(seal_of(record))
        for path, recorded in hashes.items():
            yield from _compared(path, recorded, record)


def _damaged_observations(plan: Plan) -> Iterator[Damage]:
    for dataset in plan.running:
        manifest = plan.store.observations_manifest(dataset)
        hashes = read_json(manifest, AGAIN) if is_whole(manifest) else {}
        for name, recorded in hashes.items():
            yield from _compared(manifest.parent / name, recorded, manifest)


def _damaged_restorations(plan: Plan) -> Iterator[Damage]:
    for path, folders in _shards(plan):
        sealed = _sealed_records(plan.store, path, folders)
        for folder in folders:
            own = stored_record(folder)
            record = sealed.get(folder, own)
            if record is None:  # not restored yet
                continue
            if own != record:
                own_file = folder / "run.json"
                yield Damage(own_file, ALTERED if own_file.exists() else LOST, path)
            for name, recorded in recorded_hashes(record).items():
                yield from _compared(folder / name, recorded, path)


def _compared(path: Path, recorded: str, made_with: Path) -> Iterator[Damage]:
    if not path.exists():
        yield Damage(path, LOST, made_with, recorded)
    elif file_hash(path) != recorded:
        yield Damage(path, ALTERED, made_with, recorded)
