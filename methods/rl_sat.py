"""Richardson-Lucy for saturated images, with the kernel of `l0-grad`.

O. Whyte, J. Sivic, A. Zisserman, "Deblurring Shaken and Partially Saturated Images", IJCV 2014.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import Image, Kernel
from methods.classical.alternation import estimate_kernel
from methods.classical.deconvolution import richardson_lucy_saturated
from methods.classical.method import classical_method
from methods.parts.ending import EndingSettings
from methods.parts.limits import at_least, positive


@dataclass(frozen=True)
class SaturatedSettings(EndingSettings):
    """Settings: the final step `richardson_lucy_saturated`, with the values of the authors' code."""

    passes: int = 50  # iterations; more of them sharpen more, and ring more
    gamma: float = 2.2  # pixel values to this power are linear light; 1 where they are linear already

    def __post_init__(self) -> None:
        at_least(1, self, "passes")
        positive(self, "gamma")


@dataclass(frozen=True)
class Settings:
    """Only the final step has settings; the kernel is as in `l0-grad` with its defaults."""

    ending: SaturatedSettings = SaturatedSettings()


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel as `l0-grad` does."""
    del settings
    return estimate_kernel(blurry, size)


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel, in linear light."""
    own = settings.ending
    linear = richardson_lucy_saturated(blurry**own.gamma, kernel, own.passes)
    restored: Image = linear ** (1 / own.gamma)
    return restored


METHOD = classical_method(
    name="rl-sat",
    title="L0 gradient, Richardson-Lucy with saturation (ours)",
    paper="Whyte et al., IJCV 2014; the kernel as in Pan et al., CVPR 2014",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
