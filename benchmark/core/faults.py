"""Tell errors of the machine from errors of a method: a full disk says nothing about a method."""

import errno
import os
import resource
from collections.abc import Iterator

# What goes wrong with a machine, and what to do about it.
ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EROFS: "make the file system writable",
    errno.EIO: "check the disk",
    errno.ESTALE: "mount the file system again",
    errno.ENOTCONN: "mount the file system again",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "close other programs, or allow more open files",
}
AGAIN = "then give the same command again"
# What Python says where no folder for temporary files can be written, and the system's loader of libraries
# where there is too little memory.
NO_TEMPORARY_FOLDER = "No usable temporary directory"
NO_MEMORY_TO_LOAD = "failed to map segment"
# MiB of address space. With less, verbs that compute cannot load their libraries, and some wait for ever:
# OpenBLAS asks again and again for the memory that it does not get.
LEAST_MEMORY = 512
LEAST_FILES = 64  # that Snakemake may need to have open: with too few it ends in errors of its own


class MachineError(Exception):
    """The machine failed, which is no result. The message is one line: where, what, and what to do."""


def require_memory() -> None:
    """Raise MachineError if the process may not use the memory that the libraries need to load."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_MEMORY * 2**20:
        raise MachineError(
            f"too little memory to load the libraries (the limit is {limit // 2**20} MiB); allow more "
            f"(ulimit -v), {AGAIN}"
        )


def require_open_files() -> None:
    """Raise MachineError if the process may not open as many files as a run of the workflow needs."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < LEAST_FILES:
        raise MachineError(
            f"Too many open files: a run needs {LEAST_FILES}, and {limit} are allowed; "
            f"{ADVICE[errno.EMFILE]}, {AGAIN}"
        )


def fault_behind(error: BaseException) -> MachineError | None:
    """Find the error of the machine that led to `error`; None where there is none.

    Libraries turn an `OSError` into one of their own, as torch does on a full disk ("unexpected pos 576 vs
    534"); Python keeps the first one as cause or context. Libraries in C++ quote the system's words.
    """
    for cause in _with_causes(error):
        if isinstance(cause, MachineError):
            return cause
        if isinstance(cause, OSError) and cause.errno in ADVICE:
            where = f"{cause.filename}: " if cause.filename is not None else ""
            return MachineError(f"{where}{cause.strerror}; {ADVICE[cause.errno]}, {AGAIN}")
        if isinstance(cause, FileNotFoundError) and NO_TEMPORARY_FOLDER in str(cause):
            return MachineError(
                f"no folder for temporary files can be written; set TMPDIR to one of yours, {AGAIN}"
            )
        if isinstance(cause, ImportError) and NO_MEMORY_TO_LOAD in str(cause):
            return MachineError(
                f"too little memory to load the libraries ({cause}); close other programs, or allow more "
                f"(ulimit -v), {AGAIN}"
            )
    *_, first = _with_causes(error)
    for number, advice in ADVICE.items():
        if os.strerror(number) in str(first):
            reason = str(first).partition("\n")[0]
            return MachineError(f"{reason}; {advice}, {AGAIN}")
    return None


def cannot_write(path: os.PathLike[str], error: BaseException) -> MachineError:
    """Describe why `path` cannot be written.

    Args:
        path: The file.
        error: What ended the writing.
    """
    first = next((cause for cause in _with_causes(error) if isinstance(cause, OSError) and cause.errno), None)
    reason = (first.strerror if first else str(error)) or type(error).__name__
    advice = ADVICE.get(first.errno or 0, "check its folder") if first else "check its folder"
    return MachineError(f"{path}: cannot be written ({reason}); {advice}, {AGAIN}")


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and the errors that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
