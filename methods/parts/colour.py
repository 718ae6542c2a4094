"""Luma: what kernels are estimated from."""

import torch
from torch import Tensor

from benchmark.core.colour import LUMA


def luma(image: Tensor) -> Tensor:
    """Full-range luma (1, H, W) of (C, H, W) in [0, 1], weights of ITU-R BT.601; a grey image is its own."""
    if len(image) == 1:
        return image
    weights = torch.tensor(LUMA, dtype=image.dtype, device=image.device)
    return (weights[:, None, None] * image).sum(0, keepdim=True)
