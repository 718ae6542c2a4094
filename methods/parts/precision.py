"""The precision in which a network keeps its maps while it is fitted."""

from functools import cache
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bfloat16", "auto"]


@cache
def processor_has_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 numbers, by AVX-512 BF16 or by AMX.

    Elsewhere bfloat16 is emulated and slower than float32.
    """
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))


def check_precision(precision: Precision) -> None:
    """Raise ValueError for bfloat16 on a processor without it."""
    if precision == "bfloat16" and not processor_has_bfloat16():
        raise ValueError(
            "precision: this processor has no bfloat16 (neither AVX-512 BF16 nor AMX); use float32 or auto"
        )


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
