"""Richardson-Lucy with the kernel of `l0-grad`.

W. H. Richardson, JOSA 1972; L. B. Lucy, AJ 1974.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import Image, Kernel
from methods.classical.alternation import estimate_kernel
from methods.classical.deconvolution import richardson_lucy
from methods.classical.method import classical_method
from methods.parts.ending import EndingSettings
from methods.parts.limits import at_least


@dataclass(frozen=True)
class RichardsonLucySettings(EndingSettings):
    """Settings: the final step `richardson_lucy`; our own value."""

    passes: int = 30  # iterations; more of them sharpen more, and ring more

    def __post_init__(self) -> None:
        at_least(1, self, "passes")


@dataclass(frozen=True)
class Settings:
    """Only the final step has settings; the kernel is as in `l0-grad` with its defaults."""

    ending: RichardsonLucySettings = RichardsonLucySettings()


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel as `l0-grad` does."""
    del settings
    return estimate_kernel(blurry, size)


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel."""
    return richardson_lucy(blurry, kernel, settings.ending.passes)


METHOD = classical_method(
    name="rl",
    title="L0 gradient, Richardson-Lucy (ours)",
    paper="Richardson, JOSA 1972; Lucy, AJ 1974; the kernel as in Pan et al., CVPR 2014",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
