"""MIMO-UNet+ with UFPNet's attention to kernels: the attention in another network, as in the paper's Table 6.

S.-J. Cho, S.-W. Ji, J.-P. Hong, S.-W. Jung, S.-J. Ko, "Rethinking Coarse-to-Fine Approach in Single Image
Deblurring", ICCV 2021. The UFPNet paper only says that the attention is in front of each encoder; all else is
as in UFPNet's own network. No method uses this network yet, and there are no trained weights for it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.ufp.blocks import KernelAttention
from methods.ufp.estimator import conv3

SPECTRUM_WEIGHT = 0.1  # of the Fourier term in the loss
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
        self.decoder = nn.ModuleList(_stack(channels, blocks) for channels in widths)
        self.join = nn.ModuleList(nn.Conv2d(2 * channels, channels, 1) for channels in widths[:-1])
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1) for channels in widths[:-1]
        )
        self.leave = nn.ModuleList(conv3(channels, 3) for channels in widths)
        length = kernel_size**2
        self.attention = nn.ModuleList(
            KernelAttention(channels, length) for channels in widths if kernel_size
        )
        self.kernel_downs = nn.ModuleList(
            nn.Conv2d(length, length, 2, stride=2) for _ in range(SCALES - 1) if kernel_size
        )

    def forward(self, images: Tensor, kernels: Tensor | None = None) -> list[Tensor]:
        """Restore images.

        Args:
            images: (B, 3, H, W) in [0, 1], sides multiples of 4.
            kernels: (B, L, H, W), correlation form, for a network with kernels.

        Returns:
            The restored images of full, half and quarter size.
        """
        small = [images]
        for _ in range(SCALES - 1):
            small.append(functional.interpolate(small[-1], scale_factor=0.5, mode="nearest"))
        features: list[Tensor] = []
        x = functional.relu(self.enter[0](images))
        for scale in range(SCALES):
            if scale:
                x = functional.relu(self.enter[scale](features[-1]))
                x = x + self.merge[scale - 1](x * self.reduced[scale - 1](small[scale]))
                if kernels is not None:
                    kernels = self.kernel_downs[scale - 1](kernels)
            if kernels is not None:
                attention = self.attention[scale]
                # Unlike in UFPNet's blocks, its output replaces its input.
                x = attention(x, attention.kernels(kernels))  # type: ignore[operator]
            features.append(self.encoder[scale](x))
        outputs: list[Tensor] = []
        x = features[-1]
        for scale in reversed(range(SCALES)):
            if scale < SCALES - 1:
                size = features[scale].shape[-2:]
                resized = [functional.interpolate(each, size, mode="nearest") for each in features]
                fused = self.fuse[scale](torch.cat(resized, dim=1))
                x = functional.relu(self.enlarge[scale](x))
                x = functional.relu(self.join[scale](torch.cat((x, fused), dim=1)))
            x = self.decoder[scale](x)
            outputs.insert(0, small[scale] + self.leave[scale](x))
        return outputs


def multi_scale_loss(outputs: Sequence[Tensor], sharp: Tensor) -> Tensor:
    """Return the network's own loss: mean absolute errors of images and spectra, added over the scales."""
    total = sharp.new_zeros(())
    for output in outputs:
        target = functional.interpolate(sharp, output.shape[-2:], mode="nearest")
        spectra = torch.view_as_real(torch.fft.rfft2(output) - torch.fft.rfft2(target))
        total = total + (output - target).abs().mean() + SPECTRUM_WEIGHT * spectra.abs().mean()
    return total


def _stack(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(PlainBlock(channels) for _ in range(blocks)))
