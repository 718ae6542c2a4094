"""Bring the data of a source into `datasets/<source>/`: download, check, unpack and count its files.

Files remember what was done, so that no step is done twice and a killed run continues:

- `datasets/.downloads/<source>/` holds the archives, those of a person too. Where no checksum is published,
  `<archive>.sha256` there holds that of the first archive that could be unpacked.
- `datasets/<source>/.unpacked.json` lists the archives that were unpacked. Once all files are there,
  `.downloaded.json` takes its place, and `.downloaded.sha256` has the hash of every file.
- `datasets/<source>/.download-failed` holds the reason of the last failure, until a download succeeds. A
  failure of the machine, such as a full disk, is not kept.
"""

import json
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import pooch

from benchmark.core.errors import InputError
from benchmark.core.faults import fault_behind
from benchmark.core.files import (
    locked,
    read_json,
    read_text,
    replacing,
    try_lock,
    write_json,
    write_text,
)
from benchmark.core.resources import data_folder
from benchmark.core.seals import has_hash, is_whole, seal_of, sealed, sealed_hashes
from benchmark.data.archives import extract
from benchmark.data.sources import FILE, Archive, Source
from benchmark.data.transfer import TransferError, fetch

CACHE = ".downloads"
MARKER = ".downloaded.json"
UNPACKED = ".unpacked.json"
FAILURE = ".download-failed"

Say = Callable[[str], None]


def download(source: Source, say: Say, *, accept_terms: bool = False, folder: Path | None = None) -> None:
    """Bring the data of a source into its folder; files that are there already are left alone.

    Args:
        source: See `benchmark.data.sources.find_source`.
        say: Called with each line that a person should read.
        accept_terms: Whether the user accepts the terms of the source.
        folder: Holds the folders of all sources; by default `data_folder()`.

    Raises:
        InputError: The user must do something: accept terms, get a file by hand, free the disk.
        TransferError: The network failed; the same call continues.
    """
    if source.access == "packaged":
        say(f"{source.name}: nothing to download, its files come with that package")
        return
    folder = folder or data_folder()
    target, cache = folder / source.name, folder / CACHE / source.name
    lock = try_lock(cache / ".lock")
    if lock is None:
        say(f"{source.name}: waiting for another download of it to end")
    with lock or locked(cache / ".lock"):
        try:
            _complete(source, target, cache, say, accept_terms)
        except (InputError, TransferError) as error:
            if fault_behind(error) is None:
                write_text(target / FAILURE, f"{error}\n")
            raise
        (target / FAILURE).unlink(missing_ok=True)
    say(f"{source.name}: all there, in {target}")


def marker_of(source: str, folder: Path | None = None) -> Path:
    """Return the file of a source, by its name, that is there once its download is finished."""
    return (folder or data_folder()) / source / MARKER


def downloaded_hashes(source: str, folder: Path | None = None) -> dict[Path, str]:
    """Return the SHA-256 that the files of a source had when their download ended.

    Its archives are among them as far as they are still there. Without a finished download it is empty.
    """
    marker = marker_of(source, folder)
    hashes = sealed_hashes(seal_of(marker))
    archives = read_json(marker, "download again")["archives"] if is_whole(marker) else {}
    cache = marker.parent.parent / CACHE / source
    return hashes | {cache / name: sha256 for name, sha256 in archives.items() if (cache / name).exists()}


def download_again(
    source: Source,
    altered: Collection[Path],
    say: Say,
    *,
    accept_terms: bool = False,
    folder: Path | None = None,
) -> None:
    """Unpack all archives of a finished download again; get those anew that were altered.

    Args:
        source: See `download`.
        altered: Files that are not what they were, see `downloaded_hashes`.
        say: See `download`.
        accept_terms: See `download`.
        folder: See `download`.

    Raises:
        InputError: As `download`; also if no archive holds a file that is lost.
        TransferError: As `download`.
    """
    marker = marker_of(source.name, folder)
    cache = marker.parent.parent / CACHE / source.name
    for archive in source.archives:
        if archive.url is not None and cache / archive.file in altered:
            (cache / archive.file).unlink()
    marker.unlink(missing_ok=True)
    download(source, say, accept_terms=accept_terms, folder=folder)


def _complete(source: Source, target: Path, cache: Path, say: Say, accept_terms: bool) -> None:
    marker = target / MARKER
    if not marker.exists():
        lost = [
            path
            for path, recorded in sealed_hashes(seal_of(marker)).items()
            if path != marker and not has_hash(path, recorded)
        ]
        # Without the marker the files may be there all the same: a person may have put them there.
        if lost or not source.counts or _miscount(source, target):
            _get_archives(source, target, cache, say, accept_terms)
        if missing := [path for path in lost if not path.exists()]:
            raise InputError(
                f"{source.name}: no archive holds {missing[0]}, which is lost (in all: {len(missing)}); "
                f"put it back, or delete {seal_of(marker)} to go on without"
            )
    if miscount := _miscount(source, target):
        raise InputError(
            f"{source.name}: {miscount}; delete that folder and give the same command to unpack again"
        )
    if not marker.exists():
        files = [path for path in target.rglob("*") if path.is_file() and not path.name.startswith(".")]
        with sealed(marker, *sorted(files)):
            write_json(marker, {"archives": _archives_in(target / UNPACKED)})
        (target / UNPACKED).unlink(missing_ok=True)


def _get_archives(source: Source, target: Path, cache: Path, say: Say, accept_terms: bool) -> None:
    unpacked = _archives_in(target / UNPACKED)
    say(f"{source.name}: {source.title}; licence: {source.licence}; {source.page}")
    by_hand = []
    for archive in source.archives:
        if archive.file in unpacked:
            continue
        path, expected = cache / archive.file, _expected(archive, cache)
        if path.exists():
            _check(path, expected, FILE if archive.checksum else _record(archive, cache))
        elif archive.url is None:
            by_hand.append(source.by_hand(archive, cache))
            continue
        elif source.access == "terms" and not accept_terms:
            raise InputError(
                f"{source.name}: its terms: {source.licence} ({source.page}); to accept them, add "
                f"--accept-terms, or accept_terms: [{source.name}] to the config"
            )
        else:
            fetch(archive.url, path, expected, source.by_hand(archive, cache))
        if archive.unpack:
            extract(path, target / archive.into, strip=archive.strip, include=archive.include)
        else:
            with replacing(target / archive.into / archive.file) as temporary:
                shutil.copyfile(path, temporary)
        unpacked[archive.file] = sha256 = pooch.file_hash(str(path))
        if expected is None:
            write_text(_record(archive, cache), f"{sha256}  {archive.file}\n")
            say(f"{path}: unverified, as no checksum is published; sha256 {sha256} is expected from now on")
        write_json(target / UNPACKED, unpacked)
    if by_hand:
        raise InputError(f"{source.name}: {'; '.join(by_hand)}; then give the same command again")


def _check(path: Path, expected: str | None, origin: Path) -> None:
    """Raise InputError unless the file has the expected checksum, which comes from the file `origin`."""
    if expected is None:
        return
    algorithm, _, checksum = expected.partition(":")
    actual = pooch.file_hash(str(path), alg=algorithm)
    if actual != checksum:
        raise InputError(
            f"{path}: damaged or another file (its {algorithm} is {actual}, not {checksum}); delete it and "
            f"get it again, or correct {origin}"
        )


def _archives_in(unpacked: Path) -> dict[str, str]:
    """Read which archives were unpacked, each with its SHA-256."""
    try:
        archives = json.loads(unpacked.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):  # without it all is unpacked again
        return {}
    if not isinstance(archives, dict):
        return {}
    return {name: checksum for name, checksum in archives.items() if isinstance(checksum, str)}


def _expected(archive: Archive, cache: Path) -> str | None:
    """Return the published checksum, else the recorded one, else None."""
    record = _record(archive, cache)
    if archive.checksum or not record.exists():
        return archive.checksum
    checksum = read_text(record).partition(" ")[0]
    if not re.fullmatch("[0-9a-f]{64}", checksum):
        raise InputError(f"{record}: holds no SHA-256; delete it to trust the next archive")
    return f"sha256:{checksum}"


def _record(archive: Archive, cache: Path) -> Path:
    return cache / f"{archive.file}.sha256"


def _miscount(source: Source, target: Path) -> str:
    """Name the first pattern of `counts` that too few or too many files match; empty when all are right."""
    for pattern, expected in (source.counts or {}).items():
        count = sum(1 for _ in target.glob(pattern))
        if count != expected:
            return f"{count} files match {pattern} in {target}, but {expected} belong there"
    return ""
