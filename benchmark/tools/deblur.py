"""Deblur one photo of any size whose kernel size is unknown, and judge the result.

The blur is taken to be the same everywhere. A method estimates the kernel on a textured part of bounded size,
once for each of several declared sizes. The best kernel then restores the whole photo.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.transform import downscale_local_mean, resize

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
    """The kernel that was estimated for one declared size."""

    size: int  # px of the photo as it was reduced, declared
    kernel: Floats
    misfit: float  # re-blur residual of the part restored with it, in units of the part's noise
    reduction: int = 1  # the photo was reduced to 1 / so much of its size
    part: Slices = (slice(0, 0), slice(0, 0))  # of the reduced photo, on which it was estimated
    seconds: float = 0.0  # that it took


class Deblurring:
    """A photo, and the kernels that were estimated for it so far.

    Salt-and-pepper noise is removed first. A photo without edges, or too small, gets no kernels.

    Args:
        photo: (C, H, W) in [0, 1].
    """

    def __init__(self, photo: Array) -> None:
        self.photo = photo
        self.candidates: list[KernelCandidate] = []
        self._noise = ROUNDING
        self._reason = TOO_SMALL  # why there is no candidate
        self._can_find = min(photo.shape[1:]) >= SMALLEST
        if not self._can_find:
            return
        # Channel by channel: the doubled precision of a large photo is not held at once.
        clean = [without_impulses(c[None].astype(np.float64)).astype(np.float32) for c in photo]
        self._clean = np.concatenate(clean)
        self._luma = luma_of(self._clean)
        self._noise = noise_level(self._luma)
        if not has_texture(self._luma, self._noise):
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
            InputError: A size is larger than the photo.
        """
        short = min(self.photo.shape[1:])
        if sizes and max(sizes) > short:
            raise InputError(
                f"the kernel size {max(sizes)} is larger than the photo ({short} px); declare a smaller one"
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
        part = textured_part(luma, max(PART, ROOM * max(sizes)))
        noise = noise_level(luma[part])
        for done, size in enumerate(sizes):
            report(Progress(f"trying blurs of up to {size} px", done, len(sizes)))
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
            sharp = hyper_laplacian(luma[None, *part], kernel, data_weight(noise))[0]
            residual = reblur_residual(luma[part], sharp.clip(0, 1), kernel, max(sizes) // 2)
            seconds = time.monotonic() - start
            yield KernelCandidate(size, kernel, residual / noise, reduction, part, seconds)

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
        factor = candidate.reduction
        rows, columns = (slice(factor * side.start, factor * side.stop) for side in candidate.part)
        return _reduced(self._clean[:, rows, columns], factor)

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


def _reduced(photo: Array, factor: int) -> Array:
    """Reduce `photo` (C, H, W) to 1 / `factor` of its size by averaging whole blocks."""
    if factor == 1:
        return photo
    height, width = (side // factor * factor for side in photo.shape[1:])
    reduced: Array = downscale_local_mean(photo[:, :height, :width], (1, factor, factor)).astype(np.float32)
    return reduced
