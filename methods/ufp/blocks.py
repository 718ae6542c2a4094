"""The blocks of the restoring network: those of NAFNet, and UFPNet's attention to kernels.

NAFNet: L. Chen, X. Chu, X. Zhang, J. Sun, "Simple Baselines for Image Restoration", ECCV 2022. Local means in
place of global ones: X. Chu, L. Chen, C. Chen, X. Lu, "Improving Image Restoration by Revisiting Global
Information Aggregation", ECCV 2022.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.ufp.estimator import conv3


class ChannelNorm(nn.Module):
    """Normalise the channels of each pixel (layer norm)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        pixels = x.permute(0, 2, 3, 1)
        normed = functional.layer_norm(pixels, pixels.shape[-1:], self.weight, self.bias, eps=1e-6)
        return normed.permute(0, 3, 1, 2)


class KernelAttention(nn.Module):
    """x + A F: features F of the image, weighted by an attention A that depends on image and kernels."""

    def __init__(self, channels: int, length: int) -> None:
        """Build the layers for kernels with `length` entries."""
        super().__init__()
        self.image = conv3(channels, channels)
        self.kernels = nn.Sequential(conv3(length, channels), nn.GELU(), conv3(channels, channels), nn.GELU())
        self.both = conv3(2 * channels, channels)

    def forward(self, x: Tensor, kernel_features: Tensor) -> Tensor:
        """Map features x (B, C, H, W) and those of the kernels, `self.kernels(kernels)`, to (B, C, H, W)."""
        features = functional.gelu(self.image(x))
        attention = self.both(torch.cat((features, kernel_features), dim=1))
        return x + torch.sigmoid(attention) * features


class NafBlock(nn.Module):
    """A gated depth-wise convolution with channel attention, then a gated pixel-wise layer, both residual."""

    def __init__(
        self, channels: int, window: int | None = None, attention: KernelAttention | None = None
    ) -> None:
        """Build the layers.

        Args:
            channels: of the features.
            window: side of the local means in the channel attention, in pixels; None: means of the whole
                image.
            attention: the attention to kernels, in blocks that have one.
        """
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
        """Map features x (B, C, H, W) to the same shape; with attention, those of the kernels are needed."""
        # As the code, not as the paper's figure: only the branch sees the kernels, the skip connection does
        # not.
        seen = x if self.attention is None else self.attention(x, kernel_features)
        branch = gated(self.depthwise(self.widen1(self.norm1(seen))))
        branch = branch * self.weigh(mean_around(branch, self.window))
        x = x + self.beta * self.mix1(branch)
        changed: Tensor = x + self.gamma * self.mix2(gated(self.widen2(self.norm2(x))))
        return changed


def gated(x: Tensor) -> Tensor:
    """Multiply the two halves of the channels."""
    first, second = x.chunk(2, dim=1)
    return first * second


def mean_around(x: Tensor, window: int | None) -> Tensor:
    """Average (B, C, H, W) over the whole image, or over a window around each pixel.

    Windows are inside the image: near the border each pixel takes the outermost window. A window that is
    larger than the image is cut.

    >>> mean_around(torch.tensor([[[[0.0, 1.0, 2.0, 6.0]]]]), 3)
    tensor([[[[1., 1., 3., 3.]]]])
    """
    height, width = x.shape[-2:]
    if window is None or (window >= height and window >= width):
        return x.mean((-2, -1), keepdim=True)
    rows, columns = min(window, height), min(window, width)
    # In float32 the running sums over a megapixel would be too coarse for their differences.
    sums = functional.pad(x.double().cumsum(-1).cumsum(-2), (1, 0, 1, 0))
    inside = sums[..., rows:, columns:] - sums[..., :-rows, columns:]
    inside = inside - sums[..., rows:, :-columns] + sums[..., :-rows, :-columns]
    means = (inside / (rows * columns)).to(x.dtype)
    top, left = (height - means.shape[-2]) // 2, (width - means.shape[-1]) // 2
    bottom, right = height - means.shape[-2] - top, width - means.shape[-1] - left
    return functional.pad(means, (left, right, top, bottom), mode="replicate")
