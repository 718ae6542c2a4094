"""The loop that drives every method: progress, trace, checkpoints, divergence.

A method turns an observation into a `Problem`; the solver takes a list of independent problems and yields
their restorations. Each problem has its own parameters, optimiser and generator, so what one case gets
does not depend on the others.
"""

import logging
import math
import resource
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmark.core.progress import Progress, Report
from benchmark.core.types import (
    InputError,
    NotSupportedError,
    Restoration,
    Snapshot,
    Status,
    WeightsMissingError,
)
from methods.parts import resume as checkpoint

log = logging.getLogger(__name__)

LOG_EVERY = 10  # iterations between trace rows; the device is read only then
CHECKPOINT_EVERY = 100  # iterations; a multiple of LOG_EVERY


@dataclass(frozen=True)
class Step:
    """What one iteration reports, still on the device."""

    stage: str  # names the objective, whose values are not comparable across stages
    loss: Tensor
    # By sentence: whether (a bool scalar) the estimate is lost in this way although the loss is finite.
    flaws: Mapping[str, Tensor] = field(default_factory=dict)
    ended: Tensor | None = None  # whether (a bool scalar) the run ends before its iterations do


class Problem(Protocol):
    """One case as the solver sees it."""

    iterations: int
    device: torch.device
    weights: str  # names the pre-trained weights that it uses, empty for none

    def step(self, iteration: int) -> Step:
        """Do 0-based `iteration`. Must not read the device.

        After a step that ended the run some more may follow; they must leave the estimate as it is.
        """

    def slow_down(self) -> None:
        """Halve the learning rates for the rest of the run."""

    def estimate(self) -> tuple[Tensor, Tensor | None]:
        """The restored image (C, H, W) and the kernels (P, h, w) in true-convolution form, if estimated.

        Between two steps it must leave the steps to come as they are: it draws nothing.
        """

    def kernel_field(self) -> Tensor | None:
        """The kernels (R, C, h, w) of R x C equal patches of that image, for methods that see so finely.

        In true-convolution form; called after the last `estimate`.
        """

    @property
    def returned(self) -> int | None:
        """The iteration whose estimate `estimate` gives, where it is not the last."""

    def state_dict(self) -> dict[str, Any]:
        """All that determines the remaining iterations."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""


@dataclass(frozen=True)
class Task:
    """A problem to build and solve, and where its checkpoint lives."""

    name: str
    build: Callable[[], Problem]
    checkpoint: Path | None = None  # None: keep it in memory only
    key: str = ""  # a checkpoint with another key is ignored
    snapshots: Collection[int] = ()  # after how many iterations the estimate is kept; changes no result


def _nothing(progress: Progress) -> None:
    del progress


def solve(tasks: Iterable[Task], report: Report = _nothing) -> Iterator[tuple[str, Restoration]]:
    """Yield (task name, restoration) as each task ends. A task that fails is a status; the others go on."""
    for task in tasks:
        yield task.name, _solve_one(task, report)


# Errors whose message is a sentence already.
_ENDINGS = {
    NotSupportedError: Status.NOT_SUPPORTED,
    WeightsMissingError: Status.WEIGHTS_MISSING,
    InputError: Status.FAILED,
}


def _solve_one(task: Task, report: Report) -> Restoration:
    try:
        return drive(task, report)
    except tuple(_ENDINGS) as error:
        status = next(status for kind, status in _ENDINGS.items() if isinstance(error, kind))
        return Restoration(status, reason=str(error))
    except (MemoryError, torch.OutOfMemoryError) as error:
        return Restoration(Status.OUT_OF_MEMORY, reason=_first_line(error))
    except Exception as error:
        if "can't allocate memory" in str(error):  # torch's CPU allocator raises a bare RuntimeError
            return Restoration(Status.OUT_OF_MEMORY, reason=_first_line(error))
        log.info("%s crashed", task.name, exc_info=True)
        return Restoration(Status.FAILED, reason=f"{type(error).__name__}: {_first_line(error)}")


@dataclass
class _Run:
    """Where a task stands: the part of its checkpoint that belongs to the loop."""

    iteration: int = 0
    seconds: float = 0.0
    slowed_down: bool = False
    ended: bool = False  # before its iterations
    trace: list[dict[str, float | str]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)  # the fields of `Snapshot`, as tensors


def drive(task: Task, report: Report = _nothing) -> Restoration:
    """Solve one task; unlike in `solve`, what its problem raises is not caught."""
    building = time.perf_counter()
    problem = task.build()
    run, saved = _resume(task, problem, time.perf_counter() - building)
    started = time.perf_counter() - run.seconds
    report(Progress(task.name, run.iteration, problem.iterations))
    while run.iteration < problem.iterations and not run.ended:
        step = problem.step(run.iteration)
        run.iteration += 1
        last = run.iteration == problem.iterations
        if run.iteration in task.snapshots:
            started += _take_snapshot(run, problem, started)
        if run.iteration % LOG_EVERY and run.iteration != 1 and not last:
            continue
        loss = step.loss.item()
        run.seconds = time.perf_counter() - started
        trouble = _trouble(step, loss)
        if not trouble:
            run.trace.append({"iteration": run.iteration, "stage": step.stage, "loss": loss})
            report(Progress(task.name, run.iteration, problem.iterations, step.stage, loss))
            run.ended = step.ended is not None and bool(step.ended.item())
        checkpoint_due = last or run.ended or run.iteration % CHECKPOINT_EVERY == 0
        if checkpoint_due and not trouble:
            state = problem.state_dict()
            # The loss was finite before this step's update; the parameters may no longer be.
            if _all_finite(state):
                saved = _save(task, run, state)
            else:
                trouble = Status.DIVERGED.sentence
        if trouble:
            if run.slowed_down:
                return _ended(Status.DIVERGED, run, problem, trouble)
            run = _restored(problem, saved)
            problem.slow_down()
            run.slowed_down = True
            saved = _save(task, run, problem.state_dict())
    image, kernels = problem.estimate()
    kernel_field = problem.kernel_field()
    run.seconds = time.perf_counter() - started
    return replace(
        _ended(Status.OK, run, problem),
        returned=problem.returned or run.iteration,
        image=image.detach().clamp(0, 1).float().cpu().numpy(),
        kernels=None if kernels is None else kernels.detach().float().cpu().numpy(),
        kernel_field=None if kernel_field is None else kernel_field.detach().float().cpu().numpy(),
        snapshots=tuple(
            Snapshot(**{**snapshot, "image": snapshot["image"].numpy()}) for snapshot in run.snapshots
        ),
    )


def _take_snapshot(run: _Run, problem: Problem, started: float) -> float:
    """Add the estimate as it stands to `run`; returns the seconds that this took."""
    if problem.device.type == "cuda":
        torch.cuda.synchronize(problem.device)  # the steps before it are no part of it
    begun = time.perf_counter()
    image = problem.estimate()[0].detach()
    pixels = (255 * image.clamp(0, 1).float()).round().to(torch.uint8).cpu()
    run.snapshots.append({"iteration": run.iteration, "seconds": begun - started, "image": pixels})
    return time.perf_counter() - begun


def _resume(task: Task, problem: Problem, building: float) -> tuple[_Run, checkpoint.State]:
    """The run as the task's checkpoint has it, or a fresh one, and the state to fall back to.

    The seconds spent `building` count once: a checkpoint has those of the first time.
    """
    state = None if task.checkpoint is None else checkpoint.load(task.checkpoint, task.key)
    if state is None:
        state = {"run": vars(_Run(seconds=building)), "problem": _copied(problem.state_dict())}
    return _restored(problem, state), state


def _restored(problem: Problem, saved: checkpoint.State) -> _Run:
    problem.load_state_dict(_copied(saved["problem"]))
    return _Run(**_copied(saved["run"]))


def _save(task: Task, run: _Run, state: Mapping[str, Any]) -> checkpoint.State:
    saved = {"run": _copied(vars(run)), "problem": _copied(state)}
    if task.checkpoint is not None:
        checkpoint.save(task.checkpoint, task.key, saved)
    return saved


def _trouble(step: Step, loss: float) -> str:
    """Why the estimate of this step is lost; empty if it is not."""
    if not math.isfinite(loss):
        return Status.DIVERGED.sentence
    return next((sentence for sentence, holds in step.flaws.items() if holds.item()), "")


def _ended(status: Status, run: _Run, problem: Problem, trouble: str = "") -> Restoration:
    if problem.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(problem.device) / 2**20
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return Restoration(
        status=status,
        reason=f"{trouble} (iteration {run.iteration})" if trouble else "",
        trace=tuple(run.trace),
        iterations=run.iteration,
        seconds=run.seconds,
        peak_memory_mib=peak,
        device=device_name(problem.device),
        weights=problem.weights,
    )


def device_name(device: torch.device) -> str:
    """As it stands in records."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _copied(tree: Any) -> Any:
    """`tree` with its tensors cloned, so that later steps leave it alone."""
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, Mapping):
        return {key: _copied(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_copied(value) for value in tree)
    return tree


def _all_finite(tree: Any) -> bool:
    tensors = list(_floating_tensors(tree))
    if not tensors:
        return True
    # One value for all tensors: a single read of the device.
    return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())


def _floating_tensors(tree: Any) -> Iterator[Tensor]:
    if isinstance(tree, Tensor):
        if tree.is_floating_point():
            yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _floating_tensors(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _floating_tensors(value)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
