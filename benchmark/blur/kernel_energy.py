"""Tell how well a kernel explains a blurry image, without the sharp one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

from benchmark.blur.latent_image import extended, gradients, sparse_gradients
from benchmark.blur.noise_level import smooth_sigma
from benchmark.core.errors import InputError

WEIGHT = 1e-4  # of |grad S|_0 in the latent image; ours, the smallest weight of Pan's schedule
# Noise takes edges into S. Where there is much, a kernel that hardly blurs has the least energy unless the
# weight grows, too (`energy_weight`): in proportion to the noise over NOISE, that of a luma whose colours
# have noise of 0.003, for which WEIGHT was chosen. The onset is as high as it may be: all photographs with
# noise of 0.01 lie above it, and as few as possible with less. Of datasets/choose-tuning.yaml:
# docs/results/choose-noise.csv.
NOISE = 0.002
ONSET = 0.0058
# By this factor must the turned kernel have less energy to be the one that was meant. Of the 159 kernels that
# five programs estimated of Levin's photographs none is refused; turned by mistake, 135 are (all files of
# `author_kernels`, both forms).
DECISIVE = 1.03
STEP = 1e-3  # a gradient up to this length counts as zero: the splitting leaves traces of rounding


def kernel_energy(
    blurry: NDArray[np.floating[Any]],
    kernel: NDArray[np.floating[Any]],
    largest: tuple[int, int] | None = None,
    edge: float = 1.0,
    weight: float = WEIGHT,
) -> float:
    """Compute the energy that a kernel leaves in the gradient domain; less is better.

        mean of  |grad (k * S - B)|^2 / weight + edge |grad S|_0,    S the latent image of `sparse_gradients`

    k is the kernel, B the blurry image; |.|_0 counts non-zero entries. The mean is over the pixels whose blur
    lies inside the frame. S. Cho, S. Lee, "Convergence Analysis of MAP based Blur Kernel Estimation",
    ICCV 2017, compare kernels by the energy that the estimation minimises; the form is ours. It ranks
    estimates of one image. It is no way to find a kernel: one that hardly blurs has less energy than the true
    one.

    Args:
        blurry: luma (H, W) in [0, 1].
        kernel: (h, w), true-convolution form, sum 1.
        largest: the size (h, w) of the largest of several kernels. Energies can be compared only over the
            same pixels: give it where sizes differ. None: the kernel's own size.
        edge: the energy of an edge of S. With more than 1, kernels that blur too little, whose S has many
            edges, have less of an advantage; S itself stays the same.
        weight: of |grad S|_0 against the misfit, in squared units of the image. Energies under different
            weights cannot be compared.

    Returns:
        About 1 where most gradients are not zero and the misfit is small; more for a kernel that does not
        fit.

    Raises:
        InputError: no pixel is left: the image is not larger than the kernel.

    >>> step = np.tile(np.repeat([0.2, 0.8], 20), (40, 1))
    >>> blurry = (np.roll(step, -1, 1) + step + np.roll(step, 1, 1)) / 3
    >>> true, wide = np.full((1, 3), 1 / 3), np.full((1, 5), 1 / 5)
    >>> kernel_energy(blurry, true, largest=(1, 5)) < kernel_energy(blurry, wide)
    True
    """
    b, k = blurry.astype(np.float64), kernel.astype(np.float64)
    (height, width), (h, w) = b.shape, k.shape
    rows, columns = (max(sides) // 2 for sides in zip(k.shape, largest or k.shape, strict=True))
    if height - 2 * rows < 2 or width - 2 * columns < 2:
        raise InputError(
            f"the image ({height} x {width}) must be larger than the kernel ({2 * rows + 1} x "
            f"{2 * columns + 1}): no pixel's blur lies inside the frame"
        )
    image = sparse_gradients(extended(b, (h, w)), k, weight)[:height, :width]
    grid = (next_fast_len(height + h - 1, real=True), next_fast_len(width + w - 1, real=True))
    blurred = irfft2(rfft2(image, s=grid) * rfft2(k, s=grid), s=grid)
    residual = blurred[h // 2 : h // 2 + height, w // 2 : w // 2 + width] - b
    inside = np.s_[rows : height - rows, columns : width - columns]
    misfit = gradients(residual[inside])
    edges = np.abs(gradients(image[inside])).sum(0) > STEP
    return float((misfit**2).sum(0).mean() / weight + edge * edges.mean())


def energy_weight(blurry: NDArray[np.floating[Any]]) -> float:
    """Return the `weight` of `kernel_energy` that ranks kernels of a blurry luma (H, W) best at its noise.

    WEIGHT up to noise of ONSET, as `smooth_sigma` estimates it; above, WEIGHT times the noise over NOISE.

    >>> smooth, noise = np.full((90, 90), 0.5), np.random.default_rng(0).normal(0, 0.01, (90, 90))
    >>> energy_weight(smooth) == WEIGHT, energy_weight(smooth + noise) > 4 * WEIGHT
    (True, True)
    """
    sigma = smooth_sigma(blurry.astype(np.float64))
    return WEIGHT * sigma / NOISE if sigma > ONSET else WEIGHT


def is_turned(blurry: NDArray[np.floating[Any]], kernel: NDArray[np.floating[Any]]) -> bool:
    """Tell whether a kernel (h, w), turned by 180 degrees, explains a blurry luma (H, W) far better.

    Raises:
        InputError: The image is not larger than the kernel.

    >>> step = np.tile(np.repeat([0.2, 0.8], 20), (40, 1))
    >>> blurry = 0.7 * step + 0.3 * np.roll(step, 4, 1)
    >>> is_turned(blurry, np.array([[0, 0, 0, 0, 0.7, 0, 0, 0, 0.3]]))
    False
    >>> is_turned(blurry, np.array([[0.3, 0, 0, 0, 0.7, 0, 0, 0, 0]]))
    True
    """
    return kernel_energy(blurry, kernel) > DECISIVE * kernel_energy(blurry, kernel[::-1, ::-1])
