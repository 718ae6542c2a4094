"""What a paper shows of images, regularisers and kernel priors themselves: no restoration is needed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from numpy.typing import NDArray
from scipy.signal import convolve2d

from benchmark.core.types import Array
from benchmark.figures.images import COLOURS, PANELS_A_ROW, save
from benchmark.figures.scores import HEIGHT, WIDTH, caption
from benchmark.scoring.colour import full_range_luma
from methods.parts.kernel_priors.known_kernel import blur_misfit, candidates, fit_steps, kernel_misfit
from methods.parts.objectives import Estimate, Objective, gradient_sparsity, total_variation

Floats = NDArray[np.float64]

BANDS = 5  # of frequency
ROUNDING = 1e-12  # of sums of intensities: no gradient
THRESHOLDS = 1001  # of a distribution of gradients
SIDE = 100  # points along each axis of a landscape; even, as at (0, 0) a ratio has no value
POWER = 0.5  # of the quasi-norm that is shown beside l1
CURVES = 60  # points of a curve over iterations


def gradient_cdf(image: Array, thresholds: Floats) -> Floats:
    """The share of pixels of `image` (C, H, W) whose gradient is at most each of `thresholds`.

    The norm of the 3 x 3 Sobel gradient of the luma, inside, over its largest; 0 for a constant image. The
    paper's Figure 6.
    """
    luma = full_range_luma(image.astype(np.float64))[0]
    smooth, slope = np.array([1.0, 2.0, 1.0]), np.array([1.0, 0.0, -1.0])
    rows = convolve2d(luma, np.outer(slope, smooth), mode="valid")
    columns = convolve2d(luma, np.outer(smooth, slope), mode="valid")
    norms = np.sort(np.hypot(rows, columns).ravel())
    norms[norms < ROUNDING] = 0
    largest = norms[-1] if norms[-1] > 0 else 1.0
    found: Floats = np.searchsorted(norms / largest, thresholds, side="right") / len(norms)
    return found


def band_errors(kernel: Array | Floats, true: Array | Floats) -> Floats:
    """The relative error of the spectrum of `kernel` (h, w) in five bands of frequency, low to high.

    |F(k) - F(true)| / (|F(true)| + 1e-8), averaged over rings of equal width up to half the kernel's width;
    the corners beyond are not counted. As "Measuring and controlling spectral bias" has it.
    """
    spectra = [np.fft.fftshift(np.fft.fft2(values)) for values in (kernel, true)]
    errors = np.abs(spectra[0] - spectra[1]) / (np.abs(spectra[1]) + 1e-8)
    height, width = true.shape
    rows, columns = np.ogrid[:height, :width]
    distances = np.hypot(rows - height // 2, columns - width // 2)
    edges = (width // 2) * np.arange(1, BANDS + 1) / BANDS
    band = np.searchsorted(edges, distances, side="left")
    return np.array([errors[band == number].mean() for number in range(BANDS)])


def gradients_plot(images: Mapping[str, Sequence[Array]], out: Path, text: str) -> None:
    """Write `out`.png and `out`.pdf: `gradient_cdf` of each kind of images (C, H, W), a line per kind.

    A line is the mean over images, its band one standard deviation to either side.
    """
    thresholds = np.linspace(0, 1, THRESHOLDS)
    figure, axis = pyplot.subplots(layout="constrained", figsize=(WIDTH + 1.6, HEIGHT + 0.6))
    for (words, shown), colour in zip(images.items(), COLOURS, strict=False):
        curves = np.stack([gradient_cdf(image, thresholds) for image in shown])
        mean, reach = curves.mean(0), curves.std(0)
        axis.plot(thresholds, mean, color=colour, linewidth=1.3, label=words)
        axis.fill_between(thresholds, mean - reach, mean + reach, color=colour, alpha=0.15, linewidth=0)
    axis.set(xlim=(0, 0.5), ylim=(0, 1.02))
    axis.set_xlabel("Gradient over the image's largest", fontsize=7)
    axis.set_ylabel("Share of pixels", fontsize=7)
    axis.tick_params(labelsize=7, length=2)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=7, frameon=False, loc="lower right")
    caption(figure, text)
    save(figure, out)


def landscape_plot(out: Path, text: str) -> None:
    """Write `out`.png and `out`.pdf: regularisers over the two differences of an image of three pixels."""
    values = np.linspace(-1, 1, SIDE)
    first, second = np.meshgrid(values, values)
    panels: Mapping[str, Callable[[float, float], float]] = {
        "l1 (total variation)": _regulariser(total_variation),
        "l1/l2": _regulariser(gradient_sparsity),
        f"lp/l2, p = {POWER}": _quasi_norm_ratio,
    }
    figure, axes = pyplot.subplots(1, len(panels), layout="constrained", figsize=(2.6 * PANELS_A_ROW, 2.3))
    for axis, (words, of) in zip(axes, panels.items(), strict=True):
        surface = np.vectorize(of)(first, second)
        shown = axis.contourf(first, second, surface, levels=20, cmap="viridis")
        axis.set_title(words, fontsize=8)
        axis.set_xlabel("first difference", fontsize=7)
        axis.tick_params(labelsize=6, length=2)
        axis.set_aspect("equal")
        figure.colorbar(shown, ax=axis, shrink=0.7).ax.tick_params(labelsize=6)
    axes[0].set_ylabel("second difference", fontsize=7)
    caption(figure, text)
    save(figure, out)


def _regulariser(objective: Objective) -> Callable[[float, float], float]:
    """The objective as the methods have it, of the image (0, a, a + b)."""

    def of(first: float, second: float) -> float:
        image = torch.tensor([[[0.0, first, first + second]]], dtype=torch.float64)
        return float(objective(Estimate(image, image, lambda image, _: image)))

    return of


def _quasi_norm_ratio(first: float, second: float) -> float:
    power = abs(first) ** POWER + abs(second) ** POWER
    return float(power ** (1 / POWER) / np.sqrt(first**2 + second**2 + 1e-12))


def kernel_models_plot(scene: Array, kernel: Array, steps: int, out: Path, text: str) -> None:
    """Write `out`.png and `out`.pdf: `band_errors` of kernel priors over the steps of their fit to `kernel`.

    A column of panels per prior, a line per band: above, the prior is fitted to `kernel` (h, w) itself,
    below to what it makes of the sharp `scene` (C, H + h - 1, W + w - 1).
    """
    true, image = torch.from_numpy(kernel), torch.from_numpy(scene)
    tasks = {"to the kernel": kernel_misfit(true), "to its blur of a known image": blur_misfit(image, true)}
    size = (kernel.shape[0], kernel.shape[1])
    names = list(candidates(size, torch.Generator().manual_seed(0)))
    figure, axes = pyplot.subplots(
        len(tasks), len(names), sharex=True, sharey=True, squeeze=False, layout="constrained",
        figsize=(2.4 * len(names) + 0.8, 1.9 * len(tasks) + 0.6),
    )  # fmt: skip
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name, fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("Step", fontsize=7)
    for row, (task, misfit) in zip(axes, tasks.items(), strict=True):
        models = candidates(size, torch.Generator().manual_seed(0))
        for axis, model in zip(row, models.values(), strict=True):
            fit = list(fit_steps(model, misfit, steps, max(steps // CURVES, 1)))
            errors = np.array([band_errors(found.numpy(), kernel) for _, found in fit])
            for band in range(BANDS):
                label = f"{band + 1}" + {0: ", lowest", BANDS - 1: ", highest"}.get(band, "")
                axis.plot(
                    [at for at, _ in fit], errors[:, band], linewidth=1.1, color=_shade(band), label=label
                )
            axis.set_yscale("log")
            axis.tick_params(labelsize=6, length=2)
            axis.spines[["top", "right"]].set_visible(False)
        row[0].set_ylabel(f"Error, fitted {task}", fontsize=6)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=BANDS, fontsize=7, frameon=False,
        title="Band of frequency", title_fontsize=7,
    )  # fmt: skip
    caption(figure, text)
    save(figure, out)


def _shade(band: int) -> tuple[float, float, float, float]:
    found: tuple[float, float, float, float] = pyplot.get_cmap("plasma")(0.9 * band / (BANDS - 1))
    return found
