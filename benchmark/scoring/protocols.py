"""The protocols: `PROTOCOLS` has one entry for each way to compare a restored image with the sharp one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from benchmark.core.errors import InputError
from benchmark.core.schema import look_up
from benchmark.scoring.alignment import BORDER, MAX_SHIFT, Aligned, Image, best_shift, whole_frame
from benchmark.scoring.best_frame import best_frame
from benchmark.scoring.colour import studio_range_luma
from benchmark.scoring.ecc import registered
from benchmark.scoring.metrics import Metric, variants

# Takes the estimate, and the reference or all sharp frames of a shake; gives a pair of images of one size.
Align = Callable[[Image, Iterable[Image]], Aligned]
CROPPED = f"{BORDER} px cropped"
WITHIN = f"within {MAX_SHIFT} px"


@dataclass(frozen=True)
class Protocol:
    """A named way to score: crop, alignment, colour, and the variants of metrics that go with it."""

    name: str  # as in descriptors and scores.csv
    title: str  # what captions say of it
    # What full-reference metrics compare; raises InputError where the images cannot be compared. No-reference
    # metrics always see the full frame.
    align: Align
    variants: tuple[str, ...] = ()  # metrics that it takes in place of the usual variant

    def metric(self, config_name: str) -> Metric:
        """Return the metric that a config means by `config_name`, such as psnr.

        Raises:
            InputError: There is no such metric; the message has the closest name.
        """
        usual, *others = variants(config_name)
        return next((metric for metric in others if metric.name in self.variants), usual)


def with_one_image(
    align: Callable[[Image, Image], Aligned], colour: Callable[[Image], Image] | None = None
) -> Align:
    """Make an `Align` for cases with one sharp image, both images turned into `colour` first."""

    def aligned(estimate: Image, references: Iterable[Image]) -> Aligned:
        reference, *more = references
        if more:
            raise InputError(f"one sharp image is needed, not {1 + len(more)} frames; use protocol koehler")
        return align(colour(estimate), colour(reference)) if colour else align(estimate, reference)

    return aligned


quarter_pixels = partial(best_shift, steps_per_pixel=4)

_ENTRIES = (
    Protocol("plain", "whole frame, no alignment", with_one_image(whole_frame)),
    Protocol("shift-rgb", f"{CROPPED}, best whole-pixel shift {WITHIN}", with_one_image(best_shift)),
    # SelfDeblur's MATLAB statistics: on the grey images of Levin et al., and on luma for Lai et al., whose
    # narrower range raises every PSNR by 20 log10(255 / 219) = 1.32 dB.
    Protocol(
        "levin-shift",
        f"{CROPPED}, best quarter-pixel shift {WITHIN}",
        with_one_image(quarter_pixels),
        ("ssim-wang",),
    ),
    Protocol(
        "lai-shift-luma",
        f"studio-range luma (16 to 235 of 255), {CROPPED}, best quarter-pixel shift {WITHIN}",
        with_one_image(quarter_pixels, studio_range_luma),
        ("ssim-wang",),
    ),
    # Networks trained on GoPro report this there and on HIDE: MATLAB's `ssim` of a colour array.
    Protocol(
        "gopro",
        "whole frame, no alignment, SSIM over rows, columns and channels",
        with_one_image(whole_frame),
        ("ssim-3d",),
    ),
    # RealBlur's evaluation script. LPIPS and VIF, which the script does not take, see the masked images.
    Protocol(
        "realblur-ecc",
        "gain and homography (ECC) fitted, pixels that the homography covers",
        with_one_image(registered),
        ("psnr-masked", "ssim-masked"),
    ),
    Protocol(
        "koehler",
        "luma, gain and whole-pixel shift fitted, best of the sharp frames along the trajectory",
        best_frame,
    ),
)
PROTOCOLS = {protocol.name: protocol for protocol in _ENTRIES}


def find_protocol(name: str) -> Protocol:
    """Return the protocol called `name`. Raises InputError when there is none."""
    return look_up(PROTOCOLS, name, "protocol")
