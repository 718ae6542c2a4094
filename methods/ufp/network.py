"""UFPNet: kernels for every pixel, and a NAFNet that attends to them; and NAFNet itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.core.types import NotSupportedError
from methods.ufp.blocks import KernelAttention, NafBlock
from methods.ufp.estimator import KernelEstimator, standardised, uncertain
from methods.ufp.flow import KernelFlow

PIXELS_AT_ONCE = 2**16  # decoded by the flow: its features of a megapixel would take gigabytes
LOCAL = 1.5  # the window of local means, in sides of the images it was trained on
# Kernels are estimated tile by tile: of a megapixel they would take gigabytes, several times over.
TILE = 512  # pixels a side, without the overlap
# Beyond it nothing is seen: 58 px by the estimator, 2 px by each of two convolutions at a quarter of the
# size. A multiple of the strides, so that tiles are reduced on the same grid as the image.
OVERLAP = 80

# What the kernels of a pixel are made of: a code of the flow, moved at random as far as it is uncertain; the
# code alone; or the softmax itself, without a flow. Tables 4 and 5 of the paper compare them.
KernelForm = Literal["uncertain", "flow", "softmax"]


@dataclass(frozen=True)
class Shape:
    """The sizes of a network; the defaults are the published ones (section d.3 of the specification)."""

    width: int = 64  # channels at full size, doubled from level to level
    encoder: tuple[int, ...] = (1, 1, 1, 28)  # blocks of each level
    middle: int = 1
    decoder: tuple[int, ...] = (1, 1, 1, 1)  # from the coarsest level on
    kernel_size: int = 19  # 0: no kernels, which is NAFNet
    attending: int = 3  # so many levels, from the finest on, attend to the kernels in their first block
    kernel_form: KernelForm = "uncertain"
    estimator: tuple[int, int, int] = (64, 128, 256)
    flow_blocks: int = 5
    flow_hidden: int = 25
    # Whether kernels are divided by their sums after the flow; the published network leaves them.
    renormalised: bool = False
    # Side of the training images, from which the windows of the local means follow; 0: global means.
    trained_on: int = 256
    padding: Literal["reflect", "zero"] = "reflect"  # to multiples of the stride; NAFNet's is zero

    @property
    def stride(self) -> int:
        """Images are padded to multiples of it."""
        return 1 << len(self.encoder)


class Restorer(nn.Module):
    """The U-shaped network: NAFNet, whose first levels may attend to kernels."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        length = shape.kernel_size**2
        self.attending = shape.attending if shape.kernel_size else 0
        self.intro = nn.Conv2d(3, shape.width, 3, padding=1)
        self.ending = nn.Conv2d(shape.width, 3, 3, padding=1)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level, (blocks, more) in enumerate(zip(shape.encoder, reversed(shape.decoder), strict=True)):
            channels, window = shape.width * 2**level, _window(shape, level)
            attention = [KernelAttention(channels, length)] if level < self.attending else []
            encoding = [
                NafBlock(channels, window, attention[block] if block < len(attention) else None)
                for block in range(blocks)
            ]
            self.encoder.append(nn.ModuleList(encoding))
            self.decoder.append(nn.ModuleList(NafBlock(channels, window) for _ in range(more)))
            self.downs.append(nn.Conv2d(channels, 2 * channels, 2, stride=2))
            self.ups.append(nn.Conv2d(2 * channels, 4 * channels, 1, bias=False))
        deepest = len(shape.encoder)
        self.middle = nn.ModuleList(
            NafBlock(shape.width * 2**deepest, _window(shape, deepest)) for _ in range(shape.middle)
        )
        self.kernel_downs = nn.ModuleList(
            nn.Conv2d(length, length, 2, stride=2) for _ in range(max(self.attending - 1, 0))
        )

    def kernel_features(self, kernels: Tensor) -> list[Tensor]:
        """What each attending level sees of kernels (B, L, H, W): (B, C, H, W), then of half the size, ..."""
        features = []
        for level in range(self.attending):
            if level:
                kernels = self.kernel_downs[level - 1](kernels)
            features.append(self.encoder[level][0].attention.kernels(kernels))  # type: ignore[index]
        return features

    def forward(self, images: Tensor, kernel_features: list[Tensor]) -> Tensor:
        """What to add to (B, 3, H, W), sides multiples of the stride."""
        x = self.intro(images)
        skips = []
        for level, (blocks, down) in enumerate(zip(self.encoder, self.downs, strict=True)):
            for block in blocks:  # type: ignore[attr-defined]  # a ModuleList
                x = block(x, kernel_features[level] if block.attention is not None else None)
            skips.append(x)
            x = down(x)
        for block in self.middle:
            x = block(x)
        for blocks, up, skip in zip(reversed(self.decoder), reversed(self.ups), reversed(skips), strict=True):
            x = functional.pixel_shuffle(up(x), 2) + skip
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x)
        residual: Tensor = self.ending(x)
        return residual


class UfpNet(nn.Module):
    """Blurry images to sharp ones by way of a kernel for each pixel."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.restorer = Restorer(shape)
        self.estimator: KernelEstimator | None = None
        self.flow: KernelFlow | None = None
        if shape.kernel_size:
            has_uncertainty = shape.kernel_form == "uncertain"
            self.estimator = KernelEstimator(shape.kernel_size, shape.estimator, has_uncertainty)
            if shape.kernel_form != "softmax":
                self.flow = KernelFlow(shape.kernel_size, shape.flow_blocks, shape.flow_hidden).eval()

    def forward(
        self, images: Tensor, rng: torch.Generator | None = None, every: int = 1
    ) -> tuple[Tensor, Tensor | None]:
        """Restored images (B, 3, H, W) in [0, 1], and every `every`-th row and column of the kernels.

        `images` are RGB in [0, 1]. Kernels (B, L, H', W') are in correlation form; NAFNet has none. With
        `rng` their codes are moved as far as they are uncertain. What comes out does not depend on the tiles
        that kernels are estimated in. Raises NotSupportedError for images too small to be padded.
        """
        height, width = images.shape[-2:]
        padded = padded_to(images, self.shape.stride, self.shape.padding)
        features: list[Tensor] = []
        kernels = None
        if self.estimator is not None:
            size = padded.shape[-2:]
            features = [
                padded.new_empty(len(padded), self.shape.width << level, size[0] >> level, size[1] >> level)
                for level in range(self.restorer.attending)
            ]
            parts: dict[int, list[Tensor]] = {}
            for tile in _tiles(size):
                found = self.kernels(padded[..., *tile.seen], rng)
                for level, part in enumerate(self.restorer.kernel_features(found)):
                    features[level][..., *_reduced(tile.kept, level)] = part[
                        ..., *_reduced(tile.inner, level)
                    ]
                top, left = (-side.start % every for side in tile.kept)
                cut = found[..., *tile.inner][..., top::every, left::every]
                parts.setdefault(tile.kept[0].start, []).append(cut)
            kernels = torch.cat([torch.cat(row, dim=-1) for row in parts.values()], dim=-2)
            kernels = kernels[..., : -(-height // every), : -(-width // every)]
        residual = self.restorer(padded, features)
        return (padded + residual).clamp(0, 1)[..., :height, :width], kernels

    @torch.no_grad()
    def kernels(self, images: Tensor, rng: torch.Generator | None = None, decoded_every: int = 1) -> Tensor:
        """The kernels (B, L, H, W) of images (B, 3, H, W): codes, uncertainty, flow.

        The flow decodes every `decoded_every`-th row and column; other pixels take the kernel before them.
        """
        assert self.estimator is not None
        # In half precision the codes' deviations would vanish.
        with torch.autocast("cuda", enabled=False):
            softmax, sigma = self.estimator(images)
            if self.flow is None:
                return softmax  # type: ignore[no-any-return]  # of a module
            height, width = images.shape[-2:]
            codes = standardised(softmax[..., ::decoded_every, ::decoded_every])
            del softmax
            if sigma is not None:
                sigma = sigma[..., ::decoded_every, ::decoded_every]
            if rng is not None and sigma is not None:
                noise = torch.randn(codes.shape, generator=rng, dtype=codes.dtype, device=codes.device)
                codes = uncertain(codes, sigma, noise)
            elif sigma is not None:
                codes = codes * (1 - sigma**2).sqrt()
            kernels = decoded(self.flow, codes)
        if self.shape.renormalised:
            kernels = kernels / kernels.sum(1, keepdim=True)
        if decoded_every > 1:
            for side in (-2, -1):
                kernels = kernels.repeat_interleave(decoded_every, side)
        return kernels[..., :height, :width]


def decoded(flow: KernelFlow, codes: Tensor) -> Tensor:
    """The kernels (B, L, H, W) of codes (B, L, H, W), some pixels at once."""
    kernels = torch.empty_like(codes)
    for image, found in zip(codes.flatten(2), kernels.flatten(2), strict=True):
        for start in range(0, image.shape[1], PIXELS_AT_ONCE):
            part = slice(start, start + PIXELS_AT_ONCE)
            found[:, part] = flow.kernels(image[:, part].T).T
    return kernels


def padded_to(images: Tensor, stride: int, padding: Literal["reflect", "zero"] = "reflect") -> Tensor:
    """Images continued at the right and at the bottom up to multiples of `stride`.

    Raises NotSupportedError where a side is too short to be mirrored so far.
    """
    height, width = images.shape[-2:]
    bottom, right = -height % stride, -width % stride
    if padding == "zero":
        return functional.pad(images, (0, right, 0, bottom))
    if bottom >= height or right >= width:
        raise NotSupportedError(
            f"the network needs images that can be mirrored to multiples of {stride} px a side, "
            f"this one has {height} x {width}"
        )
    return functional.pad(images, (0, right, 0, bottom), mode="reflect")


Part = tuple[slice, slice]


@dataclass(frozen=True)
class _Tile:
    seen: Part  # of the image, with the overlap
    kept: Part  # of the image
    inner: Part  # of what is seen: the same pixels


def _tiles(size: torch.Size) -> Iterator[_Tile]:
    """Tiles row by row, which together keep every pixel once."""
    for top in range(0, size[0], TILE):
        for left in range(0, size[1], TILE):
            kept = tuple(
                slice(start, min(start + TILE, side)) for start, side in zip((top, left), size, strict=True)
            )
            seen = tuple(
                slice(max(part.start - OVERLAP, 0), min(part.stop + OVERLAP, side))
                for part, side in zip(kept, size, strict=True)
            )
            inner = tuple(
                slice(part.start - whole.start, part.stop - whole.start)
                for part, whole in zip(kept, seen, strict=True)
            )
            yield _Tile(*((rows, columns) for rows, columns in (seen, kept, inner)))


def _reduced(part: Part, level: int) -> Part:
    rows, columns = (slice(side.start >> level, side.stop >> level) for side in part)
    return rows, columns


def _window(shape: Shape, level: int) -> int | None:
    """The side of the local means at a level."""
    if not shape.trained_on:
        return None
    return (shape.trained_on >> level) * int(LOCAL * shape.trained_on) // shape.trained_on
