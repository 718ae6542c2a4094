"""Normalised sparsity: the ratio of norms that `robust-bid` uses, too, with a classical optimiser.

D. Krishnan, T. Tay, R. Fergus, "Blind Deconvolution Using a Normalized Sparsity Measure", CVPR 2011.

The method is weak, and on some small crops worse than the blurry image; the reason is its kernels, not its
final step. On Levin's 32 photographs its kernels have a mean similarity of 0.69 and its images 25.0 dB
(blurry: 23.2 dB; with `hyper_laplacian` as final step: 25.4 dB). Six crops of photographs under trajectories
of 13 to 21 px have 27.4 dB at 256 px (blurry: 28.0 dB, true kernel: 35.3 dB) and 29.5 dB at 128 px (blurry:
31.4 dB). On these, neither another weight of the data term (30 to 400) nor 2 to 20 steps of conjugate
gradients gain more than 0.1 dB.
"""

from dataclasses import dataclass

from benchmark.blur.nonblind import Image, Kernel
from methods.classical.deconvolution import TotalVariationSettings, total_variation
from methods.classical.kernel import conjugate_gradients
from methods.classical.method import classical_method
from methods.classical.sparse_ratio import ImageStep, Turn, estimate_kernel, normal_equations
from methods.parts.limits import at_least, positive


@dataclass(frozen=True)
class Settings:
    """The values of the authors' demo."""

    weight: float = 100.0  # lambda of the data term; the demo has 200 for some images, less for noise
    delta: float = 1e-3  # length of an ISTA step
    alternations: int = 21  # turns of latent image and kernel per scale
    final: TotalVariationSettings = TotalVariationSettings()

    def __post_init__(self) -> None:
        positive(self, "weight", "delta")
        at_least(1, self, "alternations")


GROWTH = 3.0  # factor of the cost that an image step may reach
CG_STEPS, CG_TOLERANCE = 1, 1e-4  # per kernel step


def kernel_step(x: Image, g: Image, kernel: Kernel, turn: Turn) -> Kernel:
    """Update the kernel: equation (6) without its l1 term, whose weight is 0 in the authors' demo."""
    del turn
    product, target = normal_equations(x, g, (kernel.shape[0], kernel.shape[1]))
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
    return total_variation(blurry, kernel, settings.final)


METHOD = classical_method(
    name="l1l2",
    title="Normalised sparsity (ours)",
    paper="Krishnan et al., CVPR 2011",
    settings=Settings,
    estimate=estimate,
    deconvolve=deconvolve,
)
