"""The blocks of the restoring network: those of NAFNet, and the attention to kernels.

L. Chen, X. Chu, X. Zhang, J. Sun, "Simple Baselines for Image Restoration", ECCV 2022; the local means are
those of X. Chu, L. Chen, C. Chen, X. Lu, "Improving Image Restoration by Revisiting Global Information
Aggregation", ECCV 2022.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.ufp.estimator import conv3


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        pixels = x.permute(0, 2, 3, 1)
        normed = functional.layer_norm(pixels, pixels.shape[-1:], self.weight, self.bias, eps=1e-6)
        return normed.permute(0, 3, 1, 2)


class KernelAttention(nn.Module):
    """x + A * F: features F of the image where features of both image and kernels (A) say so."""

    def __init__(self, channels: int, length: int) -> None:
        """`length` entries of a kernel."""
        super().__init__()
        self.image = conv3(channels, channels)
        self.kernels = nn.Sequential(conv3(length, channels), nn.GELU(), conv3(channels, channels), nn.GELU())
        self.both = conv3(2 * channels, channels)

    def forward(self, x: Tensor, kernel_features: Tensor) -> Tensor:
        """(B, C, H, W) and what `kernels` makes of kernels (B, L, H, W), as large, to (B, C, H, W)."""
        features = functional.gelu(self.image(x))
        attention = self.both(torch.cat((features, kernel_features), dim=1))
        return x + torch.sigmoid(attention) * features


class NafBlock(nn.Module):
    """A gated depth-wise convolution with channel attention, then a gated pixel-wise layer; both residual."""

    def __init__(
        self, channels: int, window: int | None = None, attention: KernelAttention | None = None
    ) -> None:
        """`window`: side of the local means of the channel attention; None: means of the whole image."""
        super().__init__()
        self.window, self.attention = window, attention
        self.norm1, self.norm2 = ChannelNorm(channels), ChannelNorm(channels)
        self.widen1 = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.weigh = nn.Conv2d(channels, channels, 1)
        self.mix1 = nn.Conv2d(channels, channels, 1)
        self.widen2 = nn.Conv2d(channels, 2 * channels, 1)
        self.mix2 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor, kernel_features: Tensor | None = None) -> Tensor:
        """(B, C, H, W), and for a block with attention features of the kernels, as large, to (B, C, H, W)."""
        # Only the branch sees the kernels; what is carried past it does not (the paper's figure differs).
        seen = x if self.attention is None else self.attention(x, kernel_features)
        branch = gated(self.depthwise(self.widen1(self.norm1(seen))))
        branch = branch * self.weigh(mean_around(branch, self.window))
        x = x + self.beta * self.mix1(branch)
        changed: Tensor = x + self.gamma * self.mix2(gated(self.widen2(self.norm2(x))))
        return changed


def gated(x: Tensor) -> Tensor:
    """The product of the two halves of the channels."""
    first, second = x.chunk(2, dim=1)
    return first * second


def mean_around(x: Tensor, window: int | None) -> Tensor:
    """The mean of (B, C, H, W) over the whole image, or over a window around each pixel.

    Windows lie inside the image; towards the border the outermost one counts. One that is larger than the
    image on a side is cut there.
    """
    height, width = x.shape[-2:]
    if window is None or (window >= height and window >= width):
        return x.mean((-2, -1), keepdim=True)
    rows, columns = min(window, height), min(window, width)
    # In float32 a sum over a megapixel would lose the differences.
    sums = functional.pad(x.double().cumsum(-1).cumsum(-2), (1, 0, 1, 0))
    inside = sums[..., rows:, columns:] - sums[..., :-rows, columns:]
    inside = inside - sums[..., rows:, :-columns] + sums[..., :-rows, :-columns]
    means = (inside / (rows * columns)).to(x.dtype)
    top, left = (height - means.shape[-2]) // 2, (width - means.shape[-1]) // 2
    bottom, right = height - means.shape[-2] - top, width - means.shape[-1] - left
    return functional.pad(means, (left, right, top, bottom), mode="replicate")
