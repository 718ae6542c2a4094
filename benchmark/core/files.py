"""Write files as a whole or not at all, and lock them for one process."""

import errno
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmark.core.errors import InputError
from benchmark.core.faults import cannot_write, fault_behind


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path, and move the file there to `path` when the block ends without an error.

    Two processes never write into the same temporary file. Raises MachineError when the file cannot be
    written, also where a library has made another error of that.

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
    except Exception as error:
        if isinstance(error, OSError) or fault_behind(error):
            raise cannot_write(path, error) from error
        raise
    finally:
        if temporary.exists():
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file, as a whole or not at all. Raises MachineError when it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: Path) -> str:
    """Read a text file. Raises InputError when there is none or it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}); give a text file") from error


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, as `write_text` does."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def require_writable(folder: Path, advice: str = "choose another folder") -> None:
    """Check, before long work, that files can be written into a folder, which is made if need be.

    Args:
        folder: The folder.
        advice: What to do where nothing can be written, for the message.

    Raises:
        InputError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); {advice}") from error


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


def private_folder(name: str) -> Path:
    """Return the folder `<name>-<user id>` in the shared temporary folder, which only this user can reach.

    Raises:
        InputError: Something of that name is there which another user can change, or nothing can be made.
    """
    folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    advice = "set TMPDIR to a folder of yours"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); {advice}") from error
    private = status.st_uid == os.getuid() and not status.st_mode & 0o077
    if not stat.S_ISDIR(status.st_mode) or not private:
        raise InputError(f"{folder}: is no private folder of yours; remove it, or {advice}")
    return folder


def _open_lock(path: Path) -> IO[str]:
    """Open a lock file: a link is refused, and what the file holds stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), "r+")
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"{path}: cannot be written (it is a link); remove it") from error
        raise cannot_write(path, error) from error
