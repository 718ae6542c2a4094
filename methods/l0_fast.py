"""L0 gradient prior with the kernel in closed form: fast, and good where the declared size is exact.

J. Anger, G. Facciolo, M. Delbracio, "Blind Image Deblurring using the l0 Gradient Prior", IPOL 2019. Two
things are not as there: the kernel, and not the latent image, is carried to the next scale, where the blurry
image is always reduced from its full size; and borders are extended, not tapered. So this method differs from
`l0-grad` in the kernel step, the scales and the final step alone.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import Image, Kernel
from methods.classical.alternation import ALTERNATIONS, GRADIENT_WEIGHT, estimate_kernel
from methods.classical.deconvolution import total_variation
from methods.classical.kernel import in_fourier_space
from methods.classical.method import classical_method
from methods.classical.settings import require_positive

RATIO = 0.5  # between the sides of neighbouring scales


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    gradient_weight: float = GRADIENT_WEIGHT  # lambda of |grad S|_0
    kernel_weight: float = 20.0  # of |k|^2
    alternations: int = ALTERNATIONS  # per scale
    final_weight: float = 3000.0  # of the data term of the final step, total variation
    final_penalty: float = 30.0  # of the splitting in it
    final_iterations: int = 7

    def __post_init__(self) -> None:
        require_positive(self)


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel, each kernel step in closed form."""
    return estimate_kernel(
        blurry,
        size,
        solve=in_fourier_space,
        weight=settings.gradient_weight,
        kernel_weight=settings.kernel_weight,
        alternations=settings.alternations,
        ratio=RATIO,
    )


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel."""
    return total_variation(
        blurry, kernel, settings.final_weight, settings.final_penalty, settings.final_iterations
    )


METHOD = classical_method(
    name="l0-fast",
    title="L0 closed form (ours)",
    paper="Anger et al., IPOL 2019",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
