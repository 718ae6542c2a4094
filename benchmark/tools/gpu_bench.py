"""Measure a GPU: a step of a fit as a plain loop, eager, captured and for several cases, beside the roofline.

The roofline is the time that a step takes at least: all its operations at the device's highest rate, or all
its bytes at the device's bandwidth, whichever is longer. S. Williams, A. Waterman, D. Patterson, "Roofline:
An Insightful Visual Performance Model for Multicore Architectures", CACM 2009. Operations and bytes are
counted on the device `meta`, without a GPU.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.progress import Progress, Report
from benchmark.runs.names import base_method
from benchmark.runs.settings import method_settings
from benchmark.tools.bench import Workload
from benchmark.tools.counting import Counting
from benchmark.tools.plain_loop import PlainLoop
from methods.parts.capture import EAGER, WARM_UP
from methods.parts.precision import multiplying
from methods.parts.settings import flat
from methods.parts.solver import Problem, device_name

META = torch.device("meta")
PLAIN, IN_EAGER, CAPTURED = "plain loop", "eager", "captured"
MEMORY = 16.0  # GiB that a GPU must have left: two cases of 800 px, by the bytes that a step keeps
CHUNK = 10  # steps between two looks at the clock: as many as the solver does between two reads of the loss


@dataclass(frozen=True)
class Device:
    """What a data sheet says of a GPU: dense operations a second by precision, and bytes a second."""

    name: str  # how the name that CUDA tells begins
    flops: Mapping[str, float]
    bandwidth: float


# NVIDIA H100 and H200 Tensor Core GPU data sheets, SXM; rates of tensor cores without sparsity.
_HOPPER = {"float32": 67e12, "tf32": 494e12, "bfloat16": 989e12}
DEVICES = (Device("NVIDIA H200", _HOPPER, 4.8e12), Device("NVIDIA H100", _HOPPER, 3.35e12))


@dataclass(frozen=True)
class Size:
    """A workload of the table, and how many cases at once it is timed for."""

    work: Workload
    cases: int


PLAN: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("gpu.yaml").read_text(encoding="utf-8"))
# A kernel of 17 px: Levin's first.
SIZES = tuple(Size(Workload(row["method"], {}, size=row["side"]), row["cases"]) for row in PLAN["bench"])
FULL_SIZE: tuple[str, ...] = tuple(PLAN["full_size"])  # the methods that `gpu_day` runs in full
_TINY = {"channels": 4, "skip_channels": 2, "scales": 2, "kernel_hidden": 8}
REHEARSAL = (Size(Workload(SIZES[0].work.method, _TINY, size=32, kernel_size=5), 2),)


@dataclass(frozen=True)
class Count:
    """What a step does."""

    flop: float  # floating-point operations of convolutions and matrix products
    bytes: float  # that its operators read and write, each for itself

    def least_seconds(self, device: Device, precision: str) -> float:
        """Return the roofline's time on a device."""
        return max(self.flop / device.flops[precision], self.bytes / device.bandwidth)


def count(work: Workload) -> Count:
    """Count a step of a workload's last stage; `meta` has no fused Adam, which would move fewer bytes."""
    problem = _problem(work, META)
    last = problem.iterations - 1
    with Counting() as counter:
        problem.step(last)
    return Count(counter.operations, counter.traffic)


def counted() -> pd.DataFrame:
    """Return what a step of each of `SIZES` does, and how long it takes a GPU of `DEVICES` at least.

    Returns:
        A row for each size: GFLOP and GB of a step, and the roofline's milliseconds for float32 and TF32.
    """
    rows = []
    for size in SIZES:
        done = count(size.work)
        row: dict[str, Any] = {
            "method": size.work.method,
            "side, px": size.work.size,
            "GFLOP": done.flop / 1e9,
            "GB": done.bytes / 1e9,
        }
        for device in DEVICES:
            for precision in ("float32", "tf32"):
                key = f"{device.name.removeprefix('NVIDIA ')} {precision}, ms"
                row[key] = 1e3 * done.least_seconds(device, precision)
        rows.append(row)
    return pd.DataFrame(rows)


def measure(
    device: torch.device, seconds: float, report: Report, sizes: Sequence[Size] = SIZES
) -> pd.DataFrame:
    """Time the ways to do a step on a device, size after size; those of one size follow each other directly.

    Args:
        device: A GPU; the CPU for a rehearsal.
        seconds: How long all of it may take, about.
        report: Takes the progress.
        sizes: The workloads.

    Returns:
        A row for each way: `way`, `precision`, `method`, `side, px`, `cases`, `ms` per step of one case,
        `images an hour` at the method's iterations, `times the plain loop`, `% of the roofline` (empty for a
        device without a data sheet here), `MiB` at most, `device`. A way that the device does not have, or
        for which its memory does not suffice, has no times.
    """
    rows: list[dict[str, Any]] = []
    ways = [(size, *way) for size in sizes for way in _ways(size)]
    plain = 0.0
    for number, (size, way, precision, cases) in enumerate(ways):
        work = size.work
        report(Progress("bench gpu", number, len(ways), f"{way}, {work.size} px"))
        row: dict[str, Any] = {
            "way": way, "precision": precision, "method": work.method, "side, px": work.size, "cases": cases,
            "device": device_name(device),
        }  # fmt: skip
        rows.append(row)
        try:
            taken = _time(work, way, precision, cases, device, seconds / len(ways))
        except (torch.OutOfMemoryError, InputError, NotSupportedError):
            continue
        plain = taken if way == PLAIN else plain
        row |= {
            "ms": 1e3 * taken,
            "images an hour": 3600 / (taken * _iterations(work)),
            "times the plain loop": plain / taken if plain else None,
            "% of the roofline": _share(work, precision, device, taken),
            "MiB": torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None,
        }
    return pd.DataFrame(rows)


def _ways(size: Size) -> Iterator[tuple[str, str, int]]:
    """List way, precision and number of cases; the plain loop is the first."""
    yield PLAIN, "float32", 1
    yield IN_EAGER, "float32", 1
    for precision in ("float32", "tf32", "bfloat16"):
        for cases in (1, size.cases):
            yield CAPTURED, precision, cases


def _time(
    work: Workload, way: str, precision: str, cases: int, device: torch.device, seconds: float
) -> float:
    """Return the seconds that a step of one case takes: the median over stretches of `CHUNK` steps."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    with _eager() if way == IN_EAGER else nullcontext(), multiplying("float32", device):
        steps = [_step(work, way, precision, device) for _ in range(cases)]
        streams = [_stream(device, cases) for _ in steps]

        def advance(times: int) -> float:
            began = time.perf_counter()
            for _ in range(times):
                for step, stream in zip(steps, streams, strict=True):
                    with stream():
                        step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            return time.perf_counter() - began

        until = time.perf_counter() + seconds
        advance(WARM_UP + 2)
        times: list[float] = []
        while not times or time.perf_counter() < until:
            times.append(advance(CHUNK) / CHUNK / cases)
    return statistics.median(times)


@contextmanager
def _eager() -> Iterator[None]:
    """Let steps be eager inside: see `methods.parts.capture`."""
    os.environ[EAGER] = "1"
    try:
        yield
    finally:
        del os.environ[EAGER]


def _stream(device: torch.device, cases: int) -> Callable[[], AbstractContextManager[object]]:
    """Return a context for the steps of a case: a stream of its own, where there are several on a GPU."""
    if device.type != "cuda" or cases == 1:
        return nullcontext
    stream = torch.cuda.Stream(device)
    return lambda: torch.cuda.stream(stream)


def _step(work: Workload, way: str, precision: str, device: torch.device) -> Callable[[], object]:
    """Build a case, and return what does a step of its last stage."""
    if way == PLAIN:
        settings = method_settings(work.method, work.settings, f"settings of {work.method}")
        blurry = torch.from_numpy(work.observation().blurry).to(device)
        with torch.device(device):
            return PlainLoop(blurry, work.kernel_size, {"kernel_hidden": 1000} | flat(settings)).step
    problem = _problem(replace(work, settings={**work.settings, "precision": precision}), device)
    return lambda: problem.step(problem.iterations - 1)


def _problem(work: Workload, device: torch.device) -> Problem:
    settings = method_settings(work.method, work.settings, f"settings of {work.method}")
    rng = torch.Generator().manual_seed(0)
    return base_method(work.method).problem(work.observation(), settings, rng, device)


def _iterations(work: Workload) -> int:
    settings = flat(method_settings(work.method, work.settings, f"settings of {work.method}"))
    return int(settings["iterations"])


def _share(work: Workload, precision: str, device: torch.device, taken: float) -> float | None:
    """Return the roofline's time as a share of the time taken, in percent."""
    name = device_name(device)
    sheet = next((known for known in DEVICES if name.startswith(known.name)), None)
    return None if sheet is None else 100 * count(work).least_seconds(sheet, precision) / taken
