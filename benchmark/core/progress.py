"""How long work reports its progress."""

from collections.abc import Callable
from dataclasses import dataclass

# The environment variable by which `blindbench run` asks the workflow to count its progress in work.
IN_WORK = "BLINDBENCH_PROGRESS"


@dataclass(frozen=True)
class Progress:
    """How far a task is."""

    name: str  # of the task
    iteration: int  # how many iterations are done
    iterations: int  # how many there are in all
    stage: str = ""  # the name of what is being done, such as the objective
    loss: float | None = None  # None before the first one is read


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Report nothing: the `Report` of work that nobody watches."""
    del progress
