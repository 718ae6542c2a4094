"""Latent image and kernel in turns, coarse to fine, under a sparse-gradient weight that falls.

J. Pan et al., CVPR 2014, and the methods that replace one of its parts.
"""

from collections.abc import Callable

from benchmark.blur.nonblind import Image, Kernel
from methods.classical.kernel import Gradients, centred, cleaned, gradients, on_support
from methods.classical.latent import extended, sparse_gradients
from methods.classical.pyramid import RATIO, enlarged, pyramid, two_tap

GRADIENT_WEIGHT = 4e-3  # Pan's code, section "2.1": of |grad S|_0 at the first iteration
SMALLEST_WEIGHT = 1e-4
DECAY = 1.1  # divides the weight after every iteration, through all scales
KERNEL_WEIGHT = 2.0  # of |k|^2
ALTERNATIONS = 5  # per scale

Latent = Callable[[Image, Kernel, float], Image]  # periodic blurry image, kernel, weight -> periodic image
# Gradients of latent and blurry image, the kernel's size, the weight of |k|^2 -> kernel, not yet cleaned
Solve = Callable[[Gradients, Gradients, tuple[int, int], float], Kernel]


def estimate_kernel(
    blurry: Image,
    size: tuple[int, int],
    latent: Latent = sparse_gradients,
    solve: Solve = on_support,
    *,
    weight: float = GRADIENT_WEIGHT,
    kernel_weight: float = KERNEL_WEIGHT,
    alternations: int = ALTERNATIONS,
    ratio: float = RATIO,
) -> Kernel:
    """The kernel of `size` (h, w), both odd, of a blurry image (H, W): Algorithm 1 without its thresholds."""
    kernel: Kernel | None = None
    for scale in pyramid(blurry, size, ratio):
        kernel = two_tap(scale.size) if kernel is None else enlarged(kernel, scale.size, ratio)
        height, width = scale.blurry.shape
        periodic, observed = extended(scale.blurry, scale.size), gradients(scale.blurry)
        for _ in range(alternations):
            image = latent(periodic, kernel, weight)[:height, :width]
            found = cleaned(solve(gradients(image), observed, scale.size, kernel_weight))
            kernel = kernel if found is None else found
            weight = max(weight / DECAY, SMALLEST_WEIGHT)
        kernel = centred(kernel)
    assert kernel is not None  # there is a scale at least
    return kernel
