"""VDIP-Std: every pixel a Gaussian, fitted by the expected residual alone.

What a comment in VDIP's scripts defines: the bound without entropy and priors, also without the kernel's.
It gives no pre-training length of its own; three of the four scripts have 500 iterations.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.parts.fit import Fit
from methods.parts.kernel_priors.fcn import FcnSettings
from methods.parts.registry import Method
from methods.vdip import common as vdip


@dataclass(frozen=True)
class Settings(vdip.Settings, FcnSettings):
    """The scripts' values."""


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernels, drawn from `rng`.

    Raises as `vdip.network_kernel`.
    """
    kernel = vdip.network_kernel(observation, settings, rng)
    return vdip.fit(observation, settings, rng, device, kernel)


METHOD = Method(
    name="vdip-std",
    title="VDIP-Std",
    paper=vdip.PAPER,
    licence=vdip.LICENCE,
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
)
