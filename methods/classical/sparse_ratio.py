"""Gradient images and kernel in turns, coarse to fine, under a ratio of norms that prefers sharp images.

    min_{x, k}  weight/2 |x * k - g|^2 + |x|_1 / |x|_2,  k >= 0, sum 1

for both gradient images g of the blurry image. D. Krishnan, T. Tay, R. Fergus, "Blind Deconvolution Using a
Normalized Sparsity Measure", CVPR 2011, equation (3), with the schedule of the authors' code.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import shift
from skimage.transform import resize

from benchmark.blur.nonblind import Image, Kernel, transfer_function
from benchmark.core.types import NotSupportedError
from methods.classical.final import soft
from methods.classical.kernel import centred, gradients, normalised, offset
from methods.classical.pyramid import RATIO, odd, two_tap

NORM = 6.0  # of each gradient image, so that weights mean the same for all images and scales
OUTER, INNER = 2, 2  # norms taken per image step, ISTA steps per norm
SMALLEST_DELTA = 1e-4
SMALLEST_NORM = 1e-12


@dataclass(frozen=True)
class Turn:
    """Where the alternation stands."""

    scale: float  # in (0, 1]: share of the scales up to this one, 1 at the full image
    alternation: float  # in (0, 1]: share of this scale's alternations up to this one


@dataclass(frozen=True)
class ImageStep:
    """How the gradient images are updated."""

    weight: float  # of the data term
    delta: float  # length of an ISTA step; halved where the cost grows
    growth: float  # of the cost, beyond which a step is undone
    # True: x at `NORM` and the full delta for every step, g as it is. False: once per scale, and g at `NORM`.
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
    """The kernel of `size` (h, w), both odd, of a blurry image (H, W).

    `smallest` is the kernel's larger side at the coarsest scale. Raises NotSupportedError when the image has
    no pixel whose whole neighbourhood of the kernel's size is known.
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
            found = normalised(solve(x, g, kernel, turn))
            kernel = kernel if found is None else found
        row, column = offset(kernel)
        kernel, x = centred(kernel), shift(x, (0, -row, -column), order=0)
    assert kernel is not None
    return kernel


def normal_equations(x: Image, g: Image, size: tuple[int, int]) -> tuple[Callable[[Kernel], Kernel], Kernel]:
    """Matrix and right side of min_k |x * k - g|^2 over the pixels that `x` (2, H, W) determines, 'valid'."""
    (height, width), (h, w) = x.shape[1:], size
    spectrum = rfft2(x)
    top, left = h // 2, w // 2

    def correlated(valid: Image) -> Kernel:
        padded = np.pad(valid, ((0, 0), (h - 1, 0), (w - 1, 0)))
        both = irfft2(rfft2(padded) * spectrum.conj(), s=(height, width))
        kernel: Kernel = both[:, :h, :w].sum(0)
        return kernel

    def product(kernel: Kernel) -> Kernel:
        convolved = irfft2(rfft2(kernel, s=(height, width)) * spectrum, s=(height, width))
        return correlated(convolved[:, h - 1 :, w - 1 :])

    return product, correlated(g[:, top : height - top, left : width - left])


def _sizes(size: tuple[int, int], smallest: int) -> Iterator[tuple[int, int]]:
    """Kernel sizes from the coarsest scale on: the larger side grows by sqrt(2)."""
    side, full = smallest, max(size)
    while side < full:
        yield odd(size[0] * side / full), odd(size[1] * side / full)
        side = odd(side / RATIO)
    yield size


def _frame(blurry: Image, size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The image's size at the scale whose kernel has the size `box`; larger than that in any case."""
    ratio = max(box) / max(size)
    height, width = (max(math.floor(round(side * ratio, 9)), 2) for side in blurry.shape)
    return max(height, box[0] + 1), max(width, box[1] + 1)


def scaled(x: Image) -> Image:
    """Each of the two gradient images at the norm `NORM`."""
    return NORM / _norms(x) * x


def _resized(kernel: Kernel, size: tuple[int, int]) -> Kernel:
    larger = resize(kernel, size, order=1, mode="edge", anti_aliasing=False).clip(0)
    whole: Kernel = larger / larger.sum()
    return whole


def _image_step(x: Image, g: Image, kernel: Kernel, step: ImageStep, delta: float) -> tuple[Image, float]:
    """The updated gradient images, and the step length that their cost allowed."""
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
    """(2, 1, 1); a gradient image that is zero counts as tiny."""
    norms: Image = np.sqrt((x**2).sum((1, 2), keepdims=True))
    return np.maximum(norms, SMALLEST_NORM)


def _same_blur(
    kernel: Kernel, frame: tuple[int, int]
) -> tuple[Callable[[Image], Image], Callable[[Image], Image]]:
    """Convolution in the frame (H, W), zero beyond it, and its adjoint."""
    height, width = frame
    fast = (
        next_fast_len(height + kernel.shape[0] - 1, real=True),
        next_fast_len(width + kernel.shape[1] - 1, real=True),
    )
    transfer = transfer_function(kernel, fast)

    def by(spectrum: NDArray[np.complex128]) -> Callable[[Image], Image]:
        return lambda x: irfft2(rfft2(x, s=fast) * spectrum, s=fast)[:, :height, :width]

    return by(transfer), by(transfer.conj())
