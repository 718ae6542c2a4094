"""Measure on a part of an image what a method takes on this machine, to plan its work on whole images.

The operations of an iteration are counted for the part, and for the whole on PyTorch's device `meta`, which
knows shapes and computes nothing. Their ratio says how much longer an iteration on the whole takes, and the
memory of its tensors, counted in the same way, how much more memory. What cannot be counted, such as a method
in NumPy, takes both in proportion to the pixels.
"""

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

import torch

from benchmark.core.errors import NotSupportedError, WeightsMissingError
from benchmark.core.forks import ForkError, in_a_fork
from benchmark.core.types import Observation
from benchmark.runs.machine import prepare
from benchmark.tools.counting import Counting
from methods.parts.registry import Method
from methods.parts.solver import Problem

PART = 128  # side of the part, px: iterations take tenths of a second
ITERATIONS = 12  # timed ones, at most
SECONDS = 0.8  # of timed iterations, after which no other begins
WHOLE = 2.0  # seconds: where the whole image is expected to take no longer, it is measured itself
SEED = 0
# MiB of a process per MiB of tensors: convolutions copy images to other layouts. Ours, measured: NAFNet and
# UFPNet at 1280 x 720 px took 1.9 and 2.3, SelfDeblur at 255 px 2.0.
CPU_FACTOR = 2.0
Value = TypeVar("Value")


@dataclass(frozen=True)
class Work:
    """The work of one restoration, apart from how fast the machine is."""

    iterations: int  # 0 for methods without any
    operations: float  # floating-point, of one iteration or, without any, of all; 0: not counted
    pixels: int  # of the image
    seen: int  # pixels that an iteration works on: of the image, or of a window of it
    tensors: float = 0.0  # MiB that its tensors have at the most; 0: not counted


@dataclass(frozen=True)
class Pilot:
    """What a restoration took on this machine: seconds of a CPU core or, on a GPU, of the GPU."""

    work: Work
    start: float  # until the first iteration
    iteration: float  # each
    end: float  # after the last iteration; without any, for the restoration
    once: float  # more for the first restoration of a process
    memory: float  # MiB, on top of what a process has when it starts; on a GPU, of the GPU
    factor: float = CPU_FACTOR  # MiB that each MiB of tensors takes

    def seconds(self, work: Work) -> float:
        """Estimate how long a restoration with more or less work takes."""
        pixels = work.pixels / self.work.pixels
        ratio = self._ratio(work)
        end = pixels if work.iterations else ratio
        return self.start + work.iterations * self.iteration * ratio + self.end * end

    def mebibytes(self, work: Work) -> float:
        """Estimate how much memory a restoration with more or less work takes."""
        if not (work.tensors and self.work.tensors):
            return self.memory * work.pixels / self.work.pixels
        return self.memory + self.factor * (work.tensors - self.work.tensors)

    def _ratio(self, work: Work) -> float:
        if work.operations and self.work.operations:
            return work.operations / self.work.operations
        return work.seen / self.work.seen


class UnknownError(Exception):
    """A restoration cannot be measured here. The message says why."""


def count_work(method: Method, observation: Observation, settings: Any) -> Work:
    """Count the work of a restoration without doing it.

    Raises:
        NotSupportedError: The method does not treat the observation.
        WeightsMissingError: The weights that it starts from are not here.
    """
    pixels = observation.blurry[0].size
    try:
        problem = _built(method, observation, settings, torch.device("meta"))
    except (NotSupportedError, WeightsMissingError):
        raise
    except Exception:  # it asks the device for values
        problem = _built(method, observation, settings, torch.device("cpu"))
        return Work(problem.iterations, 0.0, pixels, _seen(problem, observation))
    seen = _seen(problem, observation)
    if not problem.iterations and not method.gpu:
        return Work(0, 0.0, pixels, seen)  # computes with NumPy, whatever the device
    try:
        operations, tensors = _counted(lambda: _first(problem))
        return Work(problem.iterations, operations, pixels, seen, tensors)
    except Exception:
        return Work(problem.iterations, 0.0, pixels, seen)


def measure(
    method: Method,
    observation: Observation,
    settings: Any,
    device: torch.device,
    seconds: float | None = None,
) -> Pilot:
    """Measure a restoration: a few of its iterations, on one CPU core or a GPU, in a process of its own.

    Args:
        method: The method.
        observation: What to restore. Of a large image the part in the middle is taken.
        settings: The method's settings.
        device: Where to compute.
        seconds: That it may take on a CPU; None: as long as it wants.

    Raises:
        NotSupportedError: The method does not treat the observation.
        WeightsMissingError: The weights that it starts from are not here.
        UnknownError: The method failed, or took too long.
    """
    _load_counter()
    part = middle(observation)
    if part is observation:
        return _measured(method, observation, settings, device, seconds)
    try:
        pilot = _measured(method, part, settings, device, seconds)
    except NotSupportedError:  # perhaps of the part alone
        return _measured(method, observation, settings, device, seconds)
    pixels = observation.blurry[0].size
    whole = replace(pilot.work, pixels=pixels, seen=pixels, operations=0.0)
    if pilot.seconds(whole) > WHOLE:
        return pilot
    return _measured(method, observation, settings, device, seconds)


def middle(observation: Observation) -> Observation:
    """Return the part in the middle of an observation whose image is larger than `PART`."""
    height, width = observation.blurry.shape[1:]
    size = observation.kernel_size or (1, 1)
    rows, columns = min(height, max(PART, 2 * size[0])), min(width, max(PART, 2 * size[1]))
    if (rows, columns) == (height, width):
        return observation
    top, left = (height - rows) // 2, (width - columns) // 2
    return replace(observation, blurry=observation.blurry[:, top : top + rows, left : left + columns])


def _measured(
    method: Method, observation: Observation, settings: Any, device: torch.device, seconds: float | None
) -> Pilot:
    """Measure the whole of an observation."""
    if device.type == "cuda":  # a fork cannot use the GPU of this process, and the GPU counts its own memory
        return _measure(method, observation, settings, device)
    return in_a_process(_measure, method, observation, settings, device, seconds=seconds)


def _measure(method: Method, observation: Observation, settings: Any, device: torch.device) -> Pilot:
    prepare(threads=1)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)  # that of what was measured before
    memory, clock = _memory(device), _clock(device)
    began = clock()
    problem = _built(method, observation, settings, device)
    start = clock() - began
    began = clock()
    operations, tensors = _counted(lambda: _first(problem))
    first = clock() - began
    taken = _memory(device)  # of a method without iterations; what it does once more says nothing of it
    times: list[float] = []
    is_few = problem.iterations <= ITERATIONS  # then each may be another work, and all are done
    while len(times) < min(ITERATIONS, problem.iterations - 1) and (is_few or sum(times) < SECONDS):
        began = clock()
        problem.step(1 + len(times))
        times.append(clock() - began)
    began = clock()
    problem.estimate()
    end = clock() - began
    taken = _memory(device) if problem.iterations else taken
    iteration = (statistics.fmean if is_few else statistics.median)(times) if times else 0.0
    once = max(0.0, first - (iteration if problem.iterations else end))
    seen = _seen(problem, observation)
    work = Work(problem.iterations, operations, observation.blurry[0].size, seen, tensors)
    # A GPU counts the memory of tensors alone, a CPU's process that of libraries, too.
    factor = (taken - memory) / tensors if device.type == "cuda" and tensors else CPU_FACTOR
    return Pilot(work, start, iteration, end, once, taken - memory, factor)


def _built(method: Method, observation: Observation, settings: Any, device: torch.device) -> Problem:
    if observation.blur_model not in method.blur_models:
        raise NotSupportedError(f"{method.name} does not treat {observation.blur_model} blur")
    return method.problem(observation, settings, torch.Generator().manual_seed(SEED), device)


def _seen(problem: Problem, observation: Observation) -> int:
    """Count the pixels that an iteration works on; a problem that sees a window says how many it has."""
    seen: int = getattr(problem, "pixels_seen", observation.blurry[0].size)
    return seen


def _first(problem: Problem) -> None:
    """Do the first iteration; of a method without iterations, everything."""
    if problem.iterations:
        problem.step(0)
    else:
        problem.estimate()


def _counted(work: Callable[[], object]) -> tuple[float, float]:
    """Count the floating-point operations of some work, and the most MiB that its tensors have."""
    with Counting() as counter:
        work()
    return counter.operations, counter.peak / 2**20


@cache
def _load_counter() -> None:
    """Count an operation: the first count of a process loads parts of torch, a second that is no method's."""
    _counted(lambda: torch.zeros(1).add(1))


def _clock(device: torch.device) -> Callable[[], float]:
    """Return a clock: of this process's CPU time, or of time until a GPU has done all that it was given."""
    if device.type != "cuda":
        return time.process_time

    def when_done() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return when_done


def _memory(device: torch.device) -> float:
    """Return the most memory in MiB that the process, or the GPU, has had so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def in_a_process(function: Callable[..., Value], *arguments: Any, seconds: float | None = None) -> Value:
    """Call a function in a fork of this process, whose memory tells how much the function takes.

    Args:
        function: What to call.
        arguments: Of the function.
        seconds: That it may take; None: as long as it wants.

    Raises:
        NotSupportedError, WeightsMissingError: The function raises them.
        UnknownError: It failed otherwise, ended its process, or took too long.
    """
    try:
        return in_a_fork(function, *arguments, seconds=seconds)
    except (NotSupportedError, WeightsMissingError):
        raise
    except ForkError as error:
        raise UnknownError(str(error)) from error
    except Exception as error:
        raise UnknownError(f"{type(error).__name__}: {error}") from error
