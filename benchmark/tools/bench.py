"""Measure speed. Ways are timed in turns in the same run: times of different runs cannot be compared."""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import convolve_valid_direct, convolve_valid_fft
from benchmark.core.errors import InputError, NotSupportedError, WeightsMissingError
from benchmark.core.seeds import generator
from benchmark.core.types import Observation
from benchmark.runs.machine import keep_freed_memory
from benchmark.runs.names import base_method
from benchmark.runs.settings import method_settings
from benchmark.tables.timings import CONVOLUTION, OURS, PLAIN, PRODUCT, beside_ceilings
from benchmark.tools.counting import Counting
from benchmark.tools.plain_loop import PlainLoop
from methods.parts.precision import processor_has_bfloat16
from methods.parts.settings import flat, keys_of

CEILING_WIDTH, CEILING_SIDE = 128, 136  # of the maps of the convolution that stands for the machine's best
CEILING_MATRIX = 1024  # side of the matrices


def bench_blur(image_sizes: tuple[int, ...] = (64, 128, 256, 512), repeats: int = 5) -> pd.DataFrame:
    """Time the uniform blur by direct sum and by FFT, on one thread.

    Args:
        image_sizes: Sides of the blurry image, in px.
        repeats: How often each is timed; the median counts.

    Returns:
        A row for each size of image and kernel: milliseconds for the blur and its gradients with respect to
        both, and the ratio.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = []
    for side in image_sizes:
        for size in (3, 5, 7, 9, 13, 21, 31):
            image = torch.rand(1, side + size - 1, side + size - 1, requires_grad=True)
            kernel = torch.rand(size, size, requires_grad=True)
            direct, fft = (
                1e3 * _seconds(partial(_forward_and_backward, convolve, image, kernel), repeats)
                for convolve in (convolve_valid_direct, convolve_valid_fft)
            )
            rows.append(
                {"image": side, "kernel": size, "direct": direct, "fft": fft, "direct / fft": direct / fft}
            )
    return pd.DataFrame(rows)


def _forward_and_backward(
    convolve: Callable[[Tensor, Tensor], Tensor], image: Tensor, kernel: Tensor
) -> None:
    convolve(image, kernel).sum().backward()


@dataclass(frozen=True)
class Workload:
    """What a step works on."""

    method: str  # <method> or <method>@<preset>
    settings: Mapping[str, Any]  # what differs from the method's own or the preset's
    size: int = 255  # side of the image, in px
    kernel_size: int = 17  # side of the kernel, in px
    colours: int = 1  # 1 or 3
    grid: tuple[int, int] = (1, 1)  # nodes of the kernels; more than one is non-uniform blur
    threads: int = 1

    def observation(self) -> Observation:
        """Return a random image of the wanted size."""
        blurry = generator("bench", self.method).random((self.colours, self.size, self.size), np.float32)
        return Observation(
            "bench",
            self.method,
            blurry,
            (self.kernel_size, self.kernel_size),
            blur_model="uniform" if prod(self.grid) == 1 else "nonuniform",
            grid=self.grid,
        )


@dataclass(frozen=True)
class Timing:
    """What a step costs: the median over the steps that were timed."""

    core_seconds: float  # processor time of the process, which other processes disturb less than the clock
    seconds: float  # wall clock
    flop: float  # floating-point operations of convolutions and matrix products, forward and backward
    peak_memory_mib: float  # of the process, with what Python and torch take


def ways(work: Workload) -> dict[tuple[str, str], Callable[[], Callable[[], object]]]:
    """Return the ways to do a step of a workload that can be timed here.

    Returns:
        (loop, precision) to a function that builds the step. The plain loop is among them where the method
        has an image network and the blur is uniform, bfloat16 where the processor has it. The precision is
        empty for a method that leaves no choice.
    """
    found: dict[tuple[str, str], Callable[[], Callable[[], object]]] = {}
    if "precision" not in keys_of(base_method(work.method).settings):
        return {(OURS, ""): partial(_our_step, work)}
    for precision in ("float32", *["bfloat16"] * processor_has_bfloat16()):
        settings = {**work.settings, "precision": precision}
        found[OURS, precision] = partial(_our_step, replace(work, settings=settings))
    if prod(work.grid) == 1:
        found[PLAIN, "float32"] = partial(_plain_step, work)  # after ours, whose complaints are clearer
    return found


def _our_step(work: Workload) -> Callable[[], object]:
    """Build the method's problem, with freed memory kept as in a run; return its last step."""
    keep_freed_memory()
    method = base_method(work.method)
    settings = method_settings(work.method, work.settings, f"settings of {work.method}")
    rng = torch.Generator().manual_seed(0)
    problem = method.problem(work.observation(), settings, rng, torch.device("cpu"))
    return lambda: problem.step(problem.iterations - 1)


def _plain_step(work: Workload) -> Callable[[], object]:
    """Build the plain loop with networks of the method's sizes; return its step."""
    torch.manual_seed(0)
    settings = method_settings(work.method, work.settings, f"settings of {work.method}")
    sizes = {"kernel_hidden": 1000} | flat(settings)
    return PlainLoop(torch.from_numpy(work.observation().blurry), work.kernel_size, sizes).step


def time_in_turns(
    builds: Sequence[Callable[[], Callable[[], object]]], steps: int, threads: int = 1
) -> list[Timing]:
    """Time steps, each in a process of its own, one after another and again.

    Args:
        builds: Build the steps, in their processes.
        steps: How often each is timed, after one that counts its operations.
        threads: CPU threads per operation.

    Returns:
        A timing for each of `builds`.

    Raises:
        InputError: A step cannot be built.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(build, threads)) for build in builds]
        flops = [_answer(worker) for worker in workers]
        times: list[list[tuple[float, float]]] = [[] for _ in workers]
        for _ in range(steps):
            for worker, own in zip(workers, times, strict=True):
                worker.send("step")
                own.append(_answer(worker))
        for worker in workers:
            worker.send("memory")
        peaks = [_answer(worker) for worker in workers]
    timings = []
    for own, flop, peak in zip(times, flops, peaks, strict=True):
        core, clock = (statistics.median(column) for column in zip(*own, strict=True))
        timings.append(Timing(core, clock, flop, peak))
    return timings


@contextmanager
def _worker(build: Callable[[], Callable[[], object]], threads: int) -> Iterator[Connection]:
    """Start a process that does a step whenever it is asked; yield the connection to it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, build, threads), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()
        ours.close()


def _serve(connection: Connection, build: Callable[[], Callable[[], object]], threads: int) -> None:
    """Build a step and count its operations; then answer 'step' with its times and 'memory' with the peak."""
    torch.set_num_threads(threads)
    try:
        step = build()
        with Counting() as counter:
            step()
        connection.send(counter.operations)
        while True:
            if connection.recv() == "memory":
                connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)
                continue
            core, clock = time.process_time(), time.perf_counter()
            step()
            connection.send((time.process_time() - core, time.perf_counter() - clock))
    except (InputError, NotSupportedError, WeightsMissingError, ValueError) as error:
        connection.send(str(error))


def _answer(worker: Connection) -> Any:
    """Wait for a worker's answer. Raises InputError if that is a complaint, or if the worker has died."""
    try:
        answer = worker.recv()
    except EOFError as error:
        raise InputError("a process that is timed ended early, perhaps for lack of memory") from error
    if isinstance(answer, str):
        raise InputError(answer)
    return answer


def bench_method(work: Workload, steps: int) -> pd.DataFrame:
    """Time one step of a method beside the plain loop, and beside what the machine can do.

    Args:
        work: What the step works on.
        steps: How often each way is timed.

    Returns:
        The table of `benchmark.tables.timings.beside_ceilings`.

    Raises:
        InputError: The method does not take an image or a kernel of this size, or a setting is wrong.
    """
    return beside_ceilings(time_ways(work, steps, with_ceilings=True))


def time_ways(work: Workload, steps: int, *, with_ceilings: bool = False) -> pd.DataFrame:
    """Time all ways to do a step of a workload, in turns.

    Args:
        work: What the step works on.
        steps: How often each way is timed.
        with_ceilings: Whether the machine's convolution and matrix product are timed, too.

    Returns:
        A row for each way: `what`, `precision` and the fields of `Timing`. The plain loop is the first.

    Raises:
        InputError: As `bench_method`.
    """
    timed = ways(work)
    if with_ceilings:
        precisions = dict.fromkeys(precision or "float32" for _, precision in timed)
        timed |= {(CONVOLUTION, precision): partial(_convolution, precision) for precision in precisions}
        timed |= {(PRODUCT, precision): partial(_matrix_product, precision) for precision in precisions}
    timings = dict(zip(timed, time_in_turns(list(timed.values()), steps, work.threads), strict=True))
    plain_first = sorted(timings, key=lambda way: way[0] != PLAIN)
    return pd.DataFrame([{"what": way[0], "precision": way[1], **vars(timings[way])} for way in plain_first])


def _convolution(precision: str) -> Callable[[], object]:
    """Build a 3 x 3 convolution of maps as large as the network's, forward and with both gradients."""
    kind = getattr(torch, precision)
    maps = torch.rand(1, CEILING_WIDTH, CEILING_SIDE, CEILING_SIDE, dtype=kind)
    maps = maps.to(memory_format=torch.channels_last).requires_grad_()
    weight = torch.rand(CEILING_WIDTH, CEILING_WIDTH, 3, 3, dtype=kind)
    weight = weight.to(memory_format=torch.channels_last).requires_grad_()
    keep_freed_memory()

    def step() -> None:
        out = functional.conv2d(maps, weight)
        torch.autograd.grad(out, (maps, weight), torch.ones_like(out))

    return step


def _matrix_product(precision: str) -> Callable[[], object]:
    """Build a product of two square matrices."""
    a, b = torch.rand(2, CEILING_MATRIX, CEILING_MATRIX, dtype=getattr(torch, precision))
    return lambda: a @ b


def _seconds(work: Callable[[], object], repeats: int) -> float:
    """Time `work`, after two runs to warm up: the median of `repeats` runs."""
    times = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])
