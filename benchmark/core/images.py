"""Read and write images, and convert arrays."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmark.core.deep_pixels import Pixels
from benchmark.core.errors import InputError
from benchmark.core.files import replacing
from benchmark.core.image_files import read_file
from benchmark.core.types import Array

KERNEL_PICTURE = 384  # px, the longer side of a kernel's picture at most, unless the kernel itself is larger
ENLARGED = "kernel-enlarged"  # the name of a text in a kernel's PNG: how many px a side an entry has
FLOATS_MAY_EXCEED = 1.0  # beyond [0, 1]: restored images overshoot, but by no more than that


def read_image(path: Path) -> Array:
    """Read an image file, turned as its EXIF tag says, the same number always as the same grey.

    Palettes and CMYK become RGB; alpha is dropped. Integers count from 0 to the largest of 8 or 16 bits,
    floats from 0 to 1; those a little outside are clipped.

    Returns:
        (C, H, W), float32 in [0, 1], C = 1 for grey files and 3 for all others.

    Raises:
        InputError: The file is missing, damaged or no image, or holds other numbers.
    """
    file = read_file(path, whole=True)
    low, high = value_range(path, file.pixels)
    kind = file.pixels.dtype
    if kind.kind == "f" and not -FLOATS_MAY_EXCEED <= low <= high <= 1 + FLOATS_MAY_EXCEED:
        raise InputError(
            f"{path}: its values lie between {low:.4g} and {high:.4g}; scale them to [0, 1], or save 8 or 16 "
            "bits"
        )
    if kind.kind == "i" or kind.itemsize > 4 or (kind.kind == "u" and kind.itemsize > 2):
        raise InputError(f"{path}: its values are {kind.name}, of no fixed range; save 8 or 16 bits")
    return scaled(file.pixels, 0, file.largest)


def write_image(path: Path, image: Array) -> None:
    """Write an image as 8-bit values round(255 x), in the format that the suffix names.

    Args:
        path: The file.
        image: (C, H, W), clipped to [0, 1]. C = 1 is grey, 2 grey and alpha, 3 RGB, 4 RGBA.

    Raises:
        InputError: The suffix is unknown.
        MachineError: The file cannot be written.
    """
    pixels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    with replacing(path) as temporary:
        try:
            as_pillow(pixels).save(temporary)
        except ValueError as error:
            raise InputError(f"{path}: unknown image format '{path.suffix}'; write .png or .jpg") from error


def kernel_mosaic(kernels: Array, grid: tuple[int, int]) -> Array:
    """Lay kernels (P, h, w) side by side as they lie over the image; P = 1 or rows x columns of `grid`."""
    (rows, columns), (h, w) = grid if len(kernels) > 1 else (1, 1), kernels.shape[1:]
    mosaic: Array = kernels.reshape(rows, columns, h, w).swapaxes(1, 2).reshape(rows * h, columns * w)
    return mosaic


def write_kernel_image(path: Path, kernel: NDArray[np.floating[Any]]) -> None:
    """Write a kernel (h, w) as an 8-bit PNG, enlarged so that one can see it; its largest entry is white.

    Each entry becomes a square. The file says of how many px, so that `read_kernel_image` gives the
    kernel back in its own size.
    """
    factor = max(1, KERNEL_PICTURE // max(kernel.shape))
    pixels = np.round(255 * kernel / kernel.max()).astype(np.uint8)
    notes = PngInfo()
    notes.add_text(ENLARGED, str(factor))
    with replacing(path) as temporary:
        Image.fromarray(pixels.repeat(factor, 0).repeat(factor, 1)).save(temporary, "PNG", pnginfo=notes)


def read_kernel_image(path: Path) -> NDArray[np.float64]:
    """Read the picture of a kernel (h, w), channels averaged; one that was enlarged gets its own size back.

    Numbers of any range and kind are taken as they are: a kernel is divided by its sum.

    Raises:
        InputError: The file is missing, damaged or no image, or has values that are not finite.
    """
    content = read_file(path, whole=True)
    value_range(path, content.pixels)
    fixed = content.pixels.dtype in (np.uint8, np.uint16)
    image = scaled(content.pixels, 0, content.largest).transpose(1, 2, 0) if fixed else content.pixels
    pixels: NDArray[np.float64] = image.astype(np.float64).mean(2)
    text = content.descriptions.texts.get(ENLARGED, "")
    factor = int(text) if re.fullmatch("[1-9][0-9]{0,2}", text) else 1
    return pixels[::factor, ::factor]


def value_range(path: Path, pixels: Pixels) -> tuple[float, float]:
    """Return the least and the largest value of a file. Raises InputError where some are not finite."""
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite((low, high)).all():
        count = int((~np.isfinite(pixels)).sum())
        raise InputError(f"{path}: not finite in {count} of its values; replace what is NaN or infinite")
    return low, high


def scaled(pixels: Pixels, low: float, high: float) -> Array:
    """Scale pixels (H, W, C) from [low, high] to an image (C, H, W) in [0, 1], and clip what lies outside."""
    values: NDArray[np.floating[Any]]
    if pixels.dtype.itemsize <= 2 and low == 0:
        values = pixels.astype(np.float32) / np.float32(high)
    else:
        values = (pixels.astype(np.float64) - low) / (high - low)
    return np.ascontiguousarray(values.clip(0, 1).transpose(2, 0, 1).astype(np.float32))


def as_pillow(pixels: NDArray[np.uint8]) -> Image.Image:
    """Make 8-bit pixels (H, W, C), C = 1 to 4, an image of Pillow."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))


def from_array(array: NDArray[Any], name: str = "the image") -> Array:
    """Convert an image of the outside world to (C, H, W), float32 in [0, 1].

    Args:
        array: (H, W) or (H, W, C) with C = 1 (grey) or 3 (RGB). Integers of 8 or 16 bits count from 0 to the
            largest of their type, floats from 0 to 1.
        name: What messages call it.

    Raises:
        InputError: It is no array, its shape or type is another, or a value lies outside.

    >>> from_array(np.full((4, 6, 3), 255, np.uint8)).shape
    (3, 4, 6)
    """
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name} is a {type(array).__name__}; give a NumPy array of its pixels")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)) or not array.size:
        raise InputError(f"{name} has the shape {array.shape}; give (H, W), (H, W, 1) or (H, W, 3)")
    if array.dtype in (np.uint8, np.uint16):
        image = array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    elif np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise InputError(
                f"{name} has values outside [0, 1]; divide by the largest, or give uint8 or uint16"
            )
        image = array.astype(np.float32)
    else:
        raise InputError(f"{name} has the type {array.dtype}; give uint8, uint16 or floats in [0, 1]")
    return np.ascontiguousarray(np.atleast_3d(image).transpose(2, 0, 1))


def to_array(image: Array, like: NDArray[Any]) -> NDArray[Any]:
    """Convert (C, H, W) in [0, 1] to the layout and type of `like`; see `from_array`.

    >>> to_array(np.ones((1, 4, 6), np.float32), like=np.zeros((4, 6), np.uint16)).max()
    np.uint16(65535)
    """
    array = image[0] if like.ndim == 2 else image.transpose(1, 2, 0)
    if np.issubdtype(like.dtype, np.integer):
        largest = np.iinfo(like.dtype).max
        return np.ascontiguousarray(np.round(largest * array.clip(0, 1)).astype(like.dtype))
    return np.ascontiguousarray(array.astype(like.dtype))
