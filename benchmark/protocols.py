"""How a restored image is compared with the sharp one: crop, alignment, and the variant of each metric."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from benchmark.alignment import Aligned, Image, best_shift
from benchmark.metrics import psnr, ssim, ssim_wang

Align = Callable[[Image, Image], Aligned]
Metric = Callable[[Image, Image], float]


@dataclass(frozen=True)
class Protocol:
    """A named way to score. `metrics` maps what a config asks for to the variant's name and function."""

    title: str
    align: Align
    metrics: Mapping[str, tuple[str, Metric]]


def whole_frame(estimate: Image, reference: Image) -> Aligned:
    """No crop and no shift."""
    return Aligned(estimate, reference, (0.0, 0.0))


_SCIKIT_IMAGE: dict[str, tuple[str, Metric]] = {"psnr": ("psnr", psnr), "ssim": ("ssim", ssim)}

PROTOCOLS = {
    "plain": Protocol("whole frame, no alignment", whole_frame, _SCIKIT_IMAGE),
    "shift-rgb": Protocol("15 px cropped, best whole-pixel shift within 10 px", best_shift, _SCIKIT_IMAGE),
    # SelfDeblur's MATLAB statistics (dataset of Levin et al.): grey images, quarter pixels.
    "levin-shift": Protocol(
        "15 px cropped, best quarter-pixel shift within 10 px",
        partial(best_shift, steps_per_pixel=4),
        {"psnr": ("psnr", psnr), "ssim": ("ssim-wang", ssim_wang)},
    ),
}
