"""L0 gradient prior for noisy images: removes impulses first, and adapts the final step to the noise level.

The kernel is that of `l0-grad`, estimated from the image without its impulses. Not part of it: the outlier
weights of J. Dong, J. Pan, Z. Su, M.-H. Yang, "Blind Image Deblurring with Outlier Handling", ICCV 2017,
which need several solutions of the same system.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.blur.noise_level import noise_sigma, without_impulses
from benchmark.blur.nonblind import Image, Kernel, hyper_laplacian
from methods.classical.alternation import TurnSettings, estimate_kernel
from methods.classical.defocus import estimate_symmetric
from methods.classical.method import classical_method
from methods.parts.ending import EndingSettings
from methods.parts.limits import positive


@dataclass(frozen=True)
class NoiseWeightSettings(EndingSettings):
    """Settings: the final step `hyper_laplacian` with a weight from the noise; all values are ours."""

    # The weight of the data term in the own final step is noise_factor over the variance of the noise.
    noise_factor: float = 0.2
    smallest_final_weight: float = 50.0  # lower bound of that weight
    largest_final_weight: float = 2000.0  # upper bound of that weight

    def __post_init__(self) -> None:
        positive(self, "noise_factor", "smallest_final_weight", "largest_final_weight")
        if not self.smallest_final_weight <= self.largest_final_weight:
            raise ValueError(
                f"smallest_final_weight must be at most largest_final_weight, "
                f"not {self.smallest_final_weight} above {self.largest_final_weight}"
            )


@dataclass(frozen=True)
class Settings:
    """The kernel has the values of the authors' code."""

    # motion: a kernel of any shape. defocus: the disk or Gaussian that explains the image best.
    blur: Literal["motion", "defocus"] = "motion"
    turns: TurnSettings = TurnSettings()
    ending: NoiseWeightSettings = NoiseWeightSettings()


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel as `l0-grad` does, or within a family of one parameter."""
    if settings.blur == "defocus":
        return estimate_symmetric(blurry, size, settings.turns)
    return estimate_kernel(blurry, size, settings.turns)


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel; the noisier it is, the less its data count."""
    own, variance = settings.ending, max(noise_sigma(blurry) ** 2, np.finfo(np.float64).tiny)
    weight = own.noise_factor / variance
    bounded = min(max(weight, own.smallest_final_weight), own.largest_final_weight)
    return hyper_laplacian(blurry, kernel, bounded)


METHOD = classical_method(
    name="l0-robust",
    title="L0 robust (ours)",
    paper="Pan et al., CVPR 2014, with an impulse filter and a final step adapted to the noise",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
    prepare=without_impulses,
)
