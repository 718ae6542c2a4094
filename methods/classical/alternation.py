"""Estimate a kernel by updating latent image and kernel in turns, from coarse to fine.

The weight of the gradient penalty falls from turn to turn: first only the strongest edges count, then weaker
ones. J. Pan, Z. Hu, Z. Su, M.-H. Yang, "Deblurring Text Images via L0-Regularized Intensity and Gradient
Prior", CVPR 2014, Algorithm 1, and the methods that replace one of its parts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from benchmark.blur.latent_image import Gradients, extended, gradients, sparse_gradients
from benchmark.blur.nonblind import Image, Kernel
from methods.classical.kernel import THRESHOLD, centred, on_support
from methods.classical.pyramid import RATIO, enlarged, pyramid, two_tap
from methods.parts.kernel_steps import cleaned
from methods.parts.limits import at_least, positive

# All values are those of Pan's code.
SMALLEST_WEIGHT = 1e-4  # of |grad S|_0
DECAY = 1.1  # divides that weight after every turn, through all scales
KERNEL_WEIGHT = 2.0  # of |k|^2

Latent = Callable[[Image, Kernel, float], Image]  # periodic blurry image, kernel, weight -> periodic image
# Gradients of the latent and of the blurry image, the kernel's size, the weight of |k|^2 -> kernel
Solve = Callable[[Gradients, Gradients, tuple[int, int], float], Kernel]


@dataclass(frozen=True)
class TurnSettings:
    """Settings: the turns in which latent image and kernel are updated."""

    gradient_weight: float = 4e-3  # weight of |grad S|_0, S the latent image, at the first turn
    alternations: int = 5  # turns of latent image and kernel per scale

    def __post_init__(self) -> None:
        positive(self, "gradient_weight")
        at_least(1, self, "alternations")


DEFAULT = TurnSettings()


def estimate_kernel(
    blurry: Image,
    size: tuple[int, int],
    settings: TurnSettings = DEFAULT,
    *,
    latent: Latent = sparse_gradients,
    solve: Solve = on_support,
    kernel_weight: float = KERNEL_WEIGHT,
    ratio: float = RATIO,
    threshold: float = THRESHOLD,
) -> Kernel:
    """Estimate the kernel of a blurry image: Algorithm 1 of Pan et al. without its gradient thresholds.

    Args:
        blurry: luma (H, W) in [0, 1].
        size: of the kernel, (h, w), both odd.
        settings: of the turns.
        latent: the step that updates the latent image.
        solve: the step that updates the kernel; its result may have negative entries.
        kernel_weight: of |k|^2.
        ratio: between the sides of neighbouring scales.
        threshold: share of the kernel's largest entry below which an entry is set to zero.

    Returns:
        The kernel (h, w), its centre of mass in the middle.
    """
    kernel: Kernel | None = None
    weight = settings.gradient_weight
    for scale in pyramid(blurry, size, ratio):
        kernel = two_tap(scale.size) if kernel is None else enlarged(kernel, scale.size, ratio)
        height, width = scale.blurry.shape
        periodic, observed = extended(scale.blurry, scale.size), gradients(scale.blurry)
        for _ in range(settings.alternations):
            image = latent(periodic, kernel, weight)[:height, :width]
            solution = cleaned(solve(gradients(image), observed, scale.size, kernel_weight), threshold)
            kernel = kernel if solution is None else solution
            weight = max(weight / DECAY, SMALLEST_WEIGHT)
        kernel = centred(kernel)
    assert kernel is not None  # there is at least one scale
    return kernel
