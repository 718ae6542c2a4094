"""Judge how far a restoration can be trusted, without a sharp image to compare it with."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.core.types import Array
from benchmark.tools.measures import (
    Floats,
    clipped_pixels,
    fills_box,
    is_blob,
    is_point,
    judged_share,
    lamp_contrast,
    luma_of,
    noise_level,
    reblur_residual,
    saturated_share,
    unexplained_share,
)

# A restoration beyond any of these limits is not trusted. `blindbench verdicts verdict-fresh` counts how
# often that is right; docs/own-photos.md has the outcome. AGREEMENT, UNEXPLAINED and RISE were chosen on the
# photographs of datasets/verdict-tuning.yaml; LAMPS on the looks of lai-real: of 17 photographs above it, 15
# show lamps at night; the lamps of those below it are fewer or by twilight.
AGREEMENT = 0.83  # similarity of the kernels of different sizes, of 1
UNEXPLAINED = 0.2  # share of what the restoration changed that blurring again does not undo
SATURATED = 0.01  # share of the pixels
LAMPS = 0.5  # see `lamp_contrast`; streaks of lamps mislead the search for a kernel (of 1)
RISE = 3.0  # times the least misfit of all sizes: the largest
JUDGED = 0.1  # share of the pixels that can show whether the kernel is right: the least


@dataclass(frozen=True)
class Verdict:
    """How far a restoration can be trusted, and why. Intensities are in [0, 1]."""

    sentence: str
    trusted: bool
    noise: float  # standard deviation, estimated
    residual: float | None = None  # see `reblur_residual`; None where nothing was done, or no pixel shows it
    unexplained: float | None = None  # see `unexplained_share`; None likewise
    agreement: float | None = None  # mean similarity to the kernels of other sizes; None where there is none
    kernel_size: int | None = None  # the one that was chosen, in px of the photo

    @property
    def numbers(self) -> str:
        """The numbers behind the sentence; empty where nothing was done."""
        if self.kernel_size is None:
            return ""
        others = (
            ""
            if self.agreement is None
            else f", similarity to other sizes' kernels {self.agreement:.2f} of 1"
        )
        share = "" if self.unexplained is None else f", {self.unexplained:.0%} of what was changed"
        difference = _against_noise(self.residual, self.noise) + share
        return f"kernel size {self.kernel_size} px{others}; {difference}"


def nothing_done(noise: float, reason: str) -> Verdict:
    """Make the verdict on a photo that comes back as it was."""
    return Verdict(f"nothing was done to the photo: {reason}", trusted=False, noise=noise)


def judge(
    photo: Floats,
    image: Floats,
    kernel: Floats,
    estimate: Floats,
    *,
    clipped: NDArray[np.bool_] | None = None,
    blurred: Floats | None = None,
    noise: float,
    agreement: float | None,
    kernel_size: int,
    rise: float,
    spots: bool = False,
    given: bool = False,
    turned: bool = False,
) -> Verdict:
    """Judge a restoration by its kernel and by how well it gives the photo when blurred again.

    Args:
        photo: Luma of the blurry photo, (H, W).
        image: Luma of the restoration, (H, W).
        kernel: The kernel in px of the photo.
        estimate: The kernel as it was estimated, possibly on the photo reduced in size.
        clipped: Saturated pixels, (H, W). None: there are none.
        blurred: The restoration blurred again, (H, W), where the kernel does not do it alone.
        noise: Standard deviation of the photo's noise.
        agreement: Mean similarity of the kernel to those of other sizes; None where one size was tried.
        kernel_size: The declared size, in px of the photo.
        rise: How many times the least misfit of all sizes the largest is.
        spots: Whether round spots were looked for: then they are no reason to doubt.
        given: Whether the user gave the kernel: then neither its shape nor lamps are a reason to doubt.
        turned: Whether the kernel explains the photo far better when it is turned by 180 degrees.
    """
    residual = reblur_residual(photo, image, kernel, clipped=clipped, blurred=blurred)
    doubts = ["turned by 180 degrees the kernel explains the photo better"] if turned else []
    doubts += [] if given else _doubts_of_shape(estimate, spots)
    unexplained = None if residual is None else unexplained_share(residual, photo, image, kernel)
    doubts += _doubts_of_fit(agreement, unexplained, rise)
    judged = judged_share(photo.shape, kernel.shape)
    if judged < JUDGED:
        doubts.append(f"the kernel is so large that only {judged:.0%} of the photo shows whether it is right")
    saturated = saturated_share(photo)
    if saturated > SATURATED and not given:
        doubts.append(f"{saturated:.0%} of the photo is saturated, and rings start there")
    if lamp_contrast(photo) > LAMPS and not given:
        doubts.append("lamps outshine the rest of the photo, where kernels and these checks often go wrong")
    sentence = _sentence(doubts, agreement, given)
    return Verdict(sentence, not doubts, noise, residual, unexplained, agreement, kernel_size)


def reblur_sentence(photo: Array, image: Array, kernel: Floats) -> str:
    """Say how well `image`, blurred again with `kernel` (h, w), gives `photo`; both (C, H, W) in [0, 1]."""
    luma = luma_of(photo)
    residual = reblur_residual(luma, luma_of(image), kernel, clipped=clipped_pixels(photo))
    return _against_noise(residual, noise_level(luma))


def _against_noise(residual: float | None, noise: float) -> str:
    if residual is None:
        return "no pixel shows whether the kernel is right, as the photo is not larger"
    difference = f"the result differs from the photo by {residual:.4f}"
    return f"blurred again, {difference} (the photo's noise: {noise:.4f})"


def _doubts_of_shape(kernel: Floats, spots: bool) -> Iterator[str]:
    """Yield what speaks against a kernel that was estimated, by its looks."""
    if is_point(kernel):
        yield "most of the kernel lies within 3 x 3 px: the photo is hardly blurred, or its blur was missed"
    elif is_blob(kernel) and not spots:
        yield "the kernel is a round spot: the photo is out of focus, or its motion was missed"
    if fills_box(kernel):
        yield "the kernel reaches the rim of its square, so the blur may be larger"


def _doubts_of_fit(agreement: float | None, unexplained: float | None, rise: float) -> Iterator[str]:
    """Yield what speaks against a restoration, by the other sizes and by the photo.

    Args:
        agreement: As in `judge`.
        unexplained: See `unexplained_share`; None where no pixel shows it.
        rise: As in `judge`.
    """
    if agreement is not None and agreement < AGREEMENT:
        yield "the kernels of different sizes disagree"
    if rise > RISE:
        yield f"the worst size misses the photo {rise:.1f} times as far as the best, so the search went wrong"
    if unexplained is not None and not unexplained <= UNEXPLAINED:  # so NaN is doubted, too
        yield _much_unexplained(unexplained)


def _much_unexplained(share: float) -> str:
    if not np.isfinite(share):
        return "nothing was changed"
    return f"blurred again, the result differs from the photo by {share:.0%} of what was changed"


def _sentence(doubts: list[str], agreement: float | None, given: bool) -> str:
    if doubts:
        return f"do not trust this: {'; '.join(doubts)}"
    if given:
        return "blurred again with the given kernel, the result matches the photo"
    if agreement is None:
        return "blurred again, the result matches the photo; only one kernel size was tried"
    return "the kernels of different sizes agree, and blurred again, the result matches the photo"
