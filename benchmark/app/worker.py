"""The process that deblurs the photo of the page, so that the page answers meanwhile and can end it.

It sends what happens through a pipe, as mappings with a `kind`, and writes pictures into the folder of the
photo. Through the same pipe come the wishes of the page. When the pipe closes, the server is gone: then the
process removes the photo's folder and ends.
"""

import os
import queue
import shutil
import signal
import threading
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from skimage.transform import resize

from benchmark.app.options import Options
from benchmark.core.errors import InputError
from benchmark.core.faults import MachineError, fault_behind
from benchmark.core.images import write_image, write_kernel_image
from benchmark.core.kernel_files import read_kernel
from benchmark.core.photos import Photo, read_photo, write_photo
from benchmark.core.progress import Progress
from benchmark.core.types import Array
from benchmark.runs.machine import prepare
from benchmark.tools.deblur import Deblurring, KernelCandidate, read_part
from benchmark.tools.measures import Floats, visible
from benchmark.tools.search import search
from benchmark.tools.sheet import SIDE, cut
from benchmark.tools.streaks import kernel_of_streak
from benchmark.tools.verdict import Verdict

LARGEST_VIEW = 1600  # px, the longer side of a picture that the page shows


def work(connection: Connection, path: Path, name: str, options: Options) -> None:
    """Deblur a photo as the page asks, then do what it wishes.

    Args:
        connection: To the server.
        path: The photo's file, in a folder of its own; pictures are written beside it.
        name: What the user calls the photo, for messages.
        options: How the kernel is found. The file of a given kernel lies beside the photo.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the server, which ends this process
    wishes: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, wishes, path.parent), daemon=True).start()
    try:
        prepare(threads=None)
        _Work(connection, path.parent, name, read_photo(path), wishes, options).run()
    except (InputError, MachineError) as error:
        message = str(error).replace(str(path), name)
        message = message.replace(str(path.with_name(options.kernel_file)), options.kernel).removeprefix("--")
        connection.send({"kind": "error", "message": message})
    except Exception as error:
        known = fault_behind(error)
        if known is None and not isinstance(error, MemoryError):
            raise
        message = str(known or "there is too little memory; close other programs, or take a smaller photo")
        connection.send({"kind": "error", "message": message})


def _listen(connection: Connection, wishes: "queue.SimpleQueue[dict[str, Any]]", folder: Path) -> None:
    """Queue the wishes of the page; end the process when the server is gone."""
    try:
        while True:
            wishes.put(connection.recv())
    except (EOFError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # the server may have removed it
            folder.parent.rmdir()
        os._exit(0)


class _Work:
    """What is done for one photo."""

    def __init__(
        self,
        connection: Connection,
        folder: Path,
        name: str,
        photo: Photo,
        wishes: "queue.SimpleQueue[dict[str, Any]]",
        options: Options,
    ) -> None:
        self.connection, self.folder, self.photo, self.wishes = connection, folder, photo, wishes
        self.name, self.options = name, options
        self.parts: list[Array] = []  # restored with each candidate
        self.restored: set[int] = set()  # the numbers of candidates with which the whole photo was restored
        _write_view(folder / "photo.png", photo.image)
        height, width = photo.image.shape[1:]
        self.send("opened", width=width, height=height, notes=list(photo.notes))
        part = read_part(options.part, photo.image, "part") if options.part else None
        self.deblurring = Deblurring(photo.image, part)

    def send(self, kind: str, **content: Any) -> None:
        """Tell the server what happened."""
        self.connection.send({"kind": kind, **content})

    def report(self, progress: Progress) -> None:
        """Tell how far the work is."""
        text = ": ".join(filter(None, (progress.name, progress.stage)))
        self.send("progress", text=text, done=progress.iteration, total=progress.iterations)

    def run(self) -> None:
        """Find kernels, restore with the best or those that are picked, and wait for more wishes."""
        given = self.given_kernel()
        if given is None:
            self.find()
        else:
            self.show(self.deblurring.take(given))
        best = self.deblurring.best()
        if best is None:
            self.send("nothing", sentence=self.deblurring.restored(None).verdict.sentence)
        else:
            self.send("best", number=self.number(best))
            if not self.restored:
                self.restore(self.number(best))
        while True:
            self.send("idle")
            self.grant(self.wishes.get())

    def given_kernel(self) -> Floats | None:
        """Return the kernel that the user has: a file, or the streak of a lamp."""
        if self.options.kernel:
            return read_kernel(self.folder / self.options.kernel_file)
        if self.options.streak:
            image = self.photo.image
            return kernel_of_streak(image, read_part(self.options.streak, image, "streak"))
        return None

    def find(self, *sizes: int) -> None:
        """Estimate kernels; without sizes, those that suit the photo. Grant wishes in between."""
        for candidate in search(
            self.deblurring, self.name, device=torch.device("cpu"), sizes=sizes, blur=self.options.blur,
            effort=self.options.effort, report=self.report,
        ):  # fmt: skip
            self.show(candidate)
            while not self.wishes.empty():
                self.grant(self.wishes.get())

    def grant(self, wish: dict[str, Any]) -> None:
        """Do what the page asks for."""
        if "restore" in wish:
            self.restore(wish["restore"])
        elif "size" in wish:
            self.find_size(wish["size"])

    def find_size(self, size: int) -> None:
        """Estimate the kernel of one size; of one that was tried before, show what came of it."""
        candidates = self.deblurring.candidates
        estimated = (each for each in candidates if not (each.streaks or each.is_deep))
        known = (each for each in estimated if each.size == size and each.reduction == 1)
        if (candidate := next(known, None)) is not None:
            self.send("known", number=self.number(candidate))
            return
        try:
            self.find(size)
        except InputError as error:
            self.send("error", message=str(error))

    def number(self, candidate: KernelCandidate) -> int:
        """Return the number of a candidate, from 1."""
        return next(n for n, other in enumerate(self.deblurring.candidates, 1) if other is candidate)

    def show(self, latest: KernelCandidate) -> None:
        """Show a new candidate, and the verdicts of all: each depends on how the kernels agree."""
        number = self.number(latest)
        self.parts.append(self.deblurring.restored_part(latest))
        write_image(self.folder / f"part-{number}.png", self.deblurring.part(latest))
        write_image(self.folder / f"candidate-{number}.png", self.parts[-1])
        write_kernel_image(self.folder / f"kernel-{number}.png", visible(latest.kernel))
        for other, (candidate, part) in enumerate(
            zip(self.deblurring.candidates, self.parts, strict=True), 1
        ):
            self.send(
                "candidate",
                number=other,
                size=candidate.size * candidate.reduction,
                title=candidate.label,
                seconds=round(candidate.seconds, 1),
                **_in_words(self.deblurring.verdict_on_part(candidate, part)),
            )

    def restore(self, number: int) -> None:
        """Restore the whole photo with a candidate."""
        if not 1 <= number <= len(self.deblurring.candidates) or number in self.restored:
            return
        start = time.monotonic()
        result = self.deblurring.restored(self.deblurring.candidates[number - 1], self.report)
        notes = write_photo(self.folder / f"result-{number}.png", replace(self.photo, image=result.image))
        _write_view(self.folder / f"view-{number}.png", result.image)
        frame = cut(self.deblurring.candidates[number - 1].frame, SIDE)
        write_image(self.folder / f"before-{number}.png", self.photo.image[:, *frame])
        write_image(self.folder / f"after-{number}.png", result.image[:, *frame])
        self.restored.add(number)
        seconds = round(time.monotonic() - start, 1)
        self.send("result", number=number, seconds=seconds, notes=notes, **_in_words(result.verdict))


def _in_words(verdict: Verdict) -> dict[str, Any]:
    return {"trusted": verdict.trusted, "sentence": verdict.sentence, "numbers": verdict.numbers}


def _write_view(path: Path, image: Array) -> None:
    """Write an image, reduced to what a page can show."""
    longer = max(image.shape[1:])
    if longer > LARGEST_VIEW:
        shape = [max(1, round(side * LARGEST_VIEW / longer)) for side in image.shape[1:]]
        image = resize(image, (len(image), *shape), order=1, anti_aliasing=True)
    write_image(path, image)
