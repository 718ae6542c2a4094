"""Networks that attend to kernels estimated for every pixel: UFPNet, which is a NAFNet, and MIMO-UNet+.

Without kernels they are NAFNet and MIMO-UNet+ themselves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.core.errors import NotSupportedError
from methods.ufp.blocks import KernelAttention, NafBlock
from methods.ufp.estimator import KernelEstimator, standardised, uncertain
from methods.ufp.flow import KernelFlow
from methods.ufp.mimo import SCALES, MimoUnet

PIXELS_AT_ONCE = 2**16  # that the flow decodes together: its features of a megapixel would take gigabytes
LOCAL_WINDOW = 1.5  # side of the local means' window, in sides of the training images
# Kernels are estimated tile by tile, because those of a megapixel would take several gigabytes.
TILE = 512  # pixels a side, without the overlap
# Pixels around a tile that the networks need: the estimator sees 58 px far, each of two convolutions at a
# quarter of the size 2 px. A multiple of the strides, so that tiles are reduced on the same grid as the whole
# image.
OVERLAP = 80

# How a pixel's kernel is made (Tables 4 and 5 of the paper compare these). 'uncertain': from a code of the
# flow, mixed with noise by its uncertainty. 'flow': from the code alone. 'softmax': the estimator's softmax
# itself, without a flow.
KernelForm = Literal["uncertain", "flow", "softmax"]
Noise = torch.Generator | Sequence[torch.Generator] | None  # where noise comes from: see `UfpNet.forward`


@dataclass(frozen=True)
class Shape:
    """The sizes of a network; the defaults are those of the published UFPNet."""

    # The restoring network: NAFNet, or MIMO-UNet+ as in Table 6 of the paper.
    backbone: Literal["nafnet", "mimo"] = "nafnet"
    width: int = 64  # channels at full size, doubled from level to level
    encoder: tuple[int, ...] = (1, 1, 1, 28)  # blocks per level, from the finest on
    middle: int = 1  # blocks at the coarsest size
    decoder: tuple[int, ...] = (1, 1, 1, 1)  # blocks per level, from the coarsest on
    kernel_size: int = 19  # side of the kernels; 0: there are none, as in NAFNet
    attending: int = 3  # how many levels, from the finest on, attend to the kernels in their first block
    kernel_form: KernelForm = "uncertain"
    estimator: tuple[int, int, int] = (64, 128, 256)  # its channels at full, half and quarter size
    flow_blocks: int = 5
    flow_hidden: int = 25
    renormalised: bool = False  # whether kernels are divided by their sums after the flow
    trained_on: int = 256  # side of the training images, which determines local means; 0: means are global
    padding: Literal["reflect", "zero"] = "reflect"  # of images to multiples of the stride; zero in NAFNet

    @property
    def stride(self) -> int:
        """The number to multiples of which images are padded."""
        return 1 << (self.levels - 1 if self.backbone == "mimo" else self.levels)

    @property
    def levels(self) -> int:
        """How many sizes of features have encoders."""
        return len(self.encoder)

    @property
    def blocks(self) -> int:
        """How many blocks the restoring network has in all."""
        return sum(self.encoder) + self.middle + sum(self.decoder)


def mimo_shape(width: int = 32, blocks: int = 20, kernels: Shape | None = None) -> Shape:
    """Return the sizes of a MIMO-UNet+, by default the published one.

    Args:
        width: channels at full size.
        blocks: residual blocks in each of the encoders and decoders.
        kernels: a network whose kernels it attends to; None: it attends to none.
    """
    return replace(
        kernels or Shape(kernel_size=0),
        backbone="mimo",
        width=width,
        encoder=(blocks,) * SCALES,
        middle=0,
        decoder=(blocks,) * SCALES,
        attending=SCALES,
        trained_on=0,  # it has no local means
        padding="reflect",
    )


class Restorer(nn.Module):
    """NAFNet as the restoring network; its first levels may attend to kernels."""

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
        """Return the features of kernels (B, L, H, W) for each attending level, each of half the size."""
        features = []
        for level in range(self.attending):
            if level:
                kernels = self.kernel_downs[level - 1](kernels)
            features.append(self.encoder[level][0].attention.kernels(kernels))  # type: ignore[index]
        return features

    def forward(self, images: Tensor, kernel_features: list[Tensor]) -> Tensor:
        """Return what to add to images (B, 3, H, W), sides multiples of the stride, to restore them."""
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
    """Restores blurry images with a kernel for each pixel, or without kernels."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.restorer: Restorer | MimoUnet
        if shape.backbone == "mimo":
            self.restorer = MimoUnet(shape.width, shape.encoder[0], shape.kernel_size)
        else:
            self.restorer = Restorer(shape)
        self.estimator: KernelEstimator | None = None
        self.flow: KernelFlow | None = None
        if shape.kernel_size:
            has_uncertainty = shape.kernel_form == "uncertain"
            self.estimator = KernelEstimator(shape.kernel_size, shape.estimator, has_uncertainty)
            if shape.kernel_form != "softmax":
                self.flow = KernelFlow(shape.kernel_size, shape.flow_blocks, shape.flow_hidden).eval()

    def forward(self, images: Tensor, rng: Noise = None, every: int = 1) -> tuple[Tensor, Tensor | None]:
        """Restore images; the result does not depend on the tiles in which kernels are estimated.

        Args:
            images: (B, 3, H, W), RGB in [0, 1].
            rng: where noise for the codes comes from, one for all images or one for each; None: no noise.
            every: rows and columns between the kernels that are returned.

        Returns:
            The restored images (B, 3, H, W) in [0, 1], and the kernels (B, L, H', W') in correlation form,
            None for a network without kernels.

        Raises:
            NotSupportedError: the images are too small to be padded.
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
                estimated = self.kernels(padded[..., *tile.seen], rng)
                for level, part in enumerate(self.restorer.kernel_features(estimated)):
                    features[level][..., *_reduced(tile.kept, level)] = part[
                        ..., *_reduced(tile.inner, level)
                    ]
                top, left = (-side.start % every for side in tile.kept)
                cut = estimated[..., *tile.inner][..., top::every, left::every]
                parts.setdefault(tile.kept[0].start, []).append(cut)
            kernels = torch.cat([torch.cat(row, dim=-1) for row in parts.values()], dim=-2)
            kernels = kernels[..., : -(-height // every), : -(-width // every)]
        residual = self.restorer(padded, features)
        return (padded + residual).clamp(0, 1)[..., :height, :width], kernels

    @torch.no_grad()
    def kernels(self, images: Tensor, rng: Noise = None, decoded_every: int = 1) -> Tensor:
        """Estimate the kernels of images.

        Args:
            images: (B, 3, H, W) in [0, 1].
            rng: as in `forward`.
            decoded_every: the flow decodes every such row and column; pixels between take the kernel before
                them.

        Returns:
            (B, L, H, W), correlation form.
        """
        assert self.estimator is not None
        # In half precision the deviations of the codes would vanish.
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            softmax, sigma = self.estimator(images)
            if self.flow is None:
                return softmax  # type: ignore[no-any-return]  # of a module
            height, width = images.shape[-2:]
            codes = standardised(softmax[..., ::decoded_every, ::decoded_every])
            del softmax
            if sigma is not None:
                sigma = sigma[..., ::decoded_every, ::decoded_every]
            if rng is not None and sigma is not None:
                codes = uncertain(codes, sigma, _noise_like(codes, rng))
            elif sigma is not None:
                codes = codes * (1 - sigma**2).sqrt()
            kernels = decoded(self.flow, codes)
        if self.shape.renormalised:
            kernels = kernels / kernels.sum(1, keepdim=True)
        if decoded_every > 1:
            for side in (-2, -1):
                kernels = kernels.repeat_interleave(decoded_every, side)
        return kernels[..., :height, :width]


def _noise_like(codes: Tensor, rng: torch.Generator | Sequence[torch.Generator]) -> Tensor:
    """Draw noise like codes (B, L, H, W). With a generator for each, it is what each would get alone."""
    parts = [codes] if isinstance(rng, torch.Generator) else codes.split(1)
    sources = [rng] if isinstance(rng, torch.Generator) else rng
    drawn = [
        torch.randn(part.shape, generator=source, dtype=part.dtype, device=part.device)
        for part, source in zip(parts, sources, strict=True)
    ]
    return torch.cat(drawn)


def decoded(flow: KernelFlow, codes: Tensor) -> Tensor:
    """Map codes (B, L, H, W) to kernels (B, L, H, W), PIXELS_AT_ONCE."""
    kernels = torch.empty_like(codes)
    for image, result in zip(codes.flatten(2), kernels.flatten(2), strict=True):
        for start in range(0, image.shape[1], PIXELS_AT_ONCE):
            part = slice(start, start + PIXELS_AT_ONCE)
            result[:, part] = flow.kernels(image[:, part].T).T
    return kernels


def padded_to(images: Tensor, stride: int, padding: Literal["reflect", "zero"] = "reflect") -> Tensor:
    """Pad images at the right and at the bottom to multiples of `stride`.

    Raises NotSupportedError when a side is too short to be mirrored so far.
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
    seen: Part  # the part of the image with the overlap
    kept: Part  # the part of the image without it
    inner: Part  # the part of `seen` that is `kept`


def _tiles(size: torch.Size) -> Iterator[_Tile]:
    """Yield the tiles of an image, row by row; together they keep every pixel once."""
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
    """Return the side of the local means' window at a level; None for global means."""
    if not shape.trained_on:
        return None
    return (shape.trained_on >> level) * int(LOCAL_WINDOW * shape.trained_on) // shape.trained_on
