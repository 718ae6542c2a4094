"""The kernel of `l0-grad`, finished as in Pan's code: total variation, then rings removed.

J. Pan, Z. Hu, Z. Su, M.-H. Yang, "Deblurring Text Images via L0-Regularized Intensity and Gradient Prior",
CVPR 2014, section 5.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import Image, Kernel
from methods.classical.alternation import estimate_kernel
from methods.classical.deconvolution import ringing_suppressed
from methods.classical.method import classical_method
from methods.parts.ending import EndingSettings
from methods.parts.limits import positive


@dataclass(frozen=True)
class RingSettings(EndingSettings):
    """Settings: the final step `ringing_suppressed`, in the middle of the ranges that Pan's code gives."""

    tv_weight: float = 2e-3  # lambda_tv, weight of total variation; 1e-3 to 1e-2
    sparsity: float = 5e-4  # lambda_l0, weight of |grad x|_0 in the image without rings; 1e-4 to 2e-3
    ring_strength: float = 1.0  # w: how much of the rings is removed

    def __post_init__(self) -> None:
        positive(self, "tv_weight", "sparsity", "ring_strength")


@dataclass(frozen=True)
class Settings:
    """Only the final step has settings; the kernel is as in `l0-grad` with its defaults."""

    ending: RingSettings = RingSettings()


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel as `l0-grad` does."""
    del settings
    return estimate_kernel(blurry, size)


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel."""
    own = settings.ending
    return ringing_suppressed(blurry, kernel, own.tv_weight, own.sparsity, own.ring_strength)


METHOD = classical_method(
    name="l0-tv",
    title="L0 gradient, TV without ringing (ours)",
    paper="Pan et al., CVPR 2014, section 5; the kernel as in l0-grad",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
