"""VDIP-Sparse: the variational bound with few image gradients."""

from dataclasses import dataclass

import torch

from benchmark.types import Observation
from methods import vdip
from methods.bound import flat_kernel, kernel_energy, negative_entropy, sparse_gradients
from methods.fit import Fit
from methods.losses import Objective, weighted
from methods.registry import Method


@dataclass(frozen=True)
class Settings(vdip.RegularisedSettings):
    """The scripts' values."""

    kernel_code: int = 200
    kernel_hidden: int = 1000


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernel, drawn from `rng`."""
    kernel = vdip.fcn_kernel(observation, settings.kernel_code, settings.kernel_hidden, rng)
    return vdip.fit(observation, settings, rng, device, kernel, flat_kernel, regularisers(settings))


def regularisers(settings: vdip.RegularisedSettings) -> list[Objective]:
    """Entropy, sparse gradients and the kernel's energy, for each part of the bound."""
    penalty = (settings.kernel_penalty, kernel_energy)
    regulariser = weighted((1.0, negative_entropy), (1.0, sparse_gradients), penalty)
    return [weighted((weight, regulariser)) for weight in settings.prior_weights]


METHOD = Method(
    name="vdip-sparse",
    title="VDIP-Sparse",
    paper="Huo et al., Blind Image Deconvolution Using Variational Deep Image Prior, TPAMI 2023",
    licence="none stated by the authors' repository; this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
