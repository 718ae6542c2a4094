"""The DDPM UNet, which estimates the noise in an image of a known diffusion step.

J. Ho, A. Jain, P. Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, with the names of the
PyTorch code whose CelebA-HQ weights are distributed. It differs from ADM (`methods/diffusion/adm.py`) in the
embedding of steps, which is added, in the eps of the norms, in its attention of one head, and in where it
pads.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from methods.diffusion.adm import doubled


@dataclass(frozen=True)
class DdpmLayers:
    """The sizes of the layers."""

    channels: int  # width of the finest level
    multipliers: tuple[int, ...]  # of the width, from the finest level to the coarsest
    blocks: int  # per level
    attention: tuple[int, ...]  # factors of reduction at which there is attention
    in_channels: int = 3
    out_channels: int = 3

    @property
    def factor(self) -> int:
        """The number by which the sides of images must be divisible."""
        return int(2 ** (len(self.multipliers) - 1))


class DdpmUNet(nn.Module):
    """Maps images (B, in, H, W) in [-1, 1] and steps (B,) to their noise (B, out, H, W).

    Both sides must be divisible by the layers' `factor`. `checkpointing` is as in `AdmUNet`.
    """

    def __init__(self, layers: DdpmLayers) -> None:
        super().__init__()
        self.layers, self.checkpointing = layers, False
        c, widths = layers.channels, [m * layers.channels for m in layers.multipliers]
        dense = nn.ModuleList([nn.Linear(c, 4 * c), nn.Linear(4 * c, 4 * c)])
        self.temb = nn.ModuleDict({"dense": dense})
        self.conv_in = nn.Conv2d(layers.in_channels, c, 3, padding=1)
        current, skips = c, [c]
        self.down = nn.ModuleList()
        for level, width in enumerate(widths):
            stage = _Level(2**level in layers.attention)
            for _ in range(layers.blocks):
                stage.add(_Residual(4 * c, current, width))
                current = width
                skips.append(current)
            if level < len(widths) - 1:
                stage.downsample = nn.ModuleDict({"conv": nn.Conv2d(current, current, 3, stride=2)})
                skips.append(current)
            self.down.append(stage)
        self.mid = nn.ModuleDict(
            {
                "block_1": _Residual(4 * c, current, current),
                "attn_1": _Attention(current),
                "block_2": _Residual(4 * c, current, current),
            }
        )
        upwards = []
        for level, width in reversed(list(enumerate(widths))):
            stage = _Level(2**level in layers.attention)
            for _ in range(layers.blocks + 1):
                stage.add(_Residual(4 * c, current + skips.pop(), width))
                current = width
            if level:
                stage.upsample = nn.ModuleDict({"conv": nn.Conv2d(current, current, 3, padding=1)})
            upwards.append(stage)
        self.up = nn.ModuleList(reversed(upwards))  # named by level, run from the coarsest
        self.norm_out = _norm(current)
        self.conv_out = nn.Conv2d(current, layers.out_channels, 3, padding=1)

    def forward(self, images: Tensor, steps: Tensor) -> Tensor:
        """Estimate the noise: see the class."""
        embedding = step_embedding(steps, self.layers.channels, images.dtype)
        embedding = self._embedded(embedding)
        hidden = self.conv_in(images)
        skips = [hidden]
        for stage in _levels(self.down):
            for number in range(len(stage.block)):
                hidden = self._run(stage, number, hidden, embedding)
                skips.append(hidden)
            if stage.downsample is not None:
                # As the published code: padded on the right and at the bottom only.
                hidden = stage.downsample["conv"](functional.pad(hidden, (0, 1, 0, 1)))
                skips.append(hidden)
        hidden = self.mid["attn_1"](self.mid["block_1"](hidden, embedding))
        hidden = self.mid["block_2"](hidden, embedding)
        for stage in reversed(_levels(self.up)):
            for number in range(len(stage.block)):
                hidden = self._run(stage, number, torch.cat((hidden, skips.pop()), dim=1), embedding)
            if stage.upsample is not None:
                hidden = stage.upsample["conv"](doubled(hidden))
        noise: Tensor = self.conv_out(functional.silu(self.norm_out(hidden)))
        return noise

    def _embedded(self, embedding: Tensor) -> Tensor:
        first, second = cast(nn.ModuleList, self.temb["dense"])
        embedded: Tensor = second(functional.silu(first(embedding)))
        return embedded

    def _run(self, stage: "_Level", number: int, hidden: Tensor, embedding: Tensor) -> Tensor:
        out: Tensor
        if self.checkpointing and torch.is_grad_enabled():
            out = checkpoint(stage, number, hidden, embedding, use_reentrant=False, preserve_rng_state=False)
        else:
            out = stage(number, hidden, embedding)
        return out


def step_embedding(steps: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """Embed steps (B,) as sines, then cosines: (B, width); an odd width ends with a zero."""
    half = width // 2
    decay = torch.arange(half, device=steps.device, dtype=dtype) / (half - 1)
    angles = steps[:, None].to(dtype) * 10_000.0**-decay
    embedding = torch.cat((angles.sin(), angles.cos()), dim=1)
    return functional.pad(embedding, (0, width % 2))


class _Level(nn.Module):
    """The blocks of one resolution, named as in the published code."""

    def __init__(self, attends: bool) -> None:
        super().__init__()
        self.attends = attends
        self.block, self.attn = nn.ModuleList(), nn.ModuleList()
        self.downsample: nn.ModuleDict | None = None
        self.upsample: nn.ModuleDict | None = None

    def add(self, block: "_Residual") -> None:
        """Add a block, with attention where the level has any."""
        self.block.append(block)
        if self.attends:
            self.attn.append(_Attention(block.outputs))

    def forward(self, number: int, hidden: Tensor, embedding: Tensor) -> Tensor:
        """Run block `number` alone."""
        out: Tensor = self.block[number](hidden, embedding)
        return self.attn[number](out) if self.attends else out


def _levels(stages: nn.ModuleList) -> list[_Level]:
    return cast(list[_Level], list(stages))


class _Residual(nn.Module):
    def __init__(self, embedded: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.norm1 = _norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.temb_proj = nn.Linear(embedded, outputs)
        self.norm2 = _norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.nin_shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, images: Tensor, embedding: Tensor) -> Tensor:
        hidden = self.conv1(functional.silu(self.norm1(images)))
        hidden = hidden + self.temb_proj(functional.silu(embedding))[..., None, None]
        hidden = self.conv2(functional.silu(self.norm2(hidden)))
        out: Tensor = self.nin_shortcut(images) + hidden
        return out


class _Attention(nn.Module):
    """Self-attention over all pixels, with one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q, self.k, self.v = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        normed = self.norm(images)
        query, key, value = (
            layer(normed).flatten(2).transpose(1, 2)[:, None] for layer in (self.q, self.k, self.v)
        )
        attended = functional.scaled_dot_product_attention(query, key, value)[:, 0]
        out: Tensor = images + self.proj_out(attended.transpose(1, 2).reshape(images.shape))
        return out


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)
