"""Outlive the death of a method: a worker computes, a watcher beside it starts another one where it dies.

A method may end its process: by `os.abort`, by a fault in a library, by more memory than there is. It may
also never end. So a job is two processes. The worker says which case it begins and ends, through a pipe. A
case in which two workers died is recorded as failed, one that takes too long as timed out, and the next
worker goes on with the other cases. Where several cases were on their way, none is blamed: the next worker
tries each of them alone. Where the watcher is killed as well, nothing is counted: that says nothing about the
case.
"""

import ctypes
import math
import os
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from benchmark.core import stop
from benchmark.core.types import Restoration, Status

DEATHS = 2  # in one case, before it counts as failed: the first may be the machine's
GRACE = 4.0  # seconds that a worker has to save its state and leave
LOOK_EVERY = 0.2  # seconds between two looks at the worker
PR_SET_PDEATHSIG = 1  # of Linux: the signal that a process gets when its parent ends


@dataclass(frozen=True)
class Watch:
    """What a worker knows of its watcher."""

    pipe: int | None = None  # to the watcher; None where nobody watches
    lost: Mapping[str, Restoration] = field(default_factory=dict)  # cases that no worker survived
    suspects: Collection[str] = ()  # cases that were on their way together when a worker died: try each alone

    def begin(self, case: str, minutes: float | None = None) -> None:
        """Tell the watcher that a case begins, and how long it may take; None: as long as it wants."""
        self._tell(f"begin {math.inf if minutes is None else 60 * minutes} {case}")

    def end(self, case: str) -> None:
        """Tell the watcher that a case has ended, and that its result is written."""
        self._tell(f"end 0 {case}")

    def leave(self) -> None:
        """Tell the watcher that the worker ends by itself."""
        self._tell("leave 0 ")

    def _tell(self, line: str) -> None:
        if self.pipe is not None:
            with suppress(OSError):  # the watcher was killed
                os.write(self.pipe, f"{line}\n".encode())


@contextmanager
def watched() -> Iterator[Watch]:
    """Run the block in a worker. The calling process watches it, and exits as the last worker does.

    Call it before anything that starts threads, for the worker is a fork.
    """
    lost: dict[str, Restoration] = {}
    suspects: set[str] = set()
    deaths: Counter[str] = Counter()
    while True:
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        watcher, worker = os.getpid(), os.fork()
        if worker == 0:
            os.close(reading)
            _end_with(watcher)
            stop.listen()
            watch = Watch(writing, lost, suspects)
            try:
                yield watch
            finally:
                watch.leave()
            return
        os.close(writing)
        end = _Watcher(worker, reading).wait()
        os.close(reading)
        if not end.cases:
            sys.exit(end.code)
        if len(end.cases) > 1:
            suspects.update(end.cases)
            then = "each is tried alone"
        elif end.is_late:
            lost[end.cases[0]] = Restoration(Status.TIMED_OUT, reason=late(end.seconds), seconds=end.seconds)
            continue
        else:
            (case,) = end.cases
            deaths[case] += 1
            then = "trying once more" if deaths[case] < DEATHS else "going on with the other cases"
            if deaths[case] == DEATHS:
                lost[case] = Restoration(Status.FAILED, reason=end.reason)
        print(f"{', '.join(end.cases)}: {end.reason}; {then}", file=sys.stderr, flush=True)


def late(seconds: float) -> str:
    """Return the reason of a case that took longer than `seconds`."""
    return f"not finished within {seconds / 60:g} minutes; raise minutes_per_case to let it go on"


@dataclass(frozen=True)
class _End:
    """How a worker ended."""

    code: int  # for the shell
    reason: str
    cases: tuple[str, ...] = ()  # those on their way when it died; none if it ended by itself or was asked to
    is_late: bool = False
    seconds: float = 0.0  # that these cases were allowed


class _Watcher:
    """Follows one worker to its end."""

    def __init__(self, worker: int, pipe: int) -> None:
        self.worker, self.pipe = worker, pipe
        self.running: dict[str, float] = {}  # the cases on their way, with the seconds that each may take
        self.deadline = math.inf
        self.unread = b""
        self.asked: list[int] = []  # the signals that asked this process to stop
        self.forwarded = self.is_late = False

    def wait(self) -> _End:
        """Wait for the worker's end; pass on signals, and kill it where it is late."""
        for heeded in stop.heeded():
            signal.signal(heeded, lambda number, _: self.asked.append(number))
        status = None
        while status is None:
            is_closed = self._read(LOOK_EVERY)
            ended, waited = os.waitpid(self.worker, 0 if is_closed else os.WNOHANG)
            status = waited if ended else None
            if status is None:
                self._hurry()
        while not self._read(0) and select.select([self.pipe], [], [], 0)[0]:
            pass
        return self._end(os.waitstatus_to_exitcode(status))

    def _read(self, seconds: float) -> bool:
        """Read what the worker says within some seconds. Returns whether it has closed the pipe."""
        if not select.select([self.pipe], [], [], seconds)[0]:
            return False
        said = os.read(self.pipe, 4096)
        *lines, self.unread = (self.unread + said).split(b"\n")
        for line in lines:
            what, allowed, case = line.decode().split(" ", 2)
            if what == "begin":
                self.running[case] = float(allowed)
            elif what == "end":
                self.running.pop(case, None)
            else:
                self.running.clear()
            if not self.forwarded:
                # The solver ends a late case by itself, at the end of a step. Cases that take turns together
                # take the sum of their times at most, before one of them ends.
                self.deadline = time.monotonic() + (sum(self.running.values()) or math.inf) + GRACE
        return not said

    def _hurry(self) -> None:
        """Pass on a request to stop; kill a worker that is late."""
        if self.asked and not self.forwarded:
            os.kill(self.worker, signal.SIGTERM)
            self.forwarded, self.deadline = True, time.monotonic() + GRACE
        if time.monotonic() > self.deadline:
            self.is_late = not self.forwarded
            os.kill(self.worker, signal.SIGKILL)
            self.deadline = math.inf

    def _end(self, code: int) -> _End:
        if self.asked:
            return _End(128 + self.asked[0], "")
        how = f"exit code {code}" if code >= 0 else f"signal {-code}: {_meaning(-code)}"
        reason = f"the process died ({how})"
        if code < 0 and not self.running:
            print(f"blindbench: {reason}", file=sys.stderr, flush=True)
        seconds = sum(self.running.values())
        if self.is_late:
            reason = f"not finished within {seconds / 60:g} minutes"
        return _End(code if code >= 0 else 128 - code, reason, tuple(self.running), self.is_late, seconds)


def _meaning(number: int) -> str:
    return "out of memory?" if number == signal.SIGKILL else str(signal.strsignal(number))


def _end_with(watcher: int) -> None:
    """Ask the system to stop this process when the watcher ends, however that ends."""
    with suppress(OSError, AttributeError):  # only Linux knows this
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != watcher:  # it ended before
        os._exit(1)
