"""The precision in which a network keeps its maps while it is fitted, and in which a GPU multiplies them.

NVIDIA GPUs from compute capability 8.0 on may multiply float32 numbers in TF32: they round the factors to 10
bits behind the point and add up in float32. PyTorch lets convolutions do so by default. Here float32 means
float32, and TF32 is a precision of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor

from benchmark.core.errors import NotSupportedError

Precision = Literal["float32", "tf32", "bfloat16", "auto"]
TF32_CAPABILITY = (8, 0)  # Ampere: NVIDIA A100 Tensor Core GPU Architecture, 2020


@cache
def processor_has_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 numbers, by AVX-512 BF16 or by AMX.

    Elsewhere bfloat16 is emulated and slower than float32.
    """
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))


def gpu_has_tensor_types() -> bool:
    """Tell whether there is a GPU here that multiplies in TF32 and bfloat16."""
    return torch.cuda.is_available() and torch.cuda.get_device_capability() >= TF32_CAPABILITY


def check_precision(precision: Precision) -> None:
    """Raise ValueError for bfloat16 or TF32 where nothing has it, neither the processor nor a GPU."""
    if precision == "bfloat16" and not processor_has_bfloat16() and not gpu_has_tensor_types():
        raise ValueError(
            "precision: this processor has no bfloat16 (neither AVX-512 BF16 nor AMX); use float32 or auto"
        )
    if precision == "tf32" and not gpu_has_tensor_types():
        raise ValueError(
            "precision: tf32 needs an NVIDIA GPU from A100 on, and there is none here; use float32"
        )


def check_precision_on(precision: Precision, device: torch.device) -> None:
    """Raise NotSupportedError if `device` is the CPU, and only a GPU of this machine has the precision."""
    if device.type != "cpu":
        return
    if precision == "tf32" or (precision == "bfloat16" and not processor_has_bfloat16()):
        raise NotSupportedError(f"precision: {precision} is for the GPU here; use float32, or device: cuda")


@contextmanager
def multiplying(precision: str, device: torch.device) -> Iterator[None]:
    """Let a GPU multiply float32 numbers in TF32 inside if `precision` is 'tf32', else exactly.

    PyTorch has these switches for the whole process; they are put back. On other devices nothing happens.
    """
    if device.type != "cuda":
        yield
        return
    cudnn: Any = torch.backends.cudnn
    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


def type_of_maps(precision: Precision, like: Tensor) -> torch.dtype:
    """Return the type of a network's maps.

    Args:
        precision: As set. auto: bfloat16 on a processor that has it. On a GPU, where its effect on quality
            was not measured, the type of `like`.
        like: The network's input. float32 stands for its type, so that tests may use float64.
    """
    is_low = precision == "bfloat16" or (
        precision == "auto" and like.device.type == "cpu" and processor_has_bfloat16()
    )
    return torch.bfloat16 if is_low else like.dtype
