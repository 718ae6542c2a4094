"""The joint fit of image and kernel as one writes it at first: what `blindbench bench` compares with.

The step of D. Ren, K. Zhang, Q. Wang, Q. Hu, W. Zuo, "Neural Blind Deconvolution Using Deep Priors", CVPR
2020, from PyTorch's own modules: default memory layout, float32, blur by a direct sum, Adam one parameter
after another. It shares no code with the methods, so that it stays as it is when they become faster.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGE_RATE, KERNEL_RATE = 0.01, 1e-4  # of Adam
CODE = 200  # entries of the kernel network's input
SLOPE = 0.2  # of every LeakyReLU


class PlainLoop:
    """Networks of the given sizes, fitted to one blurry image."""

    def __init__(self, blurry: Tensor, kernel_size: int, sizes: Mapping[str, Any]) -> None:
        """Draw the networks from PyTorch's global generator.

        Args:
            blurry: (C, H, W).
            kernel_size: Side of the kernel.
            sizes: `code_channels`, `channels`, `skip_channels` and `scales` of the image network and
                `kernel_hidden` of the kernel network, as methods have them; other keys are left alone.
        """
        channels, height, width = blurry.shape
        self.blurry, self.kernel_size = blurry[None], kernel_size
        self.code = 0.1 * torch.rand(
            1, sizes["code_channels"], height + kernel_size - 1, width + kernel_size - 1
        )
        self.kernel_code = 0.1 * torch.rand(CODE)
        level: nn.Module = nn.Identity()
        for scale in reversed(range(sizes["scales"])):
            entering = sizes["channels"] if scale else sizes["code_channels"]
            level = _Level(entering, sizes["channels"], sizes["skip_channels"], level, attends=scale >= 2)
        self.image = nn.Sequential(level, nn.Conv2d(sizes["channels"], channels, 1), nn.Sigmoid())
        self.kernel = nn.Sequential(
            nn.Linear(CODE, sizes["kernel_hidden"]),
            nn.ReLU6(),
            nn.Linear(sizes["kernel_hidden"], kernel_size**2),
            nn.Softmax(0),
        )
        self.window = _gaussian(11, 1.5).expand(channels, 1, 11, 11)
        groups: list[dict[str, Any]] = [
            {"params": self.image.parameters()},
            {"params": self.kernel.parameters(), "lr": KERNEL_RATE},
        ]
        self.adam = torch.optim.Adam(groups, lr=IMAGE_RATE, foreach=False, fused=False)

    def step(self) -> Tensor:
        """Do one step of Adam on 1 - SSIM of the re-blurred image; return the loss."""
        self.adam.zero_grad()
        image = self.image(self.code + 1e-3 * torch.randn_like(self.code))
        kernel = self.kernel(self.kernel_code).view(1, 1, self.kernel_size, self.kernel_size)
        reblurred = functional.conv2d(image.transpose(0, 1), kernel).transpose(0, 1)
        loss = 1 - _ssim(reblurred, self.blurry, self.window)
        loss.backward()
        self.adam.step()
        return loss.detach()


class _Level(nn.Module):
    def __init__(
        self, entering: int, channels: int, skip_channels: int, coarser: nn.Module, attends: bool
    ) -> None:
        super().__init__()
        self.skip = _block(entering, skip_channels, 1)
        attention = _Attention(channels) if attends else nn.Identity()
        self.deep = nn.Sequential(
            _block(entering, channels, 3, 2),
            attention,
            _block(channels, channels, 3),
            coarser,
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )
        self.merge = nn.Sequential(
            nn.BatchNorm2d(skip_channels + channels),
            _block(skip_channels + channels, channels, 3),
            _block(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        deep = self.deep(x)[:, :, : x.shape[2], : x.shape[3]]
        merged: Tensor = self.merge(torch.cat((self.skip(x), deep), dim=1))
        return merged


class _Attention(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 2, 1)
        self.key = nn.Sequential(nn.Conv2d(channels, channels // 2, 1), nn.MaxPool2d(2))
        self.value = nn.Sequential(nn.Conv2d(channels, channels // 2, 1), nn.MaxPool2d(2))
        self.project = nn.Sequential(nn.Conv2d(channels // 2, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (part(x).flatten(2) for part in (self.query, self.key, self.value))
        matrix = query.transpose(1, 2) @ key / key.shape[2]
        attended = (matrix @ value.transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])
        projected: Tensor = self.project(attended)
        return x + projected


def _block(entering: int, channels: int, size: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(entering, channels, size, stride, padding=size // 2, padding_mode="reflect"),
        nn.BatchNorm2d(channels),
        nn.LeakyReLU(SLOPE),
    )


def _gaussian(size: int, deviation: float) -> Tensor:
    places = torch.arange(size) - size // 2
    profile = torch.exp(-(places**2) / (2 * deviation**2))
    return torch.outer(profile, profile) / profile.sum() ** 2


def _ssim(a: Tensor, b: Tensor, window: Tensor) -> Tensor:
    def local(images: Tensor) -> Tensor:
        return functional.conv2d(images, window, padding=window.shape[-1] // 2, groups=images.shape[1])

    mean_a, mean_b = local(a), local(b)
    variance_a, variance_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    covariance = local(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similar = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (similar / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))).mean()
