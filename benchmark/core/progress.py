"""How long work reports its progress."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a task is."""

    name: str  # of the task
    iteration: int  # how many iterations are done
    iterations: int  # in all
    stage: str = ""  # of the task, such as the objective's name
    loss: float | None = None  # None before the first one is read


Report = Callable[[Progress], None]
