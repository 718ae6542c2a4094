"""VDIP-Std with the latent features of a pre-trained kernel generator."""

from dataclasses import dataclass

import torch

from benchmark.types import Observation
from methods import vdip
from methods.fit import Fit
from methods.glkm.start import LatentSettings, check_start, used_by, weight_files
from methods.registry import Method


@dataclass(frozen=True)
class Settings(vdip.Settings, LatentSettings):
    """The scripts' and GLKM's values."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_start(self.start)


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernels, drawn from `rng`.

    Raises as `vdip.generated_kernel`.
    """
    kernel = vdip.generated_kernel(observation, settings, rng, device)
    return vdip.fit(observation, settings, rng, device, kernel)


METHOD = Method(
    name="vdip-std-glkm",
    title="VDIP-Std-GLKM",
    paper=vdip.GLKM_PAPER,
    licence=vdip.GLKM_LICENCE,
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    files=weight_files,
    uses=lambda settings: used_by(settings.start),
)
