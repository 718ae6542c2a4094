"""Deblur one photo of any size whose kernel size is unknown, and judge the result.

The blur is taken to be the same everywhere, unless parts of the photo are compared. A method estimates the
kernel on a textured part of bounded size, once for each of several declared sizes. The best kernel then
restores the whole photo.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.transform import downscale_local_mean, resize

from benchmark.blur.kernel_energy import is_turned, kernel_energy
from benchmark.blur.noise_level import without_impulses
from benchmark.core.errors import InputError
from benchmark.core.progress import Progress, Report, silent
from benchmark.core.types import Array, Restoration, Status
from benchmark.scoring.kernel_scores import kernel_similarity
from benchmark.tools.grids import KernelGrid, blurred_on_grid, find_grid, per_pixel_method, restore_on_grid
from benchmark.tools.measures import (
    ROUNDING,
    Floats,
    clipped_pixels,
    fills_box,
    is_point,
    luma_of,
    noise_level,
    reblur_residual,
    unexplained_share,
)
from benchmark.tools.streaks import ALIKE, kernel_of_streaks
from benchmark.tools.texture import Slices, has_texture, textured_part
from benchmark.tools.verdict import AGREEMENT, UNEXPLAINED, Verdict, judge, nothing_done
from benchmark.tools.windows import deconvolve, restored_window
from methods.parts.kernel_steps import SMOOTHING, normalised
from methods.parts.polish import EDGE
from methods.parts.registry import built_in

# Estimates the kernel of a part (C, H, W) for a declared size in px.
Estimate = Callable[[Array, int], Restoration]

KERNEL_METHOD = "l0-robust"  # estimates the kernel unless another method is asked for
DEEP_PRESET = "photo"  # of the method that estimates a kernel, too, where there is time and kernels disagree
SIZES = (15, 31, 51, 75, 101, 151)  # px, tried in turn
ALWAYS = 75  # px: a larger one of SIZES is tried only where the kernel of the one before fills its box
REDUCTIONS = (1, 2, 4)  # of the photo's size, as long as the best kernel fills the largest of SIZES
PART = 512  # px, side of the part on which kernels are estimated
DEEP_PART = 255  # px, side of the middle of that part on which the deep method works: it is slow
SMALLEST = 5  # px, of a size to try
TOO_SMALL = "it is too small to find a kernel on"
NO_EDGES = "it has no edges beyond its noise that would show a blur"
DIFFERENT = "; the kernels of the photo's parts differ, but explain it no better"
OWN_KERNELS = "; the blur differs over the photo: {} of {} parts are restored with kernels of their own"
ROOM = 3  # times the kernel size: the least shorter side of the part
# Chosen on photographs of datasets/verdict-tuning.yaml and on two real ones, of a sign and of a statue.
NEAR = 1.75  # times the least unexplained share: a kernel with more is not chosen
AMPLE = 5  # times the kernel size: a part with a shorter side below finds a kernel of so large a size badly


@dataclass(frozen=True)
class Deblurred:
    """A restored photo; where nothing was done, the photo itself and no kernel."""

    image: Array  # (C, H, W) in [0, 1]
    kernel: Floats | None  # (h, w), true-convolution form, sum 1
    verdict: Verdict


@dataclass(frozen=True)
class KernelCandidate:
    """The kernel that was estimated for one declared size, or that was given."""

    size: int  # px of the photo as it was reduced, declared
    kernel: Floats
    misfit: float  # re-blur residual of the part restored with it, in units of the part's noise
    energy: float = np.inf  # see `kernel_energy`; infinite where the part is not larger than the kernel
    unexplained: float = np.inf  # see `unexplained_share`; infinite likewise, and where nothing was changed
    reduction: int = 1  # the photo was reduced to 1 / so much of its size
    part: Slices = (slice(0, 0), slice(0, 0))  # of the reduced photo, on which it was estimated
    seconds: float = 0.0  # that it took
    given: bool = False  # by the user, not estimated
    turned: bool = False  # given, and turned by 180 degrees it explains the part far better
    is_deep: bool = False  # whether the deep method estimated it
    streaks: int = 0  # how many light streaks look alike from which it is; 0 for an estimate

    @property
    def label(self) -> str:
        """What it is, for a person."""
        size = f"{self.size * self.reduction} px"
        if self.given:
            return f"given kernel, {size}"
        if self.streaks:
            return f"{self.streaks} light streaks, {size}"
        return f"blurs of up to {size}" + ", by a network" * self.is_deep

    @property
    def frame(self) -> Slices:
        """The part on which it was estimated, in px of the photo as given."""
        rows, columns = (slice(self.reduction * side.start, self.reduction * side.stop) for side in self.part)
        return rows, columns


@dataclass(frozen=True)
class _Place:
    """Where kernels are estimated: the textured part of a photo that was reduced in size."""

    reduction: int
    part: Slices
    photo: Array  # (C, h, w), the part
    luma: Floats  # of the part, (h, w)
    clipped: NDArray[np.bool_]  # saturated pixels of the part, (h, w)
    noise: float  # of the part, standard deviation
    largest: int  # px: misfits and energies are taken where the blur of so large a kernel stays inside


class Deblurring:
    """A photo, and the kernels that were estimated for it so far.

    Salt-and-pepper noise is removed first. A photo without edges, or too small, gets no kernels.

    Args:
        photo: (C, H, W) in [0, 1].
        part: Where kernels are estimated, in px of the photo. None: on its most textured part.
    """

    def __init__(self, photo: Array, part: Slices | None = None) -> None:
        self.photo = photo
        self._given_part = part
        self.candidates: list[KernelCandidate] = []
        self._grid: tuple[KernelCandidate, KernelGrid] | None = None  # of a candidate whose parts differ
        self._spots = False
        self._noise = ROUNDING
        self._reason = TOO_SMALL  # why there is no candidate
        self._short = min(photo[:, *(part or ())].shape[1:])  # px, where kernels are estimated
        self._can_find = self._short >= SMALLEST
        if not self._can_find:
            return
        # Channel by channel: the doubled precision of a large photo is not held at once.
        clean = [without_impulses(c[None].astype(np.float64)).astype(np.float32) for c in photo]
        self._clean = np.concatenate(clean)
        self._luma = luma_of(self._clean)
        self._noise = noise_level(self._luma)
        if not has_texture(self._luma[part or ()], self._noise):
            self._can_find, self._reason = False, NO_EDGES

    def find(
        self,
        estimate: Estimate,
        sizes: Sequence[int] = (),
        report: Report = silent,
        *,
        finer: bool = True,
        deep: Estimate | None = None,
        spots: bool = False,
    ) -> Iterator[KernelCandidate]:
        """Yield a candidate for each kernel size, as it comes, and add it to `candidates`.

        Args:
            estimate: Estimates a kernel for one declared size; `OneImage` is one.
            sizes: The kernel sizes to try, in px, ascending. Without any, those of `SIZES` for which the
                photo has room, up to `ALWAYS` or to the first beyond whose box the kernel does not fill;
                where the best one fills the largest, they are tried again on the photo reduced in size.
            report: Called before each size.
            finer: Whether the sizes between the best one and its neighbours are tried, too.
            deep: A slower estimate, which is tried for the best size where the kernels disagree, or even the
                best does not explain the photo.
            spots: Whether round spots are looked for, as for a lens out of focus: then they are no doubt.

        Raises:
            InputError: A size is larger than the photo, or than the part that was given.
        """
        short, self._spots = self._short, spots
        if sizes and max(sizes) > short:
            whole = "photo" if self._given_part is None else "part"
            raise InputError(
                f"the kernel size {max(sizes)} is larger than the {whole} ({short} px); declare a smaller one"
            )
        for reduction in (1,) if sizes else REDUCTIONS:
            ladder = sizes or fitting_sizes(short, reduction)
            if not ladder or not self._can_find:
                return
            place = self._place(reduction, max(ladder))
            latest: list[KernelCandidate] = []
            task = "finding the kernel" + (f" at 1/{reduction} of the size" if reduction > 1 else "")
            plan = list(sizes) or [size for size in ladder if size <= ALWAYS or size in ladder[:2]]
            for done, size in enumerate(plan):  # it grows on the way
                report(Progress(task, done, len(plan), f"blurs of up to {size} px"))
                yield from self._tried(place, size, estimate, latest)
                if done + 1 < len(plan) or sizes or not latest:
                    continue
                larger = [other for other in ladder if other > size]
                if size in ladder and larger and latest[-1].size == size and fills_box(latest[-1].kernel):
                    plan.append(larger[0])
                elif finer and size in ladder and not self._needs_reduction(latest):
                    plan += finer_sizes(choose(latest).size, [each.size for each in latest])
            report(Progress(task, len(plan), len(plan)))
            if sizes or not latest:
                return
            if reduction == 1 and not spots:
                yield from self._from_streaks(place, latest, report)
            if self._needs_reduction(latest):
                continue
            best = choose(latest)
            disagree = (agreement(best, latest) or 0) < AGREEMENT
            if deep and (disagree or best.unexplained > UNEXPLAINED):
                why = "the kernels disagree" if disagree else "no kernel explains the photo"
                task = f"fitting a network, as {why}"
                report(Progress(task, 0, 1, f"blurs of up to {best.size} px"))
                yield from self._tried(place, best.size, deep, latest, is_deep=True)
                report(Progress(task, 1, 1))
            return

    @staticmethod
    def _needs_reduction(latest: Sequence[KernelCandidate]) -> bool:
        """Tell whether even the largest of `SIZES` was tried and no box held the blur."""
        return max(each.size for each in latest) == max(SIZES) and fills_box(choose(latest).kernel)

    def _place(self, reduction: int, largest: int) -> _Place:
        """Find the textured part of the reduced photo, for kernels of up to `largest` px."""
        photo = _reduced(self._clean, reduction)
        luma = luma_of(photo)
        part = self._part(luma, largest, reduction)
        room = min(luma[part].shape) // ROOM
        return _Place(
            reduction,
            part,
            photo[:, *part],
            luma[part],
            clipped_pixels(photo[:, *part]),
            noise_level(luma[part]),
            max(largest, room),
        )

    def _tried(
        self,
        place: _Place,
        size: int,
        estimate: Estimate,
        latest: list[KernelCandidate],
        *,
        is_deep: bool = False,
    ) -> Iterator[KernelCandidate]:
        """Yield the candidate of one size, if there is one, and add it to `candidates` and to `latest`."""
        start = time.monotonic()
        result = estimate(_middle(place.photo, DEEP_PART) if is_deep else place.photo, size)
        kernel = None if result.kernels is None else normalised(result.kernels[0].astype(np.float64))
        if result.status is not Status.OK or kernel is None:
            self._reason = result.reason or "the method estimated no kernel"
            return
        candidate = replace(_measured(place, size, kernel), is_deep=is_deep, seconds=time.monotonic() - start)
        latest.append(candidate)
        self.candidates.append(candidate)
        yield candidate

    def _from_streaks(
        self, place: _Place, latest: list[KernelCandidate], report: Report
    ) -> Iterator[KernelCandidate]:
        """Yield the candidate that the photo's light streaks give, if there are any, and add it as above."""
        report(Progress("looking for light streaks", 0, 1))
        start = time.monotonic()
        found = kernel_of_streaks(self._luma)
        if found is not None:
            kernel, count = found
            candidate = _measured(place, max(kernel.shape), kernel)
            candidate = replace(candidate, streaks=count, seconds=time.monotonic() - start)
            latest.append(candidate)
            self.candidates.append(candidate)
            yield candidate
        report(Progress("looking for light streaks", 1, 1))

    def take(self, kernel: Floats) -> KernelCandidate:
        """Take a kernel that the user has for the only candidate.

        Args:
            kernel: (h, w), true-convolution form, sum 1.

        Raises:
            InputError: It leaves no pixel of the photo whose blur it could explain.
        """
        (height, width), (h, w) = self.photo.shape[1:], kernel.shape
        if h > height - 2 or w > width - 2:
            raise InputError(
                f"the kernel ({w} x {h} px) is as large as the photo ({width} x {height} px); is it of "
                "another photo?"
            )
        part = self._part(self._luma, max(h, w), 1)
        noise = noise_level(self._luma[part])
        misfit = _misfit(self._luma[part], kernel, noise, clipped_pixels(self._clean[:, *part]))
        turned = is_turned(self._luma[part], kernel)
        self.candidates = [KernelCandidate(max(h, w), kernel, misfit, part=part, given=True, turned=turned)]
        return self.candidates[0]

    def _part(self, luma: Floats, size: int, reduction: int) -> Slices:
        """Choose where kernels of a size are estimated on the luma of the reduced photo."""
        if self._given_part is None:
            return textured_part(luma, max(PART, ROOM * size))
        rows, columns = (slice(side.start // reduction, side.stop // reduction) for side in self._given_part)
        return rows, columns

    def best(self) -> KernelCandidate | None:
        """Choose the best candidate of those on the photo as it was reduced last; None without any."""
        return choose(self._peers(self.candidates[-1])) if self.candidates else None

    def compare_parts(self, estimate: Estimate, report: Report = silent) -> None:
        """Look whether the blur differs over the photo: estimate the best candidate's kernel in parts of it.

        What is found counts when the photo is restored with that candidate. A photo that was reduced is not
        looked at: its blur is too large for its parts.
        """
        best = self.best()
        if best is not None and best.reduction == 1:
            grid = find_grid(self._clean, best.kernel, best.size, estimate, report)
            self._grid = None if grid is None else (best, grid)

    def restored(self, candidate: KernelCandidate | None, report: Report = silent) -> Deblurred:
        """Restore the whole photo with a candidate; without one it comes back as it is.

        Where parts of the photo have kernels of their own, it is restored with those, too. What explains the
        photo better when blurred again is kept.
        """
        if candidate is None:
            return Deblurred(self.photo, None, nothing_done(self._noise, self._reason))
        kernel = enlarged(candidate.kernel, candidate.reduction)
        noise = self._noise * max(1.0, candidate.misfit)
        clipped = clipped_pixels(self._clean)
        image = deconvolve(self._clean, kernel, noise, report)
        blurred, said = None, ""
        if self._grid is not None and self._grid[0] is candidate:
            image, blurred, said = self._by_parts(image, self._grid[1], kernel, clipped, noise, report)
        verdict = self._verdict(candidate, self._luma, clipped, luma_of(image), kernel, self._noise, blurred)
        return Deblurred(image, kernel, replace(verdict, sentence=verdict.sentence + said))

    def _by_parts(
        self,
        image: Array,
        grid: KernelGrid,
        kernel: Floats,
        clipped: NDArray[np.bool_],
        noise: float,
        report: Report,
    ) -> tuple[Array, Floats | None, str]:
        """Restore the photo with the kernels of its parts, and compare with the one kernel's `image`.

        Returns:
            The image that explains the photo better; its luma blurred again by the grid, None if it is
            `image`; and what the verdict says of it.
        """
        kept, blurred, said = image, None, DIFFERENT
        if grid.own:
            other = restore_on_grid(self._clean, grid, noise, report)
            again = blurred_on_grid(luma_of(other), grid)
            one, many = (
                reblur_residual(self._luma, luma_of(each), kernel, clipped=clipped, blurred=seen)
                for each, seen in ((image, None), (other, again))
            )
            if one is not None and many is not None and many < one:
                kept, blurred, said = other, again, OWN_KERNELS.format(grid.own, len(grid.kernels))
        if method := per_pixel_method():
            said += f"; for such blur try: blindbench deblur PHOTO --method {method} --out FILE"
        return kept, blurred, said

    def part(self, candidate: KernelCandidate) -> Array:
        """Return the part (C, h, w) on which a candidate was estimated, of the photo as it was reduced."""
        return _reduced(self._clean[:, *candidate.frame], candidate.reduction)

    def restored_part(self, candidate: KernelCandidate) -> Array:
        """Restore the part (C, h, w) on which a candidate was estimated."""
        part = self.part(candidate)
        noise = noise_level(luma_of(part)) * max(1.0, candidate.misfit)
        return deconvolve(part, candidate.kernel, noise)

    def verdict_on_part(self, candidate: KernelCandidate, image: Array) -> Verdict:
        """Judge a candidate by the part restored with it, beside the other candidates so far."""
        part = self.part(candidate)
        luma, clipped = luma_of(part), clipped_pixels(part)
        return self._verdict(candidate, luma, clipped, luma_of(image), candidate.kernel, noise_level(luma))

    def _verdict(
        self,
        candidate: KernelCandidate,
        photo: Floats,
        clipped: NDArray[np.bool_],
        image: Floats,
        kernel: Floats,
        noise: float,
        blurred: Floats | None = None,
    ) -> Verdict:
        peers = self._peers(candidate)
        return judge(
            photo,
            image,
            kernel,
            candidate.kernel,
            clipped=clipped,
            blurred=blurred,
            noise=noise,
            agreement=agreement(candidate, peers),
            kernel_size=candidate.size * candidate.reduction,
            given=candidate.given,
            turned=candidate.turned,
            rise=rise(peers),
            spots=self._spots,
        )

    def _peers(self, candidate: KernelCandidate) -> list[KernelCandidate]:
        """List the candidates on the photo as it was reduced for `candidate`, with that one."""
        return [other for other in self.candidates if other.reduction == candidate.reduction]


def deblur_photo(
    photo: Array,
    estimate: Estimate,
    sizes: Sequence[int] = (),
    report: Report = silent,
    *,
    finer: bool = True,
    deep: Estimate | None = None,
    spots: bool = False,
) -> Deblurred:
    """Deblur a photo with the best of the kernels that `estimate` gives; see `Deblurring`.

    Args:
        photo: (C, H, W) in [0, 1].
        estimate: Estimates a kernel for one declared size; `OneImage` is one.
        sizes: The kernel sizes to try, in px, ascending; see `Deblurring.find`.
        report: Called as the work goes on.
        finer: See `Deblurring.find`.
        deep: See `Deblurring.find`.
        spots: See `Deblurring.find`.

    Raises:
        InputError: A size is larger than the photo.

    >>> import torch
    >>> from benchmark.tools.one_image import OneImage
    >>> flat = np.full((1, 60, 50), 0.5, np.float32)
    >>> result = deblur_photo(flat, OneImage(KERNEL_METHOD, {}, "flat", 0, torch.device("cpu")))
    >>> result.verdict.sentence
    'nothing was done to the photo: it has no edges beyond its noise that would show a blur'
    """
    deblurring = Deblurring(photo)
    for _ in deblurring.find(estimate, sizes, report, finer=finer, deep=deep, spots=spots):
        pass
    return deblurring.restored(deblurring.best(), report)


def read_part(text: str, photo: Array, option: str) -> Slices:
    """Read the part of a photo (C, H, W) that a user names as X,Y,WIDTH,HEIGHT in px with an option.

    Raises:
        InputError: It is not four whole numbers, or not a part of the photo.

    >>> read_part("40,10,300,200", np.zeros((1, 480, 640)), "--part")
    (slice(10, 210, None), slice(40, 340, None))
    """
    if not re.fullmatch(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*){3}", text):
        raise InputError(f"{option} {text}: write X,Y,WIDTH,HEIGHT in whole pixels, such as 40,10,300,200")
    x, y, width, height = map(int, text.split(","))
    whole_height, whole_width = photo.shape[1:]
    if not (width and height and x + width <= whole_width and y + height <= whole_height):
        raise InputError(
            f"{option} {text}: does not lie in the photo, which has {whole_width} x {whole_height} px; "
            "write X,Y,WIDTH,HEIGHT"
        )
    return slice(y, y + height), slice(x, x + width)


def fitting_sizes(short: int, reduction: int) -> list[int]:
    """Choose the kernel sizes to try on a photo reduced in size: of `SIZES`, or a smaller one if none fits.

    Args:
        short: The shorter side of the photo as given, in px.
        reduction: Divides the size of the photo. Above 1, only sizes beyond the largest of `SIZES` (in px of
            the photo as given) are worth trying.

    >>> fitting_sizes(512, reduction=1), fitting_sizes(1000, reduction=2), fitting_sizes(30, reduction=1)
    ([15, 31, 51, 75, 101, 151], [101, 151], [9])
    """
    room = short // reduction // ROOM
    fitting = [size for size in SIZES if size <= room and (reduction == 1 or size * reduction > max(SIZES))]
    smaller = room - (room + 1) % 2
    return fitting or ([smaller] if reduction == 1 and smaller >= SMALLEST else [])


def finer_sizes(best: int, ladder: Sequence[int]) -> list[int]:
    """List the sizes between the best one of a ladder and its neighbours there, in px.

    >>> finer_sizes(31, SIZES), finer_sizes(15, SIZES), finer_sizes(9, [9])
    ([21, 39], [21], [])
    """
    place = list(ladder).index(best)
    near = [other for other in ladder[max(0, place - 1) : place + 2] if other != best]
    return [round((best * other) ** 0.5 - 1) // 2 * 2 + 1 for other in near]


def choose(candidates: Sequence[KernelCandidate]) -> KernelCandidate:
    """Choose among candidates of one photo in one reduction.

    A kernel too small for the blur is nearly a point and gives the photo best when blurred again. So one that
    fills its box counts only where no larger one holds its blur. Points count where they are the majority,
    else strokes do. Of these, those whose unexplained share is at most `NEAR` times the least are compared:
    the one with the least energy / `agreement` is chosen.

    Where the photo has light streaks, they show the blur: only kernels that look like them are compared. The
    streaks' own kernel is a little too wide, so another one that looks like it may be better.

    `blindbench verdicts verdict-fresh` shows what that gains; docs/own-photos.md has the outcome.
    """
    for streak in [each for each in candidates if each.streaks]:
        candidates = [each for each in candidates if kernel_similarity(each.kernel, streak.kernel) >= ALIKE]
    largest = max((each.size for each in candidates if not fills_box(each.kernel)), default=0)
    holding = [each for each in candidates if each.size >= largest or not fills_box(each.kernel)]
    points = [each for each in holding if is_point(each.kernel)]
    strokes = [each for each in holding if not is_point(each.kernel)]
    compared = strokes if len(strokes) > len(points) else points
    least = min(each.unexplained for each in compared)
    near = [each for each in compared if each.unexplained <= NEAR * least]
    return min(near, key=lambda each: each.energy / (agreement(each, candidates) or 1.0))


def agreement(candidate: KernelCandidate, candidates: Sequence[KernelCandidate]) -> float | None:
    """Average the similarity, in [0, 1], of a candidate's kernel to the others'; None without others.

    Kernels are smoothed first, so that thin traces that lie a pixel apart agree.
    """
    smooth = _smoothed(candidate.kernel)
    others = [other for other in candidates if other is not candidate]
    similarities = [kernel_similarity(smooth, _smoothed(other.kernel)) for other in others]
    return float(np.mean(similarities)) if others else None


def rise(candidates: Sequence[KernelCandidate]) -> float:
    """Compute how many times the least misfit the largest is.

    A larger box can hold the smaller kernel, so misfits that rise with the size mean that the search failed.
    Kernels that fill their box, and boxes larger than 1 / `AMPLE` of the part, say nothing of that.
    """
    misfits = [
        each.misfit
        for each in candidates
        if np.isfinite(each.misfit)
        and not fills_box(each.kernel)
        and AMPLE * each.size <= min(side.stop - side.start for side in each.part)
    ]
    return max(misfits) / min(misfits) if misfits else 1.0


def _measured(place: _Place, size: int, kernel: Floats) -> KernelCandidate:
    """Measure how well a kernel, found for a declared size in px, explains a place."""
    misfit = _misfit(place.luma, kernel, place.noise, place.clipped, place.largest // 2)
    return KernelCandidate(
        size,
        kernel,
        misfit,
        _energy(place, kernel),
        _unexplained(place, kernel, misfit),
        reduction=place.reduction,
        part=place.part,
    )


def _smoothed(kernel: Floats) -> Floats:
    smooth: Floats = gaussian_filter(np.pad(kernel, round(4 * SMOOTHING)), SMOOTHING, mode="constant")
    return smooth


def _unexplained(place: _Place, kernel: Floats, misfit: float) -> float:
    """Restore a place as a whole photo would be with a kernel; return the unexplained share."""
    if not np.isfinite(misfit):
        return np.inf
    border, clipped = place.largest // 2, place.clipped
    noise = place.noise * max(1.0, misfit)
    sharp = restored_window(place.luma[None], kernel, noise, clipped[None])[0]
    residual = reblur_residual(place.luma, sharp, kernel, border, clipped, bounded=False)
    assert residual is not None  # as the misfit is finite
    return unexplained_share(residual, place.luma, sharp, kernel, border)


def _energy(place: _Place, kernel: Floats) -> float:
    """Compute the energy of a kernel over the pixels that all candidates of the place share."""
    try:
        return kernel_energy(place.luma, kernel, (place.largest, place.largest), EDGE)
    except InputError:  # the part is not larger than the kernel
        return np.inf


def deep_method() -> str:
    """Return the method that is the deep one, with its preset: the one whose presets have `DEEP_PRESET`."""
    found = (method.name for method in built_in().values() if DEEP_PRESET in method.presets)
    return f"{next(found)}@{DEEP_PRESET}"


def enlarged(kernel: Floats, factor: int) -> Floats:
    """Enlarge the kernel of a photo that was reduced by `factor`, to px of the photo; sides stay odd."""
    if factor == 1:
        return kernel
    shape = tuple(factor * side // 2 * 2 + 1 for side in kernel.shape)
    larger = resize(kernel, shape, order=3, mode="constant", anti_aliasing=False).clip(0)
    whole: Floats = larger / larger.sum()
    return whole


def _misfit(luma: Floats, kernel: Floats, noise: float, clipped: NDArray[np.bool_], border: int = 0) -> float:
    """Restore a part (H, W) with a kernel; return its re-blur residual in units of the noise, or infinity.

    `clipped` and `border`: as in `reblur_residual`.
    """
    sharp = restored_window(luma[None], kernel, noise, clipped[None])[0]
    residual = reblur_residual(luma, sharp, kernel, border, clipped, bounded=False)
    return np.inf if residual is None else residual / noise


def _middle(photo: Array, side: int) -> Array:
    """Cut the middle out of `photo` (C, H, W), at most `side` px a side."""
    top, left = (max(0, whole - side) // 2 for whole in photo.shape[1:])
    return photo[:, top : top + side, left : left + side]


def _reduced(photo: Array, factor: int) -> Array:
    """Reduce `photo` (C, H, W) to 1 / `factor` of its size by averaging whole blocks."""
    if factor == 1:
        return photo
    height, width = (side // factor * factor for side in photo.shape[1:])
    reduced: Array = downscale_local_mean(photo[:, :height, :width], (1, factor, factor)).astype(np.float32)
    return reduced
