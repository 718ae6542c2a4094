"""Deconvolve with an estimated kernel: the final steps of classical methods.

(The hyper-Laplacian is in `benchmark.blur.nonblind`.) Each takes a blurry image (C, H, W) and a kernel (h, w)
and returns the restored image in the same frame, float64, not clipped. Channels are independent of each
other.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import skimage  # loads a part when it is first used; `restoration` takes a second
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.special import expit
from skimage.morphology import disk

from benchmark.blur.latent_image import extended, sparse_gradients
from benchmark.blur.nonblind import (
    LAMBDA,
    Image,
    Kernel,
    difference_power,
    in_tapered_frame,
    transfer_function,
)
from methods.parts.ending import EndingSettings
from methods.parts.limits import at_least, positive

BLURRED_FLOOR = 1e-8  # the least value that is divided by in a Richardson-Lucy step
REACH_FLOOR = 1e-2  # the least share of a latent pixel's light that counts as reaching the frame
SATURATION_SHARPNESS = 50.0  # a of `saturated`
NEAR_SATURATION = 0.9  # Whyte et al.'s phi: latent pixels from this value on may be saturated
NEAR_RADIUS = 3  # px: the pixels so close to them may be saturated, too
BLEND_SIGMA = 3.0  # px, of the Gaussian that smooths the border between the two kinds of pixels
BLEND_RADIUS = 10  # px, at which that Gaussian is cut off
SMALL_ENTRY = 0.01  # share of the kernel's largest entry; smaller entries carry no saturation
SMALLEST_COUPLING = 1e-3  # b of Pan's total variation step, halved from 1 / weight down to it
RING_CONTRAST = 0.1  # sigma_r of the bilateral filter, for intensities in [0, 1]
RING_RADIUS = 3.0  # sigma_s of the bilateral filter, px


@dataclass(frozen=True)
class HyperLaplacianSettings(EndingSettings):
    """Settings: the final step `hyper_laplacian`, with the value of its paper."""

    final_weight: float = LAMBDA  # lambda, weight of the data term in the own final step

    def __post_init__(self) -> None:
        positive(self, "final_weight")


@dataclass(frozen=True)
class TotalVariationSettings(EndingSettings):
    """Settings: the final step `total_variation`, as in the code of Krishnan et al., CVPR 2011."""

    final_weight: float = 3000.0  # weight of the data term in the own final step
    final_penalty: float = 400.0  # weight of the splitting in the own final step
    final_iterations: int = 50  # iterations of the own final step

    def __post_init__(self) -> None:
        positive(self, "final_weight", "final_penalty")
        at_least(1, self, "final_iterations")


def total_variation(blurry: Image, kernel: Kernel, settings: TotalVariationSettings) -> Image:
    """Deconvolve under total variation: min_x weight/2 |k * x - y|^2 + sum |dx x| + |dy x|, by split Bregman.

    T. Goldstein, S. Osher, "The Split Bregman Method for L1-Regularized Problems", SIIMS 2009. The border is
    treated as in `hyper_laplacian`.

    Args:
        blurry: y, (C, H, W).
        kernel: k, (h, w).
        settings: weights and iterations.
    """
    weight, penalty = settings.final_weight, settings.final_penalty

    def deconvolve(periodic: Image, k: Kernel) -> Image:
        size = (periodic.shape[-2], periodic.shape[-1])
        transfer = transfer_function(k, size)
        denominator = weight * np.abs(transfer) ** 2 + penalty * difference_power(size)
        matched = weight * transfer.conj() * rfft2(periodic)
        x = periodic
        b_x, b_y = np.zeros_like(x), np.zeros_like(x)
        for _ in range(settings.final_iterations):
            v_x, v_y = np.roll(x, -1, -1) - x + b_x, np.roll(x, -1, -2) - x + b_y
            d_x, d_y = soft(v_x, 1 / penalty), soft(v_y, 1 / penalty)
            b_x, b_y = v_x - d_x, v_y - d_y
            h, v = d_x - b_x, d_y - b_y
            adjoint = np.roll(h, 1, -1) - h + np.roll(v, 1, -2) - v
            x = irfft2((matched + penalty * rfft2(adjoint)) / denominator, s=size)
        return x

    return in_tapered_frame(blurry, kernel, deconvolve)


def ringing_suppressed(
    blurry: Image, kernel: Kernel, tv_weight: float, sparsity: float, strength: float
) -> Image:
    """Deconvolve twice and remove the rings: x_tv - strength BF(x_tv - x_l0), BF being a bilateral filter.

    J. Pan et al., CVPR 2014, section 5. x_tv keeps details but has rings, x_l0 has neither; a smooth
    difference between them is rings.

    Args:
        blurry: (C, H, W).
        kernel: (h, w).
        tv_weight: of the total variation of x_tv.
        sparsity: of |grad x_l0|_0.
        strength: how much of the rings is removed; 1 is all.
    """
    size = (kernel.shape[0], kernel.shape[1])
    restored = []
    for channel in blurry:
        periodic = extended(channel, size)
        detailed = _total_variation_by_splitting(periodic, kernel, tv_weight)
        difference = detailed - sparse_gradients(periodic, kernel, sparsity)
        lowest = difference.min()  # the filter takes positive values only, and is the same for shifted ones
        rings = lowest + skimage.restoration.denoise_bilateral(
            difference - lowest, sigma_color=RING_CONTRAST, sigma_spatial=RING_RADIUS, mode="wrap"
        )
        restored.append((detailed - strength * rings)[: channel.shape[0], : channel.shape[1]])
    return np.stack(restored)


def _total_variation_by_splitting(periodic: Image, kernel: Kernel, weight: float) -> Image:
    """Minimise |k * x - y|^2 + 2 weight (|dx x| + |dy x|) on a periodic grid (H, W), as in Pan's code."""
    transfer = transfer_function(kernel, periodic.shape)
    power, differences = np.abs(transfer) ** 2, difference_power(periodic.shape)
    matched = transfer.conj() * rfft2(periodic)
    x, coupling = periodic, 1 / weight
    while coupling > SMALLEST_COUPLING:
        gamma = 1 / (2 * coupling)
        h = soft(np.roll(x, -1, 1) - x, coupling * weight)
        v = soft(np.roll(x, -1, 0) - x, coupling * weight)
        adjoint = np.roll(h, 1, 1) - h + np.roll(v, 1, 0) - v
        x = irfft2((matched + gamma * rfft2(adjoint)) / (power + gamma * differences), s=periodic.shape)
        coupling /= 2
    return x


def soft(v: Image, threshold: float) -> Image:
    """Move `v` towards 0 by `threshold`; what is closer becomes 0.

    >>> soft(np.array([-3.0, 0.5, 2.0]), 1.0)
    array([-2.,  0.,  1.])
    """
    return v - np.clip(v, -threshold, threshold)


def richardson_lucy(blurry: Image, kernel: Kernel, iterations: int) -> Image:
    """Deconvolve by Richardson-Lucy: W. H. Richardson, JOSA 1972; L. B. Lucy, AJ 1974.

    The latent image reaches beyond the frame by half the kernel.
    """
    blur, spread = _valid_blur(kernel, blurry.shape)
    reach = np.maximum(spread(np.ones_like(blurry)), REACH_FLOOR)
    x = _beyond_frame(blurry, kernel)
    for _ in range(iterations):
        x = x * spread(blurry / np.maximum(blur(x), BLURRED_FLOOR)) / reach
    return _frame(x, kernel, blurry.shape)


def richardson_lucy_saturated(blurry: Image, kernel: Kernel, iterations: int) -> Image:
    """Deconvolve linear light that saturates at 1, by Richardson-Lucy.

    O. Whyte, J. Sivic, A. Zisserman, "Deblurring Shaken and Partially Saturated Images", IJCV 2014, equation
    (21). Latent pixels near saturation are updated from the whole image; the others only from blurry pixels
    that no such pixel reaches, so that its rings do not spread.
    """
    kernel = np.where(kernel < SMALL_ENTRY * kernel.max(), 0, kernel)
    kernel = kernel / kernel.sum()
    blur, spread = _valid_blur(kernel, blurry.shape)
    x = _beyond_frame(blurry, kernel)
    for _ in range(iterations):
        blurred = blur(x)
        response, slope = saturated(blurred)
        excess = (blurry / np.maximum(response, BLURRED_FLOOR) - 1) * slope
        bright = binary_dilation(x >= NEAR_SATURATION, disk(NEAR_RADIUS)[None])
        clean = blur(bright.astype(np.float64)) < SMALL_ENTRY * kernel.max() / 2  # no entry reaches it
        share = gaussian_filter(bright.astype(np.float64), (0, BLEND_SIGMA, BLEND_SIGMA), radius=BLEND_RADIUS)
        step = share * spread(excess) + (1 - share) * spread(excess * clean)
        x = x * np.maximum(1 + step, 0)
    return _frame(x, kernel, blurry.shape)


def saturated(light: Image) -> tuple[Image, Image]:
    """Return a smooth min(t, 1) of light t, t - log(1 + exp(a (t - 1))) / a, and its derivative.

    Equation (12) of Whyte et al.; a is SATURATION_SHARPNESS.
    """
    beyond = SATURATION_SHARPNESS * (light - 1)
    return light - np.logaddexp(0, beyond) / SATURATION_SHARPNESS, expit(-beyond)


def _valid_blur(
    kernel: Kernel, frame: tuple[int, ...]
) -> tuple[Callable[[Image], Image], Callable[[Image], Image]]:
    """Return the 'valid' convolution that gives (C, H, W) = `frame`, and its adjoint."""
    (height, width), (h, w) = frame[-2:], kernel.shape
    latent = (height + h - 1, width + w - 1)
    fast = (next_fast_len(latent[0], real=True), next_fast_len(latent[1], real=True))
    transfer = rfft2(kernel, s=fast)

    def blur(x: Image) -> Image:
        return irfft2(rfft2(x, s=fast) * transfer, s=fast)[..., h - 1 : latent[0], w - 1 : latent[1]]

    def spread(y: Image) -> Image:
        padded = np.pad(y, ((0, 0), (h - 1, 0), (w - 1, 0)))
        return irfft2(rfft2(padded, s=fast) * transfer.conj(), s=fast)[..., : latent[0], : latent[1]]

    return blur, spread


def _beyond_frame(blurry: Image, kernel: Kernel) -> Image:
    top, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    return np.pad(blurry, ((0, 0), (top, top), (left, left)), mode="edge")


def _frame(latent: Image, kernel: Kernel, frame: tuple[int, ...]) -> Image:
    top, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    return latent[:, top : top + frame[1], left : left + frame[2]]
