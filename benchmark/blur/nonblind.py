"""Non-blind deconvolution: restore an image whose kernel is known, under a hyper-Laplacian prior.

    min_x  lambda/2 |k * x - y|^2 + sum |dx x|^alpha + |dy x|^alpha

x is the sharp image, y the blurry one, k the kernel, dx and dy are forward differences. D. Krishnan, R.
Fergus, "Fast Image Deconvolution using Hyper-Laplacian Priors", NIPS 2009. Half-quadratic splitting sets w =
(dx x, dy x) and couples both with a weight beta that grows.

For a periodic image the step for x is a division of spectra. Photographs are not periodic:
- `hyper_laplacian` goes the paper's way: it pads the blurry image and tapers its border first;
- `hyper_laplacian_valid` takes the pixels outside the frame as unknowns and solves that step by conjugate
  gradients, which restores the border, too;
- `hyper_laplacian_by_cg` does so for any operator, under the operator's own boundary.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import fftfreq, irfft2, next_fast_len, rfft2, rfftfreq
from scipy.sparse.linalg import LinearOperator, cg

from benchmark.blur.conjugate_gradients import Array, conjugate_gradients, dot
from benchmark.blur.operators import Operator

Image = NDArray[np.float64]  # (..., H, W); channels are independent of each other
Kernel = NDArray[np.float64]  # (h, w), true-convolution form, sum 1
Single = NDArray[np.float32]  # (C, H, W)

LAMBDA = 2000.0  # the paper's, for noise with a standard deviation of about 0.01
ALPHA = 2 / 3  # the paper's; natural images have exponents between 1/2 and 4/5
BETAS = tuple((2 * np.sqrt(2)) ** step for step in range(6))  # the paper's: 1, times 2 sqrt 2 while below 256
TAPERS = 4  # passes over the border
# Steps of conjugate gradients per beta, where the image is not periodic. Ours: the paper divides spectra.
CG_STEPS = 20
CG_TOLERANCE = 1e-5  # relative residual
CLIPPED_CG_STEPS = 6  # with clipped pixels: more in one go change less than a second run
NEWTON_STEPS = 6  # enough to be exact up to rounding, for alpha from 0.01 to 1 and all of BETAS


def hyper_laplacian(
    blurry: NDArray[np.floating[Any]],
    kernel: NDArray[np.floating[Any]],
    weight: float = LAMBDA,
    alpha: float = ALPHA,
) -> Image:
    """Deconvolve every channel of an image with one kernel.

    What lies outside the frame is unknown: border pixels are repeated and tapered there, which costs
    sharpness near the border.

    Args:
        blurry: (C, H, W), values in [0, 1].
        kernel: (h, w), true-convolution form, sum 1.
        weight: lambda, positive; smaller for more noise.
        alpha: the exponent of the prior, in (0, 1].

    Returns:
        The sharp image (C, H, W) in the frame of `blurry`, float64, not clipped.

    >>> from scipy.ndimage import convolve1d
    >>> step = np.zeros((1, 32, 32))
    >>> step[:, :, 16:] = 1
    >>> kernel = np.full((1, 5), 0.2)
    >>> blurry = convolve1d(step, kernel[0], mode="nearest")
    >>> blurry[0, 16, 14:18]
    array([0.2, 0.4, 0.6, 0.8])
    >>> hyper_laplacian(blurry, kernel)[0, 16, 14:18].round(1).clip(0)
    array([0., 0., 1., 1.])
    """

    def deconvolve(periodic: Image, k: Kernel) -> Image:
        return hyper_laplacian_periodic(periodic, k, weight, alpha)

    return in_tapered_frame(blurry, kernel, deconvolve)


def in_tapered_frame(
    blurry: NDArray[np.floating[Any]],
    kernel: NDArray[np.floating[Any]],
    deconvolve: Callable[[Image, Kernel], Image],
) -> Image:
    """Pad an image, taper its border, deconvolve it as periodic, and crop the result.

    Args:
        blurry: (C, H, W).
        kernel: (h, w).
        deconvolve: (periodic image (C, H', W'), kernel) -> restored periodic image.

    Returns:
        The restored image (C, H, W).
    """
    k = kernel.astype(np.float64)
    top, left = k.shape[0] // 2, k.shape[1] // 2
    padded = np.pad(blurry.astype(np.float64), ((0, 0), (top, top), (left, left)), mode="edge")
    for _ in range(TAPERS):
        padded = edge_taper(padded, k)
    return deconvolve(padded, k)[:, top : top + blurry.shape[1], left : left + blurry.shape[2]]


def hyper_laplacian_periodic(blurry: Image, kernel: Kernel, weight: float, alpha: float) -> Image:
    """Deconvolve a periodic image (..., H, W): Algorithm 1, with one inner pass per beta."""
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


def hyper_laplacian_valid(
    blurry: NDArray[np.floating[Any]],
    kernel: NDArray[np.floating[Any]],
    weight: float = LAMBDA,
    alpha: float = ALPHA,
    clipped: NDArray[np.bool_] | None = None,
) -> Image:
    """Deconvolve every channel of an image with one kernel; pixels outside the frame are unknowns.

    Algorithm 1 on the latent image, which is larger than the frame by the kernel's size less one. Conjugate
    gradients solve equation (4), preconditioned by its solution for a periodic image. In float32: the result
    differs by thousandths of a decibel from that of float64, in half the time.

    A clipped pixel says only that the light was at least so bright: it counts in the data term while k * x is
    below it (S. Cho, J. Wang, S. Lee, "Handling Outliers in Non-blind Image Deconvolution", ICCV 2011, leave
    out what the model cannot explain; the one-sided form is ours). With clipped pixels x stays positive, and
    the algorithm runs twice, for lamps grow slowly to the light that explains their streaks.

    Args:
        blurry: (C, H, W), values in [0, 1].
        kernel: (h, w), true-convolution form, sum 1.
        weight: lambda, positive; smaller for more noise.
        alpha: the exponent of the prior, in (0, 1].
        clipped: (C, H, W), where the sensor saturated. None: nowhere.

    Returns:
        The sharp image (C, H, W) in the frame of `blurry`, float64, not clipped.
    """
    (height, width), (h, w) = blurry.shape[1:], kernel.shape
    rows, columns = height + h - 1, width + w - 1
    grid = (next_fast_len(rows, real=True), next_fast_len(columns, real=True))
    transfer = rfft2(kernel.astype(np.float32), s=grid)
    power = transfer.real**2 + transfer.imag**2
    differences = difference_power(grid).astype(np.float32)
    observed = blurry.astype(np.float32)

    def filtered(image: Single, response: NDArray[np.inexact[Any]]) -> Single:
        whole: Single = irfft2(rfft2(image, s=grid) * response, s=grid)
        return whole[:, :rows, :columns]

    def spread(residual: Single) -> Single:
        """Apply the adjoint of the blur."""
        return filtered(np.pad(residual, ((0, 0), (h - 1, 0), (w - 1, 0))), transfer.conj())

    def blur(image: Single) -> Single:
        return filtered(image, transfer)[:, h - 1 :, w - 1 :]

    x = np.pad(observed, ((0, 0), _either_side(h), _either_side(w)), mode="edge")
    for beta in BETAS if clipped is None else 2 * BETAS:
        ratio = np.float32(beta / weight)
        counts = np.float32(1) if clipped is None else np.float32(~clipped | (blur(x) < observed))

        def product(image: Single, ratio: np.float32 = ratio, counts: Any = counts) -> Single:
            return spread(counts * blur(image)) + ratio * _differences_adjoint(*_differences(image))

        matched = spread(counts * observed)
        inverse = 1 / (power + ratio * differences)
        w_x, w_y = (prox(difference, alpha, beta) for difference in _differences(x))
        target = matched + ratio * _differences_adjoint(w_x, w_y)
        tolerance = CG_TOLERANCE * float(np.sqrt(dot(target, target)))
        steps = CG_STEPS if clipped is None else CLIPPED_CG_STEPS
        x = conjugate_gradients(product, target, x, steps, tolerance, partial(filtered, response=inverse))
        if clipped is not None:
            x = np.maximum(x, 0)
    top, left = _either_side(h)[0], _either_side(w)[0]
    return x[:, top : top + height, left : left + width].astype(np.float64)


def _either_side(side: int) -> tuple[int, int]:
    """Return by how many pixels the latent image exceeds the frame before and after it."""
    return (side - 1) // 2, side // 2


def hyper_laplacian_by_cg(
    blurry: NDArray[np.floating[Any]],
    operator: Operator,
    weight: float = LAMBDA,
    alpha: float = ALPHA,
) -> Image:
    """Restore an image that any operator blurred: Algorithm 1, equation (4) by conjugate gradients.

    Args:
        blurry: (C, H, W), values in [0, 1].
        operator: the blur, its parameters float32 on the CPU. With the boundary 'valid', pixels outside the
            frame are unknowns like those inside.
        weight: lambda, positive.
        alpha: the exponent of the prior, in (0, 1].

    Returns:
        The sharp image (C, H, W) in the frame of `blurry`, float64, not clipped.
    """
    observed = torch.from_numpy(blurry).float()
    size = operator.latent_size((blurry.shape[1], blurry.shape[2]))
    shape = (blurry.shape[0], *size)
    adjoint = operator.transposed(observed)
    blank = operator.apply(observed.new_zeros(shape))  # not zero where the boundary is grey

    def equation(beta: float, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the left-hand side of equation (4)."""
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


def _differences(x: Array) -> tuple[Array, Array]:
    """Return the forward differences inside an image: dx (..., H, W - 1) and dy (..., H - 1, W)."""
    return np.diff(x, axis=-1), np.diff(x, axis=-2)


def _differences_adjoint(w_x: Array, w_y: Array) -> Array:
    """Apply the adjoint of `_differences`; returns (..., H, W)."""
    padded_x = np.pad(w_x, ((0, 0), (0, 0), (1, 1)))
    padded_y = np.pad(w_y, ((0, 0), (1, 1), (0, 0)))
    return -np.diff(padded_x, axis=-1) - np.diff(padded_y, axis=-2)


def prox(v: Array, alpha: float, beta: float) -> Array:
    """Return the w that minimises |w|^alpha + beta/2 (w - v)^2, entry by entry: equation (5).

    For small |v| it is 0. At a certain |v| the minimum jumps to `smallest`; from there on it is the larger
    root of the derivative, found by Newton's method from |v|. The derivative is convex, so the iterates fall
    towards the root and never pass it.

    Args:
        v: any shape.
        alpha: in (0, 1]; 1 is the soft threshold 1 / beta.
        beta: positive.

    >>> prox(np.array([-2.0, 0.5, 2.0]), alpha=1.0, beta=1.0)
    array([-1.,  0.,  1.])
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
    """Blend an image (..., H, W) near its border with its circular blur, which has no jump at the border."""
    height, width = image.shape[-2:]
    window = np.outer(_window(height, kernel.shape[0]), _window(width, kernel.shape[1]))
    blurred = irfft2(rfft2(image) * transfer_function(kernel, (height, width)), s=(height, width))
    return window * image + (1 - window) * blurred


def transfer_function(kernel: Kernel, size: tuple[int, int]) -> NDArray[np.complex128]:
    """Return the half spectrum (of `rfft2`) that convolves a periodic image of `size` with a kernel (h, w).

    The origin of the kernel is its entry (h // 2, w // 2), so that the image keeps the frame of a 'valid'
    blur.
    """
    h, w = kernel.shape
    padded = np.zeros(size)
    padded[:h, :w] = kernel
    spectrum: NDArray[np.complex128] = rfft2(np.roll(padded, (-(h // 2), -(w // 2)), (0, 1)))
    return spectrum


def difference_power(size: tuple[int, int]) -> NDArray[np.float64]:
    """Return |F dx|^2 + |F dy|^2 on the half spectrum of a periodic image of `size` (H, W)."""
    rows, columns = fftfreq(size[0]), rfftfreq(size[1])
    power: NDArray[np.float64] = 4 * np.sin(np.pi * rows)[:, None] ** 2 + 4 * np.sin(np.pi * columns) ** 2
    return power


def _window(length: int, width: int) -> NDArray[np.float64]:
    """Return ones that fall to 0 over the `width` outermost of `length` samples, at both ends."""
    ramp = np.sin(np.pi * np.arange(width) / (2 * width - 1)) ** 2
    window = np.ones(length)
    window[:width] *= ramp
    window[-width:] *= ramp[::-1]
    return window
