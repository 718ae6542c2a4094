"""What the machine is, and how a process uses it.

Only commands set global switches, such as the number of threads: a library leaves them alone.
"""

import ctypes
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import scipy.linalg  # noqa: F401  (loads SciPy's linear algebra, which `describe` lists)
import torch
from threadpoolctl import threadpool_info

from benchmark.core.errors import InputError
from benchmark.core.files import private_folder, replacing, try_lock
from benchmark.runs.gpus import memory_left, require_gpu
from methods.parts.precision import multiplying

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
KEPT_BYTES = 2**30  # allocations up to this size stay with the process when they are freed
GPU_LOCKS = "blindbench-gpus"  # a private folder with one file per place on a GPU of this machine
WAIT_SECONDS = 1.0  # between two looks for a free place
CPU_INFO = Path("/proc/cpuinfo")
MEMORY_INFO = Path("/proc/meminfo")
# Variables that make the numerical libraries take the code of another CPU.
SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "MKL_CBWR",
    "NPY_DISABLE_CPU_FEATURES",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
)
PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "pillow")  # that compute results or read images


def describe() -> dict[str, Any]:
    """Describe what of the machine may change the last digits of a result.

    Torch, oneDNN, MKL and OpenBLAS choose their code by the CPU. The order of additions differs between these
    codes, and so does the rounding.

    Returns:
        - cpu: the CPU's model; threads: of torch, per operation; instructions: torch's vector instructions.
        - convolutions, linear_algebra: torch's libraries.
        - numpy_linear_algebra: NumPy's and SciPy's libraries, each with the CPU whose code it runs.
        - switches: those of `SWITCHES` that are set.
    """
    built = torch.__config__.show()
    return {
        "cpu": _cpu_model(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "convolutions": _built_with(built, r"MKL-DNN v([\d.]+)", "oneDNN"),
        "linear_algebra": _built_with(built, r"Math Kernel Library Version ([\d.]+)", "MKL"),
        "numpy_linear_algebra": _numpy_libraries(),
        "switches": {name: os.environ[name] for name in SWITCHES if name in os.environ},
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of `PACKAGES`."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


def _cpu_model() -> str:
    """Read the CPU's model; where Linux does not tell it, the name of its architecture."""
    text = CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.exists() else ""
    match = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.machine()


def _numpy_libraries() -> list[str]:
    """List the linear algebra of NumPy and SciPy, each with its version and the CPU whose code it runs.

    Other packages may load a library of their own, which a wheel has in `<package>.libs`; they are left out.
    """
    return sorted(
        f"{library['prefix']} {library['version']} {library.get('architecture', '')}".strip()
        for library in threadpool_info()
        if library["user_api"] == "blas" and not _belongs_to_another(Path(library["filepath"]))
    )


def _belongs_to_another(library: Path) -> bool:
    folder = library.parent.name
    return folder.endswith(".libs") and folder not in ("numpy.libs", "scipy.libs")


def _built_with(built: str, pattern: str, name: str) -> str:
    """Return a library's name and version out of torch's description of its build; empty without it."""
    match = re.search(pattern, built)
    return f"{name} {match[1]}" if match else ""


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of returning every large tensor to the system and asking again.

    Without glibc this does nothing.
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


def free_memory(device: torch.device) -> float | None:
    """Return the MiB that a device has free for this process; None where the system does not tell.

    What torch keeps of a GPU for later use counts as free, too.
    """
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return 2**10 * memory_left(device) + kept / 2**20
    text = MEMORY_INFO.read_text(encoding="utf-8") if MEMORY_INFO.exists() else ""
    match = re.search(r"^MemAvailable:\s*(\d+) kB$", text, re.MULTILINE)
    return int(match[1]) / 2**10 if match else None


@contextmanager
def claimed_device(name: str, jobs_per_gpu: int = 1, profile: str = "") -> Iterator[torch.device]:
    """Claim a device for as long as the context lasts.

    Snakemake counts GPUs but does not say which one is free. So each device has `jobs_per_gpu` places, and a
    process takes one by a lock that ends with it, on the emptiest device; while all are taken by jobs of its
    own profile, it waits. The places are those of one user: another user's processes are not seen. Inside, a
    GPU multiplies float32 numbers exactly, not in TF32: see `methods.parts.precision`.

    Args:
        name: 'cpu', 'cuda', or 'auto' for a GPU where there is one.
        jobs_per_gpu: how many processes share one GPU.
        profile: names the run that the process belongs to; empty for a command of its own.

    Raises:
        InputError: the name is unknown, there is no GPU for 'cuda', all are taken by another profile, one is
            taken by a program that shares it with none, or locks cannot be kept.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"unknown device '{name}'; use auto, cpu or cuda")
    if name == "cuda":
        require_gpu()
    if name == "cpu" or not torch.cuda.is_available():
        yield torch.device("cpu")
        return
    places = [(place, gpu) for place in range(jobs_per_gpu) for gpu in range(torch.cuda.device_count())]
    folder = private_folder(GPU_LOCKS)
    looks = 0  # at nothing but other profiles
    while True:
        owners = []
        for place, gpu in places:
            lock, owner = try_lock(folder / f"gpu{gpu}.{place}.lock"), folder / f"gpu{gpu}.{place}.profile"
            if lock is not None:
                with lock:
                    with replacing(owner) as temporary:
                        temporary.write_text(profile, encoding="utf-8")
                    device = torch.device("cuda", gpu)
                    memory_left(device)
                    with multiplying("float32", device):
                        yield device
                return
            owners.append(owner.read_text(encoding="utf-8") if owner.exists() else profile)
        looks = 0 if profile in owners else looks + 1
        if looks == 2:  # in the first one a job may not have written its name yet
            other = owners[0] or "a command"
            raise InputError(f"every GPU is taken by another run ({other}); wait for its end, or use cpu")
        time.sleep(WAIT_SECONDS)
