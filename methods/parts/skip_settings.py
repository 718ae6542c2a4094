"""What the methods around a deep image prior share: its settings, its random draws, its stages.

SelfDeblur (Ren et al., CVPR 2020) and DIP-GLKM differ in the kernel prior alone; VDIP (`methods/vdip`) has
stages of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.parts.fit import Stage, initialised_from
from methods.parts.image_priors.skip import SkipNetwork
from methods.parts.kernel_priors.fcn import FcnKernel, FcnKernels, fcn_kernels
from methods.parts.limits import at_least
from methods.parts.losses import mse, one_minus_ssim

CODE_SCALE = 0.1  # codes are uniform on [0, 0.1)


@dataclass(frozen=True)
class SkipSettings:
    """The published scripts' values. The schedule is given in shares, so that it scales with `iterations`."""

    iterations: int = 5000  # Levin and Lai scripts
    milestones: tuple[float, ...] = (0.4, 0.6, 0.8)  # iterations 2000, 3000, 4000: both rates halved
    image_rate: float = 1e-2
    code_channels: int = 8
    channels: int = 128
    skip_channels: int = 16
    scales: int = 5

    def __post_init__(self) -> None:
        at_least(1, self, "iterations", "code_channels", "skip_channels", "scales")
        at_least(0, self, "image_rate")
        if self.channels < 2:
            raise ValueError(
                f"channels must be at least 2 (the non-local block halves it), not {self.channels}"
            )
        if any(not 0 <= milestone <= 1 for milestone in self.milestones):
            raise ValueError(f"milestones must lie in [0, 1], not {list(self.milestones)}")

    def image_code(self, frame: tuple[int, int], support: tuple[int, int], rng: torch.Generator) -> Tensor:
        """The code (1, channels, H + h - 1, W + w - 1) of the latent image behind a `frame` (H, W)."""
        size = (frame[0] + support[0] - 1, frame[1] + support[1] - 1)
        return CODE_SCALE * torch.rand(1, self.code_channels, *size, generator=rng)

    def network(self, outputs: int) -> SkipNetwork:
        """The image network with its initial weights, drawn from the global generator."""
        return SkipNetwork(self.code_channels, outputs, self.channels, self.skip_channels, self.scales)

    def milestone_iterations(self) -> Sequence[int]:
        """From where on the rates are halved once more."""
        return [round(share * self.iterations) for share in self.milestones]


@dataclass(frozen=True)
class FcnSettings:
    """SelfDeblur's kernel network, which other methods have too."""

    kernel_rate: float = 1e-4
    kernel_code: int = 200
    kernel_hidden: int = 1000

    def kernel_codes(self, count: int, rng: torch.Generator) -> Tensor:
        """The fixed inputs of `count` networks."""
        return CODE_SCALE * torch.rand(count, self.kernel_code, generator=rng)

    def kernel_networks(
        self, count: int, size: tuple[int, int], rng: torch.Generator
    ) -> FcnKernel | FcnKernels:
        """One for each of `count` kernels of `size` (h, w), all drawn from `rng`."""
        codes = self.kernel_codes(count, rng)
        with initialised_from(rng):
            return fcn_kernels(codes, size, self.kernel_hidden)


@dataclass(frozen=True)
class DipSettings(SkipSettings):
    """The published scripts' values."""

    mse_share: float = 0.1  # MSE until 500 of 5000 (Lai script; the Levin script: 0.2), then 1 - SSIM
    code_noise: float = 1e-3  # fresh Gaussian perturbation of the image code at each iteration

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "code_noise")
        if not 0 <= self.mse_share <= 1:
            raise ValueError(f"mse_share must lie in [0, 1], not {self.mse_share}")

    def stages(self, blurry: Tensor) -> tuple[Stage, Stage]:
        """First the mean squared residual, then 1 - SSIM."""
        first = round(self.mse_share * self.iterations)
        return (
            Stage("mse", first, mse(blurry)),
            Stage("1-ssim", self.iterations - first, one_minus_ssim(blurry)),
        )
