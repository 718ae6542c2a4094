"""Measure speed. Both of two ways are timed in the same run: times of different runs cannot be compared."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmark.blur.convolution import convolve_valid_direct, convolve_valid_fft
from benchmark.core.seeds import generator
from benchmark.core.types import Observation
from benchmark.runs.machine import keep_freed_memory
from benchmark.runs.names import base_method


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
                _milliseconds(partial(_forward_and_backward, convolve, image, kernel), repeats)
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


def bench_method(name: str, size: int, kernel_size: int, steps: int) -> pd.DataFrame:
    """Time one step of a method at its default settings, when freed memory is kept and when it is returned.

    See `benchmark.runs.machine.keep_freed_memory`, which changes a whole process: each row is timed in a
    process of its own.
    """
    rows = []
    for keep in (False, True):
        code = (
            "from benchmark.tools.bench import time_steps; "
            f"print(time_steps({name!r}, {size}, {kernel_size}, {steps}, {keep}))"
        )
        output = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        rows.append({"freed memory": "kept" if keep else "returned", "ms per step": float(output)})
    frame = pd.DataFrame(rows)
    frame["ratio"] = frame["ms per step"].iloc[0] / frame["ms per step"]
    return frame


def time_steps(name: str, size: int, kernel_size: int, steps: int, keep: bool) -> float:
    """Time one step on a random image (1, size, size), on one thread: the median in milliseconds."""
    torch.set_num_threads(1)
    if keep:
        keep_freed_memory()
    method = base_method(name)
    blurry = generator("bench", name).random((1, size, size), dtype=np.float32)
    observation = Observation("bench", name, blurry, (kernel_size, kernel_size))
    problem = method.problem(
        observation, method.settings(), torch.Generator().manual_seed(0), torch.device("cpu")
    )
    steps = min(steps, problem.iterations)
    return _milliseconds(lambda: problem.step(problem.iterations - 1), steps)


def _milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Time `work`, after two runs to warm up: the median of `repeats` runs, in milliseconds."""
    times = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times[2:])
