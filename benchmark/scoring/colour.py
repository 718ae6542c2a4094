"""The grey image of a colour one: weights and range are part of a protocol. Images are (C, H, W)."""

import numpy as np
from skimage.color import rgb2ycbcr

from benchmark.core.colour import LUMA
from benchmark.scoring.alignment import Image


def full_range_luma(image: Image) -> Image:
    """0.299 R + 0.587 G + 0.114 B as (1, H, W), in the range of `image`; grey is returned as it is."""
    if len(image) == 1:
        return image
    return np.tensordot(LUMA, image, axes=1)[None]


def studio_range_luma(image: Image) -> Image:
    """MATLAB's luma, (16 + 65.481 R + 128.553 G + 24.966 B) / 255, in [16/255, 235/255], as (1, H, W).

    A grey image is returned as it is: whoever deblurred the luma alone has done so in this range.
    """
    if len(image) == 1:
        return image
    luma: Image = rgb2ycbcr(image, channel_axis=0)[:1] / 255
    return luma
