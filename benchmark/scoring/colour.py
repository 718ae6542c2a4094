"""The luma as MATLAB has it, by which some protocols compare images."""

from skimage.color import rgb2ycbcr

from benchmark.scoring.alignment import Image


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
