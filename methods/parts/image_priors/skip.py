"""Deep image prior: an encoder-decoder with skip connections makes the latent image of a fixed random code.

The network is that of SelfDeblur (Ren et al., CVPR 2020) and VDIP, as in their public code. Its batch norms
use the statistics of the current image, also for the result: never call `.eval()`. Convolutions before a
batch norm have no bias, unlike in that code: the norm subtracts it again.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from benchmark.core.errors import NotSupportedError
from methods.parts.limits import at_least
from methods.parts.precision import Precision, check_precision, type_of_maps
from methods.parts.seeding import initialised_from

SLOPE = 0.2  # of every LeakyReLU
EPSILON = 1e-5  # added to every variance of a batch norm: PyTorch's default, which the published code has
aten = torch.ops.aten
CODE_SCALE = 0.1  # codes are uniform on [0, 0.1)


class PointwiseConv(nn.Conv2d):
    """A 1 x 1 convolution as a matrix product over the channels, which is faster than torch's on a CPU."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, kernel_size=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W), in the precision of `x`."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        pixels = functional.linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0].to(x.dtype), bias)
        return pixels.permute(0, 3, 1, 2)


class BlockFunction(torch.autograd.Function):
    """Reflection padding, convolution, batch norm and LeakyReLU as one node of the graph.

    As four nodes they would keep more maps for the backward pass, and pass them through memory more often.
    Maps have the precision of the input. Weights, their gradients and the statistics of the batch norm have
    that of the parameters, which is float32 where the maps are bfloat16.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, gain: Tensor, shift: Tensor, stride: int) -> Tensor:
        """Map (N, in, H, W) to (N, out, H / stride, W / stride), rounded up.

        Args:
            ctx: Keeps what `backward` needs.
            x: The input.
            weight: (out, in, 1, 1) or (out, in, 3, 3).
            gain, shift: (out,) of the batch norm.
            stride: Of the convolution; 1 if it is 1 x 1.
        """
        kernel, margin = weight.to(x.dtype), weight.shape[2] // 2
        if margin:
            padded = functional.pad(x, (margin,) * 4, mode="reflect")
            mixed = functional.conv2d(padded, kernel, None, stride)
        else:  # see `PointwiseConv`
            padded = x
            mixed = functional.linear(x.permute(0, 2, 3, 1), kernel[:, :, 0, 0]).permute(0, 3, 1, 2)
        # `inverse`: one over the standard deviations.
        out, mean, inverse = torch.native_batch_norm(mixed, gain, shift, None, None, True, 0.0, EPSILON)
        functional.leaky_relu_(out, SLOPE)
        # `x` costs nothing: the block before keeps it as its `out`.
        ctx.save_for_backward(x, padded, kernel, mixed, out, gain, mean, inverse)
        ctx.margin, ctx.stride = margin, stride
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_out: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients with respect to `forward`'s arguments."""
        x, padded, kernel, mixed, out, gain, mean, inverse = ctx.saved_tensors
        needs_x, stride = ctx.needs_input_grad[0], [ctx.stride] * 2
        of_normed = aten.leaky_relu_backward(of_out, out, SLOPE, True)  # the sign of `out` is the input's
        of_mixed, of_gain, of_shift = aten.native_batch_norm_backward(
            of_normed, mixed, gain, None, None, mean, inverse, True, EPSILON, [True] * 3
        )
        of_x = None
        if ctx.margin:
            of_padded, of_kernel, _ = aten.convolution_backward(
                of_mixed,
                padded,
                kernel,
                None,
                stride,
                [0] * 2,
                [1] * 2,
                False,
                [0] * 2,
                1,
                [needs_x, True, False],
            )
            if needs_x:
                of_x = aten.reflection_pad2d_backward(of_padded, x, [ctx.margin] * 4)
        else:
            pixels, of_pixels = x.permute(0, 2, 3, 1), of_mixed.permute(0, 2, 3, 1)
            of_kernel = (of_pixels.flatten(0, 2).t() @ pixels.flatten(0, 2))[:, :, None, None]
            if needs_x:
                of_x = (of_pixels @ kernel[:, :, 0, 0]).permute(0, 3, 1, 2)
        return of_x, of_kernel.to(gain.dtype), of_gain, of_shift, None


class ConvBlock(nn.Module):
    """A convolution with reflection padding, batch norm and LeakyReLU."""

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int = 1) -> None:
        """Build the block with PyTorch's initial weights.

        Args:
            in_channels: Channels of the input.
            out_channels: Channels of the output.
            size: Of the convolution: 1 or 3.
            stride: Of the convolution; 1 if its size is 1.
        """
        super().__init__()
        # These hold the parameters; `BlockFunction` does their work.
        self.conv = nn.Conv2d(in_channels, out_channels, size, stride, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, EPSILON, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H / stride, W / stride), rounded up, in the precision of `x`."""
        out: Tensor = BlockFunction.apply(
            x, self.conv.weight, self.norm.weight, self.norm.bias, self.conv.stride[0]
        )
        return out


class NonLocalBlock(nn.Module):
    """Dot-product attention without a softmax, added to its input; the identity at the start.

    X. Wang, R. Girshick, A. Gupta, K. He, "Non-local Neural Networks", CVPR 2018. The attention matrix
    Q K^T / M is never built: without a softmax (Q K^T) V = Q (K^T V), which is linear in the pixels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.theta = PointwiseConv(channels, channels // 2)
        self.phi = PointwiseConv(channels, channels // 2)
        self.g = PointwiseConv(channels, channels // 2)
        self.project = PointwiseConv(channels // 2, channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape; H and W must be at least 2."""
        query = self.theta(x).flatten(2)  # (N, C/2, HW)
        key = functional.max_pool2d(self.phi(x), 2).flatten(2)  # (N, C/2, M)
        value = functional.max_pool2d(self.g(x), 2).flatten(2)
        context = value @ key.transpose(1, 2) / key.shape[2]  # (N, C/2, C/2)
        attended = (context @ query).unflatten(2, x.shape[2:])
        projected: Tensor = self.norm(self.project(attended))
        return x + projected


class Level(nn.Module):
    """One scale of the encoder-decoder, with all coarser scales inside it."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        skip_channels: int,
        coarser: "Level | None",
        non_local: bool,
    ) -> None:
        super().__init__()
        self.skip = ConvBlock(in_channels, skip_channels, 1)
        self.down = ConvBlock(in_channels, channels, 3, stride=2)
        self.non_local = NonLocalBlock(channels) if non_local else nn.Identity()
        self.encode = ConvBlock(channels, channels, 3)
        self.coarser = coarser if coarser is not None else nn.Identity()
        self.merge = nn.BatchNorm2d(skip_channels + channels)
        self.decode = ConvBlock(skip_channels + channels, channels, 3)
        self.mix = ConvBlock(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, channels, H, W)."""
        deep = self.coarser(self.encode(self.non_local(self.down(x))))
        deep = functional.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
        # An odd length comes back one longer: drop the last row or column.
        deep = deep[:, :, : x.shape[2], : x.shape[3]]
        merged = self.merge(torch.cat((self.skip(x), deep), dim=1))
        mixed: Tensor = self.mix(self.decode(merged))
        return mixed


class SkipNetwork(nn.Module):
    """Map (N, in, H, W) to (N, out, H, W) in (0, 1). The defaults are the papers' sizes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int = 128,
        skip_channels: int = 16,
        scales: int = 5,
        non_local_from: int = 2,  # the first scale, 0 the finest, that has a non-local block
        precision: Precision = "float32",  # of the maps
    ) -> None:
        super().__init__()
        self.precision = precision
        self.smallest_side = 2**scales + 1  # in smaller images the deepest map is one pixel: no batch norm
        level: Level | None = None
        for scale in reversed(range(scales)):
            entering = in_channels if scale == 0 else channels
            level = Level(entering, channels, skip_channels, level, non_local=scale >= non_local_from)
        assert level is not None, "at least one scale"
        self.levels = level
        self.head = PointwiseConv(channels, out_channels)

    def forward(self, code: Tensor) -> Tensor:
        """Return the outputs. Raises as `logits`."""
        return torch.sigmoid(self.logits(code))

    def logits(self, code: Tensor) -> Tensor:
        """Return the outputs before the sigmoid.

        Raises:
            NotSupportedError: A side of the input is below `smallest_side`.
        """
        if min(code.shape[2:]) < self.smallest_side:
            raise NotSupportedError(
                f"the image network needs at least {self.smallest_side} pixels a side, "
                f"the latent image has {code.shape[2]} x {code.shape[3]}"
            )
        features = self.levels(code.to(self.type_of_maps(code)))
        outputs: Tensor = self.head(features.to(code.dtype))  # 8 bits would not do for the image itself
        return outputs

    def type_of_maps(self, code: Tensor) -> torch.dtype:
        """Return the type of all maps but the code and the outputs."""
        return type_of_maps(self.precision, code)


class DeepImagePrior(nn.Module):
    """Latent image = network(code + noise_scale * noise); only the network's weights are optimised.

    D. Ulyanov, A. Vedaldi, V. Lempitsky, "Deep Image Prior", CVPR 2018.

    >>> settings = SkipSettings(channels=4, skip_channels=2, scales=2)
    >>> prior = settings.draw(3, frame=(20, 24), support=(5, 5), rng=torch.Generator().manual_seed(0))
    >>> prior().shape  # the frame, and room for the kernel around it
    torch.Size([3, 24, 28])
    """

    def __init__(self, network: SkipNetwork, code: Tensor, noise_scale: float) -> None:
        """Wrap a network.

        Args:
            network: (1, in, H', W') -> (1, C, H', W').
            code: Its fixed random input (1, in, H', W').
            noise_scale: Standard deviation of the fresh perturbation of the code in each step.
        """
        super().__init__()
        # In this layout the 1 x 1 convolutions are matrix products without a copy.
        self.network: SkipNetwork = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.code: Tensor
        self.register_buffer("code", code.contiguous(memory_format=torch.channels_last))
        self.noise_scale = noise_scale

    @property
    def precision(self) -> str:
        """The precision of the network's maps, such as 'float32'; 'tf32' where they are multiplied in it."""
        if self.network.precision == "tf32":
            return "tf32"
        return str(self.network.type_of_maps(self.code)).removeprefix("torch.")

    def forward(self, noise: Tensor | None = None) -> Tensor:
        """Return the latent image (C, H', W').

        Args:
            noise: Standard normal, shaped like the code; None leaves the code as it is.
        """
        code = self.code if noise is None else self.code + self.noise_scale * noise
        image: Tensor = self.network(code)
        return image[0]

    def latent(self, noise: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the latent image (C, H', W') and its standard deviations: here None."""
        return self(noise), None


class VariationalImagePrior(DeepImagePrior):
    """Make each entry of the latent image a Gaussian: the prior of VDIP, from a network with 2 C outputs.

    The first C outputs are the means, the others the standard deviations, in (0, 1).

    >>> settings = SkipSettings(channels=4, skip_channels=2, scales=2)
    >>> rng = torch.Generator().manual_seed(0)
    >>> means, deviations = settings.draw(3, (20, 24), (5, 5), rng, variational=True).latent(None)
    >>> means.shape == deviations.shape
    True
    """

    def latent(self, noise: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return means and standard deviations, both (C, H', W')."""
        mean, deviation = self(noise).chunk(2)
        return mean, deviation


@dataclass(frozen=True)
class SkipSettings:
    """Settings: the image network's sizes, those of SelfDeblur's published scripts, and precision."""

    code_channels: int = 8  # channels of the image network's random input
    channels: int = 128  # feature maps of each scale of the image network
    skip_channels: int = 16  # feature maps of each skip connection of the image network
    scales: int = 5  # scales of the image network; each has half the resolution of the one before
    # Precision of the image network's maps; statistics, weights, loss and Adam have float32. bfloat16 is
    # faster on processors that have it, and refused on others. auto: bfloat16 where the processor has it.
    # tf32: float32 whose products a GPU rounds; float32 has exact ones there, too.
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        at_least(1, self, "code_channels", "skip_channels", "scales")
        check_precision(self.precision)
        if not self.channels >= 2:
            raise ValueError(
                f"channels must be at least 2 (the non-local block halves it), not {self.channels}"
            )

    @property
    def noise_scale(self) -> float:
        """The standard deviation of the noise on the network's input in each step: none here."""
        return 0.0

    def code(self, frame: tuple[int, int], support: tuple[int, int], rng: torch.Generator) -> Tensor:
        """Draw the input of the network.

        Args:
            frame: (H, W) of the blurry image.
            support: (h, w) of the kernels.
            rng: A generator on the CPU.

        Returns:
            (1, code channels, H + h - 1, W + w - 1): as large as the latent image.
        """
        size = (frame[0] + support[0] - 1, frame[1] + support[1] - 1)
        return CODE_SCALE * torch.rand(1, self.code_channels, *size, generator=rng)

    def network(self, outputs: int, *, non_local: bool = True) -> SkipNetwork:
        """Build the network; PyTorch's global generator draws its weights (see `initialised_from`).

        Args:
            outputs: Channels of the output.
            non_local: Whether it has non-local blocks.
        """
        return SkipNetwork(
            self.code_channels,
            outputs,
            self.channels,
            self.skip_channels,
            self.scales,
            non_local_from=2 if non_local else self.scales,
            precision=self.precision,
        )

    def draw(
        self,
        channels: int,
        frame: tuple[int, int],
        support: tuple[int, int],
        rng: torch.Generator,
        *,
        variational: bool = False,
        non_local: bool = True,
    ) -> DeepImagePrior:
        """Draw an image prior: first its code, then its weights.

        Args:
            channels: Of the image: 1 or 3.
            frame: (H, W) of the blurry image.
            support: (h, w) of the kernels.
            rng: A generator on the CPU.
            variational: Whether the prior gives standard deviations, too (VDIP).
            non_local: Whether the network has non-local blocks.
        """
        code = self.code(frame, support, rng)
        outputs = 2 * channels if variational else channels
        with initialised_from(rng):
            network = self.network(outputs, non_local=non_local)
        return (VariationalImagePrior if variational else DeepImagePrior)(network, code, self.noise_scale)


@dataclass(frozen=True)
class PerturbedSkipSettings(SkipSettings):
    """Settings: the image network of methods that perturb its code."""

    # Standard deviation of the Gaussian noise that each iteration adds to the image network's input.
    code_noise: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "code_noise")

    @property
    def noise_scale(self) -> float:
        """The standard deviation of the noise on the network's input in each step."""
        return self.code_noise
