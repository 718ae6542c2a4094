"""Kernels of a lens out of focus, or of a microscope: a disk or a Gaussian, known by one number.

The kernel step of `alternation` with one unknown: of the members of a family that fit the declared size, the
one with the least misfit of the gradients,

    sum over both gradients of |k * grad S - grad B|^2,    S the latent image, B the blurry one.

Each family is tried by itself, and the kernel with less energy is taken. Geometric optics gives the disk;
diffraction and aberrations bring it close to a Gaussian (S. Chaudhuri, A. N. Rajagopalan, "Depth from
Defocus", Springer 1999, chapter 2). The grid of parameters, and to compare by energy, is ours.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial

import numpy as np

from benchmark.blur.kernel_energy import kernel_energy
from benchmark.blur.latent_image import Gradients
from benchmark.blur.nonblind import Image, Kernel
from methods.classical.alternation import TurnSettings, estimate_kernel
from methods.classical.kernel import normal_equations

SMALLEST_RADIUS = 0.6  # px; a smaller disk is a single pixel
SMALLEST_SIGMA = 0.3  # px
SIGMAS_IN_BOX = 3.0  # a Gaussian fits a box of this many standard deviations to each side
STEP = 1.06  # ratio of neighbouring parameters
SAMPLES = 8  # per px and axis, of the disk

Family = Callable[[tuple[int, int]], tuple[Kernel, ...]]  # the size (h, w) -> members of that size


def estimate_symmetric(blurry: Image, size: tuple[int, int], settings: TurnSettings) -> Kernel:
    """Estimate the disk and the Gaussian that explain a blurry image; return the one with less energy.

    Args:
        blurry: luma (H, W) in [0, 1].
        size: of the kernel, (h, w), both odd.
        settings: of the turns.

    Raises:
        InputError: the image is not larger than the kernel.
    """
    kernels = [
        estimate_kernel(blurry, size, settings, solve=partial(_of_family, family), threshold=0.0)
        for family in (disks, gaussians)
    ]
    return min(kernels, key=lambda kernel: kernel_energy(blurry, kernel))


def _of_family(
    family: Family, sharp: Gradients, blurry: Gradients, size: tuple[int, int], weight: float
) -> Kernel:
    """Find the member of a family that explains the gradients best; arguments as `on_support`."""
    product, target = normal_equations(sharp, blurry, size, weight)
    return min(family(size), key=lambda kernel: float((kernel * (product(kernel) - 2 * target)).sum()))


@lru_cache(maxsize=1)  # the turns of a scale ask for the same ones
def disks(size: tuple[int, int]) -> tuple[Kernel, ...]:
    """List the disks that fit a box (h, w), both sides odd; each sums to 1."""
    return tuple(disk(size, radius) for radius in _grid(SMALLEST_RADIUS, min(size) / 2))


@lru_cache(maxsize=1)
def gaussians(size: tuple[int, int]) -> tuple[Kernel, ...]:
    """List the Gaussians that fit a box (h, w), both sides odd; each sums to 1."""
    largest = min(size) / 2 / SIGMAS_IN_BOX
    return tuple(gaussian(size, sigma) for sigma in _grid(SMALLEST_SIGMA, largest))


def _grid(smallest: float, largest: float) -> Iterator[float]:
    """Yield at least one parameter."""
    value = smallest
    while value <= max(smallest, largest):
        yield value
        value *= STEP


def disk(size: tuple[int, int], radius: float) -> Kernel:
    """Return a disk of `radius` px in the middle of (h, w), its rim anti-aliased.

    >>> disk((3, 3), 1.0).round(2)
    array([[0.03, 0.14, 0.03],
           [0.14, 0.31, 0.14],
           [0.03, 0.14, 0.03]])
    """
    rows, columns = ((np.arange(side * SAMPLES) - (side * SAMPLES - 1) / 2) / SAMPLES for side in size)
    inside = np.hypot(rows[:, None], columns) <= radius
    share = inside.reshape(size[0], SAMPLES, size[1], SAMPLES).mean((1, 3))
    whole: Kernel = share / share.sum()
    return whole


def gaussian(size: tuple[int, int], sigma: float) -> Kernel:
    """Return a Gaussian with a standard deviation of `sigma` px in the middle of (h, w)."""
    rows, columns = (np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * sigma**2)) for side in size)
    kernel = np.outer(rows, columns)
    whole: Kernel = kernel / kernel.sum()
    return whole
