"""Blur with a kernel field: a kernel for each of R x C equal patches of an image."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmark.blur.perpixel import blur_per_pixel

Floats = NDArray[np.floating[Any]]


def reblurred(sharp: Floats, field: Floats) -> NDArray[np.float64]:
    """Blur a sharp image by a kernel field; border pixels are repeated outside.

    Args:
        sharp: the image (C, H, W).
        field: kernels (R, C, h, w), odd sides, true-convolution form, of any sums. Between the middles of the
            patches kernels are interpolated; a field with a kernel for every pixel is used as it is.

    Returns:
        The blurry image (C, H, W).

    >>> single_pixels = np.zeros((2, 2, 3, 3))
    >>> single_pixels[:, :, 1, 1] = 1
    >>> reblurred(np.array([[[1.0, 2.0], [3.0, 4.0]]]), single_pixels)
    array([[[1., 2.],
            [3., 4.]]])
    """
    image = torch.from_numpy(sharp.astype(np.float64))
    size = field.shape[2:]
    channels = torch.from_numpy(field.astype(np.float64)).flatten(2).permute(2, 0, 1)[None]
    each = functional.interpolate(channels, image.shape[1:], mode="bilinear", align_corners=False)
    kernels = each[0].flatten(1).T.unflatten(1, tuple(size))
    blurred: NDArray[np.float64] = blur_per_pixel(image, kernels, "replicate").numpy()
    return blurred
