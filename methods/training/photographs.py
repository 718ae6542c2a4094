"""Random crops of sharp photographs, and their blur."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import fast_length
from benchmark.core.colour import LUMA
from benchmark.core.errors import InputError


class Photographs:
    """Photographs on a device, luma or colours, from which crops are drawn."""

    def __init__(
        self,
        photographs: Sequence[NDArray[np.uint8]],
        smallest: int,
        device: torch.device,
        colour: bool = False,
    ) -> None:
        """Prepare photographs.

        Args:
            photographs: images (C, H, W), 8 bits, C = 1 or 3.
            smallest: images with a shorter side, in pixels, are enlarged to it.
            device: where the photographs are kept.
            colour: whether to keep colours, or the luma.

        Raises:
            InputError: there are no photographs.
        """
        if not photographs:
            raise InputError("no photographs to train on; give --images a folder that holds some")
        read = colours if colour else _luma
        self.pixels = [reaching(read(photograph), smallest).to(device) for photograph in photographs]

    def crops(self, count: int, size: int, rng: np.random.Generator, richest_of: int = 1) -> Tensor:
        """Draw squares of random photographs, mirrored at random.

        Args:
            count: how many.
            size: side, in pixels.
            rng: where random numbers come from.
            richest_of: each square is the one of so many with the largest differences between pixels.

        Returns:
            (count, C, size, size) in [0, 1].
        """
        cut = self._cut(count * richest_of, size, rng).unflatten(0, (count, richest_of))
        richness = cut.diff(dim=3).abs().mean((2, 3, 4)) + cut.diff(dim=4).abs().mean((2, 3, 4))
        richest: Tensor = cut[torch.arange(count), richness.argmax(1)]
        return richest

    def _cut(self, count: int, size: int, rng: np.random.Generator) -> Tensor:
        cut = []
        for _ in range(count):
            photograph = self.pixels[int(rng.integers(len(self.pixels)))]
            top, left = (int(rng.integers(side - size + 1)) for side in photograph.shape[1:])
            crop = photograph[:, top : top + size, left : left + size]
            cut.append(crop.flip(-1) if rng.integers(2) else crop)
        return torch.stack(cut).float() / 255


def blurred(images: Tensor, kernels: Tensor) -> Tensor:
    """Correlate images (B, C, H + n - 1, W + n - 1), each with its own of kernels (B, 1, n, n), 'valid'."""
    rows, columns = images.shape[-2:]
    n = kernels.shape[-1]
    size = (fast_length(rows), fast_length(columns))
    # The conjugate makes it a correlation, whose first entries do not wrap around.
    spectra = torch.fft.rfft2(images, s=size) * torch.fft.rfft2(kernels, s=size).conj()
    correlated: Tensor = torch.fft.irfft2(spectra, s=size)
    return correlated[..., : rows - n + 1, : columns - n + 1]


def reflected(images: Tensor, n: int) -> Tensor:
    """Mirror images (B, 1, H, W) at their borders so that a correlation with n x n kernels gives (H, W)."""
    margin = (n - 1) // 2
    return functional.pad(images, (margin, margin, margin, margin), mode="reflect")


def _luma(photograph: NDArray[np.uint8]) -> Tensor:
    if len(photograph) == 1:
        return torch.from_numpy(photograph.copy())
    luma = np.tensordot(np.array(LUMA), photograph.astype(np.float64), axes=1)
    return torch.from_numpy(np.round(luma).astype(np.uint8))[None]


def colours(photograph: NDArray[np.uint8]) -> Tensor:
    """Turn a grey or colour photograph (C, H, W) into (3, H, W), 8 bits."""
    return torch.from_numpy(np.broadcast_to(photograph, (3, *photograph.shape[1:])).copy())


def reaching(pixels: Tensor, smallest: int) -> Tensor:
    """Enlarge an image (C, H, W), 8 bits, whose shorter side is below `smallest`."""
    scale = smallest / min(pixels.shape[1:])
    if scale <= 1:
        return pixels
    size = [max(smallest, round(side * scale)) for side in pixels.shape[1:]]
    enlarged = functional.interpolate(pixels[None].float(), size, mode="bicubic", antialias=True)
    return enlarged[0].round().clamp(0, 255).to(torch.uint8)
