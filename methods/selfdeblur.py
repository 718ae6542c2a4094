"""SelfDeblur: an untrained image network and an untrained kernel network, fitted to one blurry image.

D. Ren, K. Zhang, Q. Wang, Q. Hu, W. Zuo, "Neural Blind Deconvolution Using Deep Priors", CVPR 2020.
Where paper and published code differ (the code has no TV term and a 1 - SSIM second stage), the code is
followed: the published numbers come from it.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from benchmark.blur.convolution import uniform_blur
from benchmark.types import NotSupportedError, Observation
from methods.colour import luma
from methods.fit import Fit, Rates, Stage, initialised_from, unchanged
from methods.image_priors.skip import DeepImagePrior, SkipNetwork
from methods.kernel_priors.fcn import FcnKernel
from methods.losses import mse, one_minus_ssim
from methods.registry import Method


@dataclass(frozen=True)
class Settings:
    """The published scripts' values. The schedule is given in shares, so that it scales with `iterations`."""

    iterations: int = 5000  # Levin and Lai scripts
    mse_share: float = 0.1  # MSE until 500 of 5000 (Lai script; the Levin script: 0.2), then 1 - SSIM
    milestones: tuple[float, ...] = (0.4, 0.6, 0.8)  # iterations 2000, 3000, 4000: both rates halved
    image_rate: float = 1e-2
    kernel_rate: float = 1e-4
    # In few iterations the kernel hardly moves at the paper's rate and the result ends below the blurry
    # input, so runs shorter than `short_below` take `short_kernel_rate` (measured; not in the paper).
    short_below: int = 2000
    short_kernel_rate: float = 5e-4
    # joint: one network with three outputs and one kernel; luma: the YCbCr script's way, which restores the
    # luma alone and leaves the blurry image's chroma as it is. Grey images are the same either way.
    colour: Literal["joint", "luma"] = "joint"
    code_noise: float = 1e-3  # fresh Gaussian perturbation of the image code at each iteration
    code_channels: int = 8
    channels: int = 128
    skip_channels: int = 16
    scales: int = 5
    kernel_code: int = 200
    kernel_hidden: int = 1000

    def __post_init__(self) -> None:
        for name in (
            "iterations",
            "code_channels",
            "skip_channels",
            "scales",
            "kernel_code",
            "kernel_hidden",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("image_rate", "kernel_rate", "short_kernel_rate", "code_noise", "short_below"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        if self.channels < 2:
            raise ValueError(
                f"channels must be at least 2 (the non-local block halves it), not {self.channels}"
            )
        if not 0 <= self.mse_share <= 1:
            raise ValueError(f"mse_share must lie in [0, 1], not {self.mse_share}")
        if any(not 0 <= milestone <= 1 for milestone in self.milestones):
            raise ValueError(f"milestones must lie in [0, 1], not {list(self.milestones)}")


CODE_SCALE = 0.1  # both codes are uniform on [0, 0.1)


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernel as a joint fit, drawn from `rng`."""
    if observation.kernel_size is None:
        raise NotSupportedError("selfdeblur needs a declared kernel size")
    photo = torch.from_numpy(observation.blurry).to(device)
    blurry = luma(photo) if settings.colour == "luma" else photo
    (channels, *frame), (h, w) = blurry.shape, observation.kernel_size
    image_code = CODE_SCALE * torch.rand(
        1, settings.code_channels, frame[0] + h - 1, frame[1] + w - 1, generator=rng
    )
    kernel_code = CODE_SCALE * torch.rand(settings.kernel_code, generator=rng)
    with initialised_from(rng):
        network = SkipNetwork(
            settings.code_channels, channels, settings.channels, settings.skip_channels, settings.scales
        )
        kernel = FcnKernel(kernel_code, (h, w), settings.kernel_hidden)
    perturbations = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=rng)))
    mse_iterations = round(settings.mse_share * settings.iterations)
    short = settings.iterations < settings.short_below
    return Fit(
        image=DeepImagePrior(network, image_code, settings.code_noise).to(device),
        kernel=kernel.to(device),
        operator=uniform_blur,
        stages=(
            Stage("mse", mse_iterations, mse(blurry)),
            Stage("1-ssim", settings.iterations - mse_iterations, one_minus_ssim(blurry)),
        ),
        rates=Rates(
            image=settings.image_rate,
            kernel=settings.short_kernel_rate if short else settings.kernel_rate,
            milestones=[round(share * settings.iterations) for share in settings.milestones],
        ),
        frame=(frame[0], frame[1]),
        rng=perturbations,
        # In YCbCr, another luma under the same chroma is the same step on all three channels.
        finish=partial(_with_chroma_of, photo, blurry) if settings.colour == "luma" else unchanged,
    )


def _with_chroma_of(photo: Tensor, blurry_luma: Tensor, restored_luma: Tensor) -> Tensor:
    return photo + (restored_luma - blurry_luma)


METHOD = Method(
    name="selfdeblur",
    title="SelfDeblur",
    paper="Ren et al., Neural Blind Deconvolution Using Deep Priors, CVPR 2020",
    licence="none stated by the authors' repository; this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
