"""Estimate a kernel under a ratio of norms that is small for sharp images, from coarse to fine.

    min_{x, k}  weight/2 |x * k - g|^2 + |x|_1 / |x|_2,   k >= 0, sum 1

g is a gradient image of the blurry image, x that of the latent one, k the kernel; the terms of both gradient
images are added. D. Krishnan, T. Tay, R. Fergus, "Blind Deconvolution Using a Normalized Sparsity Measure",
CVPR 2011, equation (3), with the schedule of the authors' code.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import shift
from skimage.transform import resize

from benchmark.blur.latent_image import gradients
from benchmark.blur.nonblind import Image, Kernel, transfer_function
from benchmark.core.errors import NotSupportedError
from methods.classical.deconvolution import soft
from methods.classical.kernel import centred, offset
from methods.classical.pyramid import RATIO, odd, two_tap
from methods.parts.kernel_steps import normalised

NORM = 6.0  # what gradient images are scaled to, so that weights mean the same for all images and scales
OUTER, INNER = 2, 2  # per image step: how often the norm |x|_2 is taken anew, and ISTA steps for each
SMALLEST_DELTA = 1e-4  # the step length at which an image step is given up
SMALLEST_NORM = 1e-12  # of a gradient image, so that one can divide by it


@dataclass(frozen=True)
class Turn:
    """How far the alternation is."""

    scale: float  # in (0, 1]: share of the scales up to and with this one; 1 at the full image
    alternation: float  # in (0, 1]: share of this scale's turns up to and with this one


@dataclass(frozen=True)
class ImageStep:
    """How the gradient images x are updated."""

    weight: float  # of the data term
    delta: float  # length of an ISTA step; halved where the cost grows too much
    growth: float  # factor of the cost beyond which a step is undone
    # True: every step scales x to NORM and begins with the full delta; g stays as it is. False: x is scaled,
    # and delta full, once per scale only; g is scaled to NORM, too.
    afresh: bool


SolveKernel = Callable[[Image, Image, Kernel, Turn], Kernel]  # x (2, H, W), g (2, H, W), previous kernel


def estimate_kernel(
    blurry: Image,
    size: tuple[int, int],
    step: ImageStep,
    solve: SolveKernel,
    *,
    smallest: int,
    alternations: int,
) -> Kernel:
    """Estimate the kernel of a blurry image.

    Args:
        blurry: luma (H, W) in [0, 1].
        size: of the kernel, (h, w), both odd.
        step: how the gradient images are updated.
        solve: how the kernel is updated: (x (2, H, W), g (2, H, W), previous kernel, turn) -> kernel.
        smallest: the larger side of the kernel at the coarsest scale.
        alternations: turns per scale.

    Returns:
        The kernel (h, w).

    Raises:
        NotSupportedError: the image is not larger than the kernel.
    """
    if blurry.shape[0] <= size[0] or blurry.shape[1] <= size[1]:
        raise NotSupportedError("the image must be larger than the kernel")
    kernel, x = None, None
    sizes = list(_sizes(size, smallest))
    for index, (frame, box) in enumerate((_frame(blurry, size, box), box) for box in sizes):
        g = gradients(resize(blurry, frame, order=1, mode="edge", anti_aliasing=True))
        g = g if step.afresh else scaled(g)
        kernel = two_tap(box) if kernel is None else _resized(kernel, box)
        x = scaled(g if x is None else resize(x, g.shape, order=1, mode="edge", anti_aliasing=False))
        delta = step.delta
        for alternation in range(alternations):
            if step.afresh:
                x, delta = scaled(x), step.delta
            x, delta = _image_step(x, g, kernel, step, delta)
            turn = Turn((index + 1) / len(sizes), (alternation + 1) / alternations)
            solution = normalised(solve(x, g, kernel, turn))
            kernel = kernel if solution is None else solution
        row, column = offset(kernel)
        kernel, x = centred(kernel), shift(x, (0, -row, -column), order=0)
    assert kernel is not None
    return kernel


def _sizes(size: tuple[int, int], smallest: int) -> Iterator[tuple[int, int]]:
    """Yield the kernel sizes from the coarsest scale to the full one: the larger side grows by sqrt(2)."""
    side, full = smallest, max(size)
    while side < full:
        yield odd(size[0] * side / full), odd(size[1] * side / full)
        side = odd(side / RATIO)
    yield size


def _frame(blurry: Image, size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the size of the image at the scale whose kernel has the size `box`; it is always larger."""
    ratio = max(box) / max(size)
    height, width = (max(math.floor(round(side * ratio, 9)), 2) for side in blurry.shape)
    return max(height, box[0] + 1), max(width, box[1] + 1)


def scaled(x: Image) -> Image:
    """Scale each of the two gradient images (2, H, W) to the norm NORM."""
    return NORM / _norms(x) * x


def _resized(kernel: Kernel, size: tuple[int, int]) -> Kernel:
    larger = resize(kernel, size, order=1, mode="edge", anti_aliasing=False).clip(0)
    whole: Kernel = larger / larger.sum()
    return whole


def _image_step(x: Image, g: Image, kernel: Kernel, step: ImageStep, delta: float) -> tuple[Image, float]:
    """Update the gradient images; return them with the step length that their cost allowed."""
    blur, spread = _same_blur(kernel, (x.shape[1], x.shape[2]))

    def cost(x: Image) -> float:
        ratios = np.abs(x).sum((1, 2)) / _norms(x).ravel()
        return float(step.weight / 2 * ((blur(x) - g) ** 2).sum() + ratios.sum())

    limit = step.growth * cost(x)
    while delta > SMALLEST_DELTA:
        updated = x
        for _ in range(OUTER):
            norms = _norms(updated)
            for _ in range(INNER):
                ascent = spread(g - blur(updated))
                updated = soft(updated + delta * step.weight * norms * ascent, delta)
        if cost(updated) <= limit:
            return updated, delta
        delta /= 2
    return x, delta


def _norms(x: Image) -> Image:
    """Return the norms (2, 1, 1) of both gradient images, at least SMALLEST_NORM."""
    norms: Image = np.sqrt((x**2).sum((1, 2), keepdims=True))
    return np.maximum(norms, SMALLEST_NORM)


def _same_blur(
    kernel: Kernel, frame: tuple[int, int]
) -> tuple[Callable[[Image], Image], Callable[[Image], Image]]:
    """Return the convolution in the frame (H, W), with zeros beyond it, and its adjoint."""
    height, width = frame
    fast = (
        next_fast_len(height + kernel.shape[0] - 1, real=True),
        next_fast_len(width + kernel.shape[1] - 1, real=True),
    )
    transfer = transfer_function(kernel, fast)

    def by(spectrum: NDArray[np.complex128]) -> Callable[[Image], Image]:
        return lambda x: irfft2(rfft2(x, s=fast) * spectrum, s=fast)[:, :height, :width]

    return by(transfer), by(transfer.conj())
