"""Plot which frequencies of a kernel each kernel prior learns, and when."""

from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmark.core.types import Array
from benchmark.figures.layout import caption, save
from methods.parts.kernel_priors.known_kernel import blur_misfit, candidates, fit_steps, kernel_misfit

Floats = NDArray[np.float64]

BANDS = 5  # of frequency
POINTS = 60  # of a curve


def band_errors(kernel: Array | Floats, true: Array | Floats) -> Floats:
    """Compute the relative error of a kernel's spectrum in five bands of frequency.

        |F(kernel) - F(true)| / (|F(true)| + 1e-8)

    is averaged over rings of equal width up to half the kernel's width; the corners beyond do not count.
    Source: Shi et al., "On Measuring and Controlling the Spectral Bias of the Deep Image Prior", IJCV 2022.

    Args:
        kernel: (h, w), the estimate.
        true: (h, w).

    Returns:
        (5,), from the lowest band to the highest.

    >>> band_errors(np.eye(9) / 9, np.eye(9) / 9)
    array([0., 0., 0., 0., 0.])
    """
    estimated_spectrum, true_spectrum = (np.fft.fftshift(np.fft.fft2(values)) for values in (kernel, true))
    errors = np.abs(estimated_spectrum - true_spectrum) / (np.abs(true_spectrum) + 1e-8)
    height, width = true.shape
    rows, columns = np.ogrid[:height, :width]
    distances = np.hypot(rows - height // 2, columns - width // 2)
    edges = (width // 2) * np.arange(1, BANDS + 1) / BANDS
    band = np.searchsorted(edges, distances, side="left")
    return np.array([errors[band == number].mean() for number in range(BANDS)])


def kernel_frequencies_plot(scene: Array, kernel: Array, steps: int, out: Path, text: str) -> None:
    """Write `out`.png and `out`.pdf: `band_errors` of kernel priors over the steps of their fit to a kernel.

    A column of panels per prior, a line per band. In the upper row the prior is fitted to the kernel itself,
    in the lower to the blurry image that the kernel makes of a sharp one.

    Args:
        scene: The sharp image, (C, H + h - 1, W + w - 1).
        kernel: (h, w).
        steps: How long each prior is fitted.
        out: The files without their suffix.
        text: The caption.
    """
    true, image = torch.from_numpy(kernel), torch.from_numpy(scene)
    tasks = {"to the kernel": kernel_misfit(true), "to its blur of a known image": blur_misfit(image, true)}
    size = (kernel.shape[0], kernel.shape[1])
    names = list(candidates(size, torch.Generator().manual_seed(0)))
    figure = Figure(layout="constrained", figsize=(2.4 * len(names) + 0.8, 1.9 * len(tasks) + 0.6))
    axes = figure.subplots(len(tasks), len(names), sharex=True, sharey=True, squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name, fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("Step", fontsize=7)
    for row, (task, misfit) in zip(axes, tasks.items(), strict=True):
        priors = candidates(size, torch.Generator().manual_seed(0))
        for axis, prior in zip(row, priors.values(), strict=True):
            fit = list(fit_steps(prior, misfit, steps, max(steps // POINTS, 1)))
            errors = np.array([band_errors(estimate.numpy(), kernel) for _, estimate in fit])
            for band in range(BANDS):
                label = f"{band + 1}" + {0: ", lowest", BANDS - 1: ", highest"}.get(band, "")
                colour = colormaps["plasma"](0.9 * band / (BANDS - 1))
                axis.plot([step for step, _ in fit], errors[:, band], lw=1.1, color=colour, label=label)
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
