"""Show why the latent image must be larger than the observation: blur brings in what lies outside."""

import numpy as np
import torch
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from benchmark.blur.convolution import blur
from benchmark.blur.trajectory import framed, splat
from benchmark.core.errors import InputError
from benchmark.core.types import Array
from benchmark.figures.definition import Drawing
from benchmark.figures.image_grids import draw_image, draw_title
from benchmark.figures.layout import TEXT_SIZE, caption, cell_width, image_axes, save
from benchmark.figures.style import CHOSEN

SHARE = 4  # the image's shorter side is as many kernels long
POINTS = 2000  # of the path of the kernel


def field_of_view(drawing: Drawing) -> None:
    """Draw for each case a scene, an S-shaped kernel, and what of the observation comes from outside."""
    rows = [(dataset, case) for dataset, names in drawing.content.cases.items() for case in names]
    scenes = {}
    for dataset, case in rows:
        sharp = drawing.store.read_truth(dataset, case).sharp
        if sharp is None:
            raise InputError(f"{dataset}/{case}: no sharp image is known")
        scenes[f"{dataset}\n{case}"] = sharp
    heights = [scene.shape[1] / scene.shape[2] for scene in scenes.values()]
    cell = cell_width(5)
    figure, axes = image_axes(heights, 5, cell, 0.35 * len(rows))
    for row, (label, scene) in zip(axes, scenes.items(), strict=True):
        kernel = s_kernel(min(scene.shape[1:]) // SHARE | 1)
        observed, inside = ghosts(scene, kernel)
        outside = np.abs(observed - inside).mean(0, keepdims=True)
        panels = {
            "Scene, field of view framed": scene,
            f"Kernel, {len(kernel)} x {len(kernel)} px": (kernel / kernel.max())[None],
            "Observation": observed,
            "Observation, black outside": inside,
            f"Their difference, white {outside.max():.2f}": outside / max(outside.max(), 1e-12),
        }
        row[0].set_ylabel(label, fontsize=TEXT_SIZE)
        for axis, (title, image) in zip(row, panels.items(), strict=True):
            draw_title(axis, title, cell)
            draw_image(axis, image)
        margin, (height, width) = len(kernel) // 2, observed.shape[1:]
        corner = (margin - 0.5, margin - 0.5)
        row[0].add_patch(Rectangle(corner, width, height, fill=False, edgecolor=CHOSEN, linewidth=1.0))
    caption(figure, drawing.caption())
    save(figure, drawing.out)


def s_kernel(size: int) -> Array:
    """Draw an S of two three-quarter circles as a kernel.

    Args:
        size: Its side, odd, at least 7.

    Returns:
        (size, size), sum 1. An S keeps its form when it is turned by 180 degrees.

    >>> kernel = s_kernel(15)
    >>> bool(np.allclose(kernel, kernel[::-1, ::-1], atol=1e-3))
    True
    """
    turn = np.linspace(0, 1, POINTS)
    upper = 1j + np.exp(-1.5j * np.pi * turn)  # from the right over the top and the left to the middle
    lower = 3j - upper[::-1] + 1j
    path = framed(np.concatenate([upper, lower]), size - 3) + (size - 1) / 2 * (1 + 1j)
    weights: NDArray[np.float64] = np.full(len(path), 1 / len(path))
    kernel: Array = splat(path[None], weights, (size, size))[0].astype(np.float32)
    return kernel


def ghosts(scene: Array, kernel: Array) -> tuple[Array, Array]:
    """Blur a scene as a camera sees it, and as if nothing lay outside the field of view.

    Args:
        scene: (C, H + n - 1, W + n - 1).
        kernel: (n, n), n odd.

    Returns:
        The observation (C, H, W), and the same of the scene that is black outside the field of view.
    """
    margin = len(kernel) // 2
    alone = np.pad(scene[:, margin:-margin, margin:-margin], ((0, 0), (margin, margin), (margin, margin)))
    observed, inside = (
        blur(torch.from_numpy(image), torch.from_numpy(kernel), "valid").numpy() for image in (scene, alone)
    )
    return observed, inside
