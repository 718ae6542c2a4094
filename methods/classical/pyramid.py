"""Go from coarse to fine: the blurry image and the kernel size at each scale, and kernels between scales.

J. Pan, Z. Hu, Z. Su, M.-H. Yang, "Deblurring Text Images via L0-Regularized Intensity and Gradient Prior",
CVPR 2014, as in the authors' code.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.transform import resize

from benchmark.blur.nonblind import Image, Kernel

SMALLEST = 5  # px: the larger side of the kernel at the coarsest scale is about this
RATIO = math.sqrt(1 / 2)  # between the sides of neighbouring scales


@dataclass(frozen=True)
class Scale:
    """One scale of the pyramid."""

    blurry: Image  # (H, W)
    size: tuple[int, int]  # of the kernel, (h, w), both odd


def pyramid(blurry: Image, size: tuple[int, int], ratio: float = RATIO) -> Iterator[Scale]:
    """Yield the scales from the coarsest to the full one.

    Args:
        blurry: the image (H, W).
        size: of its kernel, (h, w), both odd.
        ratio: between the sides of neighbouring scales.
    """
    count = max(1, math.floor(math.log(SMALLEST / max(size)) / math.log(ratio)) + 1)
    for level in reversed(range(count)):
        factor = ratio**level
        yield Scale(shrunk(blurry, factor), (odd(size[0] * factor), odd(size[1] * factor)))


def odd(side: float) -> int:
    """Return the smallest odd integer that is at least `side`.

    >>> odd(9), odd(9.5), odd(10)
    (9, 11, 11)
    """
    # Rounded first: 20 * sqrt(1/2)**2 is 10 and a rounding error.
    return 2 * math.ceil((round(side, 9) - 1) / 2) + 1


def shrunk(image: Image, factor: float) -> Image:
    """Smooth an image (H, W) and sample it every 1 / `factor` px, from its first pixel on."""
    if factor == 1:
        return image
    smooth = gaussian_filter(image, 0.5 / factor, mode="nearest")
    rows, columns = (np.arange(0, side - 1 + 1e-9, 1 / factor) for side in image.shape)
    sampled: Image = map_coordinates(smooth, np.meshgrid(rows, columns, indexing="ij"), order=1)
    return sampled


def two_tap(size: tuple[int, int]) -> Kernel:
    """Return the kernel to start from: half its mass in the middle, half to the left of it.

    In a kernel of one column the second half lies above the middle.
    """
    kernel = np.zeros(size)
    row, column = size[0] // 2, size[1] // 2
    kernel[row, column] = kernel[row - (column == 0 and row > 0), column - (column > 0)] = 1
    whole: Kernel = kernel / kernel.sum()
    return whole


def enlarged(kernel: Kernel, size: tuple[int, int], ratio: float = RATIO) -> Kernel:
    """Bring a kernel to the next scale: resample it, remove negative values, fit it to `size`, sum 1."""
    shape = tuple(math.ceil(round(side / ratio, 9)) for side in kernel.shape)
    larger = resize(kernel, shape, order=3, mode="edge", anti_aliasing=False, clip=False).clip(0)
    fitted = _fitted(_fitted(larger, size[0]).T, size[1]).T
    whole: Kernel = fitted / fitted.sum()
    return whole


def _fitted(kernel: Kernel, rows: int) -> Kernel:
    """Remove rows at the lighter border, or add some at the heavier one: the mass moves to the middle."""
    while len(kernel) != rows:
        heavier_end = kernel[0].sum() < kernel[-1].sum()
        if len(kernel) > rows:
            kernel = kernel[1:] if heavier_end else kernel[:-1]
        else:
            kernel = np.pad(kernel, ((0, 1) if heavier_end else (1, 0), (0, 0)))
    return kernel
