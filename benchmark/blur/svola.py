"""Non-uniform blur by space-variant overlap-add (SVOLA), also called efficient filter flow.

P = Gy x Gx kernels k_p stand at the nodes of a regular grid; overlapping windows that sum to 1 blend them:

    input form:   y = sum_p  k_p * (w_p x)     windows w_p on the latent image x
    output form:  y = sum_p  v_p (k_p * x)     windows v_p on the blurry image y

In the input form every point of the scene is spread by the interpolated kernel of its own place; it is the
form of M. Hirsch, S. Sra, B. Schölkopf, S. Harmeling, "Efficient Filter Flow for Space-Variant Multiframe
Blind Deconvolution", CVPR 2010, and of all methods here. In the output form every blurry pixel has an
interpolated kernel of its own, as in `perpixel`.
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
from benchmark.core.errors import InputError
from benchmark.core.types import Boundary

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
    """Blur an image with kernels at the nodes of a grid; linear and differentiable in both.

    Each kernel convolves, by FFT, only the pixels in its window: more nodes mean more overlaps, but otherwise
    no more work.

    Args:
        image: (C, H + h - 1, W + w - 1) if the boundary is 'valid', else (C, H, W).
        kernels: (Gy * Gx, h, w), row by row, true-convolution form; odd sides unless 'valid'.
        grid: (Gy, Gx).
        boundary: what lies outside the image.
        form: 'input' or 'output', see above.
        window: 'linear', or 'hann', a raised cosine.

    Returns:
        The blurry image (C, H, W).

    Raises:
        InputError: the kernels do not fit the grid or the image.

    The left half is left as it is, the right half halved, with a smooth transition:

    >>> kernels = torch.tensor([[[1.0]], [[0.5]]])
    >>> svola(torch.ones(1, 1, 4), kernels, grid=(1, 2)).round(decimals=3)
    tensor([[[1.0000, 0.8750, 0.6250, 0.5000]]])
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
    """Return the positions (nodes,) of the nodes along `length` blurry pixels: the middles of equal cells.

    >>> node_centres(4, 2)
    array([0.5, 2.5])
    """
    centres: NDArray[np.float64] = (np.arange(nodes) + 0.5) * length / nodes - 0.5
    return centres


def axis_windows(
    length: int, nodes: int, margin: tuple[int, int] = (0, 0), window: Window = "linear"
) -> NDArray[np.float64]:
    """Return the windows along one axis; two-dimensional windows are products of two of these.

    From one node to the next the weight of the one falls while that of the other rises. Beyond the outermost
    nodes the nearest has the weight 1. Everywhere the weights sum to 1.

    Args:
        length: blurry pixels along the axis.
        nodes: nodes along the axis.
        margin: pixels that the latent image has more, (before, after).
        window: 'linear' or 'hann'.

    Returns:
        (nodes, before + length + after).

    Raises:
        InputError: there are more nodes than pixels, or none.

    >>> axis_windows(4, 2)
    array([[1.  , 0.75, 0.25, 0.  ],
           [0.  , 0.25, 0.75, 1.  ]])
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
    """Where the windows along one axis are not 0: a stretch of pixels for each node, all equally long."""

    start: Tensor  # (nodes,): the first pixel of each stretch
    weight: Tensor  # (nodes, stretch): the window in each stretch

    @property
    def stretch(self) -> int:
        """How many pixels long each stretch is."""
        return self.weight.shape[1]

    def index(self, length: int) -> Tensor:
        """Return the `length` positions from each start on, stretch after stretch: (nodes * length,)."""
        return (self.start[:, None] + torch.arange(length, device=self.start.device)).flatten()


@lru_cache(maxsize=64)  # so that a step on a GPU does not wait for windows from the host
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


# Patches are (C, Gy, Gx, rows, columns). They are cut, and added up again, along one axis after the other.


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
    inside = blurred[..., h - 1 :, w - 1 :]  # where the FFT does not wrap around
    size = (latent.shape[-2] - h + 1, latent.shape[-1] - w + 1)
    return _put(_weigh(inside, rows, columns), rows, columns, size)


def _cut(image: Tensor, rows: _Axis, columns: _Axis, size: tuple[int, int]) -> Tensor:
    """Cut the patches of `size` (rows, columns) that begin at the starts."""
    cut = image.index_select(-2, rows.index(size[0])).index_select(-1, columns.index(size[1]))
    channels, nodes = len(image), (len(rows.start), len(columns.start))
    return cut.view(channels, nodes[0], size[0], nodes[1], size[1]).transpose(2, 3)


def _put(patches: Tensor, rows: _Axis, columns: _Axis, size: tuple[int, int]) -> Tensor:
    """Add up all patches, each at its start, in an image (C, *size)."""
    channels, _, _, height, width = patches.shape
    strips = patches.transpose(2, 3).flatten(3).flatten(1, 2)
    strips = strips.new_zeros(channels, size[0], strips.shape[-1]).index_add(1, rows.index(height), strips)
    return strips.new_zeros(channels, *size).index_add(2, columns.index(width), strips)


def _weigh(patches: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
    return patches * rows.weight[:, None, :, None] * columns.weight[:, None]


def _convolve(patches: Tensor, kernels: Tensor, size: tuple[int, int]) -> Tensor:
    """Convolve each patch with its kernel; return the first `size` entries of the circular convolution."""
    # By the FFT whatever the size: motion kernels are not so small that a direct sum would be faster.
    fast = [fast_length(length) for length in size]
    nodes = patches.shape[1:3]
    spectra = torch.fft.rfft2(patches, s=fast) * torch.fft.rfft2(kernels.unflatten(0, nodes), s=fast)
    blurred: Tensor = torch.fft.irfft2(spectra, s=fast)
    return blurred[..., : size[0], : size[1]]
