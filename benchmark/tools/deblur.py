"""Deblur one photo of any size whose kernel size is unknown, and judge the result.

The blur is taken to be the same everywhere. A method estimates the kernel on a textured part of bounded size,
once for each of several declared sizes. The best kernel then restores the whole photo.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.transform import downscale_local_mean, resize

from benchmark.blur.kernel_energy import is_turned
from benchmark.blur.noise_level import without_impulses
from benchmark.blur.nonblind import hyper_laplacian
from benchmark.core.progress import Progress, Report, silent
from benchmark.core.types import Array, InputError, Restoration, Status
from benchmark.scoring.kernel_scores import kernel_similarity
from benchmark.tools.measures import ROUNDING, Floats, fills_box, luma_of, noise_level, reblur_residual
from benchmark.tools.texture import Slices, has_texture, textured_part
from benchmark.tools.verdict import Verdict, judge, nothing_done
from benchmark.tools.windows import data_weight, deconvolve

# Estimates the kernel of a part (C, H, W) for a declared size in px.
Estimate = Callable[[Array, int], Restoration]

KERNEL_METHOD = "l0-robust"  # estimates the kernel unless another method is asked for
SIZES = (15, 31, 51, 75)  # px, tried in turn
REDUCTIONS = (1, 2, 4)  # of the photo's size, as long as the kernel fills the largest of SIZES
PART = 512  # px, side of the part on which kernels are estimated
SMALLEST = 5  # px, of a size to try
TOO_SMALL = "it is too small to find a kernel on"
NO_EDGES = "it has no edges beyond its noise that would show a blur"
ROOM = 3  # times the kernel size: the least shorter side of the part


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
    reduction: int = 1  # the photo was reduced to 1 / so much of its size
    part: Slices = (slice(0, 0), slice(0, 0))  # of the reduced photo, on which it was estimated
    seconds: float = 0.0  # that it took
    given: bool = False  # by the user, not estimated
    turned: bool = False  # given, and turned by 180 degrees it explains the part far better

    @property
    def frame(self) -> Slices:
        """The part on which it was estimated, in px of the photo as given."""
        rows, columns = (slice(self.reduction * side.start, self.reduction * side.stop) for side in self.part)
        return rows, columns


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
        self, estimate: Estimate, sizes: Sequence[int] = (), report: Report = silent
    ) -> Iterator[KernelCandidate]:
        """Yield a candidate for each kernel size, as it comes, and add it to `candidates`.

        Args:
            estimate: Estimates a kernel for one declared size; `OneImage` is one.
            sizes: The kernel sizes to try, in px, ascending. Without any, those of `SIZES` for which the
                photo has room; where the kernel fills the largest, they are tried again on the photo reduced
                in size.
            report: Called before each size.

        Raises:
            InputError: A size is larger than the photo, or than the part that was given.
        """
        short = self._short
        if sizes and max(sizes) > short:
            whole = "photo" if self._given_part is None else "part"
            raise InputError(
                f"the kernel size {max(sizes)} is larger than the {whole} ({short} px); declare a smaller one"
            )
        for reduction in (1,) if sizes else REDUCTIONS:
            to_try = sizes or fitting_sizes(short, reduction)
            if not to_try or not self._can_find:
                return
            latest = []
            for candidate in self._of_sizes(to_try, reduction, estimate, report):
                latest.append(candidate)
                self.candidates.append(candidate)
                yield candidate
            if not latest:
                return
            best = choose(latest)
            if best.size < max(SIZES) or not fills_box(best.kernel):
                return

    def _of_sizes(
        self, sizes: Sequence[int], reduction: int, estimate: Estimate, report: Report
    ) -> Iterator[KernelCandidate]:
        """Estimate a kernel for each of `sizes` on the textured part of the reduced photo."""
        photo = _reduced(self._clean, reduction)
        luma = luma_of(photo)
        part = self._part(luma, max(sizes), reduction)
        noise = noise_level(luma[part])
        task = "finding the kernel" if reduction == 1 else f"finding the kernel at 1/{reduction} of the size"
        for done, size in enumerate(sizes):
            report(Progress(task, done, len(sizes), f"blurs of up to {size} px"))
            start = time.monotonic()
            result = estimate(photo[:, *part], size)
            if (
                result.status is not Status.OK
                or result.kernels is None
                or not np.isfinite(result.kernels).all()
            ):
                self._reason = result.reason or "the method estimated no kernel"
                continue
            kernel = result.kernels[0].astype(np.float64)
            kernel /= kernel.sum()
            misfit = _misfit(luma[part], kernel, noise, max(sizes) // 2)
            yield KernelCandidate(size, kernel, misfit, reduction, part, time.monotonic() - start)
        report(Progress(task, len(sizes), len(sizes)))

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
        misfit = _misfit(self._luma[part], kernel, noise, 0)
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

    def restored(self, candidate: KernelCandidate | None, report: Report = silent) -> Deblurred:
        """Restore the whole photo with a candidate; without one it comes back as it is."""
        if candidate is None:
            return Deblurred(self.photo, None, nothing_done(self._noise, self._reason))
        kernel = enlarged(candidate.kernel, candidate.reduction)
        image = deconvolve(self._clean, kernel, self._noise * max(1.0, candidate.misfit), report)
        verdict = self._verdict(candidate, self._luma, luma_of(image), kernel, self._noise)
        return Deblurred(image, kernel, verdict)

    def part(self, candidate: KernelCandidate) -> Array:
        """Return the part (C, h, w) on which a candidate was estimated, of the photo as it was reduced."""
        return _reduced(self._clean[:, *candidate.frame], candidate.reduction)

    def restored_part(self, candidate: KernelCandidate) -> Array:
        """Restore the part (C, h, w) on which a candidate was estimated."""
        part = self.part(candidate)
        return deconvolve(part, candidate.kernel, noise_level(luma_of(part)) * max(1.0, candidate.misfit))

    def verdict_on_part(self, candidate: KernelCandidate, image: Array) -> Verdict:
        """Judge a candidate by the part restored with it, beside the other candidates so far."""
        luma = luma_of(self.part(candidate))
        return self._verdict(candidate, luma, luma_of(image), candidate.kernel, noise_level(luma))

    def _verdict(
        self, candidate: KernelCandidate, photo: Floats, image: Floats, kernel: Floats, noise: float
    ) -> Verdict:
        peers = self._peers(candidate)
        return judge(
            photo,
            image,
            kernel,
            candidate.kernel,
            noise=noise,
            agreement=agreement(candidate, peers),
            kernel_size=candidate.size * candidate.reduction,
            largest=candidate.size == max(peer.size for peer in peers),
            given=candidate.given,
            turned=candidate.turned,
        )

    def _peers(self, candidate: KernelCandidate) -> list[KernelCandidate]:
        """List the candidates on the photo as it was reduced for `candidate`, with that one."""
        return [other for other in self.candidates if other.reduction == candidate.reduction]


def deblur_photo(
    photo: Array, estimate: Estimate, sizes: Sequence[int] = (), report: Report = silent
) -> Deblurred:
    """Deblur a photo with the best of the kernels that `estimate` gives; see `Deblurring`.

    Args:
        photo: (C, H, W) in [0, 1].
        estimate: Estimates a kernel for one declared size; `OneImage` is one.
        sizes: The kernel sizes to try, in px, ascending; see `Deblurring.find`.
        report: Called as the work goes on.

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
    for _ in deblurring.find(estimate, sizes, report):
        pass
    return deblurring.restored(deblurring.best(), report)


def read_part(text: str, photo: Array) -> Slices:
    """Read the part of a photo (C, H, W) that a user names as X,Y,WIDTH,HEIGHT in px.

    Raises:
        InputError: It is not four whole numbers, or not a part of the photo.

    >>> read_part("40,10,300,200", np.zeros((1, 480, 640)))
    (slice(10, 210, None), slice(40, 340, None))
    """
    if not re.fullmatch(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*){3}", text):
        raise InputError(f"--part {text}: write X,Y,WIDTH,HEIGHT in whole pixels, such as 40,10,300,200")
    x, y, width, height = map(int, text.split(","))
    whole_height, whole_width = photo.shape[1:]
    if not (width and height and x + width <= whole_width and y + height <= whole_height):
        raise InputError(
            f"--part {text}: does not lie in the photo, which has {whole_width} x {whole_height} px; "
            "write X,Y,WIDTH,HEIGHT"
        )
    return slice(y, y + height), slice(x, x + width)


def fitting_sizes(short: int, reduction: int) -> list[int]:
    """Choose the kernel sizes to try on a photo reduced in size: of `SIZES`, or a smaller one if none fits.

    Args:
        short: The shorter side of the photo as given, in px.
        reduction: Divides the size of the photo. Above 1, only sizes beyond the largest of `SIZES` (in px of
            the photo as given) are worth trying.

    >>> fitting_sizes(512, reduction=1), fitting_sizes(512, reduction=2), fitting_sizes(30, reduction=1)
    ([15, 31, 51, 75], [51, 75], [9])
    """
    room = short // reduction // ROOM
    fitting = [size for size in SIZES if size <= room and (reduction == 1 or size * reduction > max(SIZES))]
    smaller = room - (room + 1) % 2
    return fitting or ([smaller] if reduction == 1 and smaller >= SMALLEST else [])


def choose(candidates: Sequence[KernelCandidate]) -> KernelCandidate:
    """Choose the candidate with the least misfit / `agreement` with the others.

    `blindbench verdicts photo-blurs` shows what that gains; docs/own-photos.md has the outcome.
    """
    return min(candidates, key=lambda each: each.misfit / (agreement(each, candidates) or 1.0))


def agreement(candidate: KernelCandidate, candidates: Sequence[KernelCandidate]) -> float | None:
    """Average the similarity, in [0, 1], of a candidate's kernel to the others'; None without others."""
    others = [other for other in candidates if other is not candidate]
    similarities = [kernel_similarity(candidate.kernel, other.kernel) for other in others]
    return float(np.mean(similarities)) if others else None


def enlarged(kernel: Floats, factor: int) -> Floats:
    """Enlarge the kernel of a photo that was reduced by `factor`, to px of the photo; sides stay odd."""
    if factor == 1:
        return kernel
    shape = tuple(factor * side // 2 * 2 + 1 for side in kernel.shape)
    larger = resize(kernel, shape, order=3, mode="constant", anti_aliasing=False).clip(0)
    whole: Floats = larger / larger.sum()
    return whole


def _misfit(luma: Floats, kernel: Floats, noise: float, border: int) -> float:
    """Restore a part (H, W) with a kernel; return its re-blur residual in units of the noise."""
    sharp = hyper_laplacian(luma[None], kernel, data_weight(noise))[0]
    return reblur_residual(luma, sharp.clip(0, 1), kernel, border) / noise


def _reduced(photo: Array, factor: int) -> Array:
    """Reduce `photo` (C, H, W) to 1 / `factor` of its size by averaging whole blocks."""
    if factor == 1:
        return photo
    height, width = (side // factor * factor for side in photo.shape[1:])
    reduced: Array = downscale_local_mean(photo[:, :height, :width], (1, factor, factor)).astype(np.float32)
    return reduced
