"""Blur by camera shake: the mean of what the camera sees from all its poses during the exposure."""

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from benchmark.core.errors import InputError
from benchmark.core.types import Boundary

SAMPLES_AT_ONCE = 2**21  # pixels times poses; some tens of MB
_PADDING = {"replicate": "border", "zero": "zeros"}


def warp_average(image: Tensor, homographies: Tensor, boundary: Boundary = "replicate") -> Tensor:
    """Average an image over poses: y(i) = mean_t x(H_t i); linear in the image.

    Poses are worked through in portions, forward and backward, so that memory does not grow with their
    number.

    Args:
        image: x, (C, H, W); bilinear between pixels.
        homographies: H_t, (T, 3, 3), acting on (column, row, 1), 0-based.
        boundary: 'replicate' repeats the border pixels outside the image, 'zero' is 0 there.

    Returns:
        The blurry image (C, H, W).

    Raises:
        InputError: another boundary is asked for.

    >>> poses = torch.eye(3).repeat(2, 1, 1)
    >>> poses[1, 0, 2] = 1  # the second one looks one pixel to the right
    >>> warp_average(torch.tensor([[[0.0, 1.0, 2.0]]]), poses)
    tensor([[[0.5000, 1.5000, 2.0000]]])
    """
    if boundary not in _PADDING:
        raise InputError(f"warping knows the boundaries {' and '.join(_PADDING)}, not {boundary!r}")
    at_once = max(1, SAMPLES_AT_ONCE // image[0].numel())
    total = torch.zeros_like(image)
    for some in homographies.to(image).split(at_once):
        summed = _recomputed_sum if image.requires_grad or some.requires_grad else _warp_sum
        total = total + summed(image, some, _PADDING[boundary])
    return total / len(homographies)


def _recomputed_sum(image: Tensor, homographies: Tensor, padding: str) -> Tensor:
    """Return `_warp_sum`; the backward pass computes the sample positions again instead of keeping them.

    Only where there is one: the first `checkpoint` of a process loads torch's compiler, which takes a second.
    """
    part = checkpoint(_warp_sum, image, homographies, padding, use_reentrant=False, preserve_rng_state=False)
    assert isinstance(part, Tensor)
    return part


def _warp_sum(image: Tensor, homographies: Tensor, padding: str) -> Tensor:
    height, width = image.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=image.dtype, device=image.device),
        torch.arange(width, dtype=image.dtype, device=image.device),
        indexing="ij",
    )
    pixels = torch.stack((columns, rows, torch.ones_like(rows)))
    column, row, depth = torch.einsum("tij,jrc->itrc", homographies, pixels)
    # grid_sample's coordinates: -1 and 1 are the image's outer edges, half a pixel beyond the border pixels.
    positions = torch.stack(
        ((2 * column / depth + 1) / width - 1, (2 * row / depth + 1) / height - 1), dim=-1
    )
    several = image.expand(len(homographies), -1, -1, -1)
    return functional.grid_sample(several, positions, padding_mode=padding, align_corners=False).sum(0)
