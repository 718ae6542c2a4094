"""Non-uniform blur with one kernel for each pixel of the blurry image."""

from torch import Tensor

from benchmark.blur.boundary import latent_frame
from benchmark.core.errors import InputError
from benchmark.core.types import Boundary


def blur_per_pixel(image: Tensor, kernels: Tensor, boundary: Boundary) -> Tensor:
    """Compute each blurry pixel i with its kernel k_i: y(i) = sum_m k_i(m) x(i + (h - 1, w - 1) - m).

    Differentiable in both. The memory beside the kernels is that of a few images, whatever their size.

    Args:
        image: x, (C, H + h - 1, W + w - 1) if the boundary is 'valid', else (C, H, W).
        kernels: (H * W, h, w), row by row, true-convolution form; odd sides unless 'valid'.
        boundary: what lies outside the image.

    Returns:
        The blurry image (C, H, W).

    Raises:
        InputError: there is not one kernel for each blurry pixel.

    >>> import torch
    >>> dark_and_bright = torch.tensor([[[0.5]], [[2.0]]])
    >>> blur_per_pixel(torch.ones(1, 1, 2), dark_and_bright, "valid")
    tensor([[[0.5000, 2.0000]]])
    """
    h, w = kernels.shape[-2:]
    latent = latent_frame(image, (h, w), boundary)
    height, width = latent.shape[-2] - h + 1, latent.shape[-1] - w + 1
    if min(height, width) < 1 or kernels.shape[0] != height * width:
        raise InputError(
            f"a blur per pixel of {max(height, 0)} x {max(width, 0)} observed pixels takes one kernel "
            f"for each, not {kernels.shape[0]}"
        )
    weights = kernels.unflatten(0, (height, width))
    blurred = latent.new_zeros(latent.shape[0], height, width)
    for row in range(h):
        for column in range(w):
            top, left = h - 1 - row, w - 1 - column
            shifted = latent[:, top : top + height, left : left + width]
            blurred = blurred + weights[:, :, row, column] * shifted
    return blurred
