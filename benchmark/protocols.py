"""How a restored image is compared with the sharp one: crop, alignment, and the variant of each metric."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmark.alignment import Aligned, Image, best_shift
from benchmark.metrics import METRICS, Metric
from benchmark.schema import did_you_mean
from benchmark.types import InputError

Align = Callable[[Image, Image], Aligned]

# What a config may ask for; a name that leaves the variant open is settled by `Protocol.metric`.
ASKED = (
    *("psnr", "ssim", "ssim-pyiqa", "lpips", "vif", "niqe", "brisque", "piqe"),
    *("kernel-similarity", "error-ratio"),
)


@dataclass(frozen=True)
class Protocol:
    """A named way to score. Full-reference metrics see what `align` returns, the others the full frame."""

    title: str
    align: Align
    ssim: str = "ssim"  # the variant that plain `ssim` means

    def metric(self, asked: str) -> Metric:
        """The metric that a config means by `asked`. Raises InputError when it is none of `ASKED`."""
        if asked not in ASKED:
            raise InputError(f"unknown metric '{asked}'. {did_you_mean(asked, list(ASKED))}")
        return METRICS[{"ssim": self.ssim, "lpips": "lpips-alex"}.get(asked, asked)]


def whole_frame(estimate: Image, reference: Image) -> Aligned:
    """No crop and no shift."""
    return Aligned(estimate, reference, (0.0, 0.0))


PROTOCOLS = {
    "plain": Protocol("whole frame, no alignment", whole_frame),
    "shift-rgb": Protocol("15 px cropped, best whole-pixel shift within 10 px", best_shift),
    # SelfDeblur's MATLAB statistics (dataset of Levin et al.): grey images, quarter pixels.
    "levin-shift": Protocol(
        "15 px cropped, best quarter-pixel shift within 10 px",
        partial(best_shift, steps_per_pixel=4),
        ssim="ssim-wang",
    ),
}
