"""The kernel estimator: for every pixel of a blurry image, a code of the kernel flow and its uncertainty."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Build a 3 x 3 convolution, padded by one."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1)


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv3(channels, channels), conv3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        change: Tensor = self.second(functional.relu(self.first(functional.relu(x))))
        return x + change


class Refinement(nn.Module):
    """A convolution and two residual blocks."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.head = conv3(inputs, outputs)
        self.blocks = nn.Sequential(Residual(outputs), Residual(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W), non-negative."""
        return functional.relu(self.blocks(self.head(x)))


class Up(nn.Module):
    """Enlarge features by a transposed convolution, join those of the encoder, and refine both."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1)
        self.refine = Refinement(2 * outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map x (B, inputs, H / 2, W / 2) and skip (B, outputs, H, W) to (B, outputs, H, W)."""
        larger = self.enlarge(x, output_size=list(skip.shape[-2:]))
        refined: Tensor = self.refine(torch.cat((larger, skip), dim=1))
        return refined


class KernelEstimator(nn.Module):
    """Maps images (B, 3, H, W) to softmax codes (B, L, H, W) and uncertainties (B, 1, H, W) in (0, 1)."""

    def __init__(
        self, kernel_size: int, channels: tuple[int, int, int] = (64, 128, 256), has_uncertainty: bool = True
    ) -> None:
        """Build the layers.

        Args:
            kernel_size: side k of the kernels; L = k * k.
            channels: at full, half and quarter size.
            has_uncertainty: whether uncertainties are estimated, too.
        """
        super().__init__()
        full, half, quarter = channels
        length = kernel_size**2
        self.encode_full = Refinement(3, full)
        self.down_full = conv3(full, full, stride=2)
        self.encode_half = Refinement(full, half)
        self.down_half = conv3(half, half, stride=2)
        widths = [half, *(quarter for _ in range(5))]
        self.middle = nn.ModuleList(conv3(a, b) for a, b in pairwise(widths))
        self.up_half, self.up_full = Up(quarter, half), Up(half, full)
        self.code = nn.Sequential(conv3(full, full), nn.ReLU(), conv3(full, length))
        self.uncertainty: nn.Sequential | None = None
        if has_uncertainty:
            self.uncertainty = nn.Sequential(conv3(full, full), nn.ReLU(), conv3(full, length))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Estimate codes and uncertainties: see the class."""
        full = self.encode_full(images)
        half = self.encode_half(self.down_full(full))
        features = self.down_half(half)
        for convolution in self.middle:
            features = functional.relu(convolution(features))
        features = self.up_full(self.up_half(features, half), full)
        sigma = None
        if self.uncertainty is not None:
            sigma = torch.sigmoid(self.uncertainty(features)).mean(1, keepdim=True)
        return torch.softmax(self.code(features), dim=1), sigma


def standardised(softmax: Tensor) -> Tensor:
    """Standardise each pixel's code (B, L, H, W) to mean 0 and variance 1 (with the denominator L - 1).

    Each is then on the sphere of radius sqrt(L - 1), near which the codes of the flow concentrate.
    """
    return (softmax - softmax.mean(1, keepdim=True)) / softmax.std(1, keepdim=True)


def uncertain(codes: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Mix codes with noise by their uncertainty, without changing their variance: equations (5) and (6)."""
    return codes * (1 - sigma**2).sqrt() + noise * sigma
