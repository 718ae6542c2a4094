"""Find the protocols that reproduce a published number from the restored images behind it.

Papers leave choices open. Every combination of them is tried: the border that is cropped, the alignment, the
conversion to grey, rounding it to 8 bits, averaging PSNRs or squared errors, the variant of SSIM. A match is
a hint, not a proof: several protocols often give the same number.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmark.core.colour import full_range_luma
from benchmark.core.errors import InputError
from benchmark.core.image_files import is_photograph
from benchmark.core.images import read_image
from benchmark.core.progress import Progress, Report
from benchmark.scoring.alignment import Image, best_shift, shifted
from benchmark.scoring.colour import studio_range_luma
from benchmark.scoring.metrics import METRICS

BESIDE = ("_kernel", "_sheet")  # how the names of pictures end that `deblur` writes beside the photo
BORDERS = (0, 5, 10, 15, 20)  # px cropped on each side
REACH = 10  # px, the largest shift that is searched; smaller borders are scored without a shift
STEPS = {"whole-pixel shift": 1, "quarter-pixel shift": 4}  # per pixel
SSIM_VARIANTS = ("ssim", "ssim-wang", "ssim-3d", "ssim-pyiqa")
# How a colour image is converted to grey. Images as they are stored are called "RGB" or "grey".
GREY_PLANES = {
    "full-range luma": full_range_luma,
    "studio-range luma": studio_range_luma,
    "mean of RGB": lambda image: image.mean(0, keepdims=True),
}
CHOICES = ("metric", "channels", "rounding", "border", "alignment", "average")
COLUMNS = (*CHOICES, "pairs", "value", "difference")

Choice = tuple[str, str, str, int, str]  # CHOICES without the average


@dataclass(frozen=True)
class Pairing:
    """Files that belong together, (restored, sharp), and restored ones without a sharp partner."""

    pairs: tuple[tuple[Path, Path], ...]
    unpaired: tuple[Path, ...]


def pair_by_name(restored: Path, sharp: Path) -> Pairing:
    """Pair the images of two folders by their names.

    A restored image belongs to the sharp one whose name, without suffix, it has or begins with before a `_`,
    `-` or `.`; of several the longest name counts. So `text_01_kernel_02.png` belongs to `text_01.png`. A
    sharp image may have several restored ones. What `blindbench deblur` writes beside a restored photo is
    passed over.

    Raises:
        InputError: A folder is missing, or no image has a partner.
    """
    sharp_by_stem = {path.stem: path for path in _images(sharp)}
    pairs, unpaired = [], []
    images = _images(restored)
    known = {path.stem for path in images}
    for path in images:
        if any(path.stem.removesuffix(ending) in known - {path.stem} for ending in BESIDE):
            continue
        stems = [
            stem
            for stem in sharp_by_stem
            if path.stem == stem or path.stem.startswith((f"{stem}_", f"{stem}-", f"{stem}."))
        ]
        if stems:
            pairs.append((path, sharp_by_stem[max(stems, key=len)]))
        else:
            unpaired.append(path)
    if not pairs:
        raise InputError(
            f"{restored}: no image has the name of one in {sharp}; name them alike, such as text_01.png or "
            "text_01_kernel_02.png for text_01.png"
        )
    return Pairing(tuple(pairs), tuple(unpaired))


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    return sorted(filter(is_photograph, folder.iterdir()))


def investigate(
    pairs: Sequence[tuple[Path, Path]], published: float, metric: Literal["psnr", "ssim"], report: Report
) -> pd.DataFrame:
    """Compute the average by every protocol.

    Args:
        pairs: (restored, sharp) image files.
        published: The number to find.
        metric: What it is an average of.
        report: Called before each pair and at the end.

    Returns:
        A row per protocol, the nearest to `published` first, with `COLUMNS`. `pairs` is the number of images
        that the protocol has a value for: it has none for images too small for its border, and none for grey
        images where it compares RGB.

    Raises:
        InputError: A file cannot be read, or the images of a pair differ in size.
    """
    values: dict[Choice, list[float]] = {}
    for index, (restored, sharp) in enumerate(pairs):
        report(Progress("pairs", index, len(pairs)))
        estimate, reference = (read_image(path).astype(np.float64) for path in (restored, sharp))
        if estimate.shape[1:] != reference.shape[1:]:
            sizes = " and ".join(f"{image.shape[1]} x {image.shape[2]}" for image in (estimate, reference))
            raise InputError(f"{restored} and {sharp} differ in size ({sizes}); remove one or crop it")
        for choice, value in _scores(estimate, reference, metric):
            values.setdefault(choice, []).append(value)
    report(Progress("pairs", len(pairs), len(pairs)))
    rows = [
        (*choice, average, len(own), value, value - published)
        for choice, own in values.items()
        for average, value in _averages(own, metric).items()
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = table.assign(distance=table.difference.abs().round(9)).sort_values("distance", kind="stable")
    return order.drop(columns="distance").reset_index(drop=True)


def tolerance(published: str) -> float:
    """Compute how far a number may lie from one that is printed: half of its last digit.

    Raises InputError when `published` is no number.

    >>> tolerance("24.97")
    0.005
    """
    if not re.fullmatch(r"\d+(\.\d*)?", published):
        raise InputError(f"--published {published}: a number as printed is needed, such as 24.97")
    return 0.5 * 10.0 ** -len(published.partition(".")[2])


def conclusion(table: pd.DataFrame, published: str) -> str:
    """Say in one or two sentences which protocols of `investigate`'s table reproduce the number."""
    within = tolerance(published) * (1 + 1e-9)
    agreeing = table[table.difference.abs() <= within]
    nearest = table.iloc[0]
    if agreeing.empty:
        return (
            f"No protocol reproduces {published}; the nearest gives {nearest.value:.4f}, "
            f"{nearest.difference:+.4f} away. It comes from other images or by another protocol."
        )
    if len(agreeing) == 1:
        return f"One protocol reproduces {published}: {describe(nearest)}."
    shared = [f"{name} {agreeing[name].iloc[0]}" for name in CHOICES if agreeing[name].nunique() == 1]
    common = f" All of them have: {', '.join(shared)}." if shared else ""
    return f"{len(agreeing)} protocols reproduce {published} to its last digit.{common}"


def describe(row: "pd.Series[Any]") -> str:
    """Put one protocol of the table into words."""
    return (
        f"{row.metric} of {row.channels}, rounding {row.rounding}, {row.border} px cropped, {row.alignment}, "
        f"averaged over {row.average}"
    )


def _averages(values: Sequence[float], metric: str) -> dict[str, float]:
    """Average the images' SSIM or, for PSNR, their mean squared errors, in each way."""
    if metric == "ssim":
        return {"images": float(np.mean(values))}
    return {
        "images": float(np.mean([_decibels(value) for value in values])),
        "squared errors": _decibels(float(np.mean(values))),
    }


def _decibels(squared_error: float) -> float:
    return float("inf") if squared_error == 0 else float(-10 * np.log10(squared_error))


def _scores(estimate: Image, reference: Image, metric: str) -> Iterator[tuple[Choice, float]]:
    """Yield the mean squared error or the SSIM of one pair by each choice."""
    luma_starts = _starts(full_range_luma(estimate), full_range_luma(reference))
    # Rounding changes SSIM too little to tell protocols apart.
    roundings = ("none", "8 bit") if metric == "psnr" else ("none",)
    for (channels, rounding), (x, y) in _planes(estimate, reference, roundings).items():
        starts = _starts(x, y) if channels == "RGB" else luma_starts
        for border, alignment, (moved, inner) in _geometries(x, y, starts):
            if metric == "psnr":
                yield ("psnr", channels, rounding, border, alignment), float(((moved - inner) ** 2).mean())
                continue
            for variant in SSIM_VARIANTS:
                # pyiqa converts to luma itself, and is slow: whole frames only, as people call a library.
                if variant == "ssim-pyiqa" and (channels not in ("RGB", "grey") or border):
                    continue
                try:
                    value = METRICS[variant].function(moved, inner)
                except InputError:
                    continue  # too small for its window
                yield (variant, channels, rounding, border, alignment), value


def _planes(
    estimate: Image, reference: Image, roundings: Sequence[str]
) -> dict[tuple[str, str], tuple[Image, Image]]:
    """Make the images to compare, by channels and rounding. Stored images are rounded already."""
    if len(estimate) == len(reference) == 1:
        return {("grey", "none"): (estimate, reference)}
    planes = {}
    if len(estimate) == len(reference):
        planes["RGB", "none"] = estimate, reference
    for (channels, plane), rounding in itertools.product(GREY_PLANES.items(), roundings):
        pair = plane(estimate), plane(reference)
        planes[channels, rounding] = pair if rounding == "none" else _rounded(*pair)
    return planes


def _rounded(*images: Image) -> tuple[Image, Image]:
    estimate, reference = (np.round(255 * image) / 255 for image in images)
    return estimate, reference


def _starts(estimate: Image, reference: Image) -> Mapping[str, tuple[float, float]]:
    """Find the best shift of each alignment, 15 px inside the frame; none for images below 31 px."""
    if min(reference.shape[1:]) <= 2 * 15:
        return {}
    return {
        alignment: best_shift(estimate, reference, border=15, max_shift=REACH, steps_per_pixel=steps).shift
        for alignment, steps in STEPS.items()
    }


def _geometries(
    x: Image, y: Image, starts: Mapping[str, tuple[float, float]]
) -> Iterator[tuple[int, str, tuple[Image, Image]]]:
    """Yield (border, alignment, images) for each border and alignment.

    The best shift depends little on the border and the kind of luma, so only the steps next to `starts` are
    tried.
    """

    def crop(image: Image, border: int) -> Image:
        return image[:, border : image.shape[1] - border, border : image.shape[2] - border]

    borders = [border for border in BORDERS if min(y.shape[1:]) > 2 * border]
    for border in borders:
        yield border, "no shift", (crop(x, border), crop(y, border))
    borders = [border for border in borders if border >= REACH]
    for alignment, start in starts.items():
        step = 1 / STEPS[alignment]
        near = [
            shifted(x, (start[0] + row, start[1] + column), REACH)
            for row, column in itertools.product((-step, 0, step), repeat=2)
            if max(abs(start[0] + row), abs(start[1] + column)) <= REACH
        ]
        for border in borders:
            inner = crop(y, border)
            cropped = [crop(moved, border - REACH) for moved in near]
            errors = [float(((moved - inner) ** 2).sum()) for moved in cropped]
            yield border, alignment, (cropped[int(np.argmin(errors))], inner)
