"""Metrics of images (C, H, W), float64 in [0, 1], and of kernels. A variant is part of a metric's name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import skimage  # loads its parts when they are used; some take a second
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from benchmark.blur.field import reblurred
from benchmark.core.types import InputError
from benchmark.scoring import iqa
from benchmark.scoring.alignment import Image
from benchmark.scoring.kernel_scores import error_ratio, kernel_similarity

WINDOW = 11  # side of SSIM's Gaussian window, sigma 1.5


# What a metric is a function of:
#   pair     (estimate, reference), cropped and aligned by the protocol: full-reference metrics
#   masked   (estimate, reference, mask), of a protocol by which only some pixels count: the same
#   image    (estimate,), the full frame: no-reference metrics
#   kernels  (estimated kernel, true kernel)
#   blur     (blurry image, sharp image, estimated kernel, true kernel)
#   field    (blurry image, sharp image, estimated kernel field)
Sight = Literal["pair", "masked", "image", "kernels", "blur", "field"]


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
    def is_full_reference(self) -> bool:
        """Whether it compares a restoration with the sharp image."""
        return self.sees in ("pair", "masked")

    @property
    def heading(self) -> str:
        """Title, unit, and an arrow towards better values."""
        return f"{self.title}{', ' * bool(self.unit)}{self.unit} {'↓' if self.lower_is_better else '↑'}"


def psnr(estimate: Image, reference: Image) -> float:
    """Peak signal-to-noise ratio in dB, peak 1, over all pixels and channels; infinite for equal images."""
    if np.array_equal(estimate, reference):
        return float("inf")
    return float(skimage.metrics.peak_signal_noise_ratio(reference, estimate, data_range=1))


def ssim(estimate: Image, reference: Image) -> float:
    """Structural similarity by scikit-image: Gaussian window, sigma 1.5, mean over pixels and channels.

    Pixels whose window leaves the image are left out of the mean.
    Raises InputError when a side is shorter than the window.
    """
    return float(_ssim(estimate, reference)[0])


def _ssim(estimate: Image, reference: Image) -> tuple[float, Image]:
    """(mean without the borders, map of the image's size, whose borders are mirrored)."""
    _require_side("SSIM", reference, WINDOW)
    mean, full = skimage.metrics.structural_similarity(
        reference,
        estimate,
        channel_axis=0,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return mean, full


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


def ssim_3d(estimate: Image, reference: Image) -> float:
    """MATLAB's `ssim` of a colour array: a Gaussian window over rows, columns and channels, sigma 1.5.

    11 x 11 x 11 taps, all three axes continued by their edge, mean over all pixels and channels. Far above
    `ssim` on colour images: the channels are averaged before they are compared. A grey image is one channel,
    whose continuation changes nothing: the two-dimensional SSIM with continued edges.
    """

    def mean(volume: Image) -> Image:
        smooth: Image = gaussian_filter(volume, 1.5, radius=WINDOW // 2, mode="nearest")
        return smooth

    mean_x, mean_y = mean(reference), mean(estimate)
    energy = mean(reference**2) + mean(estimate**2) - mean_x**2 - mean_y**2
    covariance = mean(reference * estimate) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (energy + c2)
    return float(similarity.mean())


def reblur_psnr(blurry: Image, sharp: Image, field: Image) -> float:
    """`psnr` of the sharp image, blurred by the estimated field, against the blurry one: UFPNet, Table 4."""
    return psnr(reblurred(sharp, field), blurry.astype(np.float64))


def reblur_ssim_3d(blurry: Image, sharp: Image, field: Image) -> float:
    """`ssim_3d` of the same pair."""
    return ssim_3d(reblurred(sharp, field), blurry.astype(np.float64))


def psnr_masked(estimate: Image, reference: Image, mask: NDArray[np.bool_]) -> float:
    """`psnr` over the pixels of `mask` (H, W) and all channels. Raises InputError when there are none."""
    _require_pixels(mask)
    return psnr(estimate[:, mask], reference[:, mask])


def ssim_masked(estimate: Image, reference: Image, mask: NDArray[np.bool_]) -> float:
    """The mean of `ssim`'s map over the pixels of `mask` (H, W), 5 px inside the border, and all channels.

    The images are zero outside the mask, and windows reach there. Source: RealBlur's evaluation script.
    Raises InputError when a side is shorter than the window or the mask is empty.
    """
    border = WINDOW // 2
    _, similarity = _ssim(estimate, reference)
    inner = mask[border:-border, border:-border]
    _require_pixels(inner)
    return float(similarity[:, border:-border, border:-border][:, inner].mean())


def _require_pixels(mask: NDArray[np.bool_]) -> None:
    if not mask.any():
        raise InputError("no pixel is left to score: the aligned images do not overlap")


def by_pyiqa(name: str, smallest_side: int) -> Callable[..., float]:
    """The metric `name` of pyiqa on images of `smallest_side` px or more; InputError below."""

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
    Metric("ssim-3d", "SSIM (3-D)", 3, ssim_3d),
    Metric("psnr-masked", "PSNR (masked)", 2, psnr_masked, unit="dB", sees="masked"),
    Metric("ssim-masked", "SSIM (masked)", 3, ssim_masked, sees="masked"),
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
    Metric("reblur-psnr", "Re-blur PSNR", 2, reblur_psnr, unit="dB", sees="field"),
    Metric("reblur-ssim-3d", "Re-blur SSIM (3-D)", 3, reblur_ssim_3d, sees="field"),
    Metric("kernel-similarity", "Kernel similarity", 3, kernel_similarity, sees="kernels"),
    Metric("error-ratio", "Error ratio", 2, error_ratio, lower_is_better=True, sees="blur"),
)
METRICS = {metric.name: metric for metric in _ALL}
