"""The data of one source into `datasets/<source>/`: fetched or put there by hand, checked, unpacked, counted.

What happened is kept in files, so that every step is done once and a killed run continues:

- `datasets/.downloads/<source>/` is the cache of archives; a record `<archive>.sha256` there is what a file
  without a published checksum is compared with.
- `datasets/<source>/.downloaded.json` says that all is there, and from which archives; until then
  `.unpacked.json` says which ones were unpacked.
- `datasets/<source>/.download-failed` holds the reason of the last failure, until it succeeds.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pooch

from benchmark.core.files import locked, replacing, try_lock, write_text
from benchmark.core.resources import data_folder
from benchmark.core.types import InputError
from benchmark.data.archives import extract
from benchmark.data.sources import FILE, Archive, Source
from benchmark.data.transfer import TransferError, fetch

CACHE = ".downloads"
MARKER = ".downloaded.json"
UNPACKED = ".unpacked.json"
FAILURE = ".download-failed"

Say = Callable[[str], None]


def download(source: Source, say: Say, *, accept_terms: bool = False, folder: Path | None = None) -> None:
    """Bring the data of `source` into `<folder>/<name>/`; what is there already is not touched.

    `say` is told what a person should read. Raises InputError when the user must do something (accept terms,
    get a file by hand, free the disk), TransferError when the network failed.
    """
    if source.access == "packaged":
        say(f"{source.name}: nothing to download, its files come with that package")
        return
    folder = folder or data_folder()
    target, cache = folder / source.name, folder / CACHE / source.name
    lock = try_lock(cache / ".lock")
    if lock is None:
        say(f"{source.name}: another download of it is at work; waiting")
    with lock or locked(cache / ".lock"):
        try:
            _complete(source, target, cache, say, accept_terms)
        except (InputError, TransferError) as error:
            write_text(target / FAILURE, f"{error}\n")
            raise
        (target / FAILURE).unlink(missing_ok=True)
    say(f"{source.name}: all there, in {target}")


def _complete(source: Source, target: Path, cache: Path, say: Say, accept_terms: bool) -> None:
    marker = target / MARKER
    # A person may have put the files there.
    if not marker.exists() and (not source.counts or _miscount(source, target)):
        _get_archives(source, target, cache, say, accept_terms)
    if miscount := _miscount(source, target):
        raise InputError(
            f"{source.name}: {miscount}; delete that folder and give the same command to unpack again"
        )
    if not marker.exists():
        write_text(marker, json.dumps({"archives": _unpacked(target)}, indent=2) + "\n")
        (target / UNPACKED).unlink(missing_ok=True)


def _get_archives(source: Source, target: Path, cache: Path, say: Say, accept_terms: bool) -> None:
    unpacked = _unpacked(target)
    say(f"{source.name}: {source.title}; licence: {source.licence}; {source.page}")
    for_a_person = []
    for archive in source.archives:
        if archive.file in unpacked:
            continue
        path, expected = cache / archive.file, _expected(archive, cache)
        if path.exists():
            _check(path, expected, FILE if archive.checksum else _record(archive, cache))
        elif archive.url is None:
            for_a_person.append(source.by_hand(archive, cache))
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
            say(f"{path}: unverified, no checksum is published; from now on sha256 {sha256} is expected")
        write_text(target / UNPACKED, json.dumps(unpacked, indent=2) + "\n")
    if for_a_person:
        raise InputError(f"{source.name}: {'; '.join(for_a_person)}; then give the same command again")


def _check(path: Path, expected: str | None, origin: Path) -> None:
    """Refuse a file in the cache with another checksum than `origin` has for it."""
    if expected is None:
        return
    algorithm, _, checksum = expected.partition(":")
    found = pooch.file_hash(str(path), alg=algorithm)
    if found != checksum:
        raise InputError(
            f"{path}: damaged or another file (expected {expected}, found {found}); delete it and get it "
            f"again, or correct {origin}"
        )


def _unpacked(target: Path) -> dict[str, str]:
    """Archive to SHA-256, of those that were unpacked into `target`."""
    try:
        archives: dict[str, str] = json.loads((target / UNPACKED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return archives


def _expected(archive: Archive, cache: Path) -> str | None:
    """The published checksum, else that of the first good file."""
    record = _record(archive, cache)
    if archive.checksum or not record.exists():
        return archive.checksum
    return f"sha256:{record.read_text(encoding='utf-8').split()[0]}"


def _record(archive: Archive, cache: Path) -> Path:
    return cache / f"{archive.file}.sha256"


def _miscount(source: Source, target: Path) -> str:
    """What the first pattern is that too few or too many files match; empty when all are right."""
    for pattern, expected in (source.counts or {}).items():
        found = sum(1 for _ in target.glob(pattern))
        if found != expected:
            return f"{found} files match {pattern} in {target}, but {expected} belong there"
    return ""
