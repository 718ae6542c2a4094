"""Camera shake as it happens: the mean of the scene as seen from every pose during the exposure."""

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from benchmark.core.types import Boundary, InputError

SAMPLES_AT_ONCE = 2**21  # pixels times poses; bounds the memory to some tens of MB
_PADDING = {"replicate": "border", "zero": "zeros"}


def warp_average(image: Tensor, homographies: Tensor, boundary: Boundary = "replicate") -> Tensor:
    """y(i) = mean over t of x(H_t i): `image` (C, H, W) averaged over `homographies` (T, 3, 3), (C, H, W).

    Homographies act on (column, row, 1), 0-based. x between pixels is bilinear; outside the image it repeats
    the border pixels ('replicate') or is 0 ('zero'); InputError for other boundaries. Linear in x; poses go
    through in portions, forward and back, so that memory does not grow with T.
    """
    if boundary not in _PADDING:
        raise InputError(f"warping knows the boundaries {' and '.join(_PADDING)}, not {boundary!r}")
    at_once = max(1, SAMPLES_AT_ONCE // image[0].numel())
    total = torch.zeros_like(image)
    for some in homographies.to(image).split(at_once):
        # Keeps no sample positions for the backward pass; it works them out again.
        part = checkpoint(
            _warp_sum, image, some, _PADDING[boundary], use_reentrant=False, preserve_rng_state=False
        )
        assert isinstance(part, Tensor)
        total = total + part
    return total / len(homographies)


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
