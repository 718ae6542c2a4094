"""L0 gradient prior and dark-channel prior, with the hyper-Laplacian as final step.

J. Pan, D. Sun, H. Pfister, M.-H. Yang, "Blind Image Deblurring Using Dark Channel Prior", CVPR 2016, whose
own final step is another one. Four details of the authors' program are not here: it thresholds gradients
before the kernel step, its coarse images are a little darker, it solves a Laplace equation beyond the border,
and its kernels grow by the square root of 2 exactly from scale to scale, here by the ratio of whole sizes.

The kernel's centre of mass is kept in the middle of its box. So a box that just holds the kernel is too small
where its mass lies to one side: declare more, as the authors do, whose kernels of the photographs of Levin et
al. all have 29 px.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import Image, Kernel, hyper_laplacian
from methods.classical.alternation import TurnSettings, estimate_kernel
from methods.classical.dark_channel import sparse_dark_channel
from methods.classical.deconvolution import HyperLaplacianSettings
from methods.classical.method import classical_method
from methods.parts.limits import positive


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    turns: TurnSettings = TurnSettings()
    # Weight of |dark(S)|_0, S the latent image, at the first turn; it falls as that of the gradients does.
    dark_weight: float = 4e-3
    ending: HyperLaplacianSettings = HyperLaplacianSettings()

    def __post_init__(self) -> None:
        positive(self, "dark_weight")


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel, both penalties on the latent image."""
    dark_share = settings.dark_weight / settings.turns.gradient_weight

    def latent(blurry: Image, kernel: Kernel, weight: float) -> Image:
        return sparse_dark_channel(blurry, kernel, weight, dark_share * weight)

    return estimate_kernel(blurry, size, settings.turns, latent=latent)


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel."""
    return hyper_laplacian(blurry, kernel, settings.ending.final_weight)


METHOD = classical_method(
    name="l0-dark",
    title="L0 dark channel (ours)",
    paper="Pan et al., Dark Channel Prior, CVPR 2016; final step Krishnan and Fergus, NIPS 2009",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
