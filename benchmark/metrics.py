"""Full-reference scores of images (C, H, W), float64 in [0, 1]. A variant is part of a metric's name."""

import numpy as np
from scipy.ndimage import uniform_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmark.alignment import Image
from benchmark.types import InputError

WINDOW = 11  # side of SSIM's Gaussian window, sigma 1.5


def psnr(estimate: Image, reference: Image) -> float:
    """Peak signal-to-noise ratio in dB, peak 1, over all pixels and channels; infinite for equal images."""
    if np.array_equal(estimate, reference):
        return float("inf")
    return float(peak_signal_noise_ratio(reference, estimate, data_range=1))


def ssim(estimate: Image, reference: Image) -> float:
    """Structural similarity by scikit-image: Gaussian window, sigma 1.5, mean over pixels and channels.

    Pixels whose window leaves the image are left out of the mean.
    Raises InputError when a side is shorter than the window.
    """
    if min(reference.shape[1:]) < WINDOW:
        height, width = reference.shape[1:]
        raise InputError(f"SSIM needs at least {WINDOW} px a side, {height} x {width} are left to score")
    return float(
        structural_similarity(
            reference,
            estimate,
            channel_axis=0,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def ssim_wang(estimate: Image, reference: Image) -> float:
    """Wang's SSIM with automatic downsampling: the variant of SelfDeblur's MATLAB statistics.

    Images are first reduced by f = max(1, round(shorter side / 256)), halves rounded up; the rest is `ssim`.
    Raises InputError when a reduced side is shorter than the window.
    """
    factor = max(1, int(min(reference.shape[1:]) / 256 + 0.5))
    return ssim(_reduced(estimate, factor), _reduced(reference, factor))


def _reduced(image: Image, factor: int) -> Image:
    """Mean filter of `factor` px with mirrored borders, then every `factor`-th pixel from the first."""
    # MATLAB's even windows reach one pixel further down and right than scipy's.
    origin = -1 if factor % 2 == 0 else 0
    filtered = uniform_filter(image, size=(1, factor, factor), mode="reflect", origin=(0, origin, origin))
    return filtered[:, ::factor, ::factor]
