"""Boundaries: what a blur assumes outside an image.

With 'valid' it assumes nothing, and the blurry image is smaller than the latent one. With all others it keeps
the image's size.
"""

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.core.errors import InputError
from benchmark.core.types import Boundary

GREY = 0.5  # the zero of the diffusion methods, whose images are in [-1, 1]
_CONSTANT = {"zero": 0.0, "grey": GREY}


def extend(image: Tensor, margin: tuple[int, int], boundary: Boundary) -> Tensor:
    """Add pixels on all sides of an image.

    Args:
        image: (C, H, W).
        margin: how many pixels to add on either side, (rows, columns).
        boundary: 'zero' adds 0, 'grey' 0.5, 'replicate' repeats the border pixels, 'circular' repeats the
            whole image.

    Returns:
        The image (C, H + 2 rows, W + 2 columns).

    Raises:
        InputError: the boundary is 'valid', which assumes nothing about the outside.

    >>> extend(torch.tensor([[[0.0, 1.0, 2.0]]]), (0, 2), "circular")
    tensor([[[1., 2., 0., 1., 2., 0., 1.]]])
    """
    if boundary == "valid":
        raise InputError("the boundary 'valid' has no extension; give the larger image instead")
    rows, columns = margin
    if boundary in _CONSTANT:
        return functional.pad(image, (columns, columns, rows, rows), value=_CONSTANT[boundary])
    for axis, width in ((-2, rows), (-1, columns)):
        length = image.shape[axis]
        index = torch.arange(-width, length + width, device=image.device)
        index = index.remainder(length) if boundary == "circular" else index.clamp(0, length - 1)
        image = image.index_select(axis, index)
    return image


def latent_frame(image: Tensor, kernel_size: tuple[int, int], boundary: Boundary) -> Tensor:
    """Extend an image so that a 'valid' blur of the result obeys a boundary.

    Args:
        image: (C, H, W).
        kernel_size: (h, w) of the blur.
        boundary: 'valid' leaves the image as it is; the others add half a kernel on each side.

    Returns:
        (C, H, W) for 'valid', whose blur loses h - 1 rows and w - 1 columns; else (C, H + h - 1, W + w - 1),
        whose blur is (C, H, W).

    Raises:
        InputError: a side of the kernel is even, so that it has no centre, and the boundary is not 'valid'.

    >>> latent_frame(torch.zeros(3, 20, 30), (5, 7), "zero").shape
    torch.Size([3, 24, 36])
    """
    h, w = kernel_size
    if boundary == "valid":
        return image
    if h % 2 == 0 or w % 2 == 0:
        raise InputError(
            f"an even kernel ({h} x {w}) has no centre: embed it in an odd one first "
            "(benchmark.blur.convolution.odd_from_correlation), or use the boundary 'valid'"
        )
    return extend(image, (h // 2, w // 2), boundary)


def latent_size(size: tuple[int, int], kernel_size: tuple[int, int], boundary: Boundary) -> tuple[int, int]:
    """Return the size of the latent image behind a blurry one of `size` (H, W).

    It is larger by (h - 1, w - 1) if the boundary is 'valid', and the same otherwise.

    >>> latent_size((20, 30), (5, 7), "valid")
    (24, 36)
    """
    if boundary == "valid":
        return size[0] + kernel_size[0] - 1, size[1] + kernel_size[1] - 1
    return size
