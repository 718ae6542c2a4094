"""Polish an estimated kernel: update latent image and kernel in turns, at full size, under small weights.

The turns are those of the coarse-to-fine estimates (`methods.classical.alternation`), but they start at a
kernel that is nearly right, keep the weights of the image's gradients small, and take only pixels whose blur
lies inside the frame. On a noisy photograph, or one with few edges, they may lead to a kernel that explains
noise. The image restored with it has ripples everywhere; then the kernel stays as it was. The procedure and
its values are ours: they are no part of any paper.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len

from benchmark.blur.conjugate_gradients import conjugate_gradients
from benchmark.blur.kernel_energy import energy_weight, kernel_energy
from benchmark.blur.latent_image import extended, gradients, sparse_gradients
from benchmark.blur.noise_level import data_weight
from benchmark.blur.nonblind import ALPHA, Image, Kernel, hyper_laplacian_valid
from benchmark.core.errors import NotSupportedError
from methods.parts.kernel_steps import FRAGMENT, cleaned, moved, normal_equations, to_middle

TOLERANCE = 1e-5  # of conjugate gradients, on the norm of the residual


@dataclass(frozen=True)
class PolishSettings:
    """Our values, chosen on crops of training photographs of BSDS500."""

    # Weight of |grad S|_0 round by round, S the latent image. From 1e-3 on kernels get worse; below 3e-5
    # noise counts as edges.
    weights: tuple[float, ...] = (3e-4,) * 20 + (3e-5,) * 10
    ridge: float = 0.5  # weight of |k|^2, k the kernel
    threshold: float = 0.03  # share of the largest entry below which an entry is noise
    fragment: float = FRAGMENT  # share of the mass below which a connected component is noise
    # Whether the non-zero entries are moved to the middle of the box after each round. Estimates are centred
    # by their mass: a faint part far from it has no room.
    makes_room: bool = False
    steps: int = 10  # of conjugate gradients per round
    # Largest roughness, sum |grad|^ALPHA, of the image restored with the polished kernel, over that with the
    # kernel before: above it the polished kernel is dropped.
    roughening: float = 1.1


DEFAULT = PolishSettings()
EDGE = 3.0  # energy of an edge: with 1, polished kernels often have less energy than the true one
# Fragments with less than a tenth of a kernel's mass may be noise, or what a camera left that paused twice
# and moved fast in between. These rounds keep them; the energy decides.
FAINT = PolishSettings(fragment=0.01, makes_room=True)
# A kernel with faint parts is taken if its energy is below this share of that without them. Energies nearer
# to each other rank nothing, as for the means of `methods.parts.choice`.
COMPLETING = 0.99


def polish(blurry: Image, kernel: Kernel, settings: PolishSettings = DEFAULT) -> Kernel:
    """Improve an estimated kernel; keep it as it was where that makes the restored image much rougher.

    Args:
        blurry: luma (H, W) in [0, 1].
        kernel: (h, w), true-convolution form, sum 1.
        settings: of the rounds.

    Returns:
        The kernel (h, w), non-negative, sum 1.

    Raises:
        NotSupportedError: the image is not larger than the kernel.
    """
    (height, width), (h, w) = blurry.shape, kernel.shape
    if height <= h or width <= w:
        raise NotSupportedError(
            f"the image ({height} x {width}) must be larger than the kernel ({h} x {w}) to polish it"
        )
    better = _after_rounds(blurry, kernel, settings)
    weight = data_weight(blurry[None])

    def roughness(k: Kernel) -> float:
        image = hyper_laplacian_valid(blurry[None], k, weight)
        return sum(float((np.abs(np.diff(image, axis=axis)) ** ALPHA).sum()) for axis in (1, 2))

    return better if roughness(better) <= settings.roughening * roughness(kernel) else kernel


def complete(blurry: Image, polished: Kernel) -> Kernel:
    """Polish once more so that faint parts stay; keep the result where it has clearly less energy.

    Args:
        blurry: luma (H, W) in [0, 1].
        polished: a result of `polish`, (h, w).

    Returns:
        The kernel (h, w) with its faint parts if its energy (`benchmark.blur.kernel_energy`) is below
        COMPLETING times that of `polished`, else `polished` itself.

    Raises:
        NotSupportedError: the image is not larger than the kernel.
    """
    weight = energy_weight(blurry)
    whole = polish(blurry, polished, FAINT)
    least, energy = (kernel_energy(blurry, kernel, None, EDGE, weight) for kernel in (polished, whole))
    return whole if energy < COMPLETING * least else polished


def _after_rounds(blurry: Image, kernel: Kernel, settings: PolishSettings) -> Kernel:
    """Update latent image and kernel in turns, in float32.

    A kernel that was moved to make room moves back at the end, as far as it fits in the box. A round after
    which nothing is left of the kernel, as on an image without edges, leaves it as it was.
    """
    (height, width), (h, w) = blurry.shape, kernel.shape
    single = blurry.astype(np.float32)
    periodic, observed = extended(single, (h, w)), gradients(single)
    grid = (next_fast_len(height - 1, real=True), next_fast_len(width - 1, real=True))
    way = np.zeros(2, int)  # that the kernel was moved, in all
    for weight in settings.weights:
        image = sparse_gradients(periodic, kernel, weight)[:height, :width]
        product, target = normal_equations(gradients(image), observed, (h, w), grid)
        solution = conjugate_gradients(
            lambda k, product=product: product(k) + settings.ridge * k,  # type: ignore[misc]
            target,
            kernel.astype(np.float32),
            settings.steps,
            TOLERANCE,
        )
        clean = cleaned(solution.astype(np.float64), settings.threshold, settings.fragment)
        kernel = kernel if clean is None else clean
        if settings.makes_room:
            shift = to_middle(kernel)
            kernel, way = moved(kernel, shift), way + shift
    return moved(kernel, (-way[0], -way[1]))
