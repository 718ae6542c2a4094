"""The 'ADM' UNet, which estimates the noise in an image of a known diffusion step.

P. Dhariwal, A. Nichol, "Diffusion Models Beat GANs on Image Synthesis", NeurIPS 2021. Layers and names are
those of its published code, so that weights trained with it load by name.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Resample = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AdmLayers:
    """The sizes of the layers; defaults are common to all published weights."""

    channels: int  # width of the finest level
    multipliers: tuple[int, ...]  # of the width, from the finest level to the coarsest
    blocks: int  # per level
    attention: tuple[int, ...]  # factors of reduction at which there is attention
    in_channels: int = 3
    out_channels: int = 6  # twice the image's where the network estimates a variance, too
    head_channels: int = 64  # channels of an attention head; -1: `heads` counts instead
    heads: int = 4
    up_heads: int = -1  # heads in the decoder; -1: as `heads`
    scale_shift: bool = True  # whether the step's embedding scales and shifts features, or is added to them
    block_resampling: bool = True  # whether residual blocks change the resolution, or convolutions
    new_attention: bool = False  # the order of the rows of qkv: all queries first, or head by head
    norm_groups: int = 32

    @property
    def factor(self) -> int:
        """The number by which the sides of images must be divisible."""
        return int(2 ** (len(self.multipliers) - 1))


class AdmUNet(nn.Module):
    """Maps images (B, in, H, W) in [-1, 1] and steps (B,) to noise, and variances if learned: (B, out, H, W).

    Both sides must be divisible by the layers' `factor`. With `checkpointing`, activations inside blocks are
    computed again for the gradient instead of being kept.
    """

    def __init__(self, layers: AdmLayers) -> None:
        super().__init__()
        self.layers, self.checkpointing = layers, False
        c, widths = layers.channels, [m * layers.channels for m in layers.multipliers]
        self.time_embed = nn.Sequential(nn.Linear(c, 4 * c), nn.SiLU(), nn.Linear(4 * c, 4 * c))
        down = layers.heads
        up = layers.heads if layers.up_heads == -1 else layers.up_heads
        self.input_blocks = nn.ModuleList([_Block(nn.Conv2d(layers.in_channels, widths[0], 3, padding=1))])
        current, skips = widths[0], [widths[0]]
        for level, width in enumerate(widths):
            attends = 2**level in layers.attention
            for _ in range(layers.blocks):
                parts: list[nn.Module] = [_Residual(layers, current, width)]
                parts += [_Attention(layers, width, down)] * attends
                self.input_blocks.append(_Block(*parts))
                current = width
                skips.append(current)
            if level < len(widths) - 1:
                self.input_blocks.append(_Block(_downwards(layers, current)))
                skips.append(current)
        self.middle_block = _Block(
            _Residual(layers, current, current),
            _Attention(layers, current, down),
            _Residual(layers, current, current),
        )
        self.output_blocks = nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            attends = 2**level in layers.attention
            for number in range(layers.blocks + 1):
                parts = [_Residual(layers, current + skips.pop(), width)]
                parts += [_Attention(layers, width, up)] * attends
                current = width
                if level and number == layers.blocks:
                    parts.append(_upwards(layers, current))
                self.output_blocks.append(_Block(*parts))
        last = _zeroed(nn.Conv2d(current, layers.out_channels, 3, padding=1))
        self.out = nn.Sequential(_norm(layers, current), nn.SiLU(), last)

    def forward(self, images: Tensor, steps: Tensor) -> Tensor:
        """Estimate the noise: see the class."""
        embedding = self.time_embed(step_embedding(steps, self.layers.channels, images.dtype))
        hidden, skips = images, []
        for block in self.input_blocks:
            hidden = self._run(block, hidden, embedding)
            skips.append(hidden)
        hidden = self._run(self.middle_block, hidden, embedding)
        for block in self.output_blocks:
            hidden = self._run(block, torch.cat((hidden, skips.pop()), dim=1), embedding)
        noise: Tensor = self.out(hidden)
        return noise

    def _run(self, block: nn.Module, hidden: Tensor, embedding: Tensor) -> Tensor:
        out: Tensor
        if self.checkpointing and torch.is_grad_enabled():
            out = checkpoint(block, hidden, embedding, use_reentrant=False, preserve_rng_state=False)
        else:
            out = block(hidden, embedding)
        return out


def step_embedding(steps: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """Embed steps (B,) as cosines, then sines: (B, width); an odd width ends with a zero."""
    half = width // 2
    decay = torch.arange(half, device=steps.device, dtype=dtype) / half
    angles = steps[:, None].to(dtype) * 10_000.0**-decay
    embedding = torch.cat((angles.cos(), angles.sin()), dim=1)
    return functional.pad(embedding, (0, width % 2))


class _Block(nn.Sequential):
    """Layers in a row; residual blocks among them take the step's embedding, too."""

    def forward(self, hidden: Tensor, embedding: Tensor) -> Tensor:  # type: ignore[override]
        for layer in self:
            hidden = layer(hidden, embedding) if isinstance(layer, _Residual) else layer(hidden)
        return hidden


class _Residual(nn.Module):
    """A residual block from `inputs` to `outputs` channels that may also change the resolution."""

    def __init__(
        self, layers: AdmLayers, inputs: int, outputs: int, resample: Resample | None = None
    ) -> None:
        super().__init__()
        self.scale_shift, self.resample = layers.scale_shift, resample
        self.in_layers = nn.Sequential(
            _norm(layers, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        entries = outputs * (2 if layers.scale_shift else 1)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(4 * layers.channels, entries))
        self.out_layers = nn.Sequential(
            _norm(layers, outputs),
            nn.SiLU(),
            nn.Identity(),  # in the place of the published code's dropout, so that names agree
            _zeroed(nn.Conv2d(outputs, outputs, 3, padding=1)),
        )
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, images: Tensor, embedding: Tensor) -> Tensor:
        norm, activation, convolution = self.in_layers
        hidden = activation(norm(images))
        if self.resample is not None:
            hidden, images = self.resample(hidden), self.resample(images)
        hidden = convolution(hidden)
        embedded = self.emb_layers(embedding)[..., None, None]
        if self.scale_shift:
            scale, shift = embedded.chunk(2, dim=1)
            norm, activation, _, convolution = self.out_layers
            hidden = convolution(activation(norm(hidden) * (1 + scale) + shift))
        else:
            hidden = self.out_layers(hidden + embedded)
        out: Tensor = self.skip_connection(images) + hidden
        return out


class _Attention(nn.Module):
    """Self-attention over all pixels."""

    def __init__(self, layers: AdmLayers, channels: int, heads: int) -> None:
        super().__init__()
        self.new_order = layers.new_attention
        self.heads = heads if layers.head_channels == -1 else channels // layers.head_channels
        self.norm = _norm(layers, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = _zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.flatten(2)
        rows: Tensor = self.qkv(self.norm(pixels))
        if self.new_order:  # all queries, all keys, all values
            split = rows.unflatten(1, (3, self.heads, -1)).unbind(1)
        else:  # head by head
            split = rows.unflatten(1, (self.heads, 3, -1)).unbind(2)
        query, key, value = (part.transpose(-1, -2) for part in split)  # (B, heads, pixels, channels)
        attended = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = pixels + self.proj_out(attended.transpose(-1, -2).flatten(1, 2))
        return out.reshape(images.shape)


class _Down(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.op(images)
        return out


class _Up(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.conv(doubled(images))
        return out


def doubled(images: Tensor) -> Tensor:
    """Repeat every pixel as 2 x 2."""
    return functional.interpolate(images, scale_factor=2, mode="nearest")


def _halved(images: Tensor) -> Tensor:
    return functional.avg_pool2d(images, 2)


def _downwards(layers: AdmLayers, channels: int) -> nn.Module:
    return _Residual(layers, channels, channels, _halved) if layers.block_resampling else _Down(channels)


def _upwards(layers: AdmLayers, channels: int) -> nn.Module:
    return _Residual(layers, channels, channels, doubled) if layers.block_resampling else _Up(channels)


def _norm(layers: AdmLayers, channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(layers.norm_groups, channels, eps=1e-5)


def _zeroed(layer: nn.Conv1d | nn.Conv2d) -> nn.Module:
    """Set a layer to 0, so that its block begins as its skip connection alone."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
