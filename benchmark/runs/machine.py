"""How a process uses the machine. Called by commands only: a library leaves these global switches alone."""

import ctypes
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmark.core.files import try_lock
from benchmark.core.types import InputError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
KEPT_BYTES = 2**30  # allocations up to this size stay with the process when they are freed
GPU_LOCKS = Path(tempfile.gettempdir()) / "blindbench-gpus"  # one file per place on a GPU of this machine
WAIT_SECONDS = 1.0  # between two looks for a free place


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of returning every large tensor to the system and asking again.

    `blindbench bench METHOD` measures the gain. Without glibc this does nothing.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    except (OSError, AttributeError):
        return


def prepare(threads: int | None) -> None:
    """Set up a process for long work.

    Args:
        threads: CPU threads per operation; None for torch's own choice.
    """
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)


@contextmanager
def claimed_device(name: str, jobs_per_gpu: int = 1) -> Iterator[torch.device]:
    """Claim a device for as long as the context lasts.

    Snakemake counts GPUs but does not say which one is free. So each device has `jobs_per_gpu` places, and a
    process takes one by a lock that ends with it, on the emptiest device; while all are taken, it waits.

    Args:
        name: 'cpu', 'cuda', or 'auto' for a GPU where there is one.
        jobs_per_gpu: how many processes share one GPU.

    Raises:
        InputError: the name is unknown, or there is no GPU for 'cuda'.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"unknown device '{name}'; use auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device is available here; use cpu")
    if name == "cpu" or not torch.cuda.is_available():
        yield torch.device("cpu")
        return
    places = [(place, gpu) for place in range(jobs_per_gpu) for gpu in range(torch.cuda.device_count())]
    while True:
        for place, gpu in places:
            lock = try_lock(GPU_LOCKS / f"gpu{gpu}.{place}.lock")
            if lock is not None:
                with lock:
                    yield torch.device("cuda", gpu)
                return
        time.sleep(WAIT_SECONDS)
