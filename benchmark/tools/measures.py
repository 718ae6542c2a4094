"""Measure a photo, its restoration and an estimated kernel."""

import numpy as np
import scipy  # loads its parts when they are used; signal takes a second
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, uniform_filter

from benchmark.blur.noise_level import noise_sigma
from benchmark.core.colour import full_range_luma
from benchmark.core.types import Array
from benchmark.scoring.kernel_scores import kernel_similarity

Floats = NDArray[np.float64]

ROUNDING = 1 / 255 / 12**0.5  # standard deviation of the rounding to 8 bits: no photo has less noise
CLIPPED = 1 - 1 / 510  # a brighter pixel is saturated: it rounds to 255
POINT = 0.66  # share of the kernel's mass; kernels that are estimated on sharp photographs have a little more
FAINT = 0.02  # of a kernel's largest entry: less looks black
RIM = 0.15  # share of the kernel's mass
ROUND = 0.9  # similarity to a round Gaussian, of 1


def luma_of(photo: Array) -> Floats:
    """Compute the luma (H, W) of an image (C, H, W), both in [0, 1]."""
    luma: Floats = full_range_luma(photo.astype(np.float64))[0]
    return luma


def noise_level(luma: Floats) -> float:
    """Estimate the standard deviation of the noise of (H, W); at least that of rounding to 8 bits."""
    return max(noise_sigma(luma), ROUNDING)


def saturated_share(luma: Floats) -> float:
    """Compute the share of the pixels of (H, W) that are saturated, in [0, 1]."""
    return float((luma > CLIPPED).mean())


def lamp_contrast(luma: Floats) -> float:
    """Compute how much brighter the brightest thousandth of (H, W) is than nine tenths of it, in [0, 1].

    Lamps at night stand out, saturated or not; the streaks that they draw look like edges.

    >>> night = np.full((100, 100), 0.1)
    >>> night[:4, :4] = 0.9
    >>> round(lamp_contrast(night), 2)
    0.8
    """
    most, lamps = np.quantile(luma, (0.9, 0.999))
    return float(lamps - most)


def judged_share(photo: tuple[int, int], kernel: tuple[int, int]) -> float:
    """Compute the share of a photo's pixels whose blur reads no pixel outside, in [0, 1].

    Only they can show whether the kernel is right.

    Args:
        photo: Its size (H, W).
        kernel: Its size (h, w).

    >>> judged_share((20, 20), (11, 11)), judged_share((20, 20), (21, 21))
    (0.25, 0.0)
    """
    inside = [max(0, whole - side // 2 * 2) / whole for side, whole in zip(kernel, photo, strict=True)]
    return inside[0] * inside[1]


def clipped_pixels(photo: Array) -> NDArray[np.bool_]:
    """Return where any channel of a photo (C, H, W) is saturated: (H, W)."""
    clipped: NDArray[np.bool_] = np.any(photo > CLIPPED, axis=0)
    return clipped


def reblur_residual(
    blurry: Floats,
    sharp: Floats,
    kernel: Floats,
    border: int = 0,
    clipped: NDArray[np.bool_] | None = None,
    *,
    bounded: bool = True,
    blurred: Floats | None = None,
) -> float | None:
    """Compute the root mean square of kernel * sharp - blurry where the blur reads no pixel outside.

    Args:
        blurry: The photo, (H, W).
        sharp: Its restoration, (H, W).
        kernel: (h, w), sum 1.
        border: Least number of px left out on each side, so that kernels of several sizes can be compared.
        clipped: (H, W), saturated pixels: the light was at least so bright, so more is no difference.
        bounded: Whether the restoration ends at 1. Then pixels within half a kernel of saturated ones are
            left out, as it cannot give them; unless no other is left.
        blurred: The restoration blurred again, (H, W). None: with the kernel.

    Returns:
        None where every pixel's blur reads one outside: the photo is not larger than the kernel.

    >>> flat = np.full((9, 9), 0.5)
    >>> reblur_residual(flat + 0.25, flat, np.ones((1, 1)))
    0.25
    >>> reblur_residual(flat, flat, np.ones((9, 11)) / 99) is None
    True
    """
    inside = _inside(blurry, kernel, border)
    if not blurry[inside].size:
        return None
    if blurred is None:
        blurred = scipy.signal.oaconvolve(sharp, kernel, mode="same")
    difference = blurred - blurry
    if clipped is not None:
        difference = np.where(clipped, np.minimum(difference, 0), difference)
    squares = difference[inside] ** 2
    if clipped is not None and bounded:
        clear = ~maximum_filter(clipped, kernel.shape)[inside]
        squares = squares[clear] if clear.any() else squares
    return float(np.sqrt(squares.mean()))


def unexplained_share(
    residual: float, blurry: Floats, sharp: Floats, kernel: Floats, border: int = 0
) -> float:
    """Compute which share of what a restoration changed is not undone when it is blurred again; 0 is best.

    With the true kernel only noise is left over. A wrong one adds ripples that blurring again does not
    remove. Unlike a multiple of the noise it means the same for files whose noise was removed.

    Args:
        residual: See `reblur_residual`.
        blurry: The photo, (H, W).
        sharp: Its restoration, (H, W); what lies outside [0, 1] does not count.
        kernel: (h, w).
        border: Least number of px left out on each side.

    Returns:
        `residual` over the root mean square of sharp - blurry; infinity where nothing was changed.

    >>> flat = np.full((9, 9), 0.5)
    >>> round(unexplained_share(0.1, flat, flat + 0.4, np.ones((3, 3))), 6)
    0.25
    """
    changed = (sharp.clip(0, 1) - blurry)[_inside(blurry, kernel, border)]
    change = float(np.sqrt((changed**2).mean())) if changed.size else 0.0
    return residual / change if change > 0 else np.inf


def _inside(blurry: Floats, kernel: Floats, border: int) -> tuple[slice, slice]:
    """Return the pixels of (H, W) at least `border` px from its border whose blur reads none outside."""
    rows, columns = (
        slice(max(border, side // 2), whole - max(border, side // 2))
        for side, whole in zip(kernel.shape, blurry.shape, strict=True)
    )
    return rows, columns


def is_point(kernel: Floats) -> bool:
    """Tell whether more than `POINT` of a kernel's mass lies within 3 x 3 px, as for sharp photos."""
    return bool(9 * uniform_filter(kernel, 3, mode="constant").max() > POINT)


def roundness(kernel: Floats) -> float:
    """Compute the similarity of a kernel to a round Gaussian of the same extent, in [0, 1].

    A search that failed often ends in a spot, and so does defocus; the path of a camera seldom does.

    Args:
        kernel: (h, w), sum 1.

    >>> spot = np.exp(-(np.arange(-7, 8) ** 2) / 8)
    >>> round(roundness(np.outer(spot, spot) / spot.sum() ** 2), 2)
    1.0
    """
    positions = np.indices(kernel.shape).reshape(2, -1)
    weights = kernel.ravel()
    centred = positions - (positions @ weights)[:, None]
    spread = max(
        float((centred**2).sum(0) @ weights) / 2, 1 / 12
    )  # variance along an axis; at least a pixel's
    reach = np.arange(-max(kernel.shape), max(kernel.shape) + 1)
    profile = np.exp(-(reach**2) / (2 * spread))
    return kernel_similarity(kernel, np.outer(profile, profile))


def is_blob(kernel: Floats) -> bool:
    """Tell whether a kernel's `roundness` is above `ROUND`: a spot, not the path of a camera."""
    return roundness(kernel) > ROUND


def fills_box(kernel: Floats) -> bool:
    """Tell whether more than `RIM` of the mass lies in the outer tenth of the box: the blur may be larger."""
    top, left = (max(1, round(side / 10)) for side in kernel.shape)
    return bool(1 - kernel[top:-top, left:-left].sum() > RIM)


def visible(kernel: Floats) -> Floats:
    """Cut a kernel (h, w) to the square around what can be seen of it, with a rim of one px."""
    rows, columns = np.nonzero(kernel >= FAINT * kernel.max())
    side = max(np.ptp(rows), np.ptp(columns)) + 3
    top, left = (int(axis.min() + np.ptp(axis) // 2 - side // 2) for axis in (rows, columns))
    padded = np.pad(kernel, side)
    return padded[top + side : top + 2 * side, left + side : left + 2 * side]
