"""Draw a deblurred photo for a person: before and after pixel for pixel, and every candidate."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmark.core.files import replacing
from benchmark.core.types import Array
from benchmark.tools.deblur import Deblurred, Deblurring, KernelCandidate
from benchmark.tools.measures import Floats, visible
from benchmark.tools.texture import Slices

SIDE = 512  # px, largest side of before and after; each pixel is one of the photo
CROP = 256  # px, side of what a candidate shows
KERNEL = 150  # px, side of a kernel that is drawn
GAP = 16  # px
TITLE, TEXT = 17, 13  # px, size of the letters
LETTER = 0.53  # of the size: how wide a letter is on average
GROUND, INK, QUIET, GOOD, DOUBT = "#fbfbfa", "#1c1d1f", "#5d6167", "#1a6b3c", "#8a4b00"


@dataclass(frozen=True)
class Shown:
    """A candidate on the sheet."""

    title: str
    part: Array  # (C, h, w), restored with its kernel
    kernel: Floats
    sentence: str
    trusted: bool


def write_sheet(path: Path, name: str, deblurring: Deblurring, result: Deblurred) -> None:
    """Write the sheet of a photo that was deblurred with the best candidate.

    Above, the part on which the kernel was found, before and after, each pixel of the photo one pixel of the
    sheet. Below, each candidate: a part restored with it, its size, its kernel enlarged, its verdict.

    Args:
        path: A PNG file.
        name: Of the photo.
        deblurring: With at least one candidate.
        result: The photo restored with the best of them.
    """
    best = deblurring.best()
    assert best is not None
    rows, columns = frame = cut(best.frame, SIDE)
    before, after = deblurring.photo[:, *frame], result.image[:, *frame]
    size = f"{columns.stop - columns.start} x {rows.stop - rows.start} px"
    place = f"{size} from x = {columns.start}, y = {rows.start}"
    shown = [_shown(deblurring, candidate, candidate is best) for candidate in deblurring.candidates]
    head = f"{name}: {result.verdict.sentence}"
    sheet = _draw(head, result.verdict.trusted, (before, after), place, shown)
    with replacing(path) as temporary:
        sheet.save(temporary)


def cut(frame: Slices, side: int) -> Slices:
    """Cut a frame to at most `side` px a side, around its middle.

    >>> cut((slice(0, 100), slice(40, 50)), 20)
    (slice(40, 60, None), slice(40, 50, None))
    """
    rows, columns = (_middle(each.start, each.stop, side) for each in frame)
    return rows, columns


def _middle(start: int, stop: int, side: int) -> slice:
    first = max(start, (start + stop - side) // 2)
    return slice(first, min(stop, first + side))


def _shown(deblurring: Deblurring, candidate: KernelCandidate, is_best: bool) -> Shown:
    part = deblurring.restored_part(candidate)
    verdict = deblurring.verdict_on_part(candidate, part)
    return Shown(
        candidate.label + ", taken" * is_best,
        part[:, *cut((slice(0, part.shape[1]), slice(0, part.shape[2])), CROP)],
        candidate.kernel,
        verdict.sentence,
        verdict.trusted,
    )


def _draw(
    head: str, trusted: bool, pair: tuple[Array, Array], place: str, shown: Sequence[Shown]
) -> Image.Image:
    """Lay out the sheet."""
    large, small = (ImageFont.load_default(size) for size in (TITLE, TEXT))
    cell = CROP + GAP + CROP
    width = 2 * max(cell, pair[0].shape[2]) + 3 * GAP
    head_lines = _wrapped(head, width - 2 * GAP, TITLE)
    cells = [_wrapped(each.sentence, cell - CROP - GAP, TEXT) for each in shown]
    line = TEXT + 4
    heights = [max(CROP, TITLE + 8 + KERNEL + 8 + line * len(lines)) for lines in cells]
    per_row = [max(heights[at : at + 2]) for at in range(0, len(heights), 2)]
    top = GAP + len(head_lines) * (TITLE + 5) + 8
    height = top + line + pair[0].shape[1] + GAP + sum(each + GAP for each in per_row)
    sheet = Image.new("RGB", (width, height), GROUND)
    pen = ImageDraw.Draw(sheet)
    for number, text in enumerate(head_lines):
        pen.text((GAP, GAP + number * (TITLE + 5)), text, GOOD if trusted else DOUBT, large)
    for left, what, image in zip((GAP, (width + GAP) // 2), ("before", "after"), pair, strict=True):
        pen.text((left, top), f"{what}, pixel for pixel: {place}", QUIET, small)
        sheet.paste(_picture(image), (left, top + line))
    top += line + pair[0].shape[1] + GAP
    for number, (each, lines) in enumerate(zip(shown, cells, strict=True)):
        left = (GAP, (width + GAP) // 2)[number % 2]
        sheet.paste(_picture(each.part), (left, top))
        right = left + CROP + GAP
        pen.text((right, top), each.title, INK, large)
        kernel = visible(each.kernel) / each.kernel.max()
        square = _picture(kernel[None]).resize((KERNEL, KERNEL), Image.Resampling.NEAREST)
        sheet.paste(square, (right, top + TITLE + 8))
        for row, text in enumerate(lines):
            at = (right, top + TITLE + KERNEL + 16 + row * line)
            pen.text(at, text, GOOD if each.trusted else DOUBT, small)
        if number % 2:
            top += per_row[number // 2] + GAP
    return sheet


def _wrapped(text: str, width: int, size: int) -> list[str]:
    return textwrap.wrap(text, max(20, int(width / (LETTER * size))))


def _picture(image: Array) -> Image.Image:
    """Convert (C, H, W) in [0, 1] to 8 bits; grey or RGB."""
    pixels = np.round(255 * image.clip(0, 1)).astype(np.uint8)
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
