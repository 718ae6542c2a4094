"""L0 gradient prior and dark-channel prior, with the hyper-Laplacian as final step.

J. Pan, D. Sun, H. Pfister, M.-H. Yang, "Blind Image Deblurring Using Dark Channel Prior", CVPR 2016, whose
own final step is another one.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import LAMBDA, Image, Kernel, hyper_laplacian
from methods.classical.alternation import TurnSettings, estimate_kernel
from methods.classical.dark_channel import sparse_dark_channel
from methods.classical.method import classical_method
from methods.parts.limits import positive


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    turns: TurnSettings = TurnSettings()
    # Weight of |dark(S)|_0, S the latent image, at the first turn; it falls as that of the gradients does.
    dark_weight: float = 4e-3
    final_weight: float = LAMBDA  # lambda, weight of the data term in the final step

    def __post_init__(self) -> None:
        positive(self, "dark_weight", "final_weight")


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel, both penalties on the latent image."""
    dark_share = settings.dark_weight / settings.turns.gradient_weight

    def latent(blurry: Image, kernel: Kernel, weight: float) -> Image:
        return sparse_dark_channel(blurry, kernel, weight, dark_share * weight)

    return estimate_kernel(blurry, size, settings.turns, latent=latent)


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
