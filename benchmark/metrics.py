"""Metrics of images (C, H, W), float64 in [0, 1], and of kernels. A variant is part of a metric's name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import uniform_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmark import iqa
from benchmark.alignment import Image
from benchmark.kernel_scores import error_ratio, kernel_similarity
from benchmark.types import InputError

WINDOW = 11  # side of SSIM's Gaussian window, sigma 1.5


# What a metric is a function of:
#   pair     (estimate, reference), cropped and aligned by the protocol: full-reference metrics
#   image    (estimate,), the full frame: no-reference metrics
#   kernels  (estimated kernel, true kernel)
#   blur     (blurry image, sharp image, estimated kernel, true kernel)
Sight = Literal["pair", "image", "kernels", "blur"]


@dataclass(frozen=True)
class Metric:
    """A metric and how its values are shown. `function` raises InputError where it has no value."""

    name: str  # with its variant, as in scores.csv
    title: str
    digits: int  # after the point, in tables
    function: Callable[..., float]  # of what it `sees`
    unit: str = ""
    lower_is_better: bool = False
    sees: Sight = "pair"

    @property
    def heading(self) -> str:
        """Title, unit, and an arrow towards better values."""
        return f"{self.title}{', ' * bool(self.unit)}{self.unit} {'↓' if self.lower_is_better else '↑'}"


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
    _require_side("SSIM", reference, WINDOW)
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


def by_pyiqa(name: str, smallest_side: int) -> Callable[..., float]:
    """The metric `name` of `benchmark.iqa` on images of `smallest_side` px or more; InputError below."""

    def function(*images: Image) -> float:
        _require_side(name, images[0], smallest_side)
        return iqa.score(name, *images)

    return function


def _require_side(name: str, image: Image, smallest: int) -> None:
    height, width = image.shape[1:]
    if min(height, width) < smallest:
        raise InputError(f"{name} needs at least {smallest} px a side, {height} x {width} are left to score")


_ALL = (
    Metric("psnr", "PSNR", 2, psnr, unit="dB"),
    Metric("ssim", "SSIM", 3, ssim),
    Metric("ssim-wang", "SSIM (Wang)", 3, ssim_wang),
    # On the luminance, rounded to 8 bits; negative contrast terms count as zero.
    Metric("ssim-pyiqa", "SSIM (pyiqa)", 3, by_pyiqa("ssim-pyiqa", WINDOW)),
    # Zhang et al., CVPR 2018, version 0.1; below 31 px nothing is left after AlexNet's last pooling.
    Metric("lpips-alex", "LPIPS (AlexNet)", 3, by_pyiqa("lpips-alex", 31), lower_is_better=True),
    # Sheikh and Bovik, TIP 2006: a wavelet pyramid of four levels, for which 33 px are just enough.
    Metric("vif", "VIF", 3, by_pyiqa("vif", 33)),
    # Mittal et al., SPL 2013: statistics of blocks of 96 px; a single block leaves their spread at zero.
    Metric("niqe", "NIQE", 2, by_pyiqa("niqe", 96), lower_is_better=True, sees="image"),
    # Mittal et al., TIP 2012: windows of 7 px, on the image and at half its size.
    Metric("brisque", "BRISQUE", 2, by_pyiqa("brisque", 14), lower_is_better=True, sees="image"),
    # Venkatanath et al., NCC 2015: blocks of 16 px.
    Metric("piqe", "PIQE", 2, by_pyiqa("piqe", 16), lower_is_better=True, sees="image"),
    Metric("kernel-similarity", "Kernel similarity", 3, kernel_similarity, sees="kernels"),
    Metric("error-ratio", "Error ratio", 2, error_ratio, lower_is_better=True, sees="blur"),
)
METRICS = {metric.name: metric for metric in _ALL}
