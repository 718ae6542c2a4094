"""Read and write photos with all that their files have beside the pixels."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.core.deep_pixels import Pixels, small_png, write_deep_png, write_deep_tiff
from benchmark.core.errors import InputError
from benchmark.core.files import replacing
from benchmark.core.image_files import HEIF_SUFFIXES, Content, Descriptions, read_file
from benchmark.core.images import as_pillow, scaled, value_range
from benchmark.core.types import Array

Kind = Literal["uint8", "uint16", "uint32", "float32"]

NOT_FOR_PHOTOS = (".pbm", ".pfm")  # of the format PPM: for black and white, and for floats
QUALITY = 95  # of 100, for formats that have one: Pillow's 75 or 80 undoes part of a restoration
USUAL_DPI = {1, 72, 96}  # px per inch, that programs write which know of none
BITS_OF_CAMERAS = 14  # or fewer are often kept in 16


@dataclass(frozen=True)
class _Format:
    """What a format of photographs keeps when it is written."""

    alpha: bool = False
    kinds: tuple[Kind, ...] = ("uint8",)  # the last one has the most bits
    described: bool = True  # by colour profile and EXIF
    resolution: bool = True  # px per inch
    # Options of Pillow. A format with any has a quality, too: the higher, the less its pixels change.
    options: tuple[tuple[str, Any], ...] = ()
    longest: int | None = None  # px, the largest side


WRITTEN = {  # by Pillow's names
    "PNG": _Format(alpha=True, kinds=("uint8", "uint16")),
    "TIFF": _Format(alpha=True, kinds=("uint8", "uint16", "uint32", "float32")),
    "JPEG": _Format(options=(("subsampling", 0),), longest=65_500),
    "WEBP": _Format(alpha=True, resolution=False, options=(("method", 4),), longest=16_383),
    "AVIF": _Format(alpha=True, resolution=False, options=(("subsampling", "4:4:4"),), longest=65_536),
    "HEIF": _Format(alpha=True, resolution=False, options=(("chroma", 444),)),
    "BMP": _Format(described=False),
    "PPM": _Format(described=False, resolution=False),
}


@dataclass(frozen=True)
class Photo:
    """An image with all that its file has beside it."""

    image: Array  # (C, H, W) in [0, 1]
    alpha: Array | None = None  # (1, H, W) in [0, 1]
    kind: Kind = "uint8"  # of the numbers in the file
    low: float = 0  # the number that is 0 in `image`
    high: float | None = None  # the number that is 1 in `image`; None: the largest of the kind
    descriptions: Descriptions = field(default_factory=Descriptions)
    notes: tuple[str, ...] = ()  # sentences on what was not read, and on how the numbers were taken

    @property
    def scale(self) -> tuple[float, float]:
        """The numbers that are 0 and 1 in `image`."""
        return self.low, _largest(self.kind) if self.high is None else self.high


def read_photo(path: Path) -> Photo:
    """Read an image file, turned as its EXIF tag says, and keep all that belongs to it.

    Numbers count from 0, or the least if that is negative, to the most that the file may be meant to hold:
    cameras keep 10 to 14 bits in 16, and microscopes any range. A file whose end is missing is read as far as
    it goes.

    Raises:
        InputError: The file is missing, damaged or no image, or has values that are not finite.
    """
    content = read_file(path, whole=False)
    kind, low, high, note = _range(path, content)
    lost = content.descriptions.lost
    notes = (content.missing, note, f"not read from the photo: {', '.join(lost)}" if lost else "")
    alpha = None if content.alpha is None else np.ascontiguousarray(content.alpha[None])
    image = scaled(content.pixels, low, high)
    return Photo(image, alpha, kind, low, high, content.descriptions, tuple(filter(None, notes)))


def require_format(path: Path, photo: Photo | None = None, quality: int | None = None) -> None:
    """Check, before the work, that a photo can be written.

    Args:
        path: Where it will go.
        photo: What will be written, as soon as it is known.
        quality: That was asked for.

    Raises:
        InputError: Its suffix is that of no format that can be written, or the format has no quality or is
            not for such a photo.
    """
    suffix, known = path.suffix.lower(), Image.registered_extensions()
    name = known.get(suffix, "")
    if suffix in HEIF_SUFFIXES and not name:
        raise InputError(
            f"{path}: the package pillow-heif writes {suffix}; install it, or write .png or .jpg"
        )
    if name not in WRITTEN or name not in Image.SAVE or suffix in NOT_FOR_PHOTOS:
        raise InputError(f"{path}: unknown image format '{path.suffix}'; write .png or .jpg")
    kept = WRITTEN[name]
    if quality is not None and not kept.options:
        raise InputError(f"{path}: {suffix} has no quality, it keeps every pixel; leave the quality out")
    if photo is None:
        return
    if kept.longest is not None and max(photo.image.shape) > kept.longest:
        raise InputError(f"{path}: {suffix} holds no image beyond {kept.longest} px a side; write .png")
    if suffix == ".pgm" and len(photo.image) > 1:
        raise InputError(f"{path}: .pgm holds grey images, and the photo has colours; write .ppm or .png")


def write_photo(path: Path, photo: Photo, quality: int | None = None) -> list[str]:
    """Write a photo with all that the format of the suffix keeps.

    Args:
        path: The file.
        photo: What to write.
        quality: 1 to 100, for formats that have one; None: `QUALITY`.

    Returns:
        Sentences on what the format cannot keep.

    Raises:
        InputError: As `require_format`.
        MachineError: The file cannot be written.
    """
    require_format(path, photo, quality)
    name = Image.registered_extensions()[path.suffix.lower()]
    kept, says = WRITTEN[name], photo.descriptions
    kind, (low, high) = _written(photo, kept)
    pixels = _of_kind(low + (high - low) * _channels_last(photo.image), kind)
    if photo.alpha is not None and kept.alpha:
        alpha = _of_kind(_channels_last(photo.alpha) * _largest(kind), kind)
        pixels = np.concatenate((pixels, alpha), 2)
    given: dict[str, Any] = {"dpi": says.dpi} if kept.resolution else {}
    given |= {"icc_profile": says.profile, "exif": says.exif} if kept.described else {}
    options = {key: value for key, value in given.items() if value}
    if kept.options:
        options |= {"quality": QUALITY if quality is None else quality, **dict(kept.options)}
    with replacing(path) as temporary:
        if kind == "uint8":
            as_pillow(pixels).save(temporary, **options)
        elif name == "PNG":
            write_deep_png(temporary, pixels, small_png(pixels.shape[2] < 3, **options))
        else:
            write_deep_tiff(temporary, pixels, says.profile, says.dpi)
    return _sentences(path.suffix.lower(), photo, (low, high))


def _written(photo: Photo, kept: _Format) -> tuple[Kind, tuple[float, float]]:
    """Choose the kind of numbers for a format, and those of them that are black and white."""
    low, high = photo.scale
    if photo.kind in kept.kinds:
        return photo.kind, (low, high)
    kind = kept.kinds[-1]
    fits = photo.kind == "uint32" and kind == "uint16" and high <= _largest(kind)
    return kind, (low, high) if fits else (0, _largest(kind))


def _sentences(suffix: str, photo: Photo, written: tuple[float, float]) -> list[str]:
    """Say what is lost of a photo, and where the numbers `written` as black and white are others."""
    lost = _lost(suffix, photo)
    other = next(
        (f"; write {each} if you need it" for each in (".png", ".tif") if not _lost(each, photo)), ""
    )
    sentences = [f"{suffix} cannot keep {' and '.join(lost)} of the photo{other}"] if lost else []
    if suffix == ".png" and photo.alpha is not None and len(photo.image) == 1 and photo.kind != "uint8":
        sentences.append(
            "its grey stands in three equal channels, as it has more than 8 bits and transparency"
        )
    low, high = photo.scale
    if photo.scale not in (written, (0, _largest(photo.kind))):
        sentences.append(
            f"its values {written[0]:g} to {written[1]:g} are {low:.6g} to {high:.6g} of the photo"
        )
    return sentences


def _lost(suffix: str, photo: Photo) -> list[str]:
    """List what the format of a suffix cannot keep of a photo."""
    name = Image.registered_extensions()[suffix]
    kept, says = WRITTEN[name], photo.descriptions
    kind, scale = _written(photo, kept)
    lost = ["its transparency"] * (photo.alpha is not None and not kept.alpha)
    if kind != photo.kind and scale != photo.scale:
        bits = f"{photo.kind.removeprefix('uint')} bits per pixel"
        lost += ["floating-point values" if photo.kind == "float32" else bits]
    lost += ["its colour profile"] * (bool(says.profile) and not kept.described)
    has_exif = kept.described and (name != "TIFF" or kind == "uint8")
    lost += ["its EXIF data"] * (bool(says.exif) and not has_exif)
    is_chosen = says.dpi is not None and not set(map(round, says.dpi)) <= USUAL_DPI
    return lost + ["its resolution in px per inch"] * (is_chosen and not kept.resolution)


def _largest(kind: Kind) -> float:
    return 1.0 if kind == "float32" else float(np.iinfo(kind).max)


def _channels_last(image: Array) -> NDArray[np.float64]:
    return image.transpose(1, 2, 0).astype(np.float64).clip(0, 1)


def _of_kind(values: NDArray[np.float64], kind: Kind) -> Pixels:
    return values.astype(kind) if kind == "float32" else np.round(values).astype(kind)


def _range(path: Path, content: Content) -> tuple[Kind, float, float, str]:
    """Choose how the numbers of a photo are taken: their kind, black, white, and a sentence on that."""
    low, high = value_range(path, content.pixels)
    numbers = content.pixels.dtype
    if numbers == np.uint8:
        return "uint8", 0, 255, ""
    if numbers.kind in "ui" and low >= 0 and high <= _largest("uint32"):
        kind: Kind = "uint16" if numbers.itemsize == 2 else "uint32"
        bits = max(8, int(high).bit_length())
        white = 2.0**bits - 1
        if white >= content.largest or (kind == "uint16" and bits > BITS_OF_CAMERAS):
            return kind, 0, content.largest, ""
        return kind, 0, white, f"its values end at {high:.0f}, so {white:.0f} is taken as white ({bits} bits)"
    if (low >= 0 and 0.5 <= high <= 1) or low == high == 0:
        return "float32", 0, 1, ""
    black = min(low, 0.0)
    white = high if high > black else black + 1
    words = f"its values lie between {low:.6g} and {high:.6g}; "
    return "float32", black, white, f"{words}{black:.6g} is taken as black, {white:.6g} as white"
