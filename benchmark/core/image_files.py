"""Open image files of every kind, and say what each of them holds. Every image file is opened here."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from benchmark.core.deep_pixels import (
    DESCRIPTION,
    Pixels,
    TiffTags,
    is_of_program,
    read_deep,
    read_tiff_tags,
    upright,
)
from benchmark.core.errors import InputError

with suppress(ImportError):  # who has pillow-heif can read what phones write
    from pillow_heif import register_heif_opener

    register_heif_opener()

# By Pillow's names, the formats of photographs. Pillow chooses by content, not by suffix, and a format such
# as EPS would start another program.
FORMATS = frozenset(("AVIF", "BMP", "HEIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"))
HEIF_SUFFIXES = (".heic", ".heif")
PHOTOGRAPHS = frozenset(  # the suffixes of these formats, in lower case
    suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS
).union(HEIF_SUFFIXES)
MOST_PIXELS = 100_000_000  # of a file that is read: 1.2 GB as float32 RGB
MOST_MISSING = 0.5  # of the rows of a cut file, that it is still worth restoring
# What of EXIF describes the photo and not its file: description, maker, model, date, artist, rating,
# copyright, the camera's settings, the place, and title, comment, author, keywords and subject of Windows.
ORIENTATION = 0x0112  # in EXIF
EXIF_TAGS = frozenset((DESCRIPTION, 271, 272, 306, 315, 18246, 33432, 34665, 34853, *range(40091, 40096)))
# Of TIFF and EXIF: how the pixels are stored, which program did it, and what is read as profile, XMP and IPTC
# data.
STORAGE_TAGS = frozenset(
    (254, 255, 256, 257, 258, 259, 262, 263, 266, ORIENTATION, 273, *range(277, 285), 288, 289, 290, 291,
     296, 297, 301, 305, 317, 318, 319, 320, *range(321, 326), 330, *range(338, 348), *range(512, 533), 700,
     33723, 34377, 34675, 50341)
)  # fmt: skip
IPTC_TAGS = frozenset((33723, 34377))
USUAL_GAMMA, GAMMA_ROUNDING = 1 / 2.2, 0.01
MOST_NAMES = 4  # of further tags, in a sentence
COLOUR_SPACES = {1: b"GRAY", 3: b"RGB "}  # by channels: as a colour profile names what it is for
PAGE = {"TIFF": "pages", "MPO": "pictures"}  # by format: what the images of a file are called; else frames


@dataclass(frozen=True)
class Descriptions:
    """What a file says of its pixels."""

    profile: bytes = b""  # of its colours, by ICC
    exif: bytes = b""  # without the orientation
    dpi: tuple[float, float] | None = None  # resolution, px per inch
    lost: tuple[str, ...] = ()  # what of the file is not read
    texts: Mapping[str, str] = field(default_factory=dict)  # of a PNG file, by their names


@dataclass(frozen=True)
class Content:
    """What a file holds, turned upright."""

    pixels: Pixels  # (H, W, C), numbers as the file has them, C = 1 for grey, else 3
    largest: float  # that its kind of numbers can hold; 1 for floats
    alpha: NDArray[np.float32] | None = None  # (H, W) in [0, 1]
    descriptions: Descriptions = field(default_factory=Descriptions)
    missing: str = ""  # a sentence, where the end of the file is missing


def is_photograph(path: Path) -> bool:
    """Tell whether the suffix is that of one of the `FORMATS`."""
    return path.suffix.lower() in PHOTOGRAPHS


def read_file(path: Path, whole: bool) -> Content:
    """Read a file of one of the `FORMATS`, its pixels turned as its EXIF tag says.

    Args:
        path: The file.
        whole: Whether a file whose end is missing is refused.

    Raises:
        InputError: The file is missing, damaged or no image.
    """
    with _refusals(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's doubts about a file; its size is checked here
        tags = read_tiff_tags(path)
        if tags is not None:
            _require_size(*tags.size)
        try:
            with _opened(path) as file:
                return _read_opened(path, file, tags, whole)
        except UnidentifiedImageError:  # of numbers that Pillow does not have
            if tags is None:
                raise
            return _read_tiff(path, tags)


def _opened(path: Path) -> Image.Image:
    file = Image.open(path, formats=sorted(FORMATS.intersection(Image.OPEN)))
    try:
        _require_size(*file.size)
    except Image.DecompressionBombError:
        file.close()
        raise
    return file


def _require_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise Image.DecompressionBombError


def _read_opened(path: Path, file: Image.Image, tags: TiffTags | None, whole: bool) -> Content:
    """Read a file that Pillow has opened, and whose pixels it may only have with 8 bits."""
    pages = tags.pages if tags else getattr(file, "n_frames", 1)
    lost = _pages(pages, PAGE.get(file.format or "", "frames"))
    if tags is not None:
        lost += _channels(tags.further)
    deep = read_deep(path)
    if deep is not None:
        orientation = file.getexif().get(ORIENTATION, 1)
        described = _described(file, deep.pixels.shape[2], lost)
        alpha = _transparent_colour(file, deep.pixels) if deep.alpha is None else deep.alpha
        alpha = None if alpha is None else upright(alpha, orientation)
        return Content(upright(deep.pixels, orientation), deep.largest, alpha, described)
    if bits := _bits_lost(path, file):
        lost = (*lost, f"more than 8 of its {bits} bits per channel")
    loaded, missing = _loaded(path, file, whole)
    turned = ImageOps.exif_transpose(loaded)
    pixels, largest = _pixels_of(path, turned)
    described = _described(loaded, pixels.shape[2], lost)
    return Content(pixels, largest, _alpha_of(turned, pixels), described, missing)


def _alpha_of(file: Image.Image, pixels: Pixels) -> NDArray[np.float32] | None:
    if not file.has_transparency_data:
        return None
    if file.mode.startswith("I"):  # Pillow converts 8 bits of it
        return _transparent_colour(file, pixels)
    return np.asarray(file.convert("RGBA"), np.float32)[:, :, 3] / np.float32(255)


def _transparent_colour(file: Image.Image, pixels: Pixels) -> NDArray[np.float32] | None:
    """Return an alpha (H, W) that is 0 where pixels (H, W, C) have the one colour that is transparent."""
    colour = file.info.get("transparency")
    return None if colour is None else (pixels != np.atleast_1d(colour)).any(2).astype(np.float32)


def _read_tiff(path: Path, tags: TiffTags) -> Content:
    """Read a TIFF file that Pillow cannot open."""
    deep = read_deep(path)
    if deep is None:
        raise UnidentifiedImageError
    profile, lost = _fitting_profile(tags.profile, deep.pixels.shape[2])
    exif = ["its EXIF data"] * bool(tags.codes & EXIF_TAGS)
    lost = (*_channels(tags.further), *_pages(tags.pages, "pages"), *lost, *exif, *_further_tags(tags.codes))
    alpha = None if deep.alpha is None else upright(deep.alpha, tags.orientation)
    pixels = upright(deep.pixels, tags.orientation)
    return Content(pixels, deep.largest, alpha, Descriptions(profile, dpi=tags.dpi, lost=lost))


def _loaded(path: Path, file: Image.Image, whole: bool) -> tuple[Image.Image, str]:
    """Decode the pixels of a file. Returns it, and a sentence where its end is missing.

    Raises OSError where too much is missing, or anything if it shall be `whole`.
    """
    try:
        file.load()
        return file, ""
    except (OSError, SyntaxError, ValueError) as error:
        if whole or "truncated" not in str(error):
            raise
        given, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
        try:
            file = _opened(path)  # the first one cannot be decoded again
            file.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = given
        missing = _rows_of_one_colour(np.atleast_3d(np.asarray(file)))
        if missing > MOST_MISSING * file.height:
            raise
    rows = f"up to {missing} of its {file.height} rows are" if missing else "some of its last rows may be"
    return file, f"the end of the photo's file is missing: {rows} blank; get the whole file if you can"


def _rows_of_one_colour(pixels: Pixels) -> int:
    """Count the rows at the bottom of (H, W, C) that have all the colour of the last pixel."""
    differing = (pixels != pixels[-1, -1]).any((1, 2))
    return int(np.argmax(differing[::-1])) if differing.any() else len(pixels)


def _pixels_of(path: Path, file: Image.Image) -> tuple[Pixels, float]:
    """Return pixels (H, W, C), C = 1 or 3, and the largest number of their kind."""
    if file.mode == "F":
        return np.asarray(file)[:, :, None], 1.0
    if file.mode.startswith("I"):
        bits = getattr(file, "tag_v2", {}).get(258, (16,))[0]
        return np.asarray(file).astype(np.uint16)[:, :, None], 4095.0 if bits == 12 else 65535.0
    if file.mode == "LAB":
        raise InputError(f"{path}: its colours are those of CIELAB; convert it to RGB")
    grey = file.mode in ("1", "L", "LA", "La")
    return np.atleast_3d(np.asarray(file.convert("L" if grey else "RGB"))), 255.0


def _described(file: Image.Image, channels: int, lost: tuple[str, ...]) -> Descriptions:
    """Collect what a file says of its pixels, once they have so many channels; `lost` is so already."""
    profile, profile_lost = _fitting_profile(file.info.get("icc_profile") or b"", channels)
    if file.mode == "CMYK":
        profile_lost = ("its colours for print (CMYK), which become RGB",)
    exif, exif_lost = _exif_of(file)
    texts = dict(getattr(file, "text", {}))
    lost = (*lost, *profile_lost, *exif_lost, *_beside_pixels(file))
    return Descriptions(profile, exif, _dpi_of(file), lost, texts)


def _beside_pixels(file: Image.Image) -> Iterator[str]:
    """Name what else a file holds beside its pixels."""
    if file.info.get("xmp"):
        yield "its XMP data"
    if file.info.get("photoshop") or IPTC_TAGS.intersection(getattr(file, "tag_v2", ())):
        yield "its IPTC data"
    if file.info.get("comment"):
        yield "its comment"
    names = [name for name in getattr(file, "text", {}) if not name.startswith(("XML:", "Raw profile"))]
    if names:
        yield f"its text ({_few(names)})"
    gamma = file.info.get("gamma", USUAL_GAMMA)
    if not {"icc_profile", "srgb"} & set(file.info) and abs(gamma - USUAL_GAMMA) > GAMMA_ROUNDING:
        yield f"its gamma of {gamma:g}"


def _channels(count: int) -> tuple[str, ...]:
    return (f"{count} further channel{'s' * (count > 1)}",) if count else ()


def _few(names: Sequence[str]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _further_tags(codes: Iterable[int]) -> tuple[str, ...]:
    """Name the tags that neither describe the photo nor say how its pixels are stored."""
    names = [str(ExifTags.TAGS.get(code, code)) for code in sorted(set(codes) - EXIF_TAGS - STORAGE_TAGS)]
    return (f"its tags {_few(names)}",) if names else ()


def _pages(count: int, word: str) -> tuple[str, ...]:
    return (f"all but the first of its {count} {word}",) if count > 1 else ()


def _fitting_profile(profile: bytes, channels: int) -> tuple[bytes, tuple[str, ...]]:
    """Return a colour profile if it is for so many channels, and else that it is lost."""
    if not profile or profile[16:20] == COLOUR_SPACES[channels]:
        return profile, ()
    return b"", (f"its colour profile, which is not for {'RGB' if channels == 3 else 'grey'}",)


def _exif_of(file: Image.Image) -> tuple[bytes, tuple[str, ...]]:
    """Return the EXIF data that describe the photo, or that they are lost."""
    try:
        exif = file.getexif()
        if is_of_program(DESCRIPTION, exif.get(DESCRIPTION)):
            del exif[DESCRIPTION]
        lost = _further_tags(exif)
        for tag in set(exif) - EXIF_TAGS:
            del exif[tag]
        return (exif.tobytes() if len(exif) else b""), lost
    except Exception:  # cameras write all sorts of damaged data
        return b"", ("its EXIF data, which are damaged",)


def _dpi_of(file: Image.Image) -> tuple[float, float] | None:
    try:
        across, down = map(float, file.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < np.inf and 0 < down < np.inf else None


def _bits_lost(path: Path, file: Image.Image) -> int:
    """Return the bits per channel of a file of which Pillow reads 8 alone; else 0."""
    bits = 8
    if file.format == "TIFF" and file.mode == "CMYK":
        bits = int(max(getattr(file, "tag_v2", {}).get(258, (8,))))
    elif file.format == "HEIF":
        bits = int(file.info.get("bit_depth", 8))
    elif file.format == "AVIF":
        content = path.read_bytes()
        box = content.find(b"av1C")
        flags = content[box + 6] if 0 <= box < len(content) - 6 else 0
        bits = (
            (12 if flags & 0x20 else 10) if flags & 0x40 else 8
        )  # high_bitdepth, twelve_bit of AV1's ISOBMFF
    return bits if bits > 8 else 0


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with a file into one line."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except UnidentifiedImageError as error:
        advice = "install pillow-heif, or " if path.suffix.lower() in HEIF_SUFFIXES else ""
        raise InputError(
            f"{path}: not a photograph that can be read; {advice}convert it to PNG or JPEG"
        ) from error
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
