"""MIMO-UNet+, a restoring network of three scales, with or without UFPNet's attention to kernels.

S.-J. Cho, S.-W. Ji, J.-P. Hong, S.-W. Jung, S.-J. Ko, "Rethinking Coarse-to-Fine Approach in Single Image
Deblurring", ICCV 2021, and its released code. Table 6 of the UFPNet paper adds the attention to it. The paper
only says that the attention stands in front of each encoder; its code is not released. So where exactly it
stands, and that its output replaces its input, is our reading.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.ufp.blocks import KernelAttention
from methods.ufp.estimator import conv3

SPECTRUM_WEIGHT = 0.1  # of the Fourier term in the loss, as published
DROPOUT = (
    0.1  # share of the fused features' channels that a training step leaves out, as in the released code
)
SCALES = 3


class PlainBlock(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv3(channels, channels), conv3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        change: Tensor = self.second(functional.relu(self.first(x)))
        return x + change


class ShallowImage(nn.Module):
    """Extracts features of a reduced image, to be joined with those of the level above."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter, half = channels // 4, channels // 2
        self.features = nn.Sequential(
            conv3(3, quarter), nn.ReLU(),
            nn.Conv2d(quarter, half, 1), nn.ReLU(),
            conv3(half, half), nn.ReLU(),
            nn.Conv2d(half, channels - 3, 1), nn.ReLU(),
        )  # fmt: skip
        self.join = nn.Conv2d(channels, channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, C, H, W)."""
        joined: Tensor = self.join(torch.cat((images, self.features(images)), dim=1))
        return joined


class MimoUnet(nn.Module):
    """Restores blurry images at three scales; with kernels, it attends to them before each encoder."""

    def __init__(self, width: int = 32, blocks: int = 20, kernel_size: int = 0) -> None:
        """Build the network; by default the published one.

        Args:
            width: channels at full size.
            blocks: residual blocks in each encoder and decoder.
            kernel_size: side of the kernels; 0: there are none.
        """
        super().__init__()
        widths = [width << scale for scale in range(SCALES)]
        self.enter = nn.ModuleList([conv3(3, widths[0])])
        self.enter.extend(conv3(widths[i], widths[i + 1], stride=2) for i in range(SCALES - 1))
        self.reduced = nn.ModuleList(ShallowImage(channels) for channels in widths[1:])
        self.merge = nn.ModuleList(conv3(channels, channels) for channels in widths[1:])
        self.encoder = nn.ModuleList(_stack(channels, blocks) for channels in widths)
        self.fuse = nn.ModuleList(
            nn.Sequential(nn.Conv2d(sum(widths), channels, 1), nn.ReLU(), conv3(channels, channels))
            for channels in widths[:-1]
        )
        self.dropout = nn.Dropout2d(DROPOUT)
        self.decoder = nn.ModuleList(_stack(channels, blocks) for channels in widths)
        self.join = nn.ModuleList(nn.Conv2d(2 * channels, channels, 1) for channels in widths[:-1])
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1) for channels in widths[:-1]
        )
        self.leave = nn.ModuleList(conv3(channels, 3) for channels in widths)
        length = kernel_size**2
        self.attending = SCALES if kernel_size else 0
        self.attention = nn.ModuleList(
            KernelAttention(channels, length) for channels in widths[: self.attending]
        )
        self.kernel_downs = nn.ModuleList(
            nn.Conv2d(length, length, 2, stride=2) for _ in range(max(self.attending - 1, 0))
        )

    def kernel_features(self, kernels: Tensor) -> list[Tensor]:
        """Return the features of kernels (B, L, H, W) for each scale, each of half the size."""
        features = []
        for scale, attention in enumerate(self.attention):
            if scale:
                kernels = self.kernel_downs[scale - 1](kernels)
            features.append(attention.kernels(kernels))  # type: ignore[operator]  # a KernelAttention
        return features

    def forward(self, images: Tensor, kernel_features: list[Tensor]) -> Tensor:
        """Return what to add to images (B, 3, H, W), sides multiples of 4, to restore them."""
        return self.residuals(images, kernel_features)[0]

    def residuals(self, images: Tensor, kernel_features: list[Tensor]) -> list[Tensor]:
        """Return what to add to images of full, half and quarter size (see `every_second`) to restore them.

        Args:
            images: (B, 3, H, W) in [0, 1], sides multiples of 4.
            kernel_features: of each scale, from `kernel_features`; none for a network without kernels.
        """
        features: list[Tensor] = []
        for scale in range(SCALES):
            if scale:
                x = functional.relu(self.enter[scale](features[-1]))
                x = x + self.merge[scale - 1](x * self.reduced[scale - 1](every_second(images, scale)))
            else:
                x = functional.relu(self.enter[0](images))
            if self.attending:
                # Unlike in UFPNet's blocks, the output of the attention replaces its input.
                x = self.attention[scale](x, kernel_features[scale])
            features.append(self.encoder[scale](x))
        fused = [self._fused(features, scale) for scale in range(SCALES - 1)]
        residuals: list[Tensor] = []
        x = features[-1]
        for scale in reversed(range(SCALES)):
            if scale < SCALES - 1:
                x = functional.relu(self.enlarge[scale](x))
                x = functional.relu(self.join[scale](torch.cat((x, fused[scale]), dim=1)))
            x = self.decoder[scale](x)
            residuals.insert(0, self.leave[scale](x))
        return residuals

    def _fused(self, features: list[Tensor], scale: int) -> Tensor:
        """Join the features of all scales at the size of one of them."""
        size = features[scale].shape[-2:]
        resized = [functional.interpolate(each, size, mode="nearest") for each in features]
        fused: Tensor = self.dropout(self.fuse[scale](torch.cat(resized, dim=1)))
        return fused


def every_second(images: Tensor, times: int) -> Tensor:
    """Keep every second row and column of images (B, C, H, W), `times` times."""
    return images[..., :: 1 << times, :: 1 << times]


def multi_scale_loss(images: Tensor, residuals: list[Tensor], sharp: Tensor) -> Tensor:
    """Return MIMO-UNet's loss: mean absolute errors of images and of spectra, added over the scales.

    As in the released code, the sharp images are reduced bilinearly, the blurry ones by `every_second`.

    Args:
        images: blurry, (B, 3, H, W).
        residuals: what is added to them at each scale.
        sharp: what they should become, (B, 3, H, W).
    """
    total = sharp.new_zeros(())
    for scale, residual in enumerate(residuals):
        size = residual.shape[-2:]
        target = functional.interpolate(sharp, size, mode="bilinear", align_corners=False)
        error = every_second(images, scale) + residual - target
        spectrum = torch.view_as_real(torch.fft.fft2(error))
        total = total + error.abs().mean() + SPECTRUM_WEIGHT * spectrum.abs().mean()
    return total


def _stack(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(PlainBlock(channels) for _ in range(blocks)))
