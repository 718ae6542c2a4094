"""Plot regularisers of the gradient over the two differences of an image of three pixels."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from benchmark.figures.layout import caption, save
from methods.parts.objectives import Estimate, Objective, gradient_sparsity, total_variation

SIDE = 100  # points along each axis; even, because a ratio has no value at (0, 0)
POWER = 0.5  # of the quasi-norm beside l1

Surface = Callable[[float, float], float]  # of the two differences


def landscape_plot(out: Path, text: str) -> None:
    """Write `out`.png and `out`.pdf: l1, l1/l2 and lp/l2 over the two differences, side by side."""
    values = np.linspace(-1, 1, SIDE)
    first, second = np.meshgrid(values, values)
    surfaces: Mapping[str, Surface] = {
        "l1 (total variation)": regulariser(total_variation),
        "l1/l2": regulariser(gradient_sparsity),
        f"lp/l2, p = {POWER}": quasi_norm_ratio,
    }
    figure = Figure(layout="constrained", figsize=(2.6 * len(surfaces), 2.3))
    axes = figure.subplots(1, len(surfaces))
    for axis, (title, surface) in zip(axes, surfaces.items(), strict=True):
        contours = axis.contourf(
            first, second, np.vectorize(surface)(first, second), levels=20, cmap="viridis"
        )
        axis.set_title(title, fontsize=8)
        axis.set_xlabel("first difference", fontsize=7)
        axis.tick_params(labelsize=6, length=2)
        axis.set_aspect("equal")
        figure.colorbar(contours, ax=axis, shrink=0.7).ax.tick_params(labelsize=6)
    axes[0].set_ylabel("second difference", fontsize=7)
    caption(figure, text)
    save(figure, out)


def regulariser(objective: Objective) -> Surface:
    """Return a method's objective as a function of a and b, for the image (0, a, a + b)."""

    def value(first: float, second: float) -> float:
        image = torch.tensor([[[0.0, first, first + second]]], dtype=torch.float64)
        return float(objective(Estimate(image, image, lambda image, _: image)))

    return value


def quasi_norm_ratio(first: float, second: float) -> float:
    """Compute (|a|^p + |b|^p)^(1/p) / sqrt(a^2 + b^2), p = `POWER`, of the differences a and b."""
    power = abs(first) ** POWER + abs(second) ** POWER
    return float(power ** (1 / POWER) / np.sqrt(first**2 + second**2 + 1e-12))
