"""How a restored image is compared with the sharp one: crop, alignment, and the variant of each metric."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from benchmark.core.schema import did_you_mean
from benchmark.core.types import InputError
from benchmark.scoring import ecc
from benchmark.scoring.alignment import Aligned, Image, best_shift, whole_frame
from benchmark.scoring.best_frame import best_frame
from benchmark.scoring.colour import studio_range_luma
from benchmark.scoring.metrics import METRICS, Metric

# The estimate, and what a case has for truth: one sharp image, or the sharp frames along a trajectory.
Align = Callable[[Image, Iterable[Image]], Aligned]

# What a config may ask for; a name that leaves the variant open is settled by `Protocol.metric`.
ASKED = (
    *("psnr", "ssim", "ssim-pyiqa", "lpips", "vif", "niqe", "brisque", "piqe"),
    *("reblur-psnr", "reblur-ssim-3d", "kernel-similarity", "error-ratio"),
)


@dataclass(frozen=True)
class Protocol:
    """A named way to score. Full-reference metrics see what `align` returns, the others the full frame.

    `align` raises InputError where the images cannot be compared; such a case has no value.
    """

    title: str
    align: Align
    variants: Mapping[str, str] = field(default_factory=dict)  # a name of `ASKED` to the metric it means

    def metric(self, asked: str) -> Metric:
        """The metric that a config means by `asked`. Raises InputError when it is none of `ASKED`."""
        if asked not in ASKED:
            raise InputError(f"unknown metric '{asked}'. {did_you_mean(asked, list(ASKED))}")
        return METRICS[{"lpips": "lpips-alex", **self.variants}.get(asked, asked)]


def with_the_sharp_image(align: Callable[[Image, Image], Aligned]) -> Align:
    """An `Align` for cases whose truth is one image."""

    def aligned(estimate: Image, references: Iterable[Image]) -> Aligned:
        first, *more = references
        if more:
            raise InputError(f"one sharp image is needed, not {1 + len(more)} frames; use protocol koehler")
        return align(estimate, first)

    return aligned


quarter_pixels = partial(best_shift, steps_per_pixel=4)


def quarter_pixels_luma(estimate: Image, reference: Image) -> Aligned:
    """`quarter_pixels` on studio-range luma; a grey estimate is taken for one."""
    return quarter_pixels(studio_range_luma(estimate), studio_range_luma(reference))


PROTOCOLS = {
    "plain": Protocol("whole frame, no alignment", with_the_sharp_image(whole_frame)),
    "shift-rgb": Protocol(
        "15 px cropped, best whole-pixel shift within 10 px", with_the_sharp_image(best_shift)
    ),
    # SelfDeblur's MATLAB statistics: for the dataset of Levin et al. on its grey images, for that of Lai et
    # al. on luma, whose narrower range raises every PSNR by 20 log10(255 / 219) = 1.32 dB.
    "levin-shift": Protocol(
        "15 px cropped, best quarter-pixel shift within 10 px",
        with_the_sharp_image(quarter_pixels),
        {"ssim": "ssim-wang"},
    ),
    "lai-shift-luma": Protocol(
        "studio-range luma (16 to 235 of 255), 15 px cropped, best quarter-pixel shift within 10 px",
        with_the_sharp_image(quarter_pixels_luma),
        {"ssim": "ssim-wang"},
    ),
    # What the networks trained on GoPro report, there and on HIDE: MATLAB's `ssim` of a colour array.
    "gopro": Protocol(
        "whole frame, no alignment, SSIM over rows, columns and channels",
        with_the_sharp_image(whole_frame),
        {"ssim": "ssim-3d"},
    ),
    # RealBlur's evaluation script. LPIPS and VIF, which it does not take, see the masked images.
    "realblur-ecc": Protocol(
        "gain and homography (ECC) fitted, pixels that the homography covers",
        with_the_sharp_image(ecc.registered),
        {"psnr": "psnr-masked", "ssim": "ssim-masked"},
    ),
    "koehler": Protocol(
        "luma, gain and whole-pixel shift fitted, best of the sharp frames along the trajectory", best_frame
    ),
}
