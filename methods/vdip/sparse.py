"""VDIP-Sparse: the variational bound with few image gradients."""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.parts.fit import Fit
from methods.parts.kernel_priors.fcn import FcnSettings
from methods.parts.losses import Objective, weighted
from methods.parts.registry import Method
from methods.vdip import common as vdip
from methods.vdip.bound import kernel_energy, negative_entropy, sparse_gradients


@dataclass(frozen=True)
class Settings(vdip.RegularisedSettings, FcnSettings):
    """The scripts' values."""


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernels, drawn from `rng`.

    Raises as `vdip.network_kernel`.
    """
    kernel = vdip.network_kernel(observation, settings, rng)
    return vdip.fit(observation, settings, rng, device, kernel, regularisers(settings))


def regularisers(settings: vdip.RegularisedSettings) -> list[Objective]:
    """Entropy, sparse gradients and the kernel's energy, for each part of the bound."""
    penalty = (settings.kernel_penalty, kernel_energy)
    regulariser = weighted((1.0, negative_entropy), (1.0, sparse_gradients), penalty)
    return [weighted((weight, regulariser)) for weight in settings.prior_weights]


METHOD = Method(
    name="vdip-sparse",
    title="VDIP-Sparse",
    paper=vdip.PAPER,
    licence=vdip.LICENCE,
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
)
