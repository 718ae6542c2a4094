"""VDIP-Extreme: the variational bound with few pixels in the dark and in the bright channel."""

from dataclasses import dataclass

import torch

from benchmark.types import NotSupportedError, Observation
from methods import vdip
from methods.bound import extreme_channels, flat_kernel, kernel_energy, negative_entropy
from methods.fit import Fit
from methods.losses import Objective, weighted
from methods.registry import Method


@dataclass(frozen=True)
class Settings(vdip.RegularisedSettings):
    """The values of the script for uniform blur of the Lai set."""

    pretraining_share: float = 1e-3  # 5 iterations; 500 (0.1) in the script for real photographs
    prior_weights: tuple[float, ...] = (1e-4, 1e-5)
    patch: int = 35  # side of the window of both channels, in pixels
    kernel_code: int = 200
    kernel_hidden: int = 1000


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernel, drawn from `rng`.

    Raises NotSupportedError when the latent image is smaller than the window.
    """
    kernel = vdip.fcn_kernel(observation, settings.kernel_code, settings.kernel_hidden, rng)
    require_window(observation, kernel.size, settings.patch)
    return vdip.fit(
        observation, settings, rng, device, kernel, flat_kernel, regularisers(settings, settings.patch)
    )


def require_window(observation: Observation, kernel_size: tuple[int, int], patch: int) -> None:
    """Raise NotSupportedError when the latent image is smaller than the window."""
    sides = observation.blurry.shape[1] + kernel_size[0] - 1, observation.blurry.shape[2] + kernel_size[1] - 1
    if min(sides) < patch:
        raise NotSupportedError(
            f"the window of the extreme channels has {patch} pixels a side, "
            f"the latent image has {sides[0]} x {sides[1]}"
        )


def regularisers(settings: vdip.RegularisedSettings, patch: int) -> list[Objective]:
    """Entropy, extreme channels and the kernel's energy, for each part of the bound."""
    penalty = (settings.kernel_penalty, kernel_energy)
    regulariser = weighted((1.0, negative_entropy), (1.0, extreme_channels(patch)), penalty)
    return [weighted((weight, regulariser)) for weight in settings.prior_weights]


METHOD = Method(
    name="vdip-extreme",
    title="VDIP-Extreme",
    paper="Huo et al., Blind Image Deconvolution Using Variational Deep Image Prior, TPAMI 2023",
    licence="none stated by the authors' repository; this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
