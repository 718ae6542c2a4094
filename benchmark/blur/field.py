"""Kernel fields: a kernel for each of R x C equal patches of an image, or for every pixel."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmark.blur.perpixel import blur_per_pixel

Floats = NDArray[np.floating[Any]]


def reblurred(sharp: Floats, field: Floats) -> NDArray[np.float64]:
    """`sharp` (C, H, W) blurred by `field` (R, C, h, w), (C, H, W); borders replicated.

    Kernels are in true-convolution form; between the patches' middles they are interpolated, so a field of
    every pixel's kernels is used as it is. Their sums are the field's.
    """
    image = torch.from_numpy(sharp.astype(np.float64))
    size = field.shape[2:]
    channels = torch.from_numpy(field.astype(np.float64)).flatten(2).permute(2, 0, 1)[None]
    each = functional.interpolate(channels, image.shape[1:], mode="bilinear", align_corners=False)
    kernels = each[0].flatten(1).T.unflatten(1, tuple(size))
    blurred: NDArray[np.float64] = blur_per_pixel(image, kernels, "replicate").numpy()
    return blurred
