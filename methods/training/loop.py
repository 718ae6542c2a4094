"""The loop of all pre-trainings: it reports, records losses, resumes, and ends by steps or by minutes.

All random numbers of a step depend on the step's number. So a run that was killed and continues gives the
same weights as one that was not, on the same machine and if it ends by steps.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core import stop
from benchmark.core.errors import InputError
from benchmark.core.progress import Progress, Report
from methods.parts import resume
from methods.training.evidence import Evidence

LOG_EVERY = 50  # steps between rows of the history; losses are read from the device only then
SAVE_EVERY = 60.0  # seconds between checkpoints


@dataclass(frozen=True)
class Materials:
    """What a training works with beside its settings."""

    photographs: Sequence[NDArray[np.uint8]] = ()  # sharp, (C, H, W), 8 bits, C = 1 or 3 (RGB)
    held_out: Sequence[NDArray[np.uint8]] = ()  # like these, but never trained on
    # Photographed (blurry, sharp) in the same frame. A training that takes both prefers them to
    # `photographs`.
    pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = ()
    held_out_pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = ()
    weights: Path = Path()  # the folder with the networks of earlier trainings
    processes: int = 1  # how many may draw kernels at the same time


class Trainee(Protocol):
    """A training, as the loop uses it."""

    steps: int  # how many its settings ask for
    label: str  # of its weights, for tables

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """Do a step.

        Args:
            number: of the step, from 0.
            share: of the training that is over, in [0, 1).

        Returns:
            The losses by name.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return all that determines the remaining steps."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""

    def begin_with(self, folder: Path) -> int:
        """Take over the weights that `save` wrote into a folder; return their number of steps.

        Raises:
            InputError: a file cannot be read or does not fit, or the training needs more than is in it.
        """

    def save(self, folder: Path, steps: int, remark: str, half: bool) -> None:
        """Write the networks after `steps` steps, with `remark` in their metadata, as float16 if `half`."""

    def examine(self, count: int, report: Report) -> Evidence:
        """Examine the networks on about `count` held-out items."""


def epoch_batch(seed: int, number: int, items: int, batch: int, per_epoch: int) -> NDArray[np.int64]:
    """Choose the items of one step, so that each item comes once per epoch, in an order of the epoch's own.

    Args:
        seed: the training's seed.
        number: the 0-based number of the step.
        items: how many items there are.
        batch: how many a step takes; the last step of an epoch may find fewer.
        per_epoch: steps per epoch; items that they do not reach are left out of the epoch.

    Returns:
        Indices of the items, (batch,) or fewer.

    >>> sorted(int(i) for number in range(3) for i in epoch_batch(0, number, items=5, batch=2, per_epoch=3))
    [0, 1, 2, 3, 4]
    """
    epoch, within = divmod(number, per_epoch)
    order = np.random.default_rng((seed, epoch, 1)).permutation(items)
    return order[within * batch : (within + 1) * batch]


@dataclass
class History:
    """How far a training is, and its losses on the way."""

    step: int = 0
    seconds: float = 0.0
    rows: list[dict[str, float]] = field(default_factory=list)  # step, seconds, losses


def train(
    trainee: Trainee,
    name: str,
    report: Report,
    *,
    saved: Path,
    key: str,
    steps: int | None = None,
    max_minutes: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> History:
    """Train to the last step or to the end of the time, whichever comes first; schedules follow.

    Args:
        trainee: the training.
        name: for reports.
        report: of the progress.
        saved: the file of the checkpoint, from which a run continues.
        key: what the checkpoint belongs to; one with another key is not used.
        steps: how many; None: as many as the trainee's settings ask for.
        max_minutes: how long, with the time before an interruption; None: without limit.
        clock: in seconds.

    Returns:
        The history of the whole run.

    Raises:
        InputError: a loss is not finite.
    """
    history = History()
    state = resume.load(saved, key)
    if state is not None:
        trainee.load_state_dict(state["trainee"])
        history = History(**state["history"])
    started = clock() - history.seconds
    saved_at = history.seconds
    share = _share(history, steps or trainee.steps, max_minutes)
    with stop.postponed() as is_asked_to_stop:
        while share < 1 and not is_asked_to_stop():
            losses = trainee.step(history.step, share)
            history.step += 1
            history.seconds = clock() - started
            share = _share(history, steps or trainee.steps, max_minutes)
            save = share >= 1 or history.seconds - saved_at >= SAVE_EVERY or is_asked_to_stop()
            if save or history.step % LOG_EVERY == 0 or history.step == 1:
                _log(history, losses)
                report(_progress(name, history, share, list(losses)))
            if save:
                resume.save(saved, key, {"trainee": trainee.state_dict(), "history": vars(history)})
                saved_at = history.seconds
    return history


def _share(history: History, steps: int, max_minutes: float | None) -> float:
    by_steps = history.step / steps
    by_time = 0.0 if max_minutes is None else history.seconds / (60 * max_minutes)
    return min(1.0, max(by_steps, by_time))


def _log(history: History, losses: Mapping[str, Tensor]) -> None:
    row = {term: loss.item() for term, loss in losses.items()}
    for term, value in row.items():
        if not math.isfinite(value):
            raise InputError(f"step {history.step}: the loss '{term}' is {value}; train at a lower rate")
    history.rows.append({"step": history.step, "seconds": round(history.seconds, 2), **row})


def _progress(name: str, history: History, share: float, terms: Sequence[str]) -> Progress:
    """Report the losses of the last row; the number of steps is an estimate when time ends the training."""
    *others, last = terms
    row = history.rows[-1]
    stage = "".join(f"{term} {row[term]:.3g}, " for term in others) + last
    return Progress(name, history.step, max(history.step, round(history.step / share)), stage, row[last])
