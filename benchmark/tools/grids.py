"""Restore a photo whose blur differs over it, with kernels at the nodes of a grid.

A camera that is rolled blurs the corners of a photo unlike its middle. Each pixel is restored with the
kernels of the nodes around it, weighed by the windows of the output form of SVOLA (`benchmark.blur.svola`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy  # loads its parts when they are used; signal takes a second
from numpy.typing import NDArray
from skimage.registration import phase_cross_correlation

from benchmark.blur.kernel_energy import kernel_energy
from benchmark.blur.nonblind import hyper_laplacian
from benchmark.blur.svola import axis_windows
from benchmark.core.progress import Progress, Report, silent
from benchmark.core.types import Array, Restoration, Status
from benchmark.scoring.kernel_scores import kernel_similarity
from benchmark.tools.measures import Floats, luma_of, noise_level
from benchmark.tools.texture import Slices, textured_part
from benchmark.tools.windows import data_weight, deconvolve
from methods.parts.kernel_steps import normalised
from methods.parts.polish import EDGE
from methods.parts.registry import built_in

SHAPE = (2, 2)  # nodes of the grid, rows and columns
PART = 256  # px, side of the part of a cell on which its kernel is estimated
ROOM = 5  # times the kernel size: the least shorter side of a cell
# Chosen on two photographs of scikit-image, shaken with and without a roll.
SIMILAR = 0.85  # similarity to the kernel of the whole photo: kernels below differ
SHIPPED = 9 * 2**20  # bytes: the networks that ship are of demo size, and no file of theirs is larger
BETTER = 0.99  # times the energy of the kernel of the whole photo: a cell keeps its own kernel below


@dataclass(frozen=True)
class KernelGrid:
    """Kernels at the nodes of a grid over a photo."""

    shape: tuple[int, int]  # rows and columns of nodes
    kernels: tuple[Floats, ...]  # row by row, true-convolution form, sum 1 each
    own: int  # how many are those of their cells; the others are the kernel of the whole photo

    def windows(self, size: tuple[int, int]) -> Iterator[tuple[Floats, Slices, Floats]]:
        """Yield each kernel, the part of a photo of `size` (H, W) that it reaches, and its share there."""
        axes = [axis_windows(length, nodes) for length, nodes in zip(size, self.shape, strict=True)]
        for kernel, (row, column) in zip(self.kernels, product(*axes), strict=True):
            rows, columns = (_reach(shares, max(kernel.shape)) for shares in (row, column))
            yield kernel, (rows, columns), row[rows, None] * column[columns]


def find_grid(
    photo: Array,
    kernel: Floats,
    size: int,
    estimate: Callable[[Array, int], Restoration],
    report: Report = silent,
) -> KernelGrid | None:
    """Estimate a kernel in each cell of a photo; where it explains the cell better than the one, keep it.

    Args:
        photo: (C, H, W) in [0, 1].
        kernel: That of the whole photo, (h, w).
        size: The kernel size to declare, in px.
        estimate: Estimates a kernel for one declared size.
        report: Called before each cell.

    Returns:
        None where the cells are too small, or all kernels look like that of the whole photo. A cell's own
        kernel is kept where it has clearly less energy (`kernel_energy`) there.
    """
    luma = luma_of(photo)
    frames = _cells(luma, size)
    weight = data_weight(noise_level(luma))
    kernels, similarities = [], []
    for done, frame in enumerate(frames):
        report(Progress("comparing the blur of parts", done, len(frames)))
        result = estimate(photo[:, *frame], size)
        found = None if result.kernels is None else normalised(result.kernels[0].astype(np.float64))
        if result.status is not Status.OK or found is None:
            found = kernel
        largest = tuple(max(sides) for sides in zip(found.shape, kernel.shape, strict=True))
        energies = [
            kernel_energy(luma[frame], each, (largest[0], largest[1]), EDGE) for each in (found, kernel)
        ]
        similarities.append(kernel_similarity(found, kernel))
        is_better = energies[0] < BETTER * energies[1]
        kernels.append(_in_place(luma[frame], found, kernel, weight) if is_better else kernel)
    report(Progress("comparing the blur of parts", len(frames), len(frames)))
    if min(similarities, default=1.0) >= SIMILAR:
        return None
    return KernelGrid(SHAPE, tuple(kernels), sum(each is not kernel for each in kernels))


def per_pixel_method() -> str | None:
    """Return the first method with a kernel for each pixel whose full weights are here, not a demo's."""
    for name, method in built_in().items():
        if method.kernels_per_pixel:
            files = method.files("", method.settings())
            if any(path.stat().st_size > SHIPPED for path in files):
                return name
    return None


def restore_on_grid(photo: Array, grid: KernelGrid, noise: float, report: Report = silent) -> Array:
    """Restore a photo (C, H, W) in [0, 1] with the kernels of a grid; `noise` as in `deconvolve`."""
    image = np.zeros(photo.shape, np.float32)
    for done, (kernel, (rows, columns), share) in enumerate(grid.windows(photo.shape[1:])):
        report(Progress("restoring the photo", done, len(grid.kernels), "part by part"))
        image[:, rows, columns] += share * deconvolve(photo[:, rows, columns], kernel, noise)
    report(Progress("restoring the photo", len(grid.kernels), len(grid.kernels)))
    return image


def blurred_on_grid(image: Floats, grid: KernelGrid) -> Floats:
    """Blur (H, W) with the kernels of a grid: the output form of `svola`; zero outside the frame."""
    blurred = np.zeros(image.shape)
    for kernel, (rows, columns), share in grid.windows(image.shape):
        blurred[rows, columns] += share * scipy.signal.oaconvolve(image[rows, columns], kernel, mode="same")
    return blurred


def _cells(luma: Floats, size: int) -> list[Slices]:
    """List the textured part of each cell of a photo (H, W); none where a cell is too small for `size`."""
    edges = [
        np.linspace(0, whole, nodes + 1).astype(int) for whole, nodes in zip(luma.shape, SHAPE, strict=True)
    ]
    if min(np.diff(edge).min() for edge in edges) < ROOM * size:
        return []
    frames = []
    for row, column in product(*(range(nodes) for nodes in SHAPE)):
        top, left = edges[0][row], edges[1][column]
        rows, columns = textured_part(luma[top : edges[0][row + 1], left : edges[1][column + 1]], PART)
        frames.append(
            (
                slice(int(top) + rows.start, int(top) + rows.stop),
                slice(int(left) + columns.start, int(left) + columns.stop),
            )
        )
    return frames


def _in_place(luma: Floats, kernel: Floats, reference: Floats, weight: float) -> Floats:
    """Shift a kernel so that the part (H, W) restored with it lies where the reference kernel puts it.

    Blind estimates differ by a shift of kernel and image; neighbouring parts would not fit together.
    """
    own, other = (hyper_laplacian(luma[None], each, weight)[0].clip(0, 1) for each in (kernel, reference))
    shift: NDArray[np.float64] = phase_cross_correlation(other, own, normalization=None)[0]
    by = [round(float(each)) for each in shift]
    if max(map(abs, by)) > min(kernel.shape) // 3:
        return kernel  # the two images have too little in common
    return np.pad(kernel, [(max(0, -2 * each), max(0, 2 * each)) for each in by])


def _reach(shares: Floats, margin: int) -> slice:
    """Return where the shares along an axis are not 0, with a margin."""
    used = np.flatnonzero(shares)
    return slice(max(0, int(used[0]) - margin), min(len(shares), int(used[-1]) + 1 + margin))
