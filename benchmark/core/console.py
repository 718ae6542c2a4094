"""Show the progress of long work: a bar on a terminal, elsewhere a line at each tenth of the way."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track

from benchmark.core.progress import Progress as Step
from benchmark.core.progress import Report

Item = TypeVar("Item")


@contextmanager
def reporting(what: str) -> Iterator[Report]:
    """Give a `Report` that shows what is being done, how far it is, and how long it will take.

    Args:
        what: the words before the name of each task, such as 'restore'.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(separator=" of "),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console,
        ) as bars:
            tasks = {}

            def on_terminal(step: Step) -> None:
                if step.name not in tasks:
                    tasks[step.name] = bars.add_task(f"{what} {step.name}", total=step.iterations, state="")
                # A training that ends by the clock does not know its number of steps beforehand.
                task = tasks[step.name]
                bars.update(task, completed=step.iteration, total=step.iterations, state=_state(step))

            yield on_terminal
    else:
        starts: dict[str, tuple[float, int]] = {}  # time and iteration of each task's first report
        last_tenths: dict[str, int] = {}

        def in_lines(step: Step) -> None:
            started_at, first = starts.setdefault(step.name, (time.monotonic(), step.iteration))
            tenth = 10 * step.iteration // max(1, step.iterations)
            if last_tenths.get(step.name) == tenth:
                return
            last_tenths[step.name] = tenth
            done = step.iteration - first
            elapsed = time.monotonic() - started_at
            left = elapsed / done * (step.iterations - step.iteration) if done else None
            eta = f"{left:.0f} s left" if left else ""
            parts = (f"{step.iteration} of {step.iterations}", _state(step), eta)
            text = f"{what} {step.name}: {', '.join(filter(None, parts))}"
            console.print(text, highlight=False, soft_wrap=True)

        yield in_lines


def counted(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yield items one by one; on a terminal a bar says what is being done and how far it is."""
    console = Console(stderr=True)
    yield from track(items, what, console=console, disable=not console.is_terminal)


def _state(step: Step) -> str:
    return step.stage if step.loss is None else f"{step.stage} {step.loss:.3g}"
