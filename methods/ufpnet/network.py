"""UFPNet: kernels for every pixel, and a NAFNet that attends to them; and NAFNet itself."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.types import NotSupportedError
from methods.ufpnet.blocks import KernelAttention, NafBlock
from methods.ufpnet.estimator import KernelEstimator, standardised, uncertain
from methods.ufpnet.flow import KernelFlow

PIXELS_AT_ONCE = 2**16  # decoded by the flow: its features of a megapixel would take gigabytes
LOCAL = 1.5  # the window of local means, in sides of the images it was trained on


@dataclass(frozen=True)
class Shape:
    """The sizes of a network; the defaults are the published ones (section d.3 of the specification)."""

    width: int = 64  # channels at full size, doubled from level to level
    encoder: tuple[int, ...] = (1, 1, 1, 28)  # blocks of each level
    middle: int = 1
    decoder: tuple[int, ...] = (1, 1, 1, 1)  # from the coarsest level on
    kernel_size: int = 19  # 0: no kernels, which is NAFNet
    attending: int = 3  # so many levels, from the finest on, attend to the kernels in their first block
    estimator: tuple[int, int, int] = (64, 128, 256)
    flow_blocks: int = 5
    flow_hidden: int = 25
    # Whether kernels are divided by their sums after the flow; the published network leaves them.
    renormalised: bool = False
    # Side of the training images, from which the windows of the local means follow; 0: global means.
    trained_on: int = 256

    @property
    def stride(self) -> int:
        """Images are padded to multiples of it."""
        return 1 << len(self.encoder)


class Restorer(nn.Module):
    """The U-shaped network: NAFNet, whose first levels may attend to kernels."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        length = shape.kernel_size**2
        attending = shape.attending if shape.kernel_size else 0
        self.attending = attending
        self.intro = nn.Conv2d(3, shape.width, 3, padding=1)
        self.ending = nn.Conv2d(shape.width, 3, 3, padding=1)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level, (blocks, more) in enumerate(zip(shape.encoder, reversed(shape.decoder), strict=True)):
            channels, window = shape.width * 2**level, _window(shape, level)
            attention = [KernelAttention(channels, length)] if level < attending else []
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
            nn.Conv2d(length, length, 2, stride=2) for _ in range(max(attending - 1, 0))
        )

    def forward(self, images: Tensor, kernels: Tensor | None = None) -> Tensor:
        """What to add to (B, 3, H, W), sides multiples of the stride; `kernels` are (B, L, H, W)."""
        x = self.intro(images)
        skips = []
        for level, (blocks, down) in enumerate(zip(self.encoder, self.downs, strict=True)):
            if 0 < level < self.attending:
                kernels = self.kernel_downs[level - 1](kernels)
            for block in blocks:  # type: ignore[attr-defined]  # a ModuleList
                x = block(x, kernels)
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
            self.estimator = KernelEstimator(shape.kernel_size, shape.estimator)
            self.flow = KernelFlow(shape.kernel_size, shape.flow_blocks, shape.flow_hidden).eval()

    def forward(self, images: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Restored images (B, 3, H, W) in [0, 1], and the kernels (B, L, H, W) in correlation form, if any.

        `images` are RGB in [0, 1]; `noise` moves the kernels' codes (B, L, H', W' of the padded image), none
        by default. Raises NotSupportedError for images too small to be padded.
        """
        height, width = images.shape[-2:]
        padded = padded_to(images, self.shape.stride)
        kernels = None if self.estimator is None else self.kernels(padded, noise)
        residual = self.restorer(padded, kernels)
        restored = (padded + residual).clamp(0, 1)[..., :height, :width]
        return restored, None if kernels is None else kernels[..., :height, :width]

    @torch.no_grad()
    def kernels(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """The kernels (B, L, H, W) of images (B, 3, H, W): codes, uncertainty, flow."""
        assert self.estimator is not None
        softmax, sigma = self.estimator(images)
        codes = standardised(softmax)
        noise = torch.zeros((), dtype=codes.dtype, device=codes.device) if noise is None else noise
        kernels = decoded(self.flow, uncertain(codes, sigma, noise))
        return kernels / kernels.sum(1, keepdim=True) if self.shape.renormalised else kernels


def decoded(flow: KernelFlow | None, codes: Tensor) -> Tensor:
    """The kernels (B, L, H, W) of codes (B, L, H, W), some pixels at once."""
    assert flow is not None
    batch, length, height, width = codes.shape
    pixels = codes.permute(0, 2, 3, 1).reshape(-1, length)
    kernels = torch.cat([flow.kernels(part) for part in pixels.split(PIXELS_AT_ONCE)])
    return kernels.reshape(batch, height, width, length).permute(0, 3, 1, 2)


def padded_to(images: Tensor, stride: int) -> Tensor:
    """Images mirrored at the right and at the bottom up to multiples of `stride`.

    Raises NotSupportedError where a side is too short for that.
    """
    height, width = images.shape[-2:]
    bottom, right = -height % stride, -width % stride
    if bottom >= height or right >= width:
        raise NotSupportedError(
            f"the network needs images that can be mirrored to multiples of {stride} px a side, "
            f"this one has {height} x {width}"
        )
    return functional.pad(images, (0, right, 0, bottom), mode="reflect")


def _window(shape: Shape, level: int) -> int | None:
    """The side of the local means at a level."""
    if not shape.trained_on:
        return None
    return (shape.trained_on >> level) * int(LOCAL * shape.trained_on) // shape.trained_on
