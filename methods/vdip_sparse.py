"""VDIP-Sparse: the variational bound with few image gradients."""

from dataclasses import dataclass

import torch

from benchmark.types import Observation
from methods import vdip
from methods.bound import kernel_energy, negative_entropy, sparse_gradients
from methods.dip import FcnSettings
from methods.fit import Fit
from methods.losses import Objective, weighted
from methods.registry import Method


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
