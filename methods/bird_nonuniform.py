"""BIRD's way with non-uniform blur: there is no blur in it.

H. Chihaoui, A. Lemkhenter, P. Favaro, "Blind Image Restoration via Fast Diffusion Inversion", NeurIPS 2024:
the noise behind the blurry image itself is looked for, and stopping early leaves the model's sharpness.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.diffusion.inversion import Inversion, InversionSettings
from methods.diffusion.view import View, image_prior, prior_files
from methods.parts.registry import Method


@dataclass(frozen=True)
class Settings(InversionSettings):
    """The released code's values."""

    iterations: int = 25
    image_rate: float = 2e-3


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Inversion:
    """The observation's noise, drawn from `rng`. Raises as `View`, WeightsMissingError without the model."""
    prior = image_prior(settings)
    view = View(observation, settings, device, prior)
    noise = torch.randn(1, 3, *view.size, generator=rng)
    return Inversion(view=view, kernel=None, noise=noise.to(device), settings=settings, weights=prior.label)


METHOD = Method(
    name="bird-nonuniform",
    title="BIRD without a blur operator",
    paper="Chihaoui et al., Blind Image Restoration via Fast Diffusion Inversion, NeurIPS 2024",
    licence="none stated by the authors' repository; this is our own code",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    files=prior_files,
)
