"""Uniform blur: one kernel for the whole image, and the forms that a kernel is written in.

    y(i) = sum_m k(m) x(i + (h - 1, w - 1) - m)

x is the latent image with (H + h - 1) x (W + w - 1) pixels, k the kernel with h x w entries m, y the blurry
image with H x W pixels i. This is the 'valid' part of the convolution, which assumes no boundary; with
another boundary the image is extended first.
"""

from functools import lru_cache
from typing import Literal

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from benchmark.blur.boundary import latent_frame
from benchmark.core.errors import InputError

# Kernels of at least this many entries go through the FFT. In `blindbench bench` (forward and backward,
from benchmark.core.types import Boundary

# Kernels of at least this many entries go through the FFT. In `blindbench bench` (forward and backward,
# one thread, images of 64 to 512 px) the FFT is faster from 5 x 5 on; at 3 x 3 both take about as long. It is
# a constant because results must not depend on a measurement made at run time.
FFT_FROM_ENTRIES = 25


def blur(image: Tensor, kernel: Tensor, boundary: Boundary) -> Tensor:
    """Blur every channel of an image with one kernel; differentiable in both.

    Args:
        image: (C, H, W).
        kernel: (h, w), true-convolution form.
        boundary: what lies outside the image.

    Returns:
        (C, H - h + 1, W - w + 1) if the boundary is 'valid', else (C, H, W).

    Raises:
        InputError: the kernel is larger than the image; or a side of it is even and the boundary not 'valid'.

    An entry to the right of the kernel's centre moves the image to the right:

    >>> kernel = torch.zeros(3, 3)
    >>> kernel[1, 2] = 1
    >>> blur(torch.tensor([[[1.0, 2.0, 3.0]]]), kernel, "zero")
    tensor([[[0., 1., 2.]]])
    """
    return convolve_valid(latent_frame(image, (kernel.shape[0], kernel.shape[1]), boundary), kernel)


def convolve_valid(image: Tensor, kernel: Tensor) -> Tensor:
    """Blur `image` (C, H + h - 1, W + w - 1) with `kernel` (h, w) to (C, H, W); differentiable in both.

    The kernel's size decides between the direct sum and the FFT; both agree to rounding.
    Raises InputError when the kernel is larger than the image.
    """
    _check_fits(image, kernel)
    if kernel.numel() < FFT_FROM_ENTRIES:
        return convolve_valid_direct(image, kernel)
    return convolve_valid_fft(image, kernel)


def convolve_valid_direct(image: Tensor, kernel: Tensor) -> Tensor:
    """Compute `convolve_valid` as the sum of its definition."""
    weight = kernel.flip(0, 1)[None, None]  # conv2d correlates
    return functional.conv2d(image[:, None], weight)[:, 0]


def convolve_valid_fft(image: Tensor, kernel: Tensor) -> Tensor:
    """Compute `convolve_valid` by the convolution theorem."""
    (rows, columns), (h, w) = image.shape[-2:], kernel.shape
    # The FFT wraps around, but with the image's own size only outside the 'valid' part.
    size = (fast_length(rows), fast_length(columns))
    spectrum = torch.fft.rfft2(image, s=size) * torch.fft.rfft2(kernel, s=size)
    blurred: Tensor = torch.fft.irfft2(spectrum, s=size)
    return blurred[..., h - 1 : rows, w - 1 : columns]


def uniform_blur(image: Tensor, kernels: Tensor) -> Tensor:
    """Apply `convolve_valid` with the only kernel of `kernels` (1, h, w)."""
    if kernels.shape[0] != 1:
        raise InputError(f"a uniform blur takes one kernel, not {kernels.shape[0]}")
    return convolve_valid(image, kernels[0])


def rotate_180(kernel: Tensor) -> Tensor:
    """Turn kernels (..., h, w) by 180 degrees: from correlation form to true-convolution form, or back.

    The suite keeps kernels in true-convolution form. Networks whose weights know kernels in correlation form
    call this once, where kernels enter or leave.
    """
    return kernel.flip(-2, -1)


def odd_from_correlation(kernel: Tensor, zeros: Literal["before", "after"]) -> Tensor:
    """Turn kernels in correlation form with even sides into odd ones in true-convolution form.

    An even kernel has no centre. Which entry acts as one depends on the code that it was made for, and so
    does the side on which zeros must be added.

    Args:
        kernel: (..., h, w), correlation form; odd sides stay as they are.
        zeros: where a row and a column of zeros go, before the rotation. 'before' (top, left) for code that
            pads h / 2 - 1 px before and h / 2 px after the image, as torch's 'same' does (BlindDPS with its
            64-px kernels); 'after' (bottom, right) for code that pads h / 2 px before (UFPNet).

    >>> odd_from_correlation(torch.full((2, 2), 0.25), "before")
    tensor([[0.2500, 0.2500, 0.0000],
            [0.2500, 0.2500, 0.0000],
            [0.0000, 0.0000, 0.0000]])
    """
    rows, columns = (1 - kernel.shape[-2] % 2, 1 - kernel.shape[-1] % 2)
    padding = (columns, 0, rows, 0) if zeros == "before" else (0, columns, 0, rows)
    return rotate_180(functional.pad(kernel, padding))


def central_crop(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut the middle of `size` (H, W) out of (..., H', W'), such as the frame out of a latent image."""
    top, left = (image.shape[-2] - size[0]) // 2, (image.shape[-1] - size[1]) // 2
    return image[..., top : top + size[0], left : left + size[1]]


def _check_fits(image: Tensor, kernel: Tensor) -> None:
    if kernel.shape[0] > image.shape[-2] or kernel.shape[1] > image.shape[-1]:
        raise InputError(
            f"the kernel ({kernel.shape[0]} x {kernel.shape[1]}) is larger than the image "
            f"({image.shape[-2]} x {image.shape[-1]}); declare a smaller kernel size"
        )


@lru_cache(maxsize=256)
def fast_length(length: int) -> int:
    """Return the smallest length, at least `length`, at which the FFT is fast."""
    fast: int = next_fast_len(length, real=True)
    return fast
