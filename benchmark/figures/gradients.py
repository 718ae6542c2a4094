"""Plot how gradients are distributed in images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy  # loads its parts when they are used; signal takes a third of a second
from numpy.typing import NDArray

from benchmark.core.colour import full_range_luma
from benchmark.core.types import Array
from benchmark.figures.layout import HEIGHT, WIDTH, caption, plot_axes, save
from benchmark.figures.style import COLOURS, plain

Floats = NDArray[np.float64]

ROUNDING = 1e-12  # smaller norms of gradients are rounding, and count as zero
THRESHOLDS = 1001  # points of a curve


def gradient_cdf(image: Array, thresholds: Floats) -> Floats:
    """Compute the cumulative distribution of an image's gradients.

    The norm of the 3 x 3 Sobel gradient of the luma, inside the border, is divided by its largest value.
    Source: Zhuang et al., IJCV 2023, Figure 6.

    Args:
        image: (C, H, W).
        thresholds: (N,) in [0, 1].

    Returns:
        (N,): the share of pixels whose value is at most each threshold. A constant image has no gradient, so
        all its shares are 1.

    >>> gradient_cdf(np.full((1, 9, 9), 0.5, np.float32), np.array([0.0, 1.0]))
    array([1., 1.])
    """
    luma = full_range_luma(image.astype(np.float64))[0]
    smooth, slope = np.array([1.0, 2.0, 1.0]), np.array([1.0, 0.0, -1.0])
    rows = scipy.signal.convolve2d(luma, np.outer(slope, smooth), mode="valid")
    columns = scipy.signal.convolve2d(luma, np.outer(smooth, slope), mode="valid")
    norms = np.sort(np.hypot(rows, columns).ravel())
    norms[norms < ROUNDING] = 0
    largest = norms[-1] if norms[-1] > 0 else 1.0
    shares: Floats = np.searchsorted(norms / largest, thresholds, side="right") / len(norms)
    return shares


def gradients_plot(images: Mapping[str, Sequence[Array]], out: Path, text: str) -> None:
    """Write `out`.png and `out`.pdf: `gradient_cdf` of each set of images, a line per set.

    A line is the mean over images, its band one standard deviation to either side.

    Args:
        images: Label to images, each (C, H, W).
        out: The files without their suffix.
        text: The caption.
    """
    thresholds = np.linspace(0, 1, THRESHOLDS)
    figure, (axis,) = plot_axes(1, WIDTH + 0.3, HEIGHT + 0.3)
    for (label, of_label), colour in zip(images.items(), COLOURS, strict=False):
        curves = np.stack([gradient_cdf(image, thresholds) for image in of_label])
        mean, deviation = curves.mean(0), curves.std(0)
        axis.plot(thresholds, mean, color=colour, linewidth=1.3, label=label)
        axis.fill_between(thresholds, mean - deviation, mean + deviation, color=colour, alpha=0.15, lw=0)
    axis.set(xlim=(0, 0.5), ylim=(0, 1.02))
    axis.set_xlabel("Gradient over the image's largest", fontsize=7)
    axis.set_ylabel("Share of pixels", fontsize=7)
    plain(axis, ticks=None)
    axis.legend(fontsize=7, frameon=False, loc="lower right")
    caption(figure, text)
    save(figure, out)
