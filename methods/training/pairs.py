"""Pairs of sharp and blurry images, on which UFPNet and NAFNet are trained.

They are photographed or synthetic. Half of the synthetic ones have one kernel, half a smooth field of
kernels, a third of these with an object that moves on its own. Kernels are in correlation form, as inside
UFPNet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.core.errors import InputError
from methods.training.kernels import TURNS, turned
from methods.training.loop import Materials
from methods.training.photographs import Photographs, blurred

KERNELS = 4  # in a field
COARSE = 4  # side of the coarse noise that is enlarged to the weights of a field
CONTRAST = 6.0  # factor of the enlarged noise, before the softmax
MOVING = 1 / 3  # share of the fields with an object that moves on its own
EDGE = 3.0  # px over which the border of that object is blended


@dataclass(frozen=True)
class Pairs:
    """A batch of pairs, RGB in [0, 1]."""

    sharp: Tensor  # (B, 3, S + 2 m, S + 2 m), with a margin m of half a kernel
    blurry: Tensor  # (B, 3, S, S)
    # The kernels of synthetic pairs (B, M, k, k), and their weights at each pixel (B, M, S, S).
    kernels: Tensor | None = None
    weights: Tensor | None = None

    @property
    def frame(self) -> Tensor:
        """The sharp images (B, 3, S, S), in the frame of the blurry ones."""
        side = self.blurry.shape[-1]
        margin = (self.sharp.shape[-1] - side) // 2
        return self.sharp[..., margin : margin + side, margin : margin + side]


class PairSource(Protocol):
    """A source of pairs."""

    kinds: Sequence[str]  # the kinds of pairs, as in tables of quality

    def pairs(self, count: int, crop: int, rng: np.random.Generator, kind: str = "") -> Pairs:
        """Draw `count` pairs of `crop` px, of one kind; of all kinds if it is empty."""


class SyntheticPairs:
    """Synthetic pairs: photographs blurred by one kernel, half of the time, or by a field of kernels."""

    kinds: Sequence[str] = ("uniform", "field")

    def __init__(self, photographs: Photographs, kernels: Tensor, noise: float) -> None:
        """Prepare a source.

        Args:
            photographs: sharp, in colour.
            kernels: (K, 1, k, k), correlation form.
            noise: largest standard deviation of the Gaussian noise.
        """
        self.photographs, self.kernels, self.noise = photographs, kernels, noise

    def pairs(self, count: int, crop: int, rng: np.random.Generator, kind: str = "") -> Pairs:
        """See `PairSource`."""
        size, device = self.kernels.shape[-1], self.kernels.device
        uniform = {"uniform": 1.0, "field": 0.0}.get(kind, 0.5)
        sharp = self.photographs.crops(count, crop + size - 1, rng)
        chosen = torch.from_numpy(rng.integers(len(self.kernels), size=count * KERNELS)).to(device)
        drawn = turned(self.kernels[chosen], rng)[:, 0].unflatten(0, (count, KERNELS))
        weights = torch.stack([_weights(crop, rng.random() < uniform, rng) for _ in range(count)]).to(device)
        # Blur each colour of each image with each of its kernels.
        planes = sharp.repeat_interleave(KERNELS, dim=0)
        each = blurred(planes, drawn.flatten(0, 1)[:, None]).unflatten(0, (count, KERNELS))
        blurry = (each * weights[:, :, None]).sum(1)
        sigma = rng.uniform(0, self.noise, (count, 1, 1, 1))
        noise = torch.from_numpy(sigma * rng.standard_normal(tuple(blurry.shape))).float().to(device)
        blurry = (255 * (blurry + noise).clamp(0, 1)).round() / 255
        return Pairs(sharp, blurry, drawn, weights)


class PhotographedPairs:
    """Photographed pairs in the same frame, such as those of GoPro and RealBlur."""

    kinds: Sequence[str] = ("photographed",)

    def __init__(
        self,
        photographs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
        crop: int,
        kernel_size: int,
        device: torch.device,
    ) -> None:
        """Prepare a source.

        Args:
            photographs: pairs (blurry, sharp) of images (C, H, W), 8 bits.
            crop: side of the crops, in pixels.
            kernel_size: determines the margin of the sharp crops.
            device: where the pairs are kept.

        Raises:
            InputError: there are no pairs, or one is too small for a crop with its margin.
        """
        if not photographs:
            raise InputError("no pairs to train on; give --pairs a folder that holds some")
        self.margin = (kernel_size - 1) // 2
        least = crop + 2 * self.margin
        for blurry, _ in photographs:
            if min(blurry.shape[1:]) < least:
                raise InputError(
                    f"a pair of {blurry.shape[1]} x {blurry.shape[2]} px is too small for crops of {crop} px "
                    f"and a margin of {self.margin} px; set a smaller crop"
                )
        self.images = [
            torch.from_numpy(np.stack([_three(side) for side in pair])).to(device) for pair in photographs
        ]

    def pairs(self, count: int, crop: int, rng: np.random.Generator, kind: str = "") -> Pairs:
        """See `PairSource`. Each pair is flipped and transposed at random."""
        del kind
        side, m = crop + 2 * self.margin, self.margin
        cut = []
        for _ in range(count):
            pair = self.images[int(rng.integers(len(self.images)))]
            top, left = (int(rng.integers(length - side + 1)) for length in pair.shape[2:])
            window = pair[..., top : top + side, left : left + side]
            for turn in TURNS:
                window = turn(window) if rng.integers(2) else window
            cut.append(window)
        blurry, sharp = (torch.stack(cut).float() / 255).unbind(1)
        return Pairs(sharp, blurry[..., m : m + crop, m : m + crop])


def pair_source(
    materials: Materials, kernels: Tensor, crop: int, noise: float, held_out: bool = False
) -> PairSource:
    """Choose the source of pairs: photographed ones if the materials have any, else synthetic ones."""
    size, device = kernels.shape[-1], kernels.device
    if materials.pairs:
        chosen = materials.held_out_pairs if held_out else materials.pairs
        return PhotographedPairs(chosen, crop, size, device)
    images = materials.held_out if held_out else materials.photographs
    return SyntheticPairs(Photographs(images, crop + size - 1, device, colour=True), kernels, noise)


def patches(images: Tensor, length: int, every: int = 1) -> Tensor:
    """Return the pixels that each pixel's kernel reaches.

    A network's kernels are stored entry by entry. `benchmark.blur.perpixel` takes them pixel by pixel, for
    which they would have to be copied.

    Args:
        images: (B, C, H + k - 1, W + k - 1).
        length: entries of a kernel, L = k * k.
        every: only every such row and column.

    Returns:
        (B, C, L, H * W).
    """
    unfolded: Tensor = functional.unfold(images, round(length**0.5), stride=every)
    channelwise: Tensor = unfolded.unflatten(1, (images.shape[1], length))
    return channelwise


def _three(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.broadcast_to(image, (3, *image.shape[1:]))


def _weights(crop: int, uniform: bool, rng: np.random.Generator) -> Tensor:
    """Draw the weights of M kernels at each pixel, (M, crop, crop)."""
    if uniform:
        weights = torch.zeros(KERNELS, crop, crop)
        weights[0] = 1
        return weights
    coarse = torch.from_numpy(rng.standard_normal((1, KERNELS, COARSE, COARSE), np.float32))
    smooth = functional.interpolate(coarse, (crop, crop), mode="bicubic", align_corners=True)[0]
    weights = (CONTRAST * smooth).softmax(0)
    if rng.random() >= MOVING:
        return weights
    inside = _blob(crop, rng)
    alone = torch.zeros_like(weights)
    alone[-1] = 1
    return inside * alone + (1 - inside) * weights


def _blob(crop: int, rng: np.random.Generator) -> Tensor:
    """Draw a disc or half-plane with a soft border, (crop, crop) in [0, 1]."""
    rows, columns = torch.meshgrid(torch.arange(crop), torch.arange(crop), indexing="ij")
    row, column = rng.uniform(0, crop, 2)
    if rng.integers(2):
        radius = rng.uniform(crop / 8, crop / 3)
        distance = radius - ((rows - row) ** 2 + (columns - column) ** 2).sqrt()
    else:
        angle = rng.uniform(0, 2 * np.pi)
        distance = np.cos(angle) * (rows - row) + np.sin(angle) * (columns - column)
    return torch.sigmoid(4 * distance / EDGE)
