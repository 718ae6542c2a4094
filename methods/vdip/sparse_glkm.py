"""VDIP-Sparse with the latent features of a pre-trained kernel generator."""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.glkm.large import SmallFirst
from methods.glkm.start import used_by, weight_files
from methods.parts.fit import Fit
from methods.parts.registry import Method
from methods.vdip import common as vdip
from methods.vdip.sparse import regularisers


@dataclass(frozen=True)
class Settings(vdip.GlkmSettings, vdip.RegularisedSettings):
    """The scripts' and GLKM's values."""

    kernel_penalty: float = 0.0  # the generator is the kernel's prior


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Fit | SmallFirst:
    """The observation's latent image and kernels, drawn from `rng`.

    Raises as `vdip.glkm_problem`.
    """
    return vdip.glkm_problem(observation, settings, rng, device, lambda *_: regularisers(settings))


METHOD = Method(
    name="vdip-sparse-glkm",
    title="VDIP-Sparse-GLKM",
    paper=vdip.GLKM_PAPER,
    licence=vdip.GLKM_LICENCE,
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    files=weight_files,
    uses=lambda settings: used_by(settings.start),
)
