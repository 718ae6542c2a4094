"""Blur operators: objects that hold the parameters of a blur and apply it, or its adjoint, to images.

    <apply(x) - apply(0), r> = <x, adjoint(r)>     for every latent image x and every residual r

All are linear, except that the boundary 'grey' adds an image of its own, apply(0); the adjoint is that of the
linear part. Images are (C, H, W); their type and device are kept. The arithmetic is in the functions that
`apply` calls.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.blur.boundary import latent_size
from benchmark.blur.convolution import blur
from benchmark.blur.perpixel import blur_per_pixel
from benchmark.blur.svola import Form, Window, svola
from benchmark.blur.warp import warp_average
from benchmark.core.types import Boundary


class Operator(ABC):
    """A blur with its parameters.

    >>> blur = UniformBlur(torch.tensor([[0.5, 0.5, 0.0]]), "circular")
    >>> blur.apply(torch.tensor([[[1.0, 2.0, 3.0]]]))
    tensor([[[1.5000, 2.5000, 2.0000]]])
    >>> blur.adjoint(torch.tensor([[[1.0, 0.0, 0.0]]]))
    tensor([[[0.5000, 0.5000, 0.0000]]])
    """

    @abstractmethod
    def apply(self, image: Tensor) -> Tensor:
        """Blur a latent image (C, H', W'), see `latent_size`."""

    @abstractmethod
    def latent_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size (H', W') of the latent image behind a blurry one of `size` (H, W)."""

    def adjoint(self, residual: Tensor) -> Tensor:
        """Apply the adjoint to a residual (C, H, W) in the frame of the blurry image; returns (C, H', W')."""
        return self.transposed(residual)(residual)

    def transposed(self, blurry: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the function `adjoint` for residuals of the shape, type and device of `blurry` (C, H, W).

        Reverse-mode differentiation is the transpose of a linear map, at any point. It needs one `apply`,
        which is done here: keep the function to apply the adjoint many times.
        """
        size = self.latent_size((blurry.shape[-2], blurry.shape[-1]))
        with torch.enable_grad():
            point = blurry.new_zeros(blurry.shape[0], *size).requires_grad_()
            image = self.apply(point)

        def adjoint(residual: Tensor) -> Tensor:
            return torch.autograd.grad(image, point, residual, retain_graph=True)[0]

        return adjoint


@dataclass(frozen=True, eq=False)
class UniformBlur(Operator):
    """One kernel for the whole image: `benchmark.blur.convolution.blur`."""

    kernel: Tensor  # (h, w)
    boundary: Boundary = "valid"

    def apply(self, image: Tensor) -> Tensor:
        return blur(image, self.kernel, self.boundary)

    def latent_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return latent_size(size, _support(self.kernel), self.boundary)


@dataclass(frozen=True, eq=False)
class SvolaBlur(Operator):
    """Kernels at the nodes of a grid: `benchmark.blur.svola.svola`."""

    kernels: Tensor  # (Gy * Gx, h, w), row-major
    grid: tuple[int, int]  # (Gy, Gx)
    boundary: Boundary = "valid"
    form: Form = "input"
    window: Window = "linear"

    def apply(self, image: Tensor) -> Tensor:
        return svola(image, self.kernels, self.grid, self.boundary, self.form, self.window)

    def latent_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return latent_size(size, _support(self.kernels), self.boundary)


@dataclass(frozen=True, eq=False)
class PerPixelBlur(Operator):
    """A kernel for every observed pixel: `benchmark.blur.perpixel.blur_per_pixel`."""

    kernels: Tensor  # (H * W, h, w), row-major
    boundary: Boundary = "valid"

    def apply(self, image: Tensor) -> Tensor:
        return blur_per_pixel(image, self.kernels, self.boundary)

    def latent_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return latent_size(size, _support(self.kernels), self.boundary)


@dataclass(frozen=True, eq=False)
class WarpBlur(Operator):
    """The mean over camera poses: `benchmark.blur.warp.warp_average`."""

    homographies: Tensor  # (T, 3, 3)
    boundary: Boundary = "replicate"  # or 'zero'

    def apply(self, image: Tensor) -> Tensor:
        return warp_average(image, self.homographies, self.boundary)

    def latent_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return size


def _support(kernels: Tensor) -> tuple[int, int]:
    return kernels.shape[-2], kernels.shape[-1]
