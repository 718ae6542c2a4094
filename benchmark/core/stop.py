"""Stop when asked: by Ctrl-C, by the system, or by Snakemake."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED = 130  # exit code, as after Ctrl-C
SENTENCE = "stopped; a workflow, a download or a training continues with the same command"
ONE_REQUEST = 2.0  # seconds: signals within them are one request, sent to a process and to its group


@dataclass
class _Request:
    """Whether this process was asked to stop, and whether it is in the middle of a step."""

    at: float | None = None  # by the clock
    is_postponed: bool = False


_REQUEST = _Request()


def heeded() -> list[signal.Signals]:
    """List the signals of `SIGNALS` that this process was not started to ignore, as `nohup` does."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def listen() -> None:
    """Let signals raise KeyboardInterrupt, at the end of a step where `postponed` asks for that.

    During an import they end the process at once: there is nothing to save, and modules swallow exceptions
    or turn them into others.

    Only commands call this: a library leaves the handlers of a process alone.
    """
    _REQUEST.at = None
    for number in heeded():
        signal.signal(number, _on_signal)


@contextmanager
def postponed() -> Iterator[Callable[[], bool]]:
    """Let the block finish its step, and raise KeyboardInterrupt at its end if a signal came.

    Yields:
        A function that tells whether one came: then the block saves its state and ends.
    """
    _REQUEST.is_postponed = True
    try:
        yield lambda: _REQUEST.at is not None
    finally:
        _REQUEST.is_postponed = False
    if _REQUEST.at is not None:
        raise KeyboardInterrupt


def _on_signal(number: int, frame: FrameType | None) -> None:
    del number
    if not _REQUEST.is_postponed and _is_import(frame):
        os.write(2, f"blindbench: {SENTENCE}\n".encode())
        os._exit(STOPPED)
    now = time.monotonic()
    is_repeated = _REQUEST.at is not None and now - _REQUEST.at < ONE_REQUEST
    _REQUEST.at = now if _REQUEST.at is None else _REQUEST.at
    if not _REQUEST.is_postponed and not is_repeated:
        raise KeyboardInterrupt


def _is_import(frame: FrameType | None) -> bool:
    """Tell whether a module is being imported, by the frames that have called each other."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
