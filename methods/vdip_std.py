"""VDIP-Std: every pixel a Gaussian, fitted by the expected residual alone.

What a comment in VDIP's scripts defines: the bound without entropy and priors, also without the kernel's.
It gives no pre-training length of its own; three of the four scripts have 500 iterations.
"""

from dataclasses import dataclass

import torch

from benchmark.types import Observation
from methods import vdip
from methods.bound import flat_kernel
from methods.fit import Fit
from methods.registry import Method


@dataclass(frozen=True)
class Settings(vdip.Settings):
    """The scripts' values."""

    kernel_code: int = 200
    kernel_hidden: int = 1000


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernel, drawn from `rng`."""
    kernel = vdip.fcn_kernel(observation, settings.kernel_code, settings.kernel_hidden, rng)
    return vdip.fit(observation, settings, rng, device, kernel, flat_kernel)


METHOD = Method(
    name="vdip-std",
    title="VDIP-Std",
    paper="Huo et al., Blind Image Deconvolution Using Variational Deep Image Prior, TPAMI 2023",
    licence="none stated by the authors' repository; this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
