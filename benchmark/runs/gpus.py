"""Ask for the GPUs of this machine: is there one, why not, and how much memory has it left?"""

import os
import re
import warnings

import torch

from benchmark.core.errors import InputError


def require_gpu() -> None:
    """Raise InputError, which says why, unless PyTorch finds a GPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's warning says the same at length
        if torch.cuda.is_available():
            return
        reason = _why_none()
    raise InputError(f"no CUDA device is available here: {reason}, or use cpu")


def _why_none() -> str:
    """Say why PyTorch finds no GPU, and what to do about it."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        said = " ".join(str(error).split())
    else:
        said = "No CUDA GPUs are available"
    if "no NVIDIA driver" in said:
        return "there is no NVIDIA driver; install one"
    if too_old := re.search(r"driver on your system is too old \(found version (\d+)\)", said):
        version = int(too_old[1])  # as CUDA counts: 12040 is 12.4
        offers = f"{version // 1000}.{version % 1000 // 10}"
        wants = torch.version.cuda
        return f"the NVIDIA driver is for CUDA {offers}, this PyTorch for {wants}; update the driver"
    if "not compiled with CUDA" in said:
        return "this PyTorch was built without CUDA; install one that has it"
    if "No CUDA GPUs" in said:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = "" if visible is None else f" (CUDA_VISIBLE_DEVICES is '{visible}')"
        return f"the driver shows no GPU{hidden}; look with nvidia-smi"
    return f"{said.partition('. ')[0]}; look with nvidia-smi"


def memory_left(device: torch.device) -> float:
    """Ask a GPU how much memory it has left, in GiB.

    Raises:
        InputError: a program that shares the GPU with none has it, or it does not answer.
    """
    try:
        return torch.cuda.mem_get_info(device)[0] / 2**30
    except RuntimeError as error:
        said = str(error).partition("\n")[0]
        if "busy or unavailable" in said:
            raise InputError(
                f"GPU {device.index} is taken by a program that shares it with none; end that, or choose "
                "another GPU by CUDA_VISIBLE_DEVICES"
            ) from error
        raise InputError(f"GPU {device.index} does not answer ({said}); look with nvidia-smi") from error


def require_memory(device: torch.device, gib: float) -> None:
    """Raise InputError unless a GPU has `gib` GiB of memory left."""
    free = memory_left(device)
    if free < gib:
        raise InputError(
            f"needs {gib:.1f} GiB of GPU {device.index}, {free:.1f} free: end the other programs on it, or "
            "choose another GPU by CUDA_VISIBLE_DEVICES"
        )
