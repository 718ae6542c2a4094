"""The kernel initializer E: from the luma of a blurry image to the latent code of its kernel.

The paper's is a ResNet-18: "Generative Latent Kernel Modeling for Blind Motion Deblurring", section IV; K.
He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016. Layers are named as
in the published weights of the predecessor: as in torchvision, under `model.`.
"""

import torch
from torch import Tensor, nn

from methods.glkm.encoder import KernelEncoder
from methods.glkm.first_estimates import FINEST, MAPS, cleaned, kernel_estimates
from methods.glkm.generator import LATENT

REDUCED_AGAIN = 45  # kernel size from which on `FastInitializer` halves its maps once more


class Initializer(nn.Module):
    """Maps lumas (B, 1, H, W) in [0, 1], of any size, to latent codes (B, 100, 1, 1)."""

    def __init__(self, width: int = 64) -> None:
        """Build the network with `width` channels after its first layer; the published one has 64."""
        super().__init__()
        self.width = width
        self.model = ResNet18(width, LATENT)

    def forward(self, images: Tensor) -> Tensor:
        """Return the codes."""
        codes: Tensor = self.model(images)
        return codes[:, :, None, None]


class FastInitializer(nn.Module):
    """Maps the same lumas to codes by way of rough classical estimates of the kernel; not in the paper.

    The code is that of the finest of `kernel_estimates`, by the generator's encoder, plus a correction that a
    network computes from all of them. It is for trainings of less than an hour on two CPU cores, in which the
    ResNet learns how far a kernel extends, but little of its shape.
    """

    def __init__(self, size: int, width: int = 32) -> None:
        """Build the network for kernels of `size`, with `width` channels in its first layers."""
        super().__init__()
        self.size, self.width = size, width
        self.encoder = KernelEncoder(size)
        # Of large maps the last layers would otherwise hold most of the weights.
        again = size >= REDUCED_AGAIN
        side = size
        for _ in range(3 + again):
            side = (side + 1) // 2
        self.layers = nn.Sequential(
            *_convolution(MAPS, width, 1),
            *_convolution(width, width, 1),
            *_convolution(width, 2 * width, 2),
            *_convolution(2 * width, 2 * width, 1),
            *_convolution(2 * width, 4 * width, 2),
            *_convolution(4 * width, 4 * width, 2),
            *(_convolution(4 * width, 4 * width, 2) if again else ()),
            nn.Flatten(),
            nn.Linear(4 * width * side**2, 16 * width, bias=False),
            nn.BatchNorm1d(16 * width),
            nn.ReLU(),
            nn.Linear(16 * width, LATENT),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the codes."""
        maps = kernel_estimates(images, self.size)
        codes: Tensor = self.encoder(cleaned(maps[:, FINEST]))[0] + self.layers(maps)[:, :, None, None]
        return codes

    @torch.no_grad()
    def start_at(self, encoder: KernelEncoder) -> None:
        """Take over an encoder, and set the correction to 0."""
        self.encoder.load_state_dict(encoder.state_dict())
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        last.weight.zero_()
        last.bias.zero_()


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


class ResNet18(nn.Module):
    """The residual network of 18 layers, for one input channel: (B, 1, H, W) to (B, outputs)."""

    def __init__(self, width: int, outputs: int) -> None:
        """Build the network with `width` channels after its first layer, doubled from stage to stage."""
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
            # The first layer keeps PyTorch's own initial weights: the published code replaces it afterwards.
            if isinstance(module, nn.Conv2d) and name != "conv1":
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Average the features of the last stage over the image, and apply the linear layer."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        outputs: Tensor = self.fc(features.mean((-2, -1)))
        return outputs


class _Block(nn.Module):
    """Two 3 x 3 convolutions, to whose output the input is added."""

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
