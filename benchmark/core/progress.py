"""How far long work is, as whoever does it reports it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a task is; `loss` is None until the first trace row."""

    name: str
    iteration: int
    iterations: int
    stage: str = ""
    loss: float | None = None


Report = Callable[[Progress], None]
