"""Non-uniform blur with a kernel of its own for every pixel."""

from torch import Tensor

from benchmark.blur.boundary import latent_frame
from benchmark.core.types import Boundary, InputError


def blur_per_pixel(image: Tensor, kernels: Tensor, boundary: Boundary) -> Tensor:
    """Gather every observed pixel i with its kernel: y(i) = sum_m k_i(m) x(i + (h - 1, w - 1) - m).

    `kernels` (H * W, h, w) in true-convolution form, row-major over the observed pixels. 'valid':
    (C, H + h - 1, W + w - 1) to (C, H, W); the other boundaries keep (C, H, W) and want odd kernels.
    Differentiable in both; memory is that of a few images, whatever the kernels' size.
    Raises InputError when there is not one kernel per observed pixel.
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
