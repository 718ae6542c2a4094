"""Read and write the pixels of image files that Pillow reads or writes with 8 bits only.

Pillow has no image of three channels with more than 8 bits. TIFF files are read and written by tifffile, and
by OpenCV where their compression needs it; PNG and PPM files by OpenCV.
"""

import io
import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tifffile import PHOTOMETRIC, PLANARCONFIG, TiffFile, TiffFileError, TiffPage, imwrite

from benchmark.core.errors import InputError

Pixels = NDArray[Any]  # (H, W, C), numbers as the file has them

PNG_START = b"\x89PNG\r\n\x1a\n"
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
DESCRIPTION = 270  # TIFF's and EXIF's number
HEAD = 256  # bytes, of a file that are looked at
LARGEST_BYTE = 255
ALPHA = ("ASSOCALPHA", "UNASSALPHA")  # by TIFF's names
PNG_WITH_COLOUR_OR_ALPHA = {2: 3, 4: 2, 6: 4}  # PNG's number of a kind of image to its channels
PPM = re.compile(rb"P6\s+(?:#[^\n]*\n\s*)*\d+\s+(?:#[^\n]*\n\s*)*\d+\s+(?:#[^\n]*\n\s*)*(\d+)\s")
TURNED = {  # by EXIF's orientation: how pixels (H, W, C) are turned upright
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what matters of a file is said in our own words
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True)
class DeepPixels:
    """The pixels of a file with more than 8 bits per channel."""

    pixels: Pixels  # C = 1 or 3
    alpha: NDArray[np.float32] | None  # (H, W) in [0, 1]
    largest: float  # that its kind of numbers can hold; 1 for floats


@dataclass(frozen=True)
class TiffTags:
    """What a TIFF file says of its first page, whether Pillow can open it or not."""

    size: tuple[int, int]  # (width, height)
    pages: int
    orientation: int  # as in EXIF
    profile: bytes
    dpi: tuple[float, float] | None  # resolution, px per inch
    codes: frozenset[int]  # of all tags, but for a description that `is_of_program`
    further: int  # channels beside colours and alpha


def read_tiff_tags(path: Path) -> TiffTags | None:
    """Read what a TIFF file says of itself; None where it is no TIFF file."""
    if not _head(path).startswith(TIFF_STARTS):
        return None
    try:
        with TiffFile(path) as file:
            page = _first(file)
            return TiffTags(
                (page.imagewidth, page.imagelength),
                _count(file),
                int(_tag(page, 274) or 1),
                bytes(_tag(page, 34675) or b""),
                _dpi(page),
                frozenset(tag.code for tag in page.tags if not is_of_program(tag.code, tag.value)),
                _further(page),
            )
    except (TiffFileError, IndexError):
        return None  # Pillow says what is wrong


def is_of_program(code: int, value: Any) -> bool:
    """Tell whether a tag is a description by which a program finds its pixels again."""
    return code == DESCRIPTION and str(value).startswith(("{", "<", "ImageJ="))


def read_deep(path: Path) -> DeepPixels | None:
    """Read the pixels of a file as it holds them; None where Pillow reads all of them.

    Raises:
        InputError: Its kind of TIFF cannot be read.
    """
    head = _head(path)
    if head.startswith(TIFF_STARTS):
        return _tiff(path)
    if head.startswith(PNG_START) and head[24:25] == b"\x10" and head[25] in PNG_WITH_COLOUR_OR_ALPHA:
        return _by_opencv(path, 65535, PNG_WITH_COLOUR_OR_ALPHA[head[25]])
    if (match := PPM.match(head)) and int(match[1]) > LARGEST_BYTE:
        return _by_opencv(path, int(match[1]), 3)
    return None


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn pixels (H, W, C) or (H, W) as EXIF's orientation says."""
    return TURNED[orientation](pixels) if orientation in TURNED else pixels


def write_deep_png(path: Path, pixels: NDArray[np.uint16], like: bytes) -> None:
    """Write 16-bit pixels (H, W, C), C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA, as a PNG file.

    Args:
        path: The file.
        pixels: In any order of bytes.
        like: A PNG file with the colour profile, EXIF and resolution to write.
    """
    if pixels.shape[2] == 2:
        pixels = pixels[:, :, [0, 0, 0, 1]]
    _, encoded = cv2.imencode(".png", _blue_first(pixels))
    content = encoded.tobytes()
    header = len(PNG_START) + 25  # the chunk IHDR
    path.write_bytes(content[:header] + _descriptions(like) + content[header:])


def write_deep_tiff(path: Path, pixels: Pixels, profile: bytes, dpi: tuple[float, float] | None) -> None:
    """Write pixels (H, W, C), C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA, as a TIFF file of their type."""
    channels = pixels.shape[2]
    imwrite(
        path,
        pixels[:, :, 0] if channels == 1 else pixels,
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        iccprofile=profile or None,
        resolution=dpi,
        resolutionunit="inch" if dpi else None,
        metadata=None,
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _first(file: TiffFile) -> TiffPage:
    page = file.pages.first
    if not isinstance(page, TiffPage):
        raise TiffFileError("no pages")
    return page


def _tag(page: TiffPage, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value


def _count(file: TiffFile) -> int:
    """Count the images of a file: programs put many behind the description of one."""
    count = len(file.pages)
    with suppress(Exception):  # descriptions of microscopes, in many dialects
        count = max(count, prod(file.series[0].shape) // prod(_first(file).shape))
    return count


def _tiff(path: Path) -> DeepPixels | None:
    """Read a TIFF file of grey or RGB with more than 8 bits."""
    try:
        with TiffFile(path) as file:
            page = _first(file)
            kinds = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB)
            if page.dtype is None or page.dtype == np.uint8 or page.photometric not in kinds:
                return None
            bits = page.bitspersample if isinstance(page.bitspersample, int) else 8 * page.dtype.itemsize
            if bits % 8:
                return None  # Pillow unpacks 12 bits
            pixels = _of_page(path, page)
    except (TiffFileError, IndexError):
        return None
    integer = page.dtype.kind in "ui"
    largest = float(2 ** (bits - (page.dtype.kind == "i")) - 1) if integer else 1.0
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        pixels = (np.asarray(largest, page.dtype) if integer else 1) - pixels
    colours = 3 if page.photometric == PHOTOMETRIC.RGB else 1
    extra = _extra(page)
    has_alpha = bool(extra) and extra[0] in ALPHA
    alpha = pixels[:, :, colours].astype(np.float32) / np.float32(largest) if has_alpha else None
    if alpha is not None and extra[0] == "ASSOCALPHA":  # the colours are multiplied with it
        divided = (pixels / np.where(alpha > 0, alpha, 1)[:, :, None]).clip(max=largest)
        pixels = (np.round(divided) if integer else divided).astype(page.dtype)
    return DeepPixels(pixels[:, :, :colours], alpha, largest)


def _extra(page: TiffPage) -> list[str]:
    """List what the channels beside the colours are, by TIFF's names."""
    return [str(getattr(kind, "name", kind)) for kind in page.extrasamples]


def _further(page: TiffPage) -> int:
    extra = _extra(page)
    return len(extra) - (bool(extra) and extra[0] in ALPHA)


def _dpi(page: TiffPage) -> tuple[float, float] | None:
    """Return the resolution of a page in px per inch, where it is given in a unit of length."""
    inches = {2: 1.0, 3: 1 / 2.54}.get(int(_tag(page, 296) or 2))
    sides = [_tag(page, code) for code in (282, 283)]
    if inches is None or not all(sides) or not all(below for _, below in sides):
        return None
    across, down = (above / below / inches for above, below in sides)
    return across, down


def _of_page(path: Path, page: TiffPage) -> Pixels:
    """Return the pixels (H, W, C) of a page."""
    try:
        pixels = np.asarray(page.asarray())
    except ValueError as error:  # a compression for which tifffile needs another library
        if page.planarconfig != PLANARCONFIG.CONTIG:
            raise InputError(
                f"{path}: its compression cannot be read where each channel is a plane of its own; save it "
                "without compression"
            ) from error
        return _decoded(path)
    if page.axes == "SYX":
        return np.moveaxis(pixels, 0, -1)
    if page.axes not in ("YX", "YXS"):
        raise InputError(f"{path}: its pixels lie along the axes {page.axes}; save a plane of it")
    return pixels.reshape(*pixels.shape[:2], -1)


def _by_opencv(path: Path, largest: int, channels: int) -> DeepPixels:
    """Read a PNG or PPM file with this many channels."""
    pixels = _decoded(path)
    has_alpha = channels in (2, 4)
    alpha = (pixels[:, :, -1] / np.float32(largest)).astype(np.float32) if has_alpha else None
    return DeepPixels(pixels[:, :, : 1 if channels == 2 else 3], alpha, float(largest))


def _decoded(path: Path) -> Pixels:
    """Decode a file by OpenCV, the colours in the order of RGB.

    Raises OSError where it is damaged.
    """
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise OSError("its pixels cannot be decoded")
    return _blue_first(np.atleast_3d(pixels))


def _blue_first(pixels: Pixels) -> Pixels:
    """Swap red and blue of (H, W, C), which OpenCV has in the other order."""
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(pixels.shape[2])
    return pixels if order is None else np.ascontiguousarray(pixels[:, :, order])


def _descriptions(like: bytes) -> bytes:
    """Return the chunks of a PNG file that describe its pixels."""
    chunks, at = b"", len(PNG_START)
    while at < len(like):
        length = int.from_bytes(like[at : at + 4], "big") + 12
        if like[at + 4 : at + 8] in (b"iCCP", b"eXIf", b"pHYs"):
            chunks += like[at : at + length]
        at += length
    return chunks


def small_png(grey: bool, **descriptions: Any) -> bytes:
    """Return a PNG file of one pixel, written by Pillow with these descriptions."""
    file = io.BytesIO()
    Image.new("L" if grey else "RGB", (1, 1)).save(file, "PNG", **descriptions)
    return file.getvalue()
