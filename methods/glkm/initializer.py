"""The kernel initializer E: a ResNet-18 from a blurry image's luma to the latent code of its kernel.

"Generative Latent Kernel Modeling for Blind Motion Deblurring", section IV; K. He, X. Zhang, S. Ren, J. Sun,
"Deep Residual Learning for Image Recognition", CVPR 2016. Names as in the published weights of the
predecessor, which are torchvision's under `model.`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.glkm.generator import LATENT


class Initializer(nn.Module):
    """Luma images (B, 1, H, W) in [0, 1], of any size, to latent codes (B, 100, 1, 1)."""

    def __init__(self, width: int = 64, whiten: bool = False) -> None:
        """`width` channels after the stem, the published network's are 64; `whiten`: see `whitened`."""
        super().__init__()
        self.width, self.whiten = width, whiten
        self.model = ResNet18(width, LATENT)

    def forward(self, images: Tensor) -> Tensor:
        """The codes."""
        codes: Tensor = self.model(whitened(images) if self.whiten else images)
        return codes[:, :, None, None]


MARGIN = 16  # mirrored pixels that keep the filter's wrap-around away
FLAT_UNTIL = 0.25  # cycles per pixel; beyond are noise and the pixel grid
FAINTEST = 0.003  # standard deviation: what is weaker is not raised to that of the others


def whitened(images: Tensor) -> Tensor:
    """Images (B, 1, H, W) with the 1 / f spectrum of natural images flattened, at one contrast.

    What is left of a scene are its edges, each in the shape of the kernel. Not in the paper.
    """
    padded = functional.pad(images - images.mean((-2, -1), keepdim=True), (MARGIN,) * 4, mode="reflect")
    rows, columns = padded.shape[-2:]
    vertical = torch.fft.fftfreq(rows, device=images.device)[:, None]
    frequency = torch.hypot(vertical, torch.fft.rfftfreq(columns, device=images.device)[None])
    gain = frequency / (1 + (frequency / FLAT_UNTIL) ** 4)
    filtered = torch.fft.irfft2(torch.fft.rfft2(padded) * gain, s=(rows, columns))
    inside: Tensor = filtered[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    contrast: Tensor = inside.std((-2, -1), keepdim=True)
    return inside / (contrast + FAINTEST)


class ResNet18(nn.Module):
    """Residual network of 18 layers for one input channel; (B, 1, H, W) to (B, outputs)."""

    def __init__(self, width: int, outputs: int) -> None:
        """`width` channels after the stem, doubled from stage to stage."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)
        self.fc = nn.Linear(8 * width, outputs)
        for name, module in self.named_modules():
            # The stem keeps PyTorch's own start: the published code replaces it after the usual one.
            if isinstance(module, nn.Conv2d) and name != "conv1":
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Features of the last stage, averaged over the image, through the linear layer."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        outputs: Tensor = self.fc(features.mean((-2, -1)))
        return outputs


class _Block(nn.Module):
    """Two 3 x 3 convolutions around which the input is carried."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, features: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(features)))))
        carried = self.relu(residual + self.downsample(features))
        assert isinstance(carried, torch.Tensor)
        return carried


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs, stride), _Block(outputs, outputs, 1))
