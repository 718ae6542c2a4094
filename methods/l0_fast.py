"""L0 gradient prior with the kernel in closed form: fast, and good where the declared size is exact.

J. Anger, G. Facciolo, M. Delbracio, "Blind Image Deblurring using the l0 Gradient Prior", IPOL 2019. Two
things are not as there: the kernel, and not the latent image, is carried to the next scale, where the blurry
image is always reduced from its full size; and borders are extended, not tapered. So this method differs from
`l0-grad` in the kernel step, the scales and the final step alone.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import Image, Kernel
from methods.classical.alternation import TurnSettings, estimate_kernel
from methods.classical.deconvolution import TotalVariationSettings, total_variation
from methods.classical.kernel import in_fourier_space
from methods.classical.method import classical_method
from methods.parts.limits import positive

RATIO = 0.5  # between the sides of neighbouring scales


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    turns: TurnSettings = TurnSettings()
    kernel_weight: float = 20.0  # weight of |k|^2, k the kernel, in the kernel step
    ending: TotalVariationSettings = TotalVariationSettings(final_penalty=30.0, final_iterations=7)

    def __post_init__(self) -> None:
        positive(self, "kernel_weight")


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel, each kernel step in closed form."""
    return estimate_kernel(
        blurry,
        size,
        settings.turns,
        solve=in_fourier_space,
        kernel_weight=settings.kernel_weight,
        ratio=RATIO,
    )


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel."""
    return total_variation(blurry, kernel, settings.ending)


METHOD = classical_method(
    name="l0-fast",
    title="L0 closed form (ours)",
    paper="Anger et al., IPOL 2019",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
