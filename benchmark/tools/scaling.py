"""Measure how the cost of a step grows with the image, the kernel, the network, colour, grid and threads."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.progress import Progress, Report
from benchmark.runs.machine import describe
from benchmark.runs.names import base_method
from benchmark.tables.timings import COLUMNS, MACHINE, THREADS
from benchmark.tools.bench import Workload, time_ways
from methods.parts.settings import keys_of

SIDES = (128, 255, 400, 800)  # of the image, in px
KERNELS = (7, 17, 61)  # sides of the kernel, in px
WIDTHS = (16, 32, 64, 128)  # feature maps of the image network
COLOURS = (1, 3)
GRIDS = (1, 2, 4)  # nodes along each side
STEPS = 2  # so often each is timed


def workloads(method: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str, Workload]]:
    """Yield (what grows, how large it is, what a step works on).

    Args:
        method: <method> or <method>@<preset>.
        settings: What differs from the method's own or the preset's.
    """
    base = Workload(method, settings)
    for side in SIDES:
        yield "side, px", str(side), Workload(method, settings, size=side)
    for kernel in KERNELS:
        yield "kernel, px", str(kernel), Workload(method, settings, kernel_size=kernel)
    for width in WIDTHS:
        yield "channels", str(width), Workload(method, {**settings, "channels": width})
    for colours in COLOURS:
        yield "colours", str(colours), Workload(method, settings, colours=colours)
    for nodes in GRIDS:
        yield "grid", f"{nodes} x {nodes}", Workload(method, settings, grid=(nodes, nodes))
    for threads in sorted({1, os.cpu_count() or 1}):
        yield THREADS, str(threads), Workload(method, settings, threads=threads)
    yield MACHINE, str(base.size), Workload(method, {**settings, "channels": WIDTHS[-1]})


def measure(method: str, settings: Mapping[str, Any], report: Report) -> pd.DataFrame:
    """Time a step of a method as one thing after another grows.

    Args:
        method: <method> or <method>@<preset>; it fits an image network.
        settings: What differs from its own or the preset's.
        report: Called before each measurement.

    Returns:
        The columns of `benchmark.tables.timings`.

    Raises:
        InputError: The method fits no image network, or a setting is wrong.
    """
    if "channels" not in keys_of(base_method(method).settings):
        raise InputError(f"{method} fits no image network; `blindbench bench {method}` times its step")
    cpu, frames = describe()["cpu"], []
    todo = list(workloads(method, settings))
    for number, (by, at, work) in enumerate(todo):
        report(Progress(f"{by} {at}", number, len(todo)))
        rows = time_ways(work, STEPS, with_ceilings=by == MACHINE)
        frames.append(rows.assign(method=method, by=by, at=at, cpu=cpu))
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)]
