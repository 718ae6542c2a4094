"""Write files as a whole or not at all, and lock them for one process."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmark.core.types import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path, and move the file there to `path` when the block ends without an error.

    Two processes never write into the same temporary file. Raises InputError when the folder cannot be
    written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "numbers.csv"
    >>> with replacing(path) as temporary:
    ...     _ = temporary.write_text("1,2,3")
    >>> path.read_text()
    '1,2,3'
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); check its folder") from error
    finally:
        if temporary.exists():
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file, as a whole or not at all. Raises InputError when the folder cannot be written."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, as `write_text` does."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def require_writable(folder: Path) -> None:
    """Check, before long work, that files can be written into a folder. Raises InputError when not."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


def read_json(path: Path, advice: str) -> Any:
    """Read the value of a JSON file.

    Args:
        path: The file.
        advice: What to do where it cannot be read, for the message.

    Raises:
        InputError: there is no such file, or it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {advice}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); {advice}") from error


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that killed processes left in `folder`; hold the folder's lock meanwhile."""
    for leftover in folder.glob(".*.tmp*"):
        leftover.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`; wait until another holder finishes or dies."""
    with _open_lock(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(path: Path) -> IO[str] | None:
    """Take the lock on `path` for as long as the returned file is open; None if another process has it."""
    file = _open_lock(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _open_lock(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); check its folder") from error
