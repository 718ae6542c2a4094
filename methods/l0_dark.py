"""L0 gradient prior and dark-channel prior, with the hyper-Laplacian as final step.

J. Pan, D. Sun, H. Pfister, M.-H. Yang, "Blind Image Deblurring Using Dark Channel Prior", CVPR 2016, whose
own final step is another one.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import LAMBDA, Image, Kernel, hyper_laplacian
from methods.classical.alternation import ALTERNATIONS, GRADIENT_WEIGHT, estimate_kernel
from methods.classical.dark_channel import sparse_dark_channel
from methods.classical.method import classical_method
from methods.classical.settings import require_positive


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    gradient_weight: float = GRADIENT_WEIGHT  # mu of |grad S|_0
    dark_weight: float = 4e-3  # lambda of |dark(S)|_0; it falls in step with the gradient weight
    alternations: int = ALTERNATIONS  # per scale
    final_weight: float = LAMBDA  # of the data term of the final step

    def __post_init__(self) -> None:
        require_positive(self)


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel, both penalties on the latent image."""
    dark_share = settings.dark_weight / settings.gradient_weight

    def latent(blurry: Image, kernel: Kernel, weight: float) -> Image:
        return sparse_dark_channel(blurry, kernel, weight, dark_share * weight)

    return estimate_kernel(
        blurry, size, latent, weight=settings.gradient_weight, alternations=settings.alternations
    )


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel."""
    return hyper_laplacian(blurry, kernel, settings.final_weight)


METHOD = classical_method(
    name="l0-dark",
    title="L0 dark channel (ours)",
    paper="Pan et al., Dark Channel Prior, CVPR 2016; final step Krishnan and Fergus, NIPS 2009",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
