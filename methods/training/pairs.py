"""Sharp photographs and what blur makes of them: what UFPNet learns from.

Half of the pairs have one kernel, half a smooth field of several, some of these with the border of something
that moves on its own. Kernels are in correlation form, as inside UFPNet.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from methods.training.kernels import turned
from methods.training.photographs import Photographs, blurred

KERNELS = 4  # of a field
COARSE = 4  # nodes a side of the noise that the weights of a field are enlarged from
CONTRAST = 6.0  # of that noise, before the softmax
MOVING = 1 / 3  # share of the fields with something that moves on its own
EDGE = 3.0  # pixels over which its border is blended


@dataclass(frozen=True)
class Pairs:
    """A batch. Colours in [0, 1]."""

    sharp: Tensor  # (B, 3, S + k - 1, S + k - 1), with the margin that the blur consumes
    blurry: Tensor  # (B, 3, S, S)
    weights: Tensor  # (B, M, S, S), sum 1 over the kernels
    kernels: Tensor  # (B, M, k, k)

    @property
    def frame(self) -> Tensor:
        """The sharp images in the frame of the blurry ones."""
        margin = (self.kernels.shape[-1] - 1) // 2
        return self.sharp[
            ..., margin : margin + self.blurry.shape[-2], margin : margin + self.blurry.shape[-1]
        ]


def pairs(
    photographs: Photographs,
    kernels: Tensor,
    count: int,
    crop: int,
    noise: float,
    rng: np.random.Generator,
    uniform: float = 0.5,
) -> Pairs:
    """`count` pairs of `crop` px from kernels (K, 1, k, k); Gaussian noise of up to `noise`, 8 bits.

    `uniform` is the share with a single kernel.
    """
    size, device = kernels.shape[-1], kernels.device
    sharp = photographs.crops(count, crop + size - 1, rng)
    chosen = torch.from_numpy(rng.integers(len(kernels), size=count * KERNELS)).to(device)
    drawn = turned(kernels[chosen], rng)[:, 0].unflatten(0, (count, KERNELS))
    weights = torch.stack([_weights(crop, rng.random() < uniform, rng) for _ in range(count)]).to(device)
    # Each colour of each image by each of its kernels.
    planes = sharp.repeat_interleave(KERNELS, dim=0)
    each = blurred(planes, drawn.flatten(0, 1)[:, None]).unflatten(0, (count, KERNELS))
    blurry = (each * weights[:, :, None]).sum(1)
    sigma = rng.uniform(0, noise, (count, 1, 1, 1))
    blurry = blurry + torch.from_numpy(sigma * rng.standard_normal(tuple(blurry.shape))).float().to(device)
    return Pairs(sharp, (255 * blurry.clamp(0, 1)).round() / 255, weights, drawn)


def _weights(crop: int, uniform: bool, rng: np.random.Generator) -> Tensor:
    """How much each kernel counts at each pixel, (M, crop, crop)."""
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
    """A soft disc or half-plane, (crop, crop) in [0, 1]."""
    rows, columns = torch.meshgrid(torch.arange(crop), torch.arange(crop), indexing="ij")
    row, column = rng.uniform(0, crop, 2)
    if rng.integers(2):
        radius = rng.uniform(crop / 8, crop / 3)
        distance = radius - ((rows - row) ** 2 + (columns - column) ** 2).sqrt()
    else:
        angle = rng.uniform(0, 2 * np.pi)
        distance = np.cos(angle) * (rows - row) + np.sin(angle) * (columns - column)
    return torch.sigmoid(4 * distance / EDGE)
