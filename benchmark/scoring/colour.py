"""Grey images of colour images; the weights and the range are part of a protocol."""

import numpy as np
from skimage.color import rgb2ycbcr

from benchmark.core.colour import LUMA
from benchmark.scoring.alignment import Image


def full_range_luma(image: Image) -> Image:
    """Compute 0.299 R + 0.587 G + 0.114 B.

    Args:
        image: (C, H, W) in [0, 1].

    Returns:
        (1, H, W) in [0, 1]; a grey image is returned as it is.
    """
    if len(image) == 1:
        return image
    return np.tensordot(LUMA, image, axes=1)[None]


def studio_range_luma(image: Image) -> Image:
    """Compute MATLAB's luma, (16 + 65.481 R + 128.553 G + 24.966 B) / 255 (`rgb2ycbcr`).

    Args:
        image: (C, H, W) in [0, 1].

    Returns:
        (1, H, W) in [16/255, 235/255]; a grey image is returned as it is, because a method that deblurs the
        luma alone works in this range already.
    """
    if len(image) == 1:
        return image
    luma: Image = rgb2ycbcr(image, channel_axis=0)[:1] / 255
    return luma
