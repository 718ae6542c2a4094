"""Richardson-Lucy for saturated images, with the kernel of `l0-grad`.

O. Whyte, J. Sivic, A. Zisserman, "Deblurring Shaken and Partially Saturated Images", IJCV 2014.
"""

from dataclasses import dataclass

import torch

from benchmark.blur.nonblind import Image, Kernel
from benchmark.core.types import Observation
from methods.classical.alternation import estimate_kernel
from methods.classical.blind import blind
from methods.classical.final import richardson_lucy_saturated
from methods.classical.settings import require_positive
from methods.parts.direct import Direct
from methods.parts.registry import Method


@dataclass(frozen=True)
class Settings:
    """The kernel is estimated with the values of `l0-grad`."""

    passes: int = 50  # the authors' code
    gamma: float = 2.2  # pixel values to this power are linear light; 1 where they are already

    def __post_init__(self) -> None:
        require_positive(self)


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """The observation's kernel, and each channel restored with it; deterministic, on the CPU."""
    del rng, device

    def restore(blurry: Image, kernel: Kernel) -> Image:
        linear = richardson_lucy_saturated(blurry**settings.gamma, kernel, settings.passes)
        restored: Image = linear ** (1 / settings.gamma)
        return restored

    return blind(observation, estimate_kernel, restore)


METHOD = Method(
    name="rl-sat",
    title="L0 gradient, Richardson-Lucy with saturation (ours)",
    paper="Whyte et al., IJCV 2014; the kernel as in Pan et al., CVPR 2014",
    licence="this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
