"""Reading and writing image files."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from benchmark.files import replacing
from benchmark.types import Array, InputError


def read_image(path: Path) -> Array:
    """The image at `path` as (C, H, W), float32 in [0, 1], C = 1 for grey files and 3 for all others.

    Turned as its EXIF tag says; alpha is dropped, palettes and CMYK become RGB, 16-bit grey keeps its depth.
    Raises InputError when the file is missing, truncated or no image.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as file:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            file.load()
            image = ImageOps.exif_transpose(file)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not an image that can be read; convert it to PNG or JPEG") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{path}: too large to open ({error}); reduce it first") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: damaged or truncated ({error}); get the file again") from error
    if image.mode.startswith("I") or image.mode == "F":
        depth = 65535 if image.mode.startswith("I") else 1
        return np.clip(np.asarray(image, dtype=np.float32)[None] / depth, 0, 1)
    grey = image.mode in ("1", "L", "LA")
    pixels = np.asarray(image.convert("L" if grey else "RGB"), dtype=np.float32) / 255
    return np.ascontiguousarray(pixels[None] if grey else pixels.transpose(2, 0, 1))


def write_image(path: Path, image: Array) -> None:
    """Write (C, H, W) in [0, 1] as 8-bit values round(255 clip(x, 0, 1)); the suffix chooses the format."""
    pixels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    file = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    with replacing(path) as temporary:
        try:
            file.save(temporary)
        except ValueError as error:
            raise InputError(f"{path}: unknown image format '{path.suffix}'; write .png or .jpg") from error


def write_kernel_image(path: Path, kernel: Array) -> None:
    """Write a kernel (h, w) as an 8-bit picture scaled to its largest entry."""
    write_image(path, (kernel / kernel.max())[None])
