"""Deblur one photo of any size whose kernel size is unknown: try sizes on a part, finish the whole, judge.

The blur is taken to be the same over the frame. A method that estimates kernels sees a textured, unclipped
part of bounded size, once for each of several declared sizes; the whole photo is then restored non-blind with
the best kernel, window by window. What comes back says how far to trust it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import scipy  # loads its parts when they are used; signal takes a second
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.transform import downscale_local_mean, resize

from benchmark.blur.noise_level import noise_sigma, without_impulses
from benchmark.blur.nonblind import hyper_laplacian
from benchmark.core.progress import Progress, Report
from benchmark.core.types import Array, InputError, Restoration, Status
from benchmark.scoring.colour import full_range_luma
from benchmark.scoring.kernel_scores import kernel_similarity

Floats = NDArray[np.float64]
Slices = tuple[slice, slice]
Estimate = Callable[[Array, int], Restoration]  # part (C, H, W) and declared kernel size -> with its kernel

SIZES = (15, 31, 51, 75)  # px, tried in turn
REDUCTIONS = (1, 2, 4)  # of the photo's size, while the kernel fills the largest of SIZES
PART = 512  # px, side of the part that the kernel is found on
SMALLEST = 5  # px, of a size to try
ROOM = 3  # kernel sizes that the part's shorter side holds at least
CELL = 32  # px, side of the cells that texture is averaged over: the part lies on their grid
SMOOTHING = 2.0  # px, standard deviation, before texture is measured
ROUNDING = 1 / 255 / 12**0.5  # standard deviation of the rounding to 8 bits: no photo has less noise
CLIPPED = 1 - 1 / 510  # brighter pixels are saturated

# The final step's data term weighs WEIGHT / sigma^2, within bounds; sigma is the noise or, where that is
# more, the misfit. With 0.05, 0.1, 0.2 and 0.4 the blurs of `choose` gain 5.6, 5.9, 5.8 and 5.2 dB.
WEIGHT = 0.1
SMALLEST_WEIGHT, LARGEST_WEIGHT = 20.0, 8000.0
WINDOW = 1280  # px, side of what is restored at once, with its padding a fast length for FFTs
OVERLAP = 4  # kernel sizes that windows share at least, for their borders ring

# Beyond these a restoration is not trusted. Of the 48 blurs of `choose` 26 are: all of them gain, 1.8 dB at
# least and 6.6 on average. Among the other 22 are all 12 that gain less than 1 dB, and 8
# that gain more than 3. AGREEMENT and MISFIT were chosen on these very blurs.
AGREEMENT = 0.8
MISFIT = 6.0  # re-blur residual in units of the noise; JPEG files, whose noise is smoothed, reach 4.5
RIM = 0.15  # of the kernel's mass in the outer tenth of its box, for the largest size tried
POINT = 0.66  # of the kernel's mass within 3 x 3 px; sharp photographs of scikit-image have 0.68 to 0.76
SATURATED = 0.01  # of the pixels
TEXTURE = 3.0  # times the gradient energy that noise alone would have: below, nothing is done


@dataclass(frozen=True)
class Verdict:
    """How far a restoration is to be trusted, and why. Intensities are in [0, 1] units."""

    sentence: str
    trusted: bool
    noise: float  # standard deviation, estimated
    residual: float | None = None  # see `reblur_residual`
    agreement: float | None = None  # of the kernels of different sizes, see `agreement`
    kernel_size: int | None = None  # chosen, px of the photo

    @property
    def numbers(self) -> str:
        """What the sentence rests on; empty where nothing was done."""
        if self.kernel_size is None or self.residual is None:
            return ""
        others = (
            ""
            if self.agreement is None
            else f", similarity to other sizes' kernels {self.agreement:.2f} of 1"
        )
        return f"kernel size {self.kernel_size} px{others}; {_against_noise(self.residual, self.noise)}"


@dataclass(frozen=True)
class Deblurred:
    """The restored photo (C, H, W) in [0, 1], or the photo itself where `kernel` is None."""

    image: Array
    kernel: Floats | None  # (h, w), true-convolution form, sum 1
    verdict: Verdict


@dataclass(frozen=True)
class Candidate:
    """The kernel found for one declared size, and how the part looks when restored with it."""

    size: int
    kernel: Floats
    misfit: float  # of the part: its `reblur_residual` in units of its noise


def deblur_photo(
    photo: Array, estimate: Estimate, sizes: Sequence[int] = (), report: Report = lambda _: None
) -> Deblurred:
    """Deblur `photo` (C, H, W) in [0, 1] with the kernels that `estimate` finds for `sizes`, ascending.

    Without sizes SIZES are tried, as far as the photo has room, and again on the photo reduced in size while
    the kernel fills the largest. Impulses are removed first. Where there is nothing to deblur, the photo
    comes back as it is.
    Raises InputError for a size larger than the photo.
    """
    short = min(photo.shape[1:])
    if sizes and max(sizes) > short:
        raise InputError(
            f"the kernel size {max(sizes)} is larger than the photo ({short} px); declare a smaller one"
        )
    # Channel by channel: the doubled precision of a large photo is not held at once.
    clean = np.concatenate([without_impulses(c[None].astype(np.float64)).astype(np.float32) for c in photo])
    luma = _luma(clean)
    noise = noise_level(luma)
    if not has_texture(luma, noise):
        return _unchanged(photo, noise, "it has no edges beyond its noise that would show a blur")
    found: list[Candidate] = []
    reason, scale = "it is too small to find a kernel on", 1
    for reduction in (1,) if sizes else REDUCTIONS:
        fitting = sizes or fitting_sizes(short, reduction)
        if not fitting:
            break
        candidates, reason = find_candidates(_reduced(clean, reduction), estimate, fitting, report)
        found, scale = (candidates, reduction) if candidates else (found, scale)
        if not candidates or choose(candidates).size < max(SIZES) or not fills_box(choose(candidates).kernel):
            break
    if not found:
        return _unchanged(photo, noise, reason)
    best = choose(found)
    kernel = enlarged(best.kernel, scale)
    image = restored(clean, kernel, noise * max(1.0, best.misfit), report)
    residual = reblur_residual(luma, _luma(image), kernel)
    shared = agreement(best, found)
    doubts = list(_doubts(best, best is found[-1], shared, residual / noise, float((luma > CLIPPED).mean())))
    verdict = Verdict(_sentence(doubts, shared), not doubts, noise, residual, shared, best.size * scale)
    return Deblurred(image, kernel, verdict)


def has_texture(luma: Floats, noise: float) -> bool:
    """Whether the gradients of (H, W), at a coarse scale, have clearly more energy than noise alone has."""
    rows, _, columns = _structure(luma)
    expected = noise**2 / (4 * np.pi * SMOOTHING**4)  # of white noise after smoothing, both gradients
    return bool((rows + columns).mean() > TEXTURE * expected)


def textured_part(luma: Floats, side: int) -> Slices:
    """The part of (H, W), at most `side` px a side, with the strongest edges in all directions.

    Its worth is the smaller eigenvalue of its mean structure tensor (along edges of one direction a kernel
    stays unknown), times the fourth power of the share of its pixels that are not saturated.
    """
    size = tuple(min(side, whole) for whole in luma.shape)
    cells = [max(1, length // CELL) for length in size]
    unclipped = downscale_local_mean((luma <= CLIPPED).astype(np.float32), (CELL, CELL))
    rows, both, columns, clear = (_box_means(grid, cells) for grid in (*_structure(luma), unclipped))
    smaller = (rows + columns) / 2 - np.hypot((rows - columns) / 2, both)
    place = np.unravel_index(np.argmax(smaller * clear**4), smaller.shape)
    top, left = (min(int(i) * CELL, w - s) for i, w, s in zip(place, luma.shape, size, strict=True))
    return slice(top, top + size[0]), slice(left, left + size[1])


def fitting_sizes(short: int, reduction: int) -> list[int]:
    """Those of SIZES to try on a photo of `short` px, its shorter side, when it is reduced in size.

    Reduced photos are for kernels larger than SIZES. Photos too small for any get the largest that fits.
    """
    room = short // reduction // ROOM
    fitting = [size for size in SIZES if size <= room and (reduction == 1 or size * reduction > max(SIZES))]
    smaller = room - (room + 1) % 2
    return fitting or ([smaller] if reduction == 1 and smaller >= SMALLEST else [])


def find_candidates(
    photo: Array, estimate: Estimate, sizes: Sequence[int], report: Report
) -> tuple[list[Candidate], str]:
    """What `estimate` finds on the textured part of `photo`, size by size, and why it found nothing."""
    luma = _luma(photo)
    part = textured_part(luma, max(PART, ROOM * max(sizes)))
    noise = noise_level(luma[part])
    candidates, reason = [], ""
    for done, size in enumerate(sizes):
        report(Progress(f"trying blurs of up to {size} px", done, len(sizes)))
        found = estimate(photo[:, *part], size)
        if found.status is not Status.OK or found.kernels is None or not np.isfinite(found.kernels).all():
            reason = found.reason or "the method found no kernel"
            continue
        kernel = found.kernels[0].astype(np.float64)
        kernel /= kernel.sum()
        sharp = hyper_laplacian(luma[None, *part], kernel, _weight(noise))[0]
        residual = reblur_residual(luma[part], sharp.clip(0, 1), kernel, max(sizes) // 2)
        candidates.append(Candidate(size, kernel, residual / noise))
    return candidates, reason


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate with the least misfit, divided by its `agreement` with the others.

    Measured with `l0-robust` on 48 blurs of 5 to 56 px, of six photographs of scikit-image, 18 of them JPEG
    files: the mean gain in PSNR of the luma is 4.7 dB; the best of SIZES for each would give 5.4.
    """
    return min(candidates, key=lambda one: one.misfit / (agreement(one, candidates) or 1.0))


def agreement(one: Candidate, candidates: Sequence[Candidate]) -> float | None:
    """Mean similarity of a candidate's kernel to those of the other sizes; None where there are none."""
    others = [other for other in candidates if other is not one]
    similarities = [kernel_similarity(one.kernel, other.kernel) for other in others]
    return float(np.mean(similarities)) if others else None


def is_point(kernel: Floats) -> bool:
    """Whether most of the kernel lies within 3 x 3 px, as it does for photographs that were not blurred."""
    return bool(9 * uniform_filter(kernel, 3, mode="constant").max() > POINT)


def fills_box(kernel: Floats) -> bool:
    """Whether the kernel reaches the rim of its box: the blur may be larger than declared."""
    top, left = (max(1, round(side / 10)) for side in kernel.shape)
    return bool(1 - kernel[top:-top, left:-left].sum() > RIM)


def enlarged(kernel: Floats, factor: int) -> Floats:
    """`kernel` of a photo reduced by `factor`, in pixels of the photo itself; sides stay odd."""
    if factor == 1:
        return kernel
    shape = tuple(factor * side // 2 * 2 + 1 for side in kernel.shape)
    larger = resize(kernel, shape, order=3, mode="constant", anti_aliasing=False).clip(0)
    whole: Floats = larger / larger.sum()
    return whole


def restored(photo: Array, kernel: Floats, noise: float, report: Report = lambda _: None) -> Array:
    """`photo` (C, H, W) deconvolved with `kernel`, in [0, 1], in windows that bound the memory.

    They fade into each other. Each channel takes the hyper-Laplacian step, its weight from `noise`.
    """
    image = np.zeros(photo.shape, np.float32)
    windows = list(product(*(_spans(side, max(kernel.shape)) for side in photo.shape[1:])))
    for done, ((rows, row_shares), (columns, column_shares)) in enumerate(windows):
        report(Progress("restoring the photo", done, len(windows)))
        for channel in range(len(photo)):
            blurry = photo[channel : channel + 1, rows, columns]
            sharp = hyper_laplacian(blurry, kernel, _weight(noise))[0].clip(0, 1)
            image[channel, rows, columns] += row_shares[:, None] * column_shares * sharp
    report(Progress("restoring the photo", len(windows), len(windows)))
    return image


def reblur_residual(blurry: Floats, sharp: Floats, kernel: Floats, border: int = 0) -> float:
    """Root mean square of kernel * `sharp` - `blurry`, both (H, W), where the blur stays inside the frame.

    At least `border` px stay out at each side, so that kernels of several sizes can be compared.
    """
    difference = scipy.signal.oaconvolve(sharp, kernel, mode="same") - blurry
    rows, columns = (
        slice(max(border, side // 2), whole - max(border, side // 2))
        for side, whole in zip(kernel.shape, blurry.shape, strict=True)
    )
    return float(np.sqrt((difference[rows, columns] ** 2).mean()))


def reblurred(photo: Array, image: Array, kernel: NDArray[np.floating[Any]]) -> str:
    """How well `image` (C, H, W), blurred again, gives `photo`, as words; says nothing of other faults."""
    luma = _luma(photo)
    residual = reblur_residual(luma, _luma(image), kernel.astype(np.float64))
    return _against_noise(residual, noise_level(luma))


def noise_level(luma: Floats) -> float:
    """Standard deviation of the noise of (H, W), estimated; at least that of rounding to 8 bits."""
    return max(noise_sigma(luma), ROUNDING)


def _against_noise(residual: float, noise: float) -> str:
    return f"blurred again it misses the photo by {residual:.4f} (the photo's noise: {noise:.4f})"


def _doubts(
    best: Candidate, largest: bool, agreement: float | None, misfit: float, saturated: float
) -> Iterator[str]:
    """The reasons not to trust a restoration.

    `largest`: no larger size was tried; `misfit`: its residual in units of the noise; `saturated`: the share
    of such pixels.
    """
    if is_point(best.kernel):
        yield "most of the kernel lies within 3 x 3 px: the photo is hardly blurred, or its blur was missed"
    if agreement is not None and agreement < AGREEMENT:
        yield "the kernels of different sizes disagree"
    if fills_box(best.kernel) and largest:
        yield "the kernel reaches the rim of its square, so the blur may be larger"
    if misfit > MISFIT:
        yield f"blurred again it misses the photo by {misfit:.1f} times the noise"
    if saturated > SATURATED:
        yield f"{saturated:.0%} of the photo is saturated, where rings come from"


def _sentence(doubts: Sequence[str], agreement: float | None) -> str:
    if doubts:
        return f"do not trust this: {'; '.join(doubts)}"
    if agreement is None:
        return (
            "blurred again it gives the photo; one size was tried, so its kernel was compared with no other"
        )
    return "the kernels of different sizes agree, and blurred again it gives the photo"


def _unchanged(photo: Array, noise: float, reason: str) -> Deblurred:
    return Deblurred(photo, None, Verdict(f"nothing was done to the photo: {reason}", False, noise))


def _luma(photo: Array) -> Floats:
    luma: Floats = full_range_luma(photo.astype(np.float64))[0]
    return luma


def _reduced(photo: Array, factor: int) -> Array:
    """`photo` (C, H, W) at 1 / `factor` of its size, by means of whole blocks."""
    height, width = (side // factor * factor for side in photo.shape[1:])
    reduced: Array = downscale_local_mean(photo[:, :height, :width], (1, factor, factor)).astype(np.float32)
    return reduced


def _weight(noise: float) -> float:
    return float(np.clip(WEIGHT / noise**2, SMALLEST_WEIGHT, LARGEST_WEIGHT))


def _structure(luma: Floats) -> Iterator[Floats]:
    """Means over cells of the structure tensor of smoothed (H, W): rows, mixed, columns."""
    smooth = gaussian_filter(luma, SMOOTHING)
    down, right = np.gradient(smooth)
    for first, second in ((down, down), (down, right), (right, right)):
        yield downscale_local_mean(first * second, (CELL, CELL))


def _box_means(grid: Floats, cells: Sequence[int]) -> Floats:
    """Means of `grid` over all boxes of `cells` (rows, columns) inside it."""
    sums = np.pad(grid, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    rows, columns = cells
    total = sums[rows:] - sums[:-rows]
    means: Floats = (total[:, columns:] - total[:, :-columns]) / (rows * columns)
    return means


def _spans(length: int, kernel: int) -> list[tuple[slice, Floats]]:
    """Windows along one axis of `length` px, and each one's share of its pixels: shares fall to its ends."""
    side = max(WINDOW, 4 * kernel) - kernel // 2 * 2
    if length <= side:
        return [(slice(0, length), np.ones(length))]
    overlap = min(OVERLAP * kernel, side // 2)
    count = -(-(length - overlap) // (side - overlap))
    starts = np.linspace(0, length - side, count).round().astype(int)
    to_end = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1
    worth = np.minimum(to_end, overlap).astype(np.float64) ** 2
    total = np.zeros(length)
    for start in starts:
        total[start : start + side] += worth
    return [(slice(start, start + side), worth / total[start : start + side]) for start in starts]
