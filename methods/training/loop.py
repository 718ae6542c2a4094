"""The loop that drives every pre-training: progress, losses, resuming, and an end by steps or by minutes.

A step draws all its random numbers from its own number, so a run that was killed and continues gives the
same weights as one that was not (on the same machine, when it ends by steps).
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.types import InputError
from methods import checkpoint
from methods.solver import Progress, Report

LOG_EVERY = 50  # steps between rows of the history; the device is read only then
SAVE_EVERY = 60.0  # seconds between checkpoints


@dataclass(frozen=True)
class Materials:
    """What a training draws from beside its settings: sharp photographs (C, H, W), 8 bits, C = 1 or 3."""

    photographs: Sequence[NDArray[np.uint8]] = ()
    held_out: Sequence[NDArray[np.uint8]] = ()  # never trained on


class Trainee(Protocol):
    """One training as the loop sees it."""

    steps: int

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """Do 0-based step `number`, when `share` in [0, 1] of the training is over; returns named losses."""

    def state_dict(self) -> dict[str, Any]:
        """All that determines the remaining steps."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""


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
    max_minutes: float | None = None,
) -> History:
    """Train to the last step, or, with its rates, to the end of `max_minutes`; continues from `saved`.

    `key` names what the saved state belongs to. Raises InputError when a loss is no longer finite.
    """
    history = History()
    state = checkpoint.load(saved, key)
    if state is not None:
        trainee.load_state_dict(state["trainee"])
        history = History(**state["history"])
    started = time.monotonic() - history.seconds
    saved_at = history.seconds
    share = _share(history, trainee.steps, max_minutes)
    while share < 1:
        losses = trainee.step(history.step, share)
        history.step += 1
        history.seconds = time.monotonic() - started
        share = _share(history, trainee.steps, max_minutes)
        if history.step % LOG_EVERY == 0 or history.step == 1 or share >= 1:
            _log(history, losses)
            row = {term: value for term, value in history.rows[-1].items() if term in losses}
            stage = ", ".join(f"{term} {value:.3g}" for term, value in list(row.items())[1:])
            first = next(iter(row))
            total = history.step + round((1 - share) / max(share, 1e-9) * history.step)
            report(Progress(name, history.step, total, f"{stage} {first}".strip(), row[first]))
        if history.seconds - saved_at >= SAVE_EVERY or share >= 1:
            state = {"trainee": trainee.state_dict(), "history": vars(history)}
            checkpoint.save(saved, key, state)
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
