"""The photo that is being deblurred, and all that has happened to it so far."""

import multiprocessing
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from benchmark.app.options import Options
from benchmark.core.errors import InputError

UPLOAD = "upload"  # the name of the photo's file in its folder
HEARTBEAT = 15.0  # seconds after which a stream without news says that it lives
Event = dict[str, Any]


def _work(connection: Connection, folder: Path, name: str, options: Options) -> None:
    """Run the worker; what it computes with takes seconds to import, and the server does not need it."""
    from benchmark.app.worker import work  # noqa: PLC0415

    work(connection, folder / UPLOAD, name, options)


class Session:
    """One photo at a time: a new one ends the work on the one before and removes its files.

    Its files lie in a private temporary folder, which `close` removes.
    """

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="blindbench-app-"))  # mode 0700
        self._changed = threading.Condition()
        self._photo = 0  # the number of the photo; a photo that is looked at again gets another one
        self._name = ""
        self._events: list[Event] = [{"kind": "empty"}]
        self._worker: SpawnProcess | None = None
        self._connection: Connection | None = None

    def folder(self, photo: int) -> Path:
        """Return the folder of a photo; it exists while the photo is the present one."""
        return self.root / str(photo)

    def start(self, upload: Path, name: str, options: Options, kernel: Path | None = None) -> None:
        """Work on a photo.

        Args:
            upload: Its file below `root`, which is moved.
            name: What the user calls it.
            options: How the kernel is found.
            kernel: A kernel's file below `root`, which is moved, where the user has one.
        """
        with self._changed:
            self._end()
            before = self.folder(self._photo)
            self._photo, self._name = self._photo + 1, name
            folder = self.folder(self._photo)
            folder.mkdir()
            upload.rename(folder / UPLOAD)
            if kernel is not None:
                kernel.rename(folder / options.kernel_file)
            shutil.rmtree(before, ignore_errors=True)
            self._events = [{"kind": "photo", "photo": self._photo, "name": name, **asdict(options)}]
            self._changed.notify_all()
            context = multiprocessing.get_context("spawn")
            self._connection, others_end = context.Pipe()
            self._worker = context.Process(
                target=_work, args=(others_end, folder, name, options), daemon=True
            )
            self._worker.start()
            others_end.close()
            arguments = (self._worker, self._connection)
            threading.Thread(target=self._collect, args=arguments, daemon=True).start()

    def again(self, options: Options, kernel: Path | None = None) -> None:
        """Work on the present photo once more, in another way.

        Args:
            options: How the kernel is found.
            kernel: As in `start`.

        Raises:
            InputError: There is no photo.
        """
        with self._changed:
            upload = self.folder(self._photo) / UPLOAD
            if not upload.exists():
                if kernel is not None:
                    kernel.unlink()
                raise InputError("there is no photo yet; choose one first")
            self.start(upload, self._name, options, kernel)

    def wish(self, **wish: int) -> None:
        """Ask the worker to restore with a candidate, or to try a size; without a worker nothing happens."""
        with self._changed:
            if self._connection is not None:
                with suppress(OSError):  # it has just ended
                    self._connection.send(wish)

    def cancel(self) -> None:
        """End the work. What was restored stays."""
        with self._changed:
            if self._worker is not None and self._worker.is_alive():
                self._end()
                self._events.append({"kind": "stopped"})
                self._changed.notify_all()

    def close(self) -> None:
        """End the work and remove all files."""
        with self._changed:
            self._end()
            shutil.rmtree(self.root, ignore_errors=True)

    def stream(self) -> Iterator[list[Event]]:
        """Yield what has happened to the present photo, then what happens; an empty list now and then."""
        photo, sent = -1, 0
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._photo != photo or len(self._events) > sent,  # noqa: B023 (called here)
                    HEARTBEAT,
                )
                if self._photo != photo:
                    photo, sent = self._photo, 0
                news = self._events[sent:]
                sent += len(news)
            yield news

    def _collect(self, worker: SpawnProcess, connection: Connection) -> None:
        """Add what the worker sends to the events, and say how it ended."""
        with connection, suppress(EOFError, OSError):
            while True:
                self._add(connection.recv(), worker)
        worker.join()
        if worker.exitcode:
            why = "too little memory" if worker.exitcode == -signal.SIGKILL else f"code {worker.exitcode}"
            message = f"the work ended before it was done ({why}); try a smaller photo"
            self._add({"kind": "error", "message": message}, worker)

    def _add(self, event: Event, worker: SpawnProcess) -> None:
        """Add what happened, unless another worker has taken this one's place."""
        with self._changed:
            if worker is self._worker:
                self._events.append(event)
                self._changed.notify_all()

    def _end(self) -> None:
        """Kill the worker; its end closes the pipe, and that ends the thread that collects."""
        worker, self._worker, self._connection = self._worker, None, None
        if worker is not None:
            worker.kill()
            worker.join()
