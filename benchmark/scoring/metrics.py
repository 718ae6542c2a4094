"""The metrics: `METRICS` has one entry for each, with all that scoring, tables and figures know of it.

Images are (C, H, W), float64 in [0, 1]. A variant is part of a metric's name: `ssim-wang` is not `ssim`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import skimage  # loads its parts when they are used; some take a second
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from benchmark.blur.field import reblurred
from benchmark.core.errors import InputError
from benchmark.core.schema import look_up
from benchmark.scoring import iqa
from benchmark.scoring.alignment import Image
from benchmark.scoring.kernel_scores import energy, error_ratio, kernel_psnr, kernel_similarity

SIGMA = 1.5  # px, of SSIM's Gaussian window
WINDOW = 11  # px, its side

# The arguments of a metric's function:
#   pair     (estimate, reference), cropped and aligned by the protocol
#   masked   (estimate, reference, mask), where a protocol scores some pixels only
#   image    (estimate,), the full frame: no-reference metrics
#   kernels  (estimated kernel, true kernel)
#   kernel   (blurry image, estimated kernel)
#   blur     (blurry image, sharp image, estimated kernel, true kernel)
#   field    (blurry image, sharp image, estimated kernel field)
Inputs = Literal["pair", "masked", "image", "kernels", "kernel", "blur", "field"]


@dataclass(frozen=True)
class Metric:
    """A metric, and how tables and figures show its values."""

    name: str  # as in scores.csv, with its variant
    title: str  # as in tables and figures, with its variant
    digits: int  # after the point, in tables
    function: Callable[..., float]  # raises InputError where it has no value
    inputs: Inputs = "pair"
    unit: str = ""
    lower_is_better: bool = False
    shows_gain: bool = False  # whether tables show the mean difference to the blurry image, in its unit
    config_name: str = ""  # the name in configs, where a protocol chooses among variants; `name` if empty
    weights: tuple[str, ...] = ()  # files of the source `metric-weights` that it needs

    @property
    def is_full_reference(self) -> bool:
        """Whether it compares the restored image with the sharp one."""
        return self.inputs in ("pair", "masked")

    @property
    def heading(self) -> str:
        """Title, unit, and an arrow towards better values."""
        return f"{self.title}{', ' * bool(self.unit)}{self.unit} {'↓' if self.lower_is_better else '↑'}"

    @property
    def missing_weights(self) -> list[str]:
        """The weight files that it needs and that are not here."""
        return [file for file in self.weights if iqa.find_weights(file) is None]


def psnr(estimate: Image, reference: Image) -> float:
    """Compute the peak signal-to-noise ratio, 10 log10(1 / mean squared error), over pixels and channels.

    Args:
        estimate: (C, H, W) in [0, 1].
        reference: (C, H, W) in [0, 1].

    Returns:
        Decibels; infinite for equal images.

    >>> reference = np.full((1, 8, 8), 0.5)
    >>> round(psnr(reference + 0.1, reference), 6)
    20.0
    """
    if np.array_equal(estimate, reference):
        return float("inf")
    return float(skimage.metrics.peak_signal_noise_ratio(reference, estimate, data_range=1))


def ssim(estimate: Image, reference: Image) -> float:
    """Compute the structural similarity with scikit-image: Gaussian window, sigma 1.5 px.

    Args:
        estimate: (C, H, W) in [0, 1].
        reference: (C, H, W) in [0, 1].

    Returns:
        The mean over channels and over the pixels whose window lies inside the image; 1 for equal images.
        Source: Wang et al., TIP 2004.

    Raises:
        InputError: A side is shorter than the window of 11 px.

    >>> reference = np.random.default_rng(0).random((3, 16, 16))
    >>> ssim(reference, reference)
    1.0
    """
    return float(_ssim(estimate, reference)[0])


def _ssim(estimate: Image, reference: Image) -> tuple[float, Image]:
    """Return the mean without the borders, and the map of the image's size, whose borders are mirrored."""
    _require_side("SSIM", reference, WINDOW)
    mean, full = skimage.metrics.structural_similarity(
        reference,
        estimate,
        channel_axis=0,
        data_range=1,
        gaussian_weights=True,
        sigma=SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    return mean, full


def ssim_wang(estimate: Image, reference: Image) -> float:
    """Compute `ssim` of reduced images: Wang's script, the variant of SelfDeblur's MATLAB statistics.

    Images are first reduced by f = max(1, round(shorter side / 256)), halves rounded up.

    Args:
        estimate: (C, H, W) in [0, 1].
        reference: (C, H, W) in [0, 1].

    Raises:
        InputError: A reduced side is shorter than the window of 11 px.
    """
    factor = max(1, int(min(reference.shape[1:]) / 256 + 0.5))
    return ssim(_reduced(estimate, factor), _reduced(reference, factor))


def _reduced(image: Image, factor: int) -> Image:
    """Average over `factor` px with mirrored borders and keep every `factor`-th pixel from the first."""
    # MATLAB's even windows reach one pixel further down and right than scipy's.
    origin = -1 if factor % 2 == 0 else 0
    filtered = uniform_filter(image, size=(1, factor, factor), mode="reflect", origin=(0, origin, origin))
    return filtered[:, ::factor, ::factor]


def ssim_3d(estimate: Image, reference: Image) -> float:
    """Compute MATLAB's `ssim` of a colour array: the Gaussian window covers rows, columns and channels.

    The window has 11 x 11 x 11 taps; all three axes are continued by their edge. On colour images the value
    lies far above `ssim`, because channels are averaged before they are compared. A grey image gives the
    two-dimensional SSIM with continued edges.

    Args:
        estimate: (C, H, W) in [0, 1].
        reference: (C, H, W) in [0, 1].

    Returns:
        The mean over all pixels and channels; 1 for equal images.
    """

    def mean(volume: Image) -> Image:
        smooth: Image = gaussian_filter(volume, SIGMA, radius=WINDOW // 2, mode="nearest")
        return smooth

    mean_x, mean_y = mean(reference), mean(estimate)
    energy = mean(reference**2) + mean(estimate**2) - mean_x**2 - mean_y**2
    covariance = mean(reference * estimate) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (energy + c2)
    return float(similarity.mean())


def reblur_psnr(blurry: Image, sharp: Image, field: Image) -> float:
    """Blur the sharp image by the estimated kernel field and compute `psnr` to the blurry one.

    Args:
        blurry: (C, H, W) in [0, 1].
        sharp: (C, H, W) in [0, 1].
        field: (R, C', h, w), a kernel for each of R x C' equal patches.

    Returns:
        Decibels. Source: UFPNet, Table 4.
    """
    return psnr(reblurred(sharp, field), blurry.astype(np.float64))


def reblur_ssim_3d(blurry: Image, sharp: Image, field: Image) -> float:
    """Compute `ssim_3d` of the images that `reblur_psnr` compares."""
    return ssim_3d(reblurred(sharp, field), blurry.astype(np.float64))


def psnr_masked(estimate: Image, reference: Image, mask: NDArray[np.bool_]) -> float:
    """Compute `psnr` over the pixels of `mask` (H, W) and all channels.

    Raises:
        InputError: The mask is empty.
    """
    _require_pixels(mask)
    return psnr(estimate[:, mask], reference[:, mask])


def ssim_masked(estimate: Image, reference: Image, mask: NDArray[np.bool_]) -> float:
    """Average the map of `ssim` over the pixels of `mask` (H, W) that lie 5 px inside the border.

    The images are zero outside the mask, and windows reach there. Source: RealBlur's evaluation script.

    Raises:
        InputError: A side is shorter than the window of 11 px or the mask is empty.
    """
    border = WINDOW // 2
    _, similarity = _ssim(estimate, reference)
    inner = mask[border:-border, border:-border]
    _require_pixels(inner)
    return float(similarity[:, border:-border, border:-border][:, inner].mean())


def _require_pixels(mask: NDArray[np.bool_]) -> None:
    if not mask.any():
        raise InputError("no pixel is left to score: the aligned images do not overlap")


def _require_side(name: str, image: Image, smallest: int) -> None:
    height, width = image.shape[1:]
    if min(height, width) < smallest:
        raise InputError(f"{name} needs at least {smallest} px a side, {height} x {width} are left to score")


def _by_library(
    name: str,
    title: str,
    digits: int,
    load: Callable[[], iqa.Model],
    *,
    smallest_side: int,
    inputs: Inputs = "pair",
    lower_is_better: bool = False,
    config_name: str = "",
    weights: tuple[str, ...] = (),
) -> Metric:
    """Make an entry whose function is a library's, for images of `smallest_side` px or more."""

    def function(*images: Image) -> float:
        _require_side(name, images[0], smallest_side)
        return iqa.score(*images, name=name, load=load)

    return Metric(
        name,
        title,
        digits,
        function,
        inputs,
        lower_is_better=lower_is_better,
        config_name=config_name,
        weights=weights,
    )


_ENTRIES = (
    Metric("psnr", "PSNR", 2, psnr, unit="dB", shows_gain=True),
    Metric("ssim", "SSIM", 3, ssim),
    Metric("ssim-wang", "SSIM (Wang)", 3, ssim_wang, config_name="ssim"),
    Metric("ssim-3d", "SSIM (3-D)", 3, ssim_3d, config_name="ssim"),
    Metric(
        "psnr-masked", "PSNR (masked)", 2, psnr_masked, "masked",
        unit="dB", shows_gain=True, config_name="psnr",
    ),
    Metric("ssim-masked", "SSIM (masked)", 3, ssim_masked, "masked", config_name="ssim"),
    # On the luminance, rounded to 8 bits; negative contrast terms count as zero.
    _by_library("ssim-pyiqa", "SSIM (pyiqa)", 3, partial(iqa.pyiqa_model, "ssim"), smallest_side=WINDOW),
    # Zhang et al., CVPR 2018, version 0.1; below 31 px nothing is left after AlexNet's last pooling.
    _by_library(
        "lpips-alex", "LPIPS (AlexNet)", 3, iqa.lpips_alex, smallest_side=31,
        lower_is_better=True, config_name="lpips", weights=(iqa.ALEXNET,),
    ),
    # Sheikh and Bovik, TIP 2006: a wavelet pyramid of four levels, for which 33 px are just enough.
    _by_library("vif", "VIF", 3, partial(iqa.pyiqa_model, "vif"), smallest_side=33),
    # Mittal et al., SPL 2013: statistics of blocks of 96 px; a single block leaves their spread at zero.
    _by_library(
        "niqe", "NIQE", 2, partial(iqa.pyiqa_model, "niqe"), smallest_side=96,
        inputs="image", lower_is_better=True,
    ),
    # Mittal et al., TIP 2012: windows of 7 px, on the image and at half its size.
    _by_library(
        "brisque", "BRISQUE", 2, partial(iqa.pyiqa_model, "brisque"), smallest_side=14,
        inputs="image", lower_is_better=True,
    ),
    # Venkatanath et al., NCC 2015: blocks of 16 px.
    _by_library(
        "piqe", "PIQE", 2, partial(iqa.pyiqa_model, "piqe"), smallest_side=16,
        inputs="image", lower_is_better=True,
    ),
    Metric("reblur-psnr", "Re-blur PSNR", 2, reblur_psnr, "field", unit="dB"),
    Metric("reblur-ssim-3d", "Re-blur SSIM (3-D)", 3, reblur_ssim_3d, "field"),
    Metric("kernel-similarity", "Kernel similarity", 3, kernel_similarity, "kernels"),
    Metric("kernel-psnr", "Kernel PSNR", 2, kernel_psnr, "kernels", unit="dB"),
    Metric("kernel-energy", "Kernel energy", 3, energy, "kernel", lower_is_better=True),
    Metric("error-ratio", "Error ratio", 2, error_ratio, "blur", lower_is_better=True),
)  # fmt: skip
METRICS = {metric.name: metric for metric in _ENTRIES}


def find_metric(name: str) -> Metric:
    """Return the metric that scores.csv calls `name`. Raises InputError when there is none."""
    return look_up(METRICS, name, "metric")


def gain_metrics() -> list[str]:
    """List the names of the metrics whose gain over the blurry image tables show: PSNR and its variants."""
    return [metric.name for metric in METRICS.values() if metric.shows_gain]


def variants(config_name: str) -> list[Metric]:
    """Return the metrics that `config_name` may mean in a config, the usual one first.

    Raises:
        InputError: There is none; the message has the closest name.
    """
    by_name: dict[str, list[Metric]] = {}
    for metric in METRICS.values():
        by_name.setdefault(metric.config_name or metric.name, []).append(metric)
    return look_up(by_name, config_name, "metric")
