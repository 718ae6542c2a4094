"""Normalised sparsity: the ratio of norms that `robust-bid` uses, too, with a classical optimiser.

D. Krishnan, T. Tay, R. Fergus, "Blind Deconvolution Using a Normalized Sparsity Measure", CVPR 2011.

The method is weak: it can end worse than the blurry image, because of its kernels and not of its final step.
`config/classical.yaml` compares it with the others.
"""

from dataclasses import dataclass

from benchmark.blur.conjugate_gradients import conjugate_gradients
from benchmark.blur.nonblind import Image, Kernel
from methods.classical.deconvolution import TotalVariationSettings, total_variation
from methods.classical.method import classical_method
from methods.classical.sparse_ratio import ImageStep, Turn, estimate_kernel
from methods.parts.kernel_steps import normal_equations
from methods.parts.limits import at_least, positive


@dataclass(frozen=True)
class Settings:
    """The values of the authors' demo."""

    weight: float = 100.0  # lambda of the data term; the demo has 200 for some images, less for noise
    delta: float = 1e-3  # length of an ISTA step
    alternations: int = 21  # turns of latent image and kernel per scale
    ending: TotalVariationSettings = TotalVariationSettings()

    def __post_init__(self) -> None:
        positive(self, "weight", "delta")
        at_least(1, self, "alternations")


GROWTH = 3.0  # factor of the cost that an image step may reach
CG_STEPS, CG_TOLERANCE = 1, 1e-4  # per kernel step


def kernel_step(x: Image, g: Image, kernel: Kernel, turn: Turn) -> Kernel:
    """Update the kernel: equation (6) without its l1 term, whose weight is 0 in the authors' demo."""
    del turn
    product, target = normal_equations(x, g, (kernel.shape[0], kernel.shape[1]), (x.shape[1], x.shape[2]))
    return conjugate_gradients(product, target, kernel, CG_STEPS, CG_TOLERANCE)


def estimate(settings: Settings, blurry: Image, size: tuple[int, int]) -> Kernel:
    """Estimate the kernel."""
    return estimate_kernel(
        blurry,
        size,
        ImageStep(settings.weight, settings.delta, GROWTH, afresh=False),
        kernel_step,
        smallest=max(3, 2 * ((max(size) - 1) // 16) + 1),
        alternations=settings.alternations,
    )


def deconvolve(settings: Settings, blurry: Image, kernel: Kernel) -> Image:
    """Restore the image with the kernel."""
    return total_variation(blurry, kernel, settings.ending)


METHOD = classical_method(
    name="l1l2",
    title="Normalised sparsity (ours)",
    paper="Krishnan et al., CVPR 2011",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
