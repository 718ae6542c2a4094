"""How a process uses the machine. Called by commands only: a library leaves these global switches alone."""

import ctypes

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
KEPT_BYTES = 2**30


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks: by default it returns every large tensor and faults it in again.

    `blindbench bench method` measures what it is worth. Does nothing without glibc.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    except (OSError, AttributeError):
        return


def prepare(threads: int | None) -> None:
    """Set up a process for long work; `threads` per operation on CPU, None for torch's own choice."""
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
