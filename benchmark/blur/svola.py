"""Non-uniform blur by space-variant overlap-add (SVOLA, efficient filter flow).

P = Gy x Gx kernels k_p sit on a regular grid of nodes; overlapping windows that sum to 1 blend them:

    input form:   y = sum_p  k_p * (w_p x)     windows on the latent image
    output form:  y = sum_p  v_p (k_p * x)     windows on the observed image

M. Hirsch, S. Sra, B. Schölkopf, S. Harmeling, "Efficient Filter Flow for Space-Variant Multiframe Blind
Deconvolution", CVPR 2010. The input form is theirs and the methods'; it spreads every point of the scene by
the interpolated kernel of its own place. The output form gathers every observed pixel by its kernel.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.blur.boundary import latent_frame
from benchmark.blur.convolution import fast_length
from benchmark.core.types import Boundary, InputError

Form = Literal["input", "output"]
Window = Literal["linear", "hann"]


def svola(
    image: Tensor,
    kernels: Tensor,
    grid: tuple[int, int],
    boundary: Boundary = "valid",
    form: Form = "input",
    window: Window = "linear",
) -> Tensor:
    """Blur `image` with `kernels` (Gy * Gx, h, w), row-major over the nodes of `grid` = (Gy, Gx).

    Kernels are in true-convolution form. 'valid': (C, H + h - 1, W + w - 1) to (C, H, W); the other
    boundaries keep (C, H, W) and want odd kernels. Linear in the image and in the kernels, differentiable in
    both. Only what a window does not blank is convolved (by FFT): the work does not grow with the number of
    nodes, but for the kernels' overlaps.
    Raises InputError when the kernels do not fit the grid or the image.
    """
    if kernels.shape[0] != grid[0] * grid[1]:
        raise InputError(
            f"a grid of {grid[0]} x {grid[1]} nodes takes {grid[0] * grid[1]} kernels, not {kernels.shape[0]}"
        )
    h, w = kernels.shape[-2:]
    latent = latent_frame(image, (h, w), boundary)
    size = latent.shape[-2] - h + 1, latent.shape[-1] - w + 1
    if min(size) < 1:
        raise InputError(
            f"the kernels ({h} x {w}) are larger than the image ({latent.shape[-2]} x {latent.shape[-1]}); "
            "declare a smaller kernel size"
        )
    margins = ((h - 1) // 2, h // 2), ((w - 1) // 2, w // 2)
    rows, columns = (
        _axis(length, nodes, margin if form == "input" else (0, 0), window, latent.dtype, latent.device)
        for length, nodes, margin in zip(size, grid, margins, strict=True)
    )
    return (_input_form if form == "input" else _output_form)(latent, kernels, rows, columns)


def node_centres(length: int, nodes: int) -> NDArray[np.float64]:
    """Where the nodes (nodes,) lie along an axis of `length` observed pixels: the middles of equal cells."""
    centres: NDArray[np.float64] = (np.arange(nodes) + 0.5) * length / nodes - 0.5
    return centres


def axis_windows(
    length: int, nodes: int, margin: tuple[int, int] = (0, 0), window: Window = "linear"
) -> NDArray[np.float64]:
    """The windows (nodes, before + length + after) along one axis; 2-D windows are products of two.

    `length` counts observed pixels, `margin` = (before, after) what the latent image has more. Between two
    nodes their weights fall and rise linearly or as a raised cosine; beyond the outermost nodes the nearest
    weighs 1. They sum to 1 everywhere. Raises InputError for more nodes than pixels.
    """
    if not 1 <= nodes <= length:
        raise InputError(f"{nodes} SVOLA nodes do not fit on {length} pixels; use 1 to {length}")
    position = np.arange(-margin[0], length + margin[1])
    if nodes == 1:
        return np.ones((1, len(position)))
    in_cells = (position - node_centres(length, nodes)[0]) * nodes / length
    left = np.clip(np.floor(in_cells), 0, nodes - 2)
    share = np.clip(in_cells - left, 0, 1)
    if window == "hann":
        share = np.sin(np.pi / 2 * share) ** 2
    node = np.arange(nodes)[:, None]
    windows: NDArray[np.float64] = (1 - share) * (node == left) + share * (node == left + 1)
    return windows


@dataclass(frozen=True)
class _Axis:
    """Where the windows of one axis are not zero: equally long stretches, one per node."""

    start: Tensor  # (nodes,)
    weight: Tensor  # (nodes, stretch)

    @property
    def stretch(self) -> int:
        """The length of each stretch."""
        return self.weight.shape[1]

    def index(self, length: int) -> Tensor:
        """The `length` positions from each start on, one stretch after the other: (nodes * length,)."""
        return (self.start[:, None] + torch.arange(length, device=self.start.device)).flatten()


@lru_cache(maxsize=64)  # a step on a GPU must not wait for the host's windows
def _axis(
    length: int,
    nodes: int,
    margin: tuple[int, int],
    window: Window,
    dtype: torch.dtype,
    device: torch.device,
) -> _Axis:
    windows = axis_windows(length, nodes, margin, window)
    used = windows > 0
    stretch = int(used.sum(1).max())
    start = np.minimum(used.argmax(1), windows.shape[1] - stretch)
    weight = np.take_along_axis(windows, start[:, None] + np.arange(stretch), axis=1)
    return _Axis(torch.from_numpy(start).to(device), torch.from_numpy(weight).to(device, dtype))


# Patches are (C, Gy, Gx, rows, columns); they are cut and put back along one axis after the other.


def _input_form(latent: Tensor, kernels: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
    h, w = kernels.shape[-2:]
    patches = _weigh(_cut(latent, rows, columns, (rows.stretch, columns.stretch)), rows, columns)
    blurred = _convolve(patches, kernels, (rows.stretch + h - 1, columns.stretch + w - 1))
    whole = _put(blurred, rows, columns, (latent.shape[-2] + h - 1, latent.shape[-1] + w - 1))
    return whole[:, h - 1 : latent.shape[-2], w - 1 : latent.shape[-1]]


def _output_form(latent: Tensor, kernels: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
    h, w = kernels.shape[-2:]
    reach = (rows.stretch + h - 1, columns.stretch + w - 1)
    blurred = _convolve(_cut(latent, rows, columns, reach), kernels, reach)
    inside = blurred[..., h - 1 :, w - 1 :]  # free of the wrap-around
    size = (latent.shape[-2] - h + 1, latent.shape[-1] - w + 1)
    return _put(_weigh(inside, rows, columns), rows, columns, size)


def _cut(image: Tensor, rows: _Axis, columns: _Axis, size: tuple[int, int]) -> Tensor:
    """The patches of `size` from each start on."""
    cut = image.index_select(-2, rows.index(size[0])).index_select(-1, columns.index(size[1]))
    channels, nodes = len(image), (len(rows.start), len(columns.start))
    return cut.view(channels, nodes[0], size[0], nodes[1], size[1]).transpose(2, 3)


def _put(patches: Tensor, rows: _Axis, columns: _Axis, size: tuple[int, int]) -> Tensor:
    """The sum of all patches in an image (C, *size), each at its start."""
    channels, _, _, height, width = patches.shape
    strips = patches.transpose(2, 3).flatten(3).flatten(1, 2)
    strips = strips.new_zeros(channels, size[0], strips.shape[-1]).index_add(1, rows.index(height), strips)
    return strips.new_zeros(channels, *size).index_add(2, columns.index(width), strips)


def _weigh(patches: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
    return patches * rows.weight[:, None, :, None] * columns.weight[:, None]


def _convolve(patches: Tensor, kernels: Tensor, size: tuple[int, int]) -> Tensor:
    """The first `size` entries of each patch's convolution with its kernel, circular beyond them."""
    # A direct sum pays at 3 x 3 only (forward and back, one thread); motion kernels are larger.
    fast = [fast_length(length) for length in size]
    nodes = patches.shape[1:3]
    spectra = torch.fft.rfft2(patches, s=fast) * torch.fft.rfft2(kernels.unflatten(0, nodes), s=fast)
    blurred: Tensor = torch.fft.irfft2(spectra, s=fast)
    return blurred[..., : size[0], : size[1]]
