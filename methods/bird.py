"""BIRD: the noise that a diffusion model turns into the sharp image, and a kernel network, fitted together.

H. Chihaoui, A. Lemkhenter, P. Favaro, "Blind Image Restoration via Fast Diffusion Inversion", NeurIPS 2024.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import NotSupportedError, Observation
from methods.diffusion.inversion import Inversion, InversionSettings
from methods.diffusion.view import View, image_prior, prior_files
from methods.parts.kernel_priors.fcn import FcnSettings
from methods.parts.limits import at_least
from methods.parts.registry import Method


@dataclass(frozen=True)
class Settings(InversionSettings, FcnSettings):
    """The released code's values; the kernel network is SelfDeblur's."""

    kernel_rate: float = 2e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "kernel_code", "kernel_hidden")
        at_least(0, self, "kernel_rate")


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Inversion:
    """The observation's noise and kernel network, drawn from `rng`.

    Even kernels get a row and a column of zeros. Raises NotSupportedError without a declared kernel size and
    as `View`, WeightsMissingError without the model.
    """
    if observation.kernel_size is None:
        raise NotSupportedError("bird needs a declared kernel size")
    prior = image_prior(settings)
    view = View(observation, settings, device, prior)
    kernel = settings.kernel_networks(1, observation.kernel_size, rng)
    noise = torch.randn(1, 3, *view.size, generator=rng)
    return Inversion(
        view=view,
        kernel=kernel.to(device),
        noise=noise.to(device),
        settings=settings,
        kernel_rate=settings.kernel_rate,
        weights=prior.label,
    )


METHOD = Method(
    name="bird",
    title="BIRD",
    paper="Chihaoui et al., Blind Image Restoration via Fast Diffusion Inversion, NeurIPS 2024",
    licence="none stated by the authors' repository; this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
    files=prior_files,
)
