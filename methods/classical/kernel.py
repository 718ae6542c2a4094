"""Estimate the kernel for a given latent image, and centre it.

    min_k  sum over both gradients of |k * grad S - grad B|^2 + weight |k|^2

k is the kernel, S the latent image, B the blurry one. Solved for the entries of the kernel alone: J. Pan et
al., CVPR 2014, equation (13). Solved in closed form for a kernel as large as the image, of which the middle
is kept: J. Anger, G. Facciolo, M. Delbracio, "Blind Image Deblurring using the l0 Gradient Prior", IPOL 2019.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import center_of_mass, shift

from benchmark.blur.conjugate_gradients import conjugate_gradients
from benchmark.blur.latent_image import Gradients
from benchmark.blur.nonblind import Image, Kernel

CG_STEPS = 20
CG_TOLERANCE = 1e-5  # on the norm of the residual
THRESHOLD = 0.05  # share of the largest entry below which an entry is noise


def on_support(sharp: Gradients, blurry: Gradients, size: tuple[int, int], weight: float) -> Kernel:
    """Solve for the entries of the kernel by conjugate gradients, CG_STEPS from a uniform kernel.

    Args:
        sharp: gradients of the latent image (2, H, W).
        blurry: gradients of the blurry image, of the same shape.
        size: of the kernel, (h, w), both odd.
        weight: of |k|^2.

    Returns:
        The kernel (h, w); entries may be negative, see `kernel_steps.cleaned`.
    """
    product, target = normal_equations(sharp, blurry, size, weight)
    start = np.full(size, 1 / (size[0] * size[1]))
    return conjugate_gradients(product, target, start, CG_STEPS, CG_TOLERANCE)


def normal_equations(
    sharp: Gradients, blurry: Gradients, size: tuple[int, int], weight: float
) -> tuple[Callable[[Kernel], Kernel], Kernel]:
    """Return the left-hand side of the kernel's normal equations, k -> A k, and their right-hand side b.

    Up to a constant, the sum to minimise is <k, A k> - 2 <k, b>. Arguments as `on_support`.
    """
    power, matched, grid = _spectra(sharp, blurry, size)
    target = around_origin(irfft2(matched, s=grid), size)
    times_power = correlation_with(irfft2(power, s=grid), size)
    return lambda kernel: times_power(kernel) + weight * kernel, target


def in_fourier_space(sharp: Gradients, blurry: Gradients, size: tuple[int, int], weight: float) -> Kernel:
    """Solve in closed form for a kernel as large as the image; keep its middle. Arguments as `on_support`."""
    power, matched, grid = _spectra(sharp, blurry, size)
    return around_origin(irfft2(matched / (power + weight), s=grid), size)


def correlation_with(autocorrelation: Image, size: tuple[int, int]) -> Callable[[Kernel], Kernel]:
    """Return the product of a kernel with the matrix A of a periodic autocorrelation a: A[i, j] = a(i - j).

    Only lags within the kernel matter: each product costs an FFT of the kernel's size, not of the image's.
    """
    (h, w), lags = size, autocorrelation
    for axis, side in enumerate(size):
        lags = np.take(lags, np.arange(1 - side, side), axis, mode="wrap")
    fast = (next_fast_len(3 * h - 2, real=True), next_fast_len(3 * w - 2, real=True))
    spectrum = rfft2(lags, s=fast)
    return lambda kernel: irfft2(rfft2(kernel, s=fast) * spectrum, s=fast)[
        h - 1 : 2 * h - 1, w - 1 : 2 * w - 1
    ]


def offset(kernel: Kernel) -> tuple[int, int]:
    """Return the shift (rows, columns) in whole pixels that brings the centre of mass to the middle."""
    mass = center_of_mass(kernel)
    row, column = ((side - 1) / 2 - centre for side, centre in zip(kernel.shape, mass, strict=True))
    return round(row), round(column)


def centred(kernel: Kernel) -> Kernel:
    """Move the centre of mass to the middle, in whole pixels. Entries that leave the box are lost; sum 1."""
    moved = shift(kernel, offset(kernel), order=0)
    whole: Kernel = moved / moved.sum()
    return whole


def around_origin(periodic: Image, size: tuple[int, int]) -> Kernel:
    """Cut `size` entries around the origin out of a periodic array; the origin comes to the middle."""
    rows, columns = (np.arange(side) - side // 2 for side in size)
    kernel: Kernel = periodic[np.ix_(rows, columns)]
    return kernel


def _spectra(
    sharp: Gradients, blurry: Gradients, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.complex128], tuple[int, int]]:
    """Return |F sharp|^2 and conj(F sharp) F blurry, summed over both gradients, and the size of the FFT."""
    # Gradients wrap around at their own size, unless the kernel is larger still.
    grid = max(sharp.shape[1], size[0]), max(sharp.shape[2], size[1])
    spectra = rfft2(sharp, s=grid)
    return (np.abs(spectra) ** 2).sum(0), (spectra.conj() * rfft2(blurry, s=grid)).sum(0), grid
