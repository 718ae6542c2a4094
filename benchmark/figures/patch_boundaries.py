"""Show what happens at the boundaries of patches when each patch of an image is deblurred by itself."""

import numpy as np
import torch

from benchmark.blur.nonblind import hyper_laplacian, hyper_laplacian_by_cg
from benchmark.blur.operators import SvolaBlur
from benchmark.core.errors import InputError
from benchmark.core.types import Array, KnownBlur
from benchmark.figures.comparisons import draw_compared, window_with_most
from benchmark.figures.definition import Drawing
from benchmark.figures.image_grids import ImagePanel, ImageRow, psnr_label, sharp_panels

PATCHES, WHOLE = "Patch by patch", "As a whole, kernels blended"
DETAIL_RULE = "Below each image a detail: the square where the two restorations differ most"


def patch_boundaries(drawing: Drawing) -> None:
    """Draw for each case the blurry image, its restorations patch by patch and as a whole, and the sharp one.

    Both restorations are non-blind, with the true kernels under a hyper-Laplacian prior: the kernel of each
    patch alone (`patch_by_patch`), or all kernels blended by SVOLA (GLKM, equation (11)).
    """
    store, content = drawing.store, drawing.content
    rows = {}
    for dataset, cases in content.cases.items():
        for case in cases:
            known, truth = store.read_known_blur(dataset, case), store.read_truth(dataset, case)
            if known.kernels is None or truth.sharp is None:
                raise InputError(f"{dataset}/{case}: no sharp image or no true kernels are known")
            operator = SvolaBlur(torch.from_numpy(known.kernels).float(), known.grid, known.boundary)
            whole = hyper_laplacian_by_cg(known.blurry, operator)
            images = {
                "Blurry": known.blurry,
                PATCHES: patch_by_patch(known),
                WHOLE: whole.clip(0, 1).astype(np.float32),
            }
            panels = [
                ImagePanel(title, image, score=psnr_label(image, truth, content.protocol))
                for title, image in images.items()
            ]
            panels += sharp_panels(truth, known.grid)
            difference = (images[PATCHES].astype(np.float64) - images[WHOLE]) ** 2
            rows[f"{dataset}\n{case}"] = ImageRow(panels, window_with_most(difference.mean(0)))
    draw_compared(rows, drawing, DETAIL_RULE)


def patch_by_patch(known: KnownBlur) -> Array:
    """Restore each cell of the grid by itself, with its own kernel, and put the results side by side.

    Args:
        known: An image with kernels (P, h, w), one for each cell of its grid.

    Returns:
        (C, H, W) in [0, 1].
    """
    if known.kernels is None:
        raise InputError(f"{known.name}: no true kernels are known")
    restored = np.empty_like(known.blurry)
    edges = [
        np.linspace(0, length, nodes + 1).round().astype(int)
        for length, nodes in zip(known.blurry.shape[1:], known.grid, strict=True)
    ]
    kernels = iter(known.kernels)
    for top, bottom in zip(edges[0][:-1], edges[0][1:], strict=True):
        for left, right in zip(edges[1][:-1], edges[1][1:], strict=True):
            cell = np.s_[:, top:bottom, left:right]
            restored[cell] = hyper_laplacian(known.blurry[cell], next(kernels)).clip(0, 1)
    return restored
