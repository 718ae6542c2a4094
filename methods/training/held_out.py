"""The kernels that networks are examined on: never trained on, and of eight sizes for a network of all."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.core.types import Array
from methods.glkm.generator import side
from methods.parts.kernel_priors.softmax import softmax2d
from methods.training.evidence import HELD_OUT_SEED, yardsticks
from methods.training.kernels import training_kernels
from methods.training.settings import supports_of

# What a generator for all sizes is examined at: two small ones, Lai's four, and two between.
EXAMINED = (13, 21, 31, 41, 51, 55, 65, 75)
YARDSTICK = 100  # kernels of each size that its mean is taken of


@dataclass(frozen=True)
class HeldOut:
    """Held-out kernels, and the sizes that are known when they are estimated."""

    kernels: Tensor  # (N, 1, n, n), correlation form, sum 1 each
    sizes: tuple[int, ...]  # of each; empty where there is one generator for each size

    @classmethod
    def drawn(cls, settings: Any, count: int, device: torch.device) -> "HeldOut":
        """Draw them for the settings of a training; for one for all sizes, each of EXAMINED in turn."""
        size = side(settings.kernel_size)

        def draw(supports: tuple[int, ...], count: int) -> Tensor:
            kernels = training_kernels(size, supports, count, HELD_OUT_SEED, intensities=settings.intensities)
            return kernels.to(device)

        if settings.kernel_size != "any":
            return cls(draw(supports_of(settings), count), ())
        sizes = tuple(EXAMINED[number % len(EXAMINED)] for number in range(count))
        each = -(-count // len(EXAMINED))
        of_size = torch.stack([draw((shown,), each) for shown in EXAMINED], dim=1)
        return cls(of_size.flatten(0, 1)[:count], sizes)

    def part(self, start: int, end: int) -> "HeldOut":
        """Return kernels `start` to `end`."""
        return replace(self, kernels=self.kernels[start:end], sizes=self.sizes[start:end])

    def within(self, logits: Tensor) -> Tensor:
        """Turn a generator's logits (N, 1, n, n), one for each kernel, into kernels of the known sizes.

        As in use, a kernel smaller than the generator's is cut out of the middle before the softmax; here
        zeros surround it.
        """
        if not self.sizes:
            return softmax2d(logits)
        offsets = torch.arange(logits.shape[-1], device=logits.device) - logits.shape[-1] // 2
        halves = torch.tensor(self.sizes, device=logits.device)[:, None, None, None] // 2
        outside = (offsets.abs()[:, None] > halves) | (offsets.abs() > halves)
        return softmax2d(logits.masked_fill(outside, -torch.inf))

    def yardsticks(self, kernels: Tensor, seed: int) -> dict[str, Array]:
        """Return `evidence.yardsticks` for each kernel, of training kernels of its size.

        Args:
            kernels: that the networks were trained on, (B, 1, n, n).
            seed: of the training.
        """
        if not self.sizes:
            return yardsticks(kernels, len(self.kernels))
        of_size = {
            size: yardsticks(training_kernels(kernels.shape[-1], (size,), YARDSTICK, seed), 1)
            for size in dict.fromkeys(self.sizes)
        }
        names = next(iter(of_size.values()))
        return {name: np.concatenate([of_size[size][name] for size in self.sizes]) for name in names}
