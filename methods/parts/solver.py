"""Drive every method: report progress, record the trace, write checkpoints, recover from divergence.

A method turns an observation into a `Problem`. The solver takes a list of problems and yields their
restorations. Each problem has its own parameters, optimiser and random generator, so the result of one case
does not depend on the others.

Several problems may be on their way at once. They take turns, an iteration each, so every one does exactly
what it would do alone. On a GPU each has a stream of its own: the kernels of a small image leave most of the
processor idle, and those of other cases fill it.
"""

import errno
import gc
import logging
import math
import resource
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from benchmark.core import stop
from benchmark.core.errors import InputError, NotSupportedError, WeightsMissingError
from benchmark.core.faults import fault_behind
from benchmark.core.progress import Progress, Report, silent
from benchmark.core.types import Array, Restoration, Snapshot, Status
from methods.parts import resume

log = logging.getLogger(__name__)

LOG_EVERY = 10  # iterations between trace rows; the device is read only then
CHECKPOINT_EVERY = 100  # iterations; a multiple of LOG_EVERY
BRIGHTEST = 10.0  # mean of an image: overshoot stays far below; one that counts to 255 lies above
SUM_ERROR = 1e-3  # by which the sum of a kernel in float32 may differ from 1

Value = TypeVar("Value")


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


@runtime_checkable
class Joint(Problem, Protocol):
    """A problem without iterations that can be solved in one pass with others of its kind."""

    kind: Hashable  # that of problems which go together

    def estimates(self, others: Sequence[Any]) -> list[Result]:
        """Return the estimates of this problem and of others of its kind, in order."""


@dataclass(frozen=True)
class Task:
    """A problem to build and solve."""

    name: str  # of the case, for progress and results
    build: Callable[[], Problem]
    checkpoint: Path | None = None  # the file that a killed run continues from; None: in memory only
    key: str = ""  # what the checkpoint belongs to; one with another key is ignored
    snapshots: Collection[int] = ()  # iterations after which the estimate is kept; they change no result
    shape: tuple[int, ...] | None = None  # that the restored image must have, (C, H, W); None: any
    seconds: float = math.inf  # of its own turns that it may take, over all parts of a resumed run


def solve(
    tasks: Iterable[Task], report: Report = silent, batch: int = 1
) -> Iterator[tuple[str, Restoration]]:
    """Solve tasks. One that fails gets a status and a reason; the others go on.

    Where the memory does not suffice for a case beside others, half of them are set aside and go on later,
    and no more than the other half run at once from then on. A failure of the machine, such as a full disk,
    is no result: it ends the work.

    A request to stop (`benchmark.core.stop`), and closing the iterator, leave a checkpoint of every case that
    is on its way.

    Args:
        tasks: The problems. The next one is taken when there is room for it.
        report: Called with the progress of each task.
        batch: How many may be on their way at once. Results do not depend on it.

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
    return _solve(_Batch(iter(tasks), report, batch))


def drive(task: Task, report: Report = silent) -> Restoration:
    """Solve one task. Unlike `solve`, it lets through whatever the problem raises."""
    ((_, restoration),) = _solve(_Batch(iter([task]), report, lets_through=True))
    return restoration


def _solve(batch: "_Batch") -> Iterator[tuple[str, Restoration]]:
    try:
        while (ended := batch.next_ended()) is not None:
            yield ended
    except (KeyboardInterrupt, GeneratorExit):
        with stop.postponed():
            batch.save()
        raise


# These errors carry a sentence for the user.
_ENDINGS: dict[type[Exception], Status] = {
    NotSupportedError: Status.NOT_SUPPORTED,
    WeightsMissingError: Status.WEIGHTS_MISSING,
    InputError: Status.FAILED,
}


def _tried(name: str, work: Callable[[], Value]) -> Value | Restoration:
    """Do some work of a task; an error becomes the task's result, unless the machine failed."""
    try:
        return work()
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
        log.info("%s crashed", name, exc_info=True)
        return Restoration(Status.FAILED, reason=f"{type(error).__name__}: {_first_line(error)}")


def _let_through(name: str, work: Callable[[], Value]) -> Value | Restoration:
    """Do some work of a task; its errors pass."""
    del name
    return work()


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
    seconds: float = 0.0  # these two as in `Restoration`
    core_seconds: float = 0.0
    slowed_down: bool = False
    ended: bool = False  # stopped early
    trace: list[dict[str, float | str]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)  # the fields of `Snapshot`, as tensors


class _Spent(NamedTuple):
    """What a case has taken, or the state of both clocks."""

    seconds: float = 0.0
    core_seconds: float = 0.0

    def plus(self, other: "_Spent") -> "_Spent":
        """Add what else was taken."""
        return _Spent(self.seconds + other.seconds, self.core_seconds + other.core_seconds)

    def minus(self, other: "_Spent") -> "_Spent":
        """Take off what was taken before, or for something else."""
        return _Spent(self.seconds - other.seconds, self.core_seconds - other.core_seconds)


def _clocks() -> _Spent:
    """Read both clocks."""
    return _Spent(time.perf_counter(), time.process_time())


class _Case:
    """A task on its way."""

    def __init__(
        self, task: Task, report: Report, state: resume.State | None = None, has_stream: bool = False
    ) -> None:
        """Build the problem, and continue it where there is something to continue from.

        Args:
            task: What to solve.
            report: Called with the progress.
            state: What `set_aside` returned; None: the task's checkpoint counts, if there is any.
            has_stream: Whether its work on a GPU gets a stream of its own.
        """
        building = _clocks()
        self.task, self.report, self.problem = task, report, task.build()
        self.run, self.saved = _resume(task, self.problem, _clocks().minus(building), state)
        self.before = _Spent(self.run.seconds, self.run.core_seconds)  # in the turns before this one
        self.began: _Spent | None = None  # the clocks at the begin of this turn; None between two turns
        self.stream: torch.cuda.Stream | None = None
        if has_stream and self.problem.device.type == "cuda":
            torch.cuda.synchronize(self.problem.device)  # the build was in the stream of all
            self.stream = torch.cuda.Stream(self.problem.device)
        self.stage = ""
        report(Progress(task.name, self.run.iteration, self.problem.iterations))

    @property
    def is_over(self) -> bool:
        """Whether no iterations are left, so that the estimate can be read."""
        return self.run.ended or self.run.iteration >= self.problem.iterations

    def step(self) -> Restoration | None:
        """Do an iteration. Returns how the case ended if it did so without an estimate."""
        with self._turn():
            return self._step()

    def result(self, result: Result | None = None) -> Restoration:
        """Read the estimate, unless it is given."""
        with self._turn():
            return self._result(self.problem.estimate() if result is None else result)

    @property
    def kind(self) -> Hashable:
        """The kind of a problem that can be solved with others; None for one that cannot."""
        return self.problem.kind if isinstance(self.problem, Joint) else None

    def results(self, others: "Sequence[_Case]") -> list[Result]:
        """Return the estimates of this case and of others of its kind. Each gets its share of the seconds."""
        assert isinstance(self.problem, Joint)
        began = _clocks()
        results = self.problem.estimates([other.problem for other in others])
        if self.problem.device.type == "cuda":
            torch.cuda.synchronize(self.problem.device)
        share = _Spent(*(taken / len(results) for taken in _clocks().minus(began)))
        for case in (self, *others):
            case.before = case.before.plus(share)
        return results

    def save(self) -> None:
        """Write a checkpoint between two regular ones."""
        if self.task.checkpoint is None or self.is_over:  # a regular one was written after the last iteration
            return
        with self._streamed():
            state = self._state()
            if _all_finite(state["problem"]):
                resume.save(self.task.checkpoint, self.task.key, state)

    def set_aside(self, is_sound: bool) -> resume.State:
        """Return that from which the case can go on later, on the CPU.

        Args:
            is_sound: Whether its last iteration was completed; if not, it goes back to its last checkpoint.
        """
        with self._streamed():
            state: resume.State = _on_cpu(self._state() if is_sound else self.saved)
            return state

    def _step(self) -> Restoration | None:
        task, problem, run = self.task, self.problem, self.run
        step = problem.step(run.iteration)
        run.iteration += 1
        if self.stream is not None and step.stage != self.stage:
            # Constants that several cases share are made in the first step of a stage.
            torch.cuda.synchronize(problem.device)
            self.stage = step.stage
        last = run.iteration == problem.iterations
        if run.iteration in task.snapshots:
            self.before = self.before.minus(_take_snapshot(run, problem, self._spent))
        if run.iteration % LOG_EVERY and run.iteration != 1 and not last and not step.milestone:
            return None
        trouble = _log(run, step, self._spent)
        if not trouble:
            self.report(_progress(task, problem, run))
            if last or run.ended or step.milestone or run.iteration % CHECKPOINT_EVERY == 0:
                state = problem.state_dict()
                # The loss was computed before this step's update, which may have broken the parameters.
                if _all_finite(state):
                    self.saved = _save(task, run, state)
                else:
                    trouble = Status.DIVERGED.sentence
        if trouble and run.slowed_down:
            return _ended(Status.DIVERGED, run, problem, trouble)
        if trouble:
            self.run, self.saved = _slowed_down(task, problem, self.saved)
        elif run.seconds > task.seconds and not last and not run.ended:
            self.save()
            return _ended(Status.TIMED_OUT, run, problem, Status.TIMED_OUT.sentence)
        return None

    def _result(self, result: Result) -> Restoration:
        run, problem = self.run, self.problem
        run.seconds, run.core_seconds = self._spent()
        if flaw := _flaw(result, self.task.shape):
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

    def _state(self) -> resume.State:
        """Return where the case is.

        It keeps `saved`: should the run diverge later, it must go back as far as one that was never
        interrupted.
        """
        self.run.seconds, self.run.core_seconds = self._spent()
        return {"run": vars(self.run), "problem": dict(self.problem.state_dict()), "fallback": self.saved}

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Count what the block takes as this case's."""
        self.began = _clocks()
        try:
            with self._streamed():
                yield
        finally:
            self.before, self.began = self._spent(), None

    def _spent(self) -> _Spent:
        """Return what the case has taken so far, in its own turns."""
        return self.before if self.began is None else self.before.plus(_clocks().minus(self.began))

    def _streamed(self) -> AbstractContextManager[Any]:
        """Send the block's work to the case's stream."""
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)


class _Batch:
    """The tasks that are on their way at once, and those to come."""

    def __init__(
        self, tasks: Iterator[Task], report: Report, size: int = 1, lets_through: bool = False
    ) -> None:
        """Begin with none on its way.

        Args:
            tasks: Those to come.
            report: Called with the progress of each task.
            size: How many may be on their way at once.
            lets_through: Whether errors of a problem are raised; if not, they become its result.
        """
        self.tasks, self.report, self.size = tasks, report, size
        self.attempt = _let_through if lets_through else _tried
        self.has_streams = size > 1
        self.cases: list[_Case] = []
        self.aside: deque[tuple[Task, resume.State | None]] = deque()  # they wait for memory
        self.ended: deque[tuple[str, Restoration]] = deque()

    def next_ended(self) -> tuple[str, Restoration] | None:
        """Go on until a task has ended. Returns its name and its restoration; None after the last one."""
        # No variable here may hold a case: once it has ended, the next one needs its memory.
        while not self.ended and self._fill():
            self._advance()
        return self.ended.popleft() if self.ended else None

    def save(self) -> None:
        """Write a checkpoint of every case that is on its way."""
        for case in self.cases:
            case.save()

    def _fill(self) -> bool:
        """Begin tasks while there is room for them. Returns whether there is nothing else to do first."""
        if self.aside:
            gc.collect()  # what was set aside may be held by a circle of references
        while len(self.cases) < self.size and not self.ended:
            task, state = self.aside.popleft() if self.aside else (next(self.tasks, None), None)
            if task is None:
                break
            begun = self.attempt(task.name, partial(_Case, task, self.report, state, self.has_streams))
            if isinstance(begun, _Case):
                self.cases.append(begun)
            elif begun.status is Status.OUT_OF_MEMORY and self.cases:
                self.size = len(self.cases)
                self.aside.appendleft((task, state))
            else:
                self.ended.append((task.name, begun))
        return bool(self.cases) and not self.ended

    def _advance(self) -> None:
        """Let the cases take turns until one of them has ended, or must wait for memory."""
        with stop.postponed() as is_asked_to_stop:
            while not any(case.is_over for case in self.cases) and not is_asked_to_stop():
                for case in self.cases:
                    outcome = self.attempt(case.task.name, case.step)
                    if outcome is not None:
                        self._end(case, outcome)
                        return
        over = [case for case in self.cases if case.is_over]
        if over:
            self._read(over)

    def _read(self, over: list[_Case]) -> None:
        """Read the first of the cases that are over, with all of its kind as far as the memory suffices."""
        case, *others = over
        others = [other for other in others if case.kind is not None and other.kind == case.kind]
        while others:
            results = self.attempt(case.task.name, partial(case.results, others))
            if not isinstance(results, Restoration):
                for one, result in zip([case, *others], results, strict=True):
                    self._end(one, self.attempt(one.task.name, partial(one.result, result)))
                return
            # Too many for the memory, or one of them fails, which shows once it is alone.
            others = others[: (len(others) - 1) // 2]
        self._end(case, self.attempt(case.task.name, case.result))

    def _end(self, case: _Case, outcome: Restoration) -> None:
        """Take a case out. Where memory was short beside others, it and half of them wait."""
        self.cases.remove(case)
        if outcome.status is not Status.OUT_OF_MEMORY or not self.cases:
            self.ended.append((case.task.name, outcome))
            return
        self.size = (len(self.cases) + 1) // 2
        log.info(
            "%s: too little memory beside %d others; %d at once from now on",
            case.task.name,
            len(self.cases),
            self.size,
        )
        self.aside.append((case.task, case.set_aside(is_sound=False)))
        for other in self.cases[self.size :]:
            self.aside.append((other.task, other.set_aside(is_sound=True)))
        del self.cases[self.size :]


def _flaw(result: Result, shape: tuple[int, ...] | None) -> tuple[Status, str] | None:
    """Find what is wrong with the result of any method; None if it keeps the promises of `Result`.

    Args:
        result: What the method returned.
        shape: That the image must have; None: any.
    """
    if kind := _flaw_of_kinds(result):
        return Status.FAILED, f"the method returned {kind}"
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
    if float(result.image.detach().double().mean()) > BRIGHTEST:
        most = float(result.image.max())
        return Status.FAILED, f"the method returned an image whose values reach {most:.4g}, not 1"
    wrong = "" if kernels is None else _flaw_of_kernels(kernels)
    return (Status.FAILED, f"the method returned a kernel {wrong}") if wrong else None


def _flaw_of_kinds(result: Any) -> str:
    """Say what a method returned in place of a `Result` of tensors of floats; empty if it is one.

    >>> _flaw_of_kinds(Result(torch.zeros((1, 4, 4), dtype=torch.uint8)))
    'an image of torch.uint8, not of floats'
    """
    if not isinstance(result, Result):
        return f"{type(result).__name__}, not a {Result.__module__}.Result"
    parts = {"an image": result.image, "kernels": result.kernels, "a kernel field": result.kernel_field}
    for name, values in parts.items():
        if values is None and name != "an image":
            continue
        if not isinstance(values, Tensor):
            return f"{name} that is {type(values).__name__}, not a torch.Tensor"
        if not values.is_floating_point():
            return f"{name} of {values.dtype}, not of floats"
    return ""


def _flaw_of_kernels(kernels: Tensor) -> str:
    """Say which finite kernels (P, h, w) have a negative entry or another sum than 1; empty if none has."""
    if (kernels < 0).any():
        return f"with a negative entry, {float(kernels.min()):.3g}"
    sums = kernels.detach().double().sum((-2, -1))
    farthest = float(sums[(sums - 1).abs().argmax()])
    return f"whose sum is {farthest:.4g}, not 1" if abs(farthest - 1) > SUM_ERROR else ""


def _log(run: _Run, step: Step, spent: Callable[[], _Spent]) -> str:
    """Read a step's report from the device, and add it to the trace unless the estimate is useless.

    Returns why it is useless; an empty string if it is not.
    """
    loss = step.loss.item()
    run.seconds, run.core_seconds = spent()
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


def _take_snapshot(run: _Run, problem: Problem, spent: Callable[[], _Spent]) -> _Spent:
    """Add the current estimate to `run`. Returns what this took."""
    if problem.device.type == "cuda":
        # Earlier steps must not count as time of the snapshot.
        torch.cuda.current_stream(problem.device).synchronize()
    began = spent()
    estimate = problem.estimate()
    image, kernels = estimate.image.detach(), estimate.kernels
    run.snapshots.append(
        {
            "iteration": run.iteration,
            "seconds": began.seconds,
            "image": (255 * image.clamp(0, 1).float()).round().to(torch.uint8).cpu(),
            # A copy: on the CPU these may be the problem's own tensors, which the next steps change.
            "kernels": None if kernels is None else kernels.detach().float().cpu().clone(),
        }
    )
    return spent().minus(began)


def _as_array(kernels: Tensor | None) -> Array | None:
    return None if kernels is None else kernels.detach().float().cpu().numpy()


def _resume(
    task: Task, problem: Problem, building: _Spent, state: resume.State | None = None
) -> tuple[_Run, resume.State]:
    """Continue from `state`, from the task's checkpoint, or afresh. Returns the run and what to fall back to.

    What `building` took counts once: a state includes that of the first time.
    """
    if state is None and task.checkpoint is not None:
        state = resume.load(task.checkpoint, task.key)
    if state is None:
        run = _Run(seconds=building.seconds, core_seconds=building.core_seconds)
        state = {"run": vars(run), "problem": _copied(problem.state_dict())}
    fallback: resume.State = state.get("fallback", state)
    return _restored(problem, state), fallback


def _restored(problem: Problem, saved: resume.State) -> _Run:
    problem.load_state_dict(_copied(saved["problem"]))
    return _Run(**_copied(saved["run"]))


def _save(task: Task, run: _Run, state: Mapping[str, Any]) -> resume.State:
    saved = {"run": _copied(vars(run)), "problem": _copied(state)}
    if task.checkpoint is not None:
        resume.save(task.checkpoint, task.key, saved)
    return saved


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
        core_seconds=run.core_seconds,
        peak_memory_mib=peak,
        device=device_name(problem.device),
        weights=problem.weights,
    )


def device_name(device: torch.device) -> str:
    """Return the device's name for records: the model of a GPU, else 'cpu'."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _copied(tree: Any) -> Any:
    """Copy `tree` with its tensors, so that later steps do not change the copy."""
    return _mapped(tree, lambda tensor: tensor.detach().clone())


def _mapped(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Copy `tree` with its tensors changed."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, Mapping):
        return {key: _mapped(value, change) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_mapped(value, change) for value in tree)
    return tree


def _on_cpu(tree: Any) -> Any:
    """Copy `tree` with its tensors to the memory of the CPU."""
    return _mapped(tree, lambda tensor: tensor.detach().to("cpu", copy=True))


def _all_finite(tree: Any) -> bool:
    tensors = [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    if not tensors:
        return True
    # One value for all tensors: a single read of the device.
    return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
