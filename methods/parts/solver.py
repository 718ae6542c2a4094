"""Drive every method: report progress, record the trace, write checkpoints, recover from divergence.

A method turns an observation into a `Problem`. The solver takes a list of problems and yields their
restorations. Each problem has its own parameters, optimiser and random generator, so the result of one case
does not depend on the others.
"""

import errno
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

from benchmark.core import stop
from benchmark.core.faults import fault_behind
from benchmark.core.progress import Progress, Report, silent
from benchmark.core.types import (
    Array,
    InputError,
    NotSupportedError,
    Restoration,
    Snapshot,
    Status,
    WeightsMissingError,
)
from methods.parts import resume

log = logging.getLogger(__name__)

LOG_EVERY = 10  # iterations between trace rows; the device is read only then
CHECKPOINT_EVERY = 100  # iterations; a multiple of LOG_EVERY
SUM_ERROR = 1e-3  # by which the sum of a kernel in float32 may differ from 1


@dataclass(frozen=True)
class Step:
    """What one iteration reports. Its tensors stay on the device until the solver reads them."""

    stage: str  # the objective's name: losses of different stages cannot be compared
    loss: Tensor  # scalar
    # Ways in which the estimate may be useless although the loss is finite: a sentence for the user, and
    # whether it is true (a bool scalar).
    flaws: Mapping[str, Tensor] = field(default_factory=dict)
    ended: Tensor | None = None  # whether the run stops early, after this iteration (a bool scalar)
    milestone: bool = False  # it took seconds: the solver adds a row to the trace and writes a checkpoint now


@dataclass(frozen=True)
class Result:
    """What a problem has estimated. Kernels are in true-convolution form (see `benchmark.core.types`)."""

    image: Tensor  # restored image (C, H, W), in [0, 1]; values outside are clipped
    kernels: Tensor | None = None  # (P, h, w), sum 1 each; None for methods that estimate none
    # (R, C, h, w): a kernel for each of R x C equal patches of the image, from methods that estimate so many.
    kernel_field: Tensor | None = None
    iteration: int | None = None  # the iteration that it comes from; None: the last one
    # What the record of the run says of it beside that: numbers, texts, and lists and mappings of them.
    notes: Mapping[str, Any] = field(default_factory=dict)


class Problem(Protocol):
    """One case, as a method hands it to the solver.

    The solver calls `step` for each iteration, `estimate` at the end (and where a snapshot is asked for), and
    the other three to save, restore and recover a run.
    """

    iterations: int  # how many calls of `step` a whole run has
    device: torch.device
    weights: str  # names the pre-trained weights behind the result; empty if there are none

    def step(self, iteration: int) -> Step:
        """Do one iteration, without reading anything back from the device.

        Args:
            iteration: Its number, from 0. The solver may call `step` a few more times after one that
                reported the end of the run; these calls must leave the estimate as it is.
        """

    def slow_down(self) -> None:
        """Halve the learning rates for the rest of the run: it has diverged once."""

    def estimate(self) -> Result:
        """Return the current estimate. Draws no random numbers, so later steps are the same without it."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that later iterations depend on: tensors, numbers, strings and containers of them."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: Its tensors may lie on the CPU.
        """


@dataclass(frozen=True)
class Task:
    """A problem to build and solve."""

    name: str  # of the case, for progress and results
    build: Callable[[], Problem]
    checkpoint: Path | None = None  # the file that a killed run continues from; None: in memory only
    key: str = ""  # what the checkpoint belongs to; one with another key is ignored
    snapshots: Collection[int] = ()  # iterations after which the estimate is kept; they change no result
    shape: tuple[int, ...] | None = None  # that the restored image must have, (C, H, W); None: any
    seconds: float = math.inf  # how long it may take, over all parts of a resumed run


def solve(tasks: Iterable[Task], report: Report = silent) -> Iterator[tuple[str, Restoration]]:
    """Solve tasks one after another. One that fails gets a status and a reason; the others go on.

    A failure of the machine, such as a full disk, is no result: it ends the work.

    Args:
        tasks: The problems.
        report: Called with the progress of each task.

    Yields:
        (name of the task, its restoration), as each task ends.

    Raises:
        MachineError: The machine failed.

    >>> from methods.parts.direct import Direct
    >>> grey = Result(torch.full((1, 4, 4), 0.5))
    >>> for name, restoration in solve([Task("grey", lambda: Direct(lambda: grey))]):
    ...     print(name, restoration.status.value, restoration.image.shape)
    grey ok (1, 4, 4)
    """
    for task in tasks:
        yield task.name, _solve_one(task, report)


# These errors carry a sentence for the user.
_ENDINGS: dict[type[Exception], Status] = {
    NotSupportedError: Status.NOT_SUPPORTED,
    WeightsMissingError: Status.WEIGHTS_MISSING,
    InputError: Status.FAILED,
}


def _solve_one(task: Task, report: Report) -> Restoration:
    """Solve one task; an error becomes its result, unless the machine failed."""
    try:
        return drive(task, report)
    except SystemExit as error:
        return Restoration(Status.FAILED, reason=f"the method ended the process by sys.exit({error.code!r})")
    except Exception as error:
        if fault := fault_behind(error):
            raise fault from error
        for kind, status in _ENDINGS.items():
            if isinstance(error, kind):
                return Restoration(status, reason=str(error))
        if is_lack_of_memory(error):
            return Restoration(Status.OUT_OF_MEMORY, reason=_first_line(error))
        log.info("%s crashed", task.name, exc_info=True)
        return Restoration(Status.FAILED, reason=f"{type(error).__name__}: {_first_line(error)}")


def is_lack_of_memory(error: Exception) -> bool:
    """Tell whether an error says that memory is short, which is no property of a method."""
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or "can't allocate memory" in str(error)  # torch's CPU allocator raises a bare RuntimeError
    )


@dataclass
class _Run:
    """How far a task is: the solver's part of a checkpoint."""

    iteration: int = 0
    seconds: float = 0.0
    slowed_down: bool = False
    ended: bool = False  # stopped early
    trace: list[dict[str, float | str]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)  # the fields of `Snapshot`, as tensors


def drive(task: Task, report: Report = silent) -> Restoration:
    """Solve one task. Unlike `solve`, it lets through whatever the problem raises.

    A request to stop ends it after a step with a checkpoint and KeyboardInterrupt (`benchmark.core.stop`).
    """
    building = time.perf_counter()
    problem = task.build()
    run, saved = _resume(task, problem, time.perf_counter() - building)
    started = time.perf_counter() - run.seconds
    report(Progress(task.name, run.iteration, problem.iterations))
    with stop.postponed() as is_asked_to_stop:
        while run.iteration < problem.iterations and not run.ended:
            if is_asked_to_stop():
                run.seconds = time.perf_counter() - started
                _save_on_the_way(task, run, problem, saved)
                break
            step = problem.step(run.iteration)
            run.iteration += 1
            last = run.iteration == problem.iterations
            if run.iteration in task.snapshots:
                started += _take_snapshot(run, problem, started)
            if run.iteration % LOG_EVERY and run.iteration != 1 and not last and not step.milestone:
                continue
            trouble = _log(run, step, started)
            if not trouble:
                report(_progress(task, problem, run))
                if last or run.ended or step.milestone or run.iteration % CHECKPOINT_EVERY == 0:
                    state = problem.state_dict()
                    # The loss was computed before this step's update, which may have broken the parameters.
                    if _all_finite(state):
                        saved = _save(task, run, state)
                    else:
                        trouble = Status.DIVERGED.sentence
            if trouble and run.slowed_down:
                return _ended(Status.DIVERGED, run, problem, trouble)
            if trouble:
                run, saved = _slowed_down(task, problem, saved)
            elif run.seconds > task.seconds and not last and not run.ended:
                _save_on_the_way(task, run, problem, saved)
                return _ended(Status.TIMED_OUT, run, problem, Status.TIMED_OUT.sentence)
    result = problem.estimate()
    run.seconds = time.perf_counter() - started
    if flaw := _flaw(result, task.shape):
        status, reason = flaw
        return replace(_ended(status, run, problem), reason=reason)
    return replace(
        _ended(Status.OK, run, problem),
        returned=result.iteration or run.iteration,
        notes=result.notes,
        image=result.image.detach().clamp(0, 1).float().cpu().numpy(),
        kernels=_as_array(result.kernels),
        kernel_field=_as_array(result.kernel_field),
        snapshots=tuple(
            Snapshot(
                snapshot["iteration"],
                snapshot["seconds"],
                snapshot["image"].numpy(),
                _as_array(snapshot["kernels"]),
            )
            for snapshot in run.snapshots
        ),
    )


def _flaw(result: Result, shape: tuple[int, ...] | None) -> tuple[Status, str] | None:
    """Find what is wrong with the result of any method; None if it keeps the promises of `Result`.

    Args:
        result: What the method returned.
        shape: That the image must have; None: any.
    """
    if shape is not None and result.image.shape != shape:
        returned = tuple(result.image.shape)
        return Status.FAILED, f"the method returned an image of shape {returned}, not {tuple(shape)}"
    kernels = result.kernels
    if kernels is not None and (kernels.ndim != 3 or 0 in kernels.shape):
        return Status.FAILED, f"the method returned kernels of shape {tuple(kernels.shape)}, not (P, h, w)"
    parts = {"image": result.image, "kernel": kernels, "kernel field": result.kernel_field}
    for name, values in parts.items():
        if values is not None and not values.isfinite().all():
            return Status.DIVERGED, f"the {name} that the method returned is not finite"
    wrong = "" if kernels is None else _flaw_of_kernels(kernels)
    return (Status.FAILED, f"the method returned a kernel {wrong}") if wrong else None


def _flaw_of_kernels(kernels: Tensor) -> str:
    """Say which finite kernels (P, h, w) have a negative entry or another sum than 1; empty if none has."""
    if (kernels < 0).any():
        return f"with a negative entry, {float(kernels.min()):.3g}"
    sums = kernels.detach().double().sum((-2, -1))
    farthest = float(sums[(sums - 1).abs().argmax()])
    return f"whose sum is {farthest:.4g}, not 1" if abs(farthest - 1) > SUM_ERROR else ""


def _log(run: _Run, step: Step, started: float) -> str:
    """Read a step's report from the device, and add it to the trace unless the estimate is useless.

    Returns why it is useless; an empty string if it is not.
    """
    loss = step.loss.item()
    run.seconds = time.perf_counter() - started
    trouble = _trouble(step, loss)
    if not trouble:
        run.trace.append({"iteration": run.iteration, "stage": step.stage, "loss": loss})
        run.ended = step.ended is not None and bool(step.ended.item())
    return trouble


def _trouble(step: Step, loss: float) -> str:
    if not math.isfinite(loss):
        return Status.DIVERGED.sentence
    return next((sentence for sentence, holds in step.flaws.items() if holds.item()), "")


def _progress(task: Task, problem: Problem, run: _Run) -> Progress:
    """Return the progress at the last row of the trace."""
    row = run.trace[-1]
    return Progress(task.name, run.iteration, problem.iterations, str(row["stage"]), float(row["loss"]))


def _slowed_down(task: Task, problem: Problem, saved: resume.State) -> tuple[_Run, resume.State]:
    """Go back to `saved`, at half the rates. Returns the run there, and the next state to go back to."""
    run = _restored(problem, saved)
    problem.slow_down()
    run.slowed_down = True
    return run, _save(task, run, problem.state_dict())


def _take_snapshot(run: _Run, problem: Problem, started: float) -> float:
    """Add the current estimate to `run`. Returns the seconds that this took."""
    if problem.device.type == "cuda":
        torch.cuda.synchronize(problem.device)  # earlier steps must not count as time of the snapshot
    snapshot_started = time.perf_counter()
    estimate = problem.estimate()
    image, kernels = estimate.image.detach(), estimate.kernels
    run.snapshots.append(
        {
            "iteration": run.iteration,
            "seconds": snapshot_started - started,
            "image": (255 * image.clamp(0, 1).float()).round().to(torch.uint8).cpu(),
            # A copy: on the CPU these may be the problem's own tensors, which the next steps change.
            "kernels": None if kernels is None else kernels.detach().float().cpu().clone(),
        }
    )
    return time.perf_counter() - snapshot_started


def _as_array(kernels: Tensor | None) -> Array | None:
    return None if kernels is None else kernels.detach().float().cpu().numpy()


def _resume(task: Task, problem: Problem, building: float) -> tuple[_Run, resume.State]:
    """Continue from the task's checkpoint, or start afresh. Returns the run and the state to fall back to.

    The seconds spent `building` count once: a checkpoint includes those of the first time.
    """
    state = None if task.checkpoint is None else resume.load(task.checkpoint, task.key)
    if state is None:
        state = {"run": vars(_Run(seconds=building)), "problem": _copied(problem.state_dict())}
    fallback: resume.State = state.pop("fallback", state)
    return _restored(problem, state), fallback


def _restored(problem: Problem, saved: resume.State) -> _Run:
    problem.load_state_dict(_copied(saved["problem"]))
    return _Run(**_copied(saved["run"]))


def _save(task: Task, run: _Run, state: Mapping[str, Any]) -> resume.State:
    saved = {"run": _copied(vars(run)), "problem": _copied(state)}
    if task.checkpoint is not None:
        resume.save(task.checkpoint, task.key, saved)
    return saved


def _save_on_the_way(task: Task, run: _Run, problem: Problem, saved: resume.State) -> None:
    """Write a checkpoint between two regular ones.

    It keeps `saved`: should the run diverge later, it must go back as far as one that was never interrupted.
    """
    state = problem.state_dict()
    if task.checkpoint is not None and _all_finite(state):
        resume.save(task.checkpoint, task.key, {"run": vars(run), "problem": dict(state), "fallback": saved})


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
    """Return the device's name for records: the model of a GPU, else 'cpu'."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _copied(tree: Any) -> Any:
    """Copy `tree` with its tensors, so that later steps do not change the copy."""
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
