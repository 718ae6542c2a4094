"""Low-rank kernels: the classical method made for over-declared kernel sizes.

L. Si-Yao, D. Ren, Q. Yin, "Understanding Kernel Size in Blind Deconvolution", WACV 2019.

The method is weak where the size is declared exactly. `config/classical.yaml` compares it with the others.
"""

from dataclasses import dataclass

import numpy as np

from benchmark.blur.nonblind import Image, Kernel
from methods.classical.deconvolution import TotalVariationSettings, total_variation
from methods.classical.kernel import THRESHOLD
from methods.classical.low_rank_kernel import low_rank_kernel
from methods.classical.method import classical_method
from methods.classical.sparse_ratio import ImageStep, Turn, estimate_kernel
from methods.parts.limits import at_least, positive


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    weight: float = 80.0  # lambda of the data term
    delta: float = 1e-2  # length of an ISTA step
    alternations: int = 5  # turns of latent image and kernel per scale
    rank_weight: float = 1e-5  # tau of the rank, at the finest scale; their code: 3e-4 for small kernels
    ending: TotalVariationSettings = TotalVariationSettings()

    def __post_init__(self) -> None:
        positive(self, "weight", "delta", "rank_weight")
        at_least(1, self, "alternations")


GROWTH = 2.0  # factor of the cost that an image step may reach


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel; the penalty on its rank and the threshold on its entries grow on the way."""

    def kernel_step(x: Image, g: Image, kernel: Kernel, turn: Turn) -> Kernel:
        solution = low_rank_kernel(x, g, kernel, settings.rank_weight * turn.scale)
        return np.where(solution < THRESHOLD * turn.alternation * solution.max(), 0, solution)

    return estimate_kernel(
        blurry,
        size,
        ImageStep(settings.weight, settings.delta, GROWTH, afresh=True),
        kernel_step,
        smallest=max(3, 2 * ((max(size) - 1) // 32) + 1),
        alternations=settings.alternations,
    )


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel."""
    return total_variation(blurry, kernel, settings.ending)


METHOD = classical_method(
    name="lowrank",
    title="Low-rank kernel (ours)",
    paper="Si-Yao et al., WACV 2019",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
