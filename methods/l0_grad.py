"""L0 gradient prior: the classical method in its plainest form, and a stand-in for Xu et al., CVPR 2013.

J. Pan, Z. Hu, Z. Su, M.-H. Yang, "Deblurring Text Images via L0-Regularized Intensity and Gradient Prior",
CVPR 2014, without the intensity term, which is for text, and with the hyper-Laplacian as final step.
Gradients are not thresholded before the kernel step, as they are in the authors' code: one setting less.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import Image, Kernel, hyper_laplacian
from methods.classical.alternation import TurnSettings, estimate_kernel
from methods.classical.deconvolution import HyperLaplacianSettings
from methods.classical.method import classical_method


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    turns: TurnSettings = TurnSettings()
    ending: HyperLaplacianSettings = HyperLaplacianSettings()


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel."""
    return estimate_kernel(blurry, size, settings.turns)


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel."""
    return hyper_laplacian(blurry, kernel, settings.ending.final_weight)


METHOD = classical_method(
    name="l0-grad",
    title="L0 gradient (ours)",
    paper="Pan et al., CVPR 2014, without the intensity prior; final step Krishnan and Fergus, NIPS 2009",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
