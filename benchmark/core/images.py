"""Read and write image files, and convert arrays. Every image file is read here."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from benchmark.core.files import replacing
from benchmark.core.types import Array, InputError

KEEPS_ALL = (".png", ".tif", ".tiff")  # formats with alpha and, for grey images, 16 bits
# Pillow's names of the formats that photographs have. Pillow chooses by content, not by suffix, and a format
# such as EPS would start another program.
FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
PHOTOGRAPHS = frozenset(  # the suffixes of these formats, in lower case
    suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS
)
KERNEL_PICTURE = 384  # px, the longer side of a kernel's picture at most, unless the kernel itself is larger
ENLARGED = "kernel-enlarged"  # the name of a text in a kernel's PNG: how many px a side an entry has
MOST_PIXELS = 100_000_000  # of a file that is read: 1.2 GB as float32 RGB


@dataclass(frozen=True)
class Photo:
    """An image with the transparency and the depth of its file."""

    image: Array  # (C, H, W) in [0, 1]
    alpha: Array | None = None  # (1, H, W) in [0, 1]
    bits: int = 8  # per channel; 16 for some grey files


def read_image(path: Path) -> Array:
    """Read an image file, turned as its EXIF tag says.

    Palettes and CMYK become RGB; alpha is dropped.

    Returns:
        (C, H, W), float32 in [0, 1], C = 1 for grey files and 3 for all others.

    Raises:
        InputError: The file is missing, damaged or no image.
    """
    return read_photo(path).image


def read_photo(path: Path) -> Photo:
    """Read an image file as `read_image` does, and keep its alpha and depth."""
    file = _opened(path)
    if file.mode.startswith("I") or file.mode == "F":
        bits, largest = (16, 65535) if file.mode.startswith("I") else (8, 1)
        return Photo(np.clip(np.asarray(file, dtype=np.float32)[None] / largest, 0, 1), bits=bits)
    grey = file.mode in ("1", "L", "LA")
    image = _channels_first(file.convert("L" if grey else "RGB"))
    return Photo(image, _channels_first(file.convert("RGBA"))[3:] if file.has_transparency_data else None)


def is_photograph(path: Path) -> bool:
    """Tell whether the suffix is that of one of the `FORMATS`."""
    return path.suffix.lower() in PHOTOGRAPHS


def can_write(path: Path) -> bool:
    """Tell whether the suffix is that of an image format that can be written."""
    return Image.registered_extensions().get(path.suffix.lower()) in Image.SAVE


def write_image(path: Path, image: Array) -> None:
    """Write an image as 8-bit values round(255 x), in the format that the suffix names.

    Args:
        path: The file.
        image: (C, H, W), clipped to [0, 1]. C = 1 is grey, 2 grey and alpha, 3 RGB, 4 RGBA.

    Raises:
        InputError: The suffix is unknown.
        MachineError: The file cannot be written.
    """
    _write(path, np.round(255 * np.clip(image, 0, 1)).astype(np.uint8))


def write_photo(path: Path, photo: Photo) -> str:
    """Write an image with its alpha and depth.

    Returns:
        A sentence on what the format cannot keep; empty where it keeps all.
    """
    lost = ["its transparency"] * (photo.alpha is not None) + ["16 bits per pixel"] * (photo.bits == 16)
    if lost and path.suffix.lower() not in KEEPS_ALL:
        write_image(path, photo.image)
        return f"{path.suffix} cannot keep {' and '.join(lost)} of the photo; write .png if you need it"
    channels = photo.image if photo.alpha is None else np.concatenate((photo.image, photo.alpha))
    if photo.bits == 16:
        _write(path, np.round(65535 * np.clip(channels, 0, 1)).astype(np.uint16))
    else:
        write_image(path, channels)
    return ""


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

    Raises:
        InputError: As `read_image`.
    """
    pixels: NDArray[np.float64] = read_image(path).astype(np.float64).mean(0)
    with Image.open(path) as file:
        text = str(file.info.get(ENLARGED, ""))
    factor = int(text) if re.fullmatch("[1-9][0-9]{0,2}", text) else 1
    return pixels[::factor, ::factor]


def _opened(path: Path) -> Image.Image:
    """Open a file of one of the `FORMATS`, its pixels turned as its EXIF tag says."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's doubts about a file; its size is checked here
            with Image.open(path, formats=FORMATS) as file:
                if file.width * file.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                file.load()
                return ImageOps.exif_transpose(file)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not a photograph that can be read; convert it to PNG or JPEG") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise InputError(
            f"{path}: too large to open; reduce it to {MOST_PIXELS // 10**6} million pixels"
        ) from error
    except OSError as error:
        if error.errno:  # a folder, or a file of another user
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        raise InputError(_damaged(path, error)) from error
    except Exception as error:  # decoders raise nearly everything for damaged files
        raise InputError(_damaged(path, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    return f"{path}: damaged or truncated ({' '.join(str(error).split())}); get the file again"


def _channels_first(file: Image.Image) -> Array:
    """Convert 8-bit pixels to (C, H, W) in [0, 1]."""
    pixels = np.atleast_3d(np.asarray(file, dtype=np.float32) / np.float32(255))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _write(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    file = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    with replacing(path) as temporary:
        try:
            file.save(temporary)
        except ValueError as error:
            raise InputError(f"{path}: unknown image format '{path.suffix}'; write .png or .jpg") from error


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
