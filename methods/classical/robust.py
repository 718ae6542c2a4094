"""Both steps with weights that leave outliers out: pixels whose residual no Gaussian noise explains.

J. Dong, J. Pan, Z. Su, M.-H. Yang, "Blind Image Deblurring with Outlier Handling", ICCV 2017: the squared
residual z^2/2 is replaced by

    h(z) = z^2/2 - log(a + exp(b z^2)) / (2b).

Iteratively reweighted least squares with h'(z)/z as weights; the authors' values of a and b are not public.
Each step is solved without weights first, whose residual gives the weights.
"""

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.special import expit

from benchmark.blur.nonblind import Image, Kernel, difference_power, transfer_function
from methods.classical.kernel import CG_STEPS as KERNEL_STEPS
from methods.classical.kernel import (
    CG_TOLERANCE,
    Gradients,
    around_origin,
    conjugate_gradients,
    on_support,
    periodic_grid,
)
from methods.classical.latent import LARGEST_BETA, sparse_gradients, strong_edges

A = 1000.0
HALF_WEIGHT = 0.1  # the residual that counts half
B = np.log(A) / HALF_WEIGHT**2
REWEIGHTINGS = 2
BETA_STEP = 4.0
CG_STEPS = 25


def outlier_weight(residual: Image) -> Image:
    """h'(z) / z = a / (a + exp(b z^2)): 1 for small residuals, 1/2 at `HALF_WEIGHT`, 0 for large ones."""
    weight: Image = expit(np.log(A) - B * residual**2)
    return weight


def sparse_gradients_without_outliers(blurry: Image, kernel: Kernel, weight: float) -> Image:
    """`sparse_gradients` of a periodic image (H, W) under h instead of the square."""
    size = blurry.shape
    transfer = transfer_function(kernel, size)
    differences = difference_power(size)
    image = sparse_gradients(blurry, kernel, weight)
    for _ in range(REWEIGHTINGS - 1):
        weights = outlier_weight(irfft2(transfer * rfft2(image), s=size) - blurry)
        matched = transfer.conj() * rfft2(weights * blurry)
        beta = 2 * weight
        while beta < LARGEST_BETA:

            def product(x: Image, beta: float = beta, weights: Image = weights) -> Image:
                spectrum = rfft2(x)
                blurred = rfft2(weights * irfft2(transfer * spectrum, s=size))
                return irfft2(transfer.conj() * blurred + beta * differences * spectrum, s=size)

            target = irfft2(matched + beta * rfft2(strong_edges(image, weight / beta)), s=size)
            image = conjugate_gradients(product, target, image, CG_STEPS, CG_TOLERANCE)
            beta *= BETA_STEP
    return image


def kernel_without_outliers(
    sharp: Gradients, blurry: Gradients, size: tuple[int, int], weight: float
) -> Kernel:
    """`on_support` under h instead of the square."""
    kernel = on_support(sharp, blurry, size, weight)
    grid = periodic_grid(sharp, size)
    spectra = rfft2(sharp, s=grid)
    observed = np.zeros((2, *grid))
    observed[:, : blurry.shape[1], : blurry.shape[2]] = blurry

    def blurred(kernel: Kernel) -> Image:
        return irfft2(spectra * transfer_function(kernel, grid), s=grid)

    def correlated(images: Image) -> Kernel:
        return around_origin(irfft2(spectra.conj() * rfft2(images), s=grid).sum(0), size)

    for _ in range(REWEIGHTINGS - 1):
        weights = outlier_weight(blurred(kernel) - observed)

        def product(kernel: Kernel, weights: Image = weights) -> Kernel:
            return correlated(weights * blurred(kernel)) + weight * kernel

        kernel = conjugate_gradients(
            product, correlated(weights * observed), kernel, KERNEL_STEPS, CG_TOLERANCE
        )
    return kernel
