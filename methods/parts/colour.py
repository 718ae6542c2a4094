"""The luma of a colour image, from which kernels are estimated."""

import torch
from torch import Tensor

from benchmark.core.colour import LUMA


def luma(image: Tensor) -> Tensor:
    """Return the luma (1, H, W) of an image (C, H, W) by ITU-R BT.601; a grey image is its own luma."""
    if len(image) == 1:
        return image
    weights = torch.tensor(LUMA, dtype=image.dtype, device=image.device)
    return (weights[:, None, None] * image).sum(0, keepdim=True)
