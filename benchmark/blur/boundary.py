"""What lies outside an image: the boundaries under which a blur keeps the image's size."""

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.core.types import Boundary, InputError

GREY = 0.5  # the zero of images in [-1, 1], which the diffusion methods pad with
_CONSTANT = {"zero": 0.0, "grey": GREY}


def extend(image: Tensor, margin: tuple[int, int], boundary: Boundary) -> Tensor:
    """`image` (C, H, W) with `margin` (rows, columns) more pixels on either side.

    'zero' and 'grey' add 0 and 0.5, 'replicate' repeats the border pixels, 'circular' the whole image, as
    often as the margin asks for. 'valid' assumes nothing about the outside and has no extension: InputError.
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
    """`image` (C, H, W), made ready for a 'valid' blur with kernels of (h, w).

    'valid': unchanged, so the blur loses h - 1 rows and w - 1 columns. The others: extended by half a kernel,
    so that the blur keeps (C, H, W). Raises InputError for even kernels then: they have no centre.
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
    """The (rows, columns) of the image whose blur has `size`: (h - 1, w - 1) more if 'valid'."""
    if boundary == "valid":
        return size[0] + kernel_size[0] - 1, size[1] + kernel_size[1] - 1
    return size
