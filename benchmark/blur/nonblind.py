"""Non-blind deconvolution with a hyper-Laplacian prior: the image when the kernel is known.

D. Krishnan, R. Fergus, "Fast Image Deconvolution using Hyper-Laplacian Priors", NIPS 2009:

    min_x  lambda/2 |k * x - y|^2 + sum |dx x|^alpha + |dy x|^alpha

by half-quadratic splitting, w = (dx x, dy x), with forward differences. For a uniform blur the quadratic step
is a division of spectra. FFTs see a periodic image, so the observed one is padded and its border tapered
first. For any other operator it is solved by conjugate gradients, and the border is the operator's.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import fftfreq, irfft2, rfft2, rfftfreq
from scipy.sparse.linalg import LinearOperator, cg

from benchmark.blur.operators import Operator

Image = NDArray[np.float64]  # (..., H, W); channels are independent of each other
Kernel = NDArray[np.float64]  # (h, w), true-convolution form, sum 1

LAMBDA = 2000.0  # the paper's, for noise of about 0.01
ALPHA = 2 / 3  # the paper's; natural images lie between 1/2 and 4/5
BETAS = tuple((2 * np.sqrt(2)) ** step for step in range(6))  # from 1, times 2 sqrt 2 while below 256
TAPERS = 4  # passes over the border
# Per beta. A crop of 160 x 160 px under a shake with roll, 0.5 % noise, ends at 31.3 dB with 10 steps,
# at 31.4 dB with 20 or 30. Iteratively reweighted least squares end at 31.1 dB for the same work.
CG_STEPS = 20
CG_TOLERANCE = 1e-5  # relative residual
NEWTON_STEPS = 6  # reach rounding, for alpha from 0.01 to 1 and all of BETAS


def hyper_laplacian(
    blurry: NDArray[np.floating[Any]],
    kernel: NDArray[np.floating[Any]],
    weight: float = LAMBDA,
    alpha: float = ALPHA,
) -> Image:
    """Deconvolve every channel of `blurry` (C, H, W) with `kernel` (h, w) in true-convolution form, sum 1.

    Returns float64 (C, H, W) in the frame of `blurry`, not clipped. `weight` is lambda. What lies outside the
    frame is unknown: the border pixels are repeated and tapered there, which costs sharpness near the border.
    """

    def deconvolve(periodic: Image, k: Kernel) -> Image:
        return hyper_laplacian_periodic(periodic, k, weight, alpha)

    return in_tapered_frame(blurry, kernel, deconvolve)


def in_tapered_frame(
    blurry: NDArray[np.floating[Any]],
    kernel: NDArray[np.floating[Any]],
    deconvolve: Callable[[Image, Kernel], Image],
) -> Image:
    """Pad `blurry` (C, H, W) by repeating and tapering its border, `deconvolve` it as periodic, and crop."""
    k = kernel.astype(np.float64)
    top, left = k.shape[0] // 2, k.shape[1] // 2
    padded = np.pad(blurry.astype(np.float64), ((0, 0), (top, top), (left, left)), mode="edge")
    for _ in range(TAPERS):
        padded = edge_taper(padded, k)
    return deconvolve(padded, k)[:, top : top + blurry.shape[1], left : left + blurry.shape[2]]


def hyper_laplacian_periodic(blurry: Image, kernel: Kernel, weight: float, alpha: float) -> Image:
    """`hyper_laplacian` of a periodic image (..., H, W): Algorithm 1, one inner pass per beta."""
    height, width = blurry.shape[-2:]
    transfer = transfer_function(kernel, (height, width))
    power = transfer.real**2 + transfer.imag**2
    differences = difference_power((height, width))
    matched = transfer.conj() * rfft2(blurry)
    x = blurry
    for beta in BETAS:
        w_x = prox(np.roll(x, -1, -1) - x, alpha, beta)
        w_y = prox(np.roll(x, -1, -2) - x, alpha, beta)
        adjoint = np.roll(w_x, 1, -1) - w_x + np.roll(w_y, 1, -2) - w_y
        spectrum = matched + beta / weight * rfft2(adjoint)  # equation (4)
        x = irfft2(spectrum / (power + beta / weight * differences), s=(height, width))
    return x


def hyper_laplacian_by_cg(
    blurry: NDArray[np.floating[Any]],
    operator: Operator,
    weight: float = LAMBDA,
    alpha: float = ALPHA,
) -> Image:
    """Restore `blurry` (C, H, W) blurred by `operator`, whose parameters are float32 on the CPU.

    Returns float64 (C, H, W) in the frame of `blurry`, not clipped. Algorithm 1 with equation (4) solved by
    CG_STEPS steps of conjugate gradients. The border is the operator's: if 'valid', the pixels outside the
    frame are unknowns like the others.
    """
    observed = torch.from_numpy(blurry).float()
    size = operator.latent_size((blurry.shape[1], blurry.shape[2]))
    shape = (blurry.shape[0], *size)
    adjoint = operator.transposed(observed)
    blank = operator.apply(observed.new_zeros(shape))  # not zero where the boundary is grey

    def equation(beta: float, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        """The left-hand side of equation (4)."""
        x = flat.reshape(shape)
        with torch.no_grad():
            blurred = operator.apply(torch.from_numpy(x).float()) - blank
        smoothed: Image = beta / weight * _differences_adjoint(*_differences(x))
        return (adjoint(blurred).numpy() + smoothed).ravel()

    matched = adjoint(observed - blank).numpy().astype(np.float64)
    rows, columns = size[0] - blurry.shape[1], size[1] - blurry.shape[2]
    margins = ((0, 0), (rows // 2, -(-rows // 2)), (columns // 2, -(-columns // 2)))
    x = np.pad(blurry.astype(np.float64), margins, mode="edge")
    for beta in BETAS:
        w_x, w_y = (prox(difference, alpha, beta) for difference in _differences(x))
        target = matched + beta / weight * _differences_adjoint(w_x, w_y)
        system = LinearOperator((x.size, x.size), matvec=partial(equation, beta), dtype=np.float64)
        flat, _ = cg(system, target.ravel(), x0=x.ravel(), rtol=CG_TOLERANCE, maxiter=CG_STEPS)
        x = flat.reshape(shape)
    top, left = rows // 2, columns // 2
    return x[:, top : top + blurry.shape[1], left : left + blurry.shape[2]]


def _differences(x: Image) -> tuple[Image, Image]:
    """Forward differences inside the image: (..., H, W - 1) along rows and (..., H - 1, W) along columns."""
    return np.diff(x, axis=-1), np.diff(x, axis=-2)


def _differences_adjoint(w_x: Image, w_y: Image) -> Image:
    padded_x = np.pad(w_x, ((0, 0), (0, 0), (1, 1)))
    padded_y = np.pad(w_y, ((0, 0), (1, 1), (0, 0)))
    return -np.diff(padded_x, axis=-1) - np.diff(padded_y, axis=-2)


def prox(v: Image, alpha: float, beta: float) -> Image:
    """The w that minimises |w|^alpha + beta/2 (w - v)^2 (equation 5), elementwise, for alpha in (0, 1].

    Zero up to the |v| at which the minimum jumps from zero to `smallest`; beyond it the larger root of the
    derivative, by Newton's method from |v|. The derivative is convex, so the iterates fall to the root and
    never pass it. At alpha = 1 this is the soft threshold 1 / beta.
    """
    smallest = (2 * (1 - alpha) / beta) ** (1 / (2 - alpha))
    threshold = smallest + alpha / beta * smallest ** (alpha - 1)
    beyond = np.abs(v) > threshold
    target = np.abs(v[beyond])
    root = target.copy()
    for _ in range(NEWTON_STEPS):
        slope = alpha * root ** (alpha - 1) + beta * (root - target)
        curvature = alpha * (alpha - 1) * root ** (alpha - 2) + beta
        root -= slope / curvature
    w = np.zeros_like(v)
    w[beyond] = np.copysign(root, v[beyond])
    return w


def edge_taper(image: Image, kernel: Kernel) -> Image:
    """Blend `image` (..., H, W) at its border with its circular blur, which knows no border."""
    height, width = image.shape[-2:]
    window = np.outer(_window(height, kernel.shape[0]), _window(width, kernel.shape[1]))
    blurred = irfft2(rfft2(image) * transfer_function(kernel, (height, width)), s=(height, width))
    return window * image + (1 - window) * blurred


def transfer_function(kernel: Kernel, size: tuple[int, int]) -> NDArray[np.complex128]:
    """The half spectrum (`rfft2`) that convolves a periodic image of `size` with `kernel` (h, w).

    The kernel's origin is its entry (h // 2, w // 2), which keeps an image in the frame of a 'valid' blur.
    """
    h, w = kernel.shape
    padded = np.zeros(size)
    padded[:h, :w] = kernel
    spectrum: NDArray[np.complex128] = rfft2(np.roll(padded, (-(h // 2), -(w // 2)), (0, 1)))
    return spectrum


def difference_power(size: tuple[int, int]) -> NDArray[np.float64]:
    """|F dx|^2 + |F dy|^2 on the half spectrum of a periodic image of `size`."""
    rows, columns = fftfreq(size[0]), rfftfreq(size[1])
    power: NDArray[np.float64] = 4 * np.sin(np.pi * rows)[:, None] ** 2 + 4 * np.sin(np.pi * columns) ** 2
    return power


def _window(length: int, width: int) -> NDArray[np.float64]:
    """Ones that fall to 0 over the `width` outermost samples of both ends."""
    ramp = np.sin(np.pi * np.arange(width) / (2 * width - 1)) ** 2
    window = np.ones(length)
    window[:width] *= ramp
    window[-width:] *= ramp[::-1]
    return window
