"""Non-blind restorations with an estimated kernel, beside the hyper-Laplacian of `benchmark.blur.nonblind`.

All take a blurry image (C, H, W) and return float64 in its frame, not clipped; channels are independent.
"""

from collections.abc import Callable

import numpy as np
import skimage  # loads its parts when they are used; restoration takes a second
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.special import expit
from skimage.morphology import disk

from benchmark.blur.nonblind import Image, Kernel, difference_power, in_tapered_frame, transfer_function
from methods.classical.latent import extended, sparse_gradients

BLURRED_FLOOR = 1e-8  # of what a ratio is taken to
REACH_FLOOR = 1e-2  # of the share of a latent pixel that reaches the frame
SATURATION_SHARPNESS = 50.0  # a of `saturated`
NEAR_SATURATION = 0.9  # Whyte et al.'s phi: latent pixels from here on may be saturated,
NEAR_RADIUS = 3  # and so may their neighbours;
BLEND_SIGMA = 3.0  # the border between the two kinds is smoothed,
BLEND_RADIUS = 10  # over 21 x 21 px
SMALLEST_COUPLING = 1e-3  # b of Pan's TV step, halved from 1 / weight down to it
RING_CONTRAST = 0.1  # sigma_r of the bilateral filter, intensities in [0, 1]
RING_RADIUS = 3.0  # sigma_s, pixels
SMALL_ENTRY = 0.01  # of the kernel's largest: smaller ones carry no saturation


def total_variation(blurry: Image, kernel: Kernel, weight: float, penalty: float, iterations: int) -> Image:
    """min_x weight/2 |k * x - y|^2 + sum |dx x| + |dy x| by split Bregman, border as in `hyper_laplacian`.

    T. Goldstein, S. Osher, "The Split Bregman Method for L1-Regularized Problems", SIIMS 2009; `penalty` is
    the weight of the splitting.
    """

    def deconvolve(periodic: Image, k: Kernel) -> Image:
        size = (periodic.shape[-2], periodic.shape[-1])
        transfer = transfer_function(k, size)
        denominator = weight * np.abs(transfer) ** 2 + penalty * difference_power(size)
        matched = weight * transfer.conj() * rfft2(periodic)
        x = periodic
        b_x, b_y = np.zeros_like(x), np.zeros_like(x)
        for _ in range(iterations):
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
    """Pan's final step: x_tv - `strength` BF(x_tv - x_l0), BF a bilateral filter guided by its own input.

    J. Pan et al., CVPR 2014, section 5. x_tv has total variation `tv_weight` and keeps details with rings,
    x_l0 has `sparsity` |grad S|_0 and neither; where they differ smoothly, it is rings.
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
    """min_x |k * x - y|^2 + 2 `weight` (|dx x| + |dy x|) on a periodic grid (H, W), as in Pan's code."""
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
    """`v` moved towards zero by `threshold`."""
    return v - np.clip(v, -threshold, threshold)


def richardson_lucy(blurry: Image, kernel: Kernel, iterations: int) -> Image:
    """W. H. Richardson, JOSA 1972; L. B. Lucy, AJ 1974. The latent image reaches beyond the frame."""
    blur, spread = _valid_blur(kernel, blurry.shape)
    reach = np.maximum(spread(np.ones_like(blurry)), REACH_FLOOR)
    x = _beyond_frame(blurry, kernel)
    for _ in range(iterations):
        x = x * spread(blurry / np.maximum(blur(x), BLURRED_FLOOR)) / reach
    return _frame(x, kernel, blurry.shape)


def richardson_lucy_saturated(blurry: Image, kernel: Kernel, iterations: int) -> Image:
    """`richardson_lucy` of linear light that saturates at 1, with ringing kept from spreading.

    O. Whyte, J. Sivic, A. Zisserman, "Deblurring Shaken and Partially Saturated Images", IJCV 2014, equation
    (21): latent pixels near saturation are updated from the whole image, the others only from the blurry
    pixels that the former do not reach.
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
    """A smooth min(light, 1) and its derivative: t - log(1 + exp(a (t - 1))) / a, equation (12) of Whyte."""
    beyond = SATURATION_SHARPNESS * (light - 1)
    return light - np.logaddexp(0, beyond) / SATURATION_SHARPNESS, expit(-beyond)


def _valid_blur(
    kernel: Kernel, frame: tuple[int, ...]
) -> tuple[Callable[[Image], Image], Callable[[Image], Image]]:
    """'valid' convolution to (C, H, W) = `frame`, and its adjoint."""
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
