"""Speed, as ratios measured side by side in one run."""

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
    """Direct sum against FFT, forward and backward in image and kernel, one thread: milliseconds."""
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
    """One step of a method at its own settings, with and without keeping freed memory.

    The switch lasts for a whole process, so each row is a process of its own.
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
    """Median milliseconds of one step on a noise image (1, size, size), one thread."""
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
    """Median over `repeats`, after two runs to warm up."""
    times = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times[2:])
