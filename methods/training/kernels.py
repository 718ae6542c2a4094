"""The kernels on which networks are pre-trained.

Half are trajectories in DeblurGAN's parametrisation, half Lai-like tracks, so that one set of weights serves
both kinds of test data. The bounding box of each is in the middle: kernel and image can be shifted against
each other without any change of the blurry image, so an initializer can only learn kernels whose position
follows a rule.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import torch
from torch import Tensor

from benchmark.blur.convolution import rotate_180
from benchmark.blur.motion_blur import motion_blur_kernel
from benchmark.blur.smooth_tracks import lai_like_kernel
from benchmark.blur.trajectory import trajectory_kernel
from benchmark.core.progress import Progress, Report, silent
from benchmark.core.types import Array
from methods.glkm.generator import served_by

# The kernels of the diffusion papers: 64 px, which the 65-px generator serves. The GLKM paper tests on those
# of intensity 0.5; BlindDPS's own kernel model has learnt from 0.2 to 1.
MOTION_BLUR = 64
MOTION_BLUR_AT = 65
INTENSITIES = (0.5, 0.5)
SMALLEST = 7  # kernel size for which both kinds can be drawn
WITHOUT_PROCESSES = 1000  # up to so many kernels are drawn faster than another process starts
REPORT_EVERY = 100  # kernels between reports of the progress


def training_kernels(
    size: int,
    supports: Sequence[int],
    count: int,
    seed: int,
    processes: int = 1,
    report: Report = silent,
    intensities: tuple[float, float] = INTENSITIES,
) -> Tensor:
    """Draw kernels to train on.

    Kernel i depends on seed, size and i alone: neither the count nor the number of processes changes it.

    Args:
        size: side of the kernels.
        supports: each kernel is drawn for one of these sizes, odd and at most `size`; empty: for those that a
            generator of `size` serves.
        count: how many.
        seed: of all random numbers.
        processes: how many draw at the same time.
        report: of the progress.
        intensities: range of the intensity of the diffusion papers' kernels, drawn uniformly; only at
            MOTION_BLUR_AT px.

    Returns:
        (count, 1, size, size), correlation form, sum 1 each.
    """
    supports = tuple(supports) or served_by(size)
    if count <= WITHOUT_PROCESSES:
        kernels = np.stack([_drawn(size, supports, seed, number, intensities) for number in range(count)])
    else:
        kernels = _drawn_by_others(size, supports, count, seed, processes, report, intensities)
    return rotate_180(torch.from_numpy(kernels[:, None])).contiguous()


def _drawn(
    size: int, supports: Sequence[int], seed: int, number: int, intensities: tuple[float, float]
) -> Array:
    """Draw kernel `number` (size, size), true-convolution form."""
    rng = np.random.default_rng((seed, size, number))
    kinds = [trajectory_kernel, lai_like_kernel]
    kind = int(rng.integers(len(kinds) + (size == MOTION_BLUR_AT)))
    if kind == len(kinds):
        drawn = motion_blur_kernel(MOTION_BLUR, rng.uniform(*intensities), rng)
    else:
        drawn = kinds[kind](int(rng.choice(supports)), rng)
    rest = size - len(drawn)
    before = rest // 2 + (rest % 2) * int(rng.integers(2))
    kernel = np.zeros((size, size), np.float32)
    kernel[before : before + len(drawn), before : before + len(drawn)] = drawn
    return kernel


def _drawn_by_others(
    size: int,
    supports: Sequence[int],
    count: int,
    seed: int,
    processes: int,
    report: Report,
    intensities: tuple[float, float],
) -> Array:
    """Draw kernels (count, size, size), true-convolution form, in other processes, which take turns.

    Even a single process is another one: its linear algebra runs on one thread, because the last bits of a
    factorisation depend on the number of threads. The processes end with this one, whose pipes they write to.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    kernels = np.zeros((count, size, size), np.float32)
    with ExitStack() as running:
        pipes = []
        for first in range(processes):
            arguments = map(str, (*intensities, size, seed, first, count, processes, *supports))
            command = [sys.executable, "-m", __name__, *arguments]
            other = running.enter_context(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
            assert other.stdout is not None
            pipes.append(other.stdout)
        for number, kernel in enumerate(kernels):
            content = pipes[number % processes].read(kernel.nbytes)
            if len(content) < kernel.nbytes:
                raise RuntimeError(f"a process that draws kernels ended before kernel {number}")
            kernel[:] = np.frombuffer(content, np.float32).reshape(size, size)
            if number % REPORT_EVERY == 0 or number == count - 1:
                report(Progress("drawing kernels", number + 1, count))
    return kernels


def _write_kernels(
    intensities: tuple[float, float], size: int, seed: int, first: int, count: int, step: int, *supports: int
) -> None:
    """Write kernels first, first + step, ... to the standard output: the work of another process."""
    try:
        for number in range(first, count, step):
            sys.stdout.buffer.write(_drawn(size, supports, seed, number, intensities).tobytes())
        sys.stdout.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(1)  # the process that asked for them has ended, and says why


# Applied or not, one after the other, they give the eight ways to flip and turn a square.
TURNS = (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.transpose(-1, -2))


def turned(kernels: Tensor, rng: np.random.Generator) -> Tensor:
    """Flip and transpose each kernel of (B, 1, n, n) at random, in one of eight ways."""
    ways = rng.integers(8, size=len(kernels))
    out = kernels.clone()
    for bit, turn in enumerate(TURNS):
        chosen = torch.from_numpy(np.nonzero(ways >> bit & 1)[0]).to(kernels.device)
        out[chosen] = turn(out[chosen])
    return out


def unit_sum(kernels: Tensor) -> Tensor:
    """Divide kernels (..., h, w) by their sums."""
    return kernels / kernels.sum((-2, -1), keepdim=True)


def ncc(kernels: Tensor, truth: Tensor) -> Tensor:
    """Return the largest normalised cross-correlation (B,) of kernels (B, 1, n, n) with true ones, 1 at best.

    It is taken over all shifts by whole pixels.
    """
    size = kernels.shape[-1]
    fast = 2 * size
    spectra = torch.fft.rfft2(kernels.double(), s=(fast, fast)) * torch.fft.rfft2(
        truth.double().flip(-2, -1), s=(fast, fast)
    )
    products: Tensor = torch.fft.irfft2(spectra, s=(fast, fast)).flatten(1).amax(1)
    norms = kernels.double().flatten(1).norm(dim=1) * truth.double().flatten(1).norm(dim=1)
    similarities: Tensor = products / norms
    return similarities


if __name__ == "__main__":
    least, largest, *numbers = sys.argv[1:]
    _write_kernels((float(least), float(largest)), *map(int, numbers))
