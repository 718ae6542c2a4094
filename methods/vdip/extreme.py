"""VDIP-Extreme: the variational bound with few pixels in the dark and in the bright channel."""

from dataclasses import dataclass

import torch

from benchmark.core.types import NotSupportedError, Observation
from methods.parts.fit import Fit
from methods.parts.kernel_priors.fcn import FcnSettings
from methods.parts.losses import Objective, weighted
from methods.parts.registry import Method
from methods.vdip import common as vdip
from methods.vdip.bound import extreme_channels, kernel_energy, negative_entropy


@dataclass(frozen=True)
class ExtremeSettings(vdip.RegularisedSettings):
    """The values of the script for the uniform blur of the Lai set."""

    pretraining_share: float = 1e-3  # 5 iterations before the 5000; 500 in the script for real photographs
    prior_weights: tuple[float, ...] = (1e-4, 1e-5)
    patch: int = 35  # side of the window of both channels, in pixels


@dataclass(frozen=True)
class Settings(ExtremeSettings, FcnSettings):
    """The script's values."""


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernels, drawn from `rng`.

    Raises as `vdip.network_kernel` and `regularisers`.
    """
    kernel = vdip.network_kernel(observation, settings, rng)
    return vdip.fit(observation, settings, rng, device, kernel, regularisers(observation, kernel, settings))


def regularisers(observation: Observation, kernel: vdip.Kernel, settings: ExtremeSettings) -> list[Objective]:
    """Entropy, extreme channels and the kernel's energy, for each part of the bound.

    Raises NotSupportedError when the latent image is smaller than the window.
    """
    (height, width), (h, w) = observation.blurry.shape[1:], kernel.prior.size
    if min(height + h, width + w) - 1 < settings.patch:
        raise NotSupportedError(
            f"the window of the extreme channels has {settings.patch} pixels a side, "
            f"the latent image has {height + h - 1} x {width + w - 1}"
        )
    penalty = (settings.kernel_penalty, kernel_energy)
    regulariser = weighted((1.0, negative_entropy), (1.0, extreme_channels(settings.patch)), penalty)
    return [weighted((weight, regulariser)) for weight in settings.prior_weights]


METHOD = Method(
    name="vdip-extreme",
    title="VDIP-Extreme",
    paper=vdip.PAPER,
    licence=vdip.LICENCE,
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
)
