"""Seals: the hashes of files, from which a damaged one is told.

A seal lies beside its first file and has the same name with another suffix: `scores.sha256` seals
`scores.csv`, and `tables/uniform.sha256` the three files of a table. `sha256sum --check` reads it, too.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.core.errors import InputError
from benchmark.core.files import read_text, write_text


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal_of(path: Path) -> Path:
    """Return the path of the seal whose first file is this one."""
    return path.with_suffix(".sha256")


@contextmanager
def sealed(*files: Path) -> Iterator[None]:
    """Seal files that the block writes.

    Args:
        files: All files that share a seal. It gets the name of the first; the others lie in the same folder
            or below.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "numbers.csv"
    >>> with sealed(path):
    ...     _ = path.write_text("1,2,3")
    >>> is_whole(path)
    True
    """
    seal = seal_of(files[0])
    seal.unlink(missing_ok=True)  # a run that is killed between two files leaves no seal that is wrong
    yield
    lines = (f"{file_hash(file)}  {file.relative_to(seal.parent).as_posix()}\n" for file in files)
    write_text(seal, "".join(lines))


def sealed_hashes(seal: Path) -> dict[Path, str]:
    """Return the hashes of a seal's files as they were sealed; empty where it is missing or damaged."""
    try:
        lines = [line.partition("  ") for line in read_text(seal).splitlines()]
    except InputError:
        return {}
    return {seal.parent / name: recorded for recorded, _, name in lines}


def has_hash(path: Path, sha256: str) -> bool:
    """Tell whether a file is there and has this hash."""
    try:
        return file_hash(path) == sha256
    except OSError:
        return False


def is_whole(path: Path) -> bool:
    """Tell whether a file is the one that was sealed; False where it or its seal is missing or damaged."""
    return has_hash(path, sealed_hashes(seal_of(path)).get(path, ""))


def require_whole(path: Path) -> None:
    """Raise InputError for a file that does not match its seal; one without a seal may be anyone's."""
    if path.exists() and seal_of(path).exists() and not is_whole(path):
        raise InputError(
            f"{path}: damaged or altered since it was written; the next run of the workflow makes it again"
        )
