"""Uniform blur: true convolution, 'valid' part, and with a boundary by extending the image first.

    y(i) = sum_m k(m) x(i + (h - 1, w - 1) - m)

An image of (H + h - 1) x (W + w - 1) pixels gives an observation of H x W: no boundary is assumed.
"""

from functools import lru_cache
from typing import Literal

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from benchmark.blur.boundary import latent_frame
from benchmark.core.types import Boundary, InputError

# Kernels of at least this many entries go through the FFT: in `blindbench bench` (forward and back,
# one thread, images of 64 to 512 px) it is ahead from 5 x 5 on; at 3 x 3 the two are about level.
# A constant, because results must not depend on a measurement made at run time.
FFT_FROM_ENTRIES = 25


def blur(image: Tensor, kernel: Tensor, boundary: Boundary) -> Tensor:
    """Blur every channel of `image` with `kernel` (h, w), true-convolution form, under a boundary.

    'valid': (C, H + h - 1, W + w - 1) to (C, H, W). The others keep (C, H, W) and want odd kernels, whose
    centre stays on the pixel; an even one raises InputError. Differentiable in both.
    """
    return convolve_valid(latent_frame(image, (kernel.shape[0], kernel.shape[1]), boundary), kernel)


def convolve_valid(image: Tensor, kernel: Tensor) -> Tensor:
    """Blur every channel of `image` (C, H + h - 1, W + w - 1) with `kernel` (h, w); returns (C, H, W).

    Differentiable in both. Chooses the direct sum or the FFT by the kernel's size; they agree to rounding.
    Raises InputError when the kernel is larger than the image.
    """
    _check_fits(image, kernel)
    if kernel.numel() < FFT_FROM_ENTRIES:
        return convolve_valid_direct(image, kernel)
    return convolve_valid_fft(image, kernel)


def convolve_valid_direct(image: Tensor, kernel: Tensor) -> Tensor:
    """`convolve_valid` by the sum of its definition."""
    weight = kernel.flip(0, 1)[None, None]  # conv2d correlates
    return functional.conv2d(image[:, None], weight)[:, 0]


def convolve_valid_fft(image: Tensor, kernel: Tensor) -> Tensor:
    """`convolve_valid` by the convolution theorem."""
    (rows, columns), (h, w) = image.shape[-2:], kernel.shape
    # The wrap-around of a circular convolution of the image's own size stays outside the 'valid' part.
    size = (fast_length(rows), fast_length(columns))
    spectrum = torch.fft.rfft2(image, s=size) * torch.fft.rfft2(kernel, s=size)
    blurred: Tensor = torch.fft.irfft2(spectrum, s=size)
    return blurred[..., h - 1 : rows, w - 1 : columns]


def uniform_blur(image: Tensor, kernels: Tensor) -> Tensor:
    """The operator of a uniform blur: `convolve_valid` with the one kernel of `kernels` (1, h, w)."""
    if kernels.shape[0] != 1:
        raise InputError(f"a uniform blur takes one kernel, not {kernels.shape[0]}")
    return convolve_valid(image, kernels[0])


def rotate_180(kernel: Tensor) -> Tensor:
    """Between correlation form and true-convolution form, either way: turn the last two axes by 180 degrees.

    The suite keeps kernels in true-convolution form. Parts whose weights or reference numbers live in
    correlation form call this once, at their door.
    """
    return kernel.flip(-2, -1)


def odd_from_correlation(kernel: Tensor, zeros: Literal["before", "after"]) -> Tensor:
    """Kernels (..., h, w) in correlation form with even sides, as odd ones in true-convolution form.

    An even kernel has no centre; what it was run with decides where one zero row and one zero column go:
    'before' (top, left) where the library pads h / 2 - 1 before and h / 2 after, as torch's 'same' does (the
    64-px kernels of BlindDPS); 'after' (bottom, right) where it pads h / 2 before, as UFPNet does. Odd sides
    stay as they are. The rotation comes last: embedding a rotated kernel would need the other side.
    """
    rows, columns = (1 - kernel.shape[-2] % 2, 1 - kernel.shape[-1] % 2)
    padding = (columns, 0, rows, 0) if zeros == "before" else (0, columns, 0, rows)
    return rotate_180(functional.pad(kernel, padding))


def central_crop(image: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle (H, W) of (..., H', W'): the frame of an observation inside its latent image."""
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
    """The smallest length of at least `length` that the FFT is fast at."""
    fast: int = next_fast_len(length, real=True)
    return fast
