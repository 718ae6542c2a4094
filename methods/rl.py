"""Richardson-Lucy with the kernel of `l0-grad`.

W. H. Richardson, JOSA 1972; L. B. Lucy, AJ 1974.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.classical.alternation import estimate_kernel
from methods.classical.blind import blind
from methods.classical.final import richardson_lucy
from methods.classical.settings import require_positive
from methods.parts.direct import Direct
from methods.parts.registry import Method


@dataclass(frozen=True)
class Settings:
    """The kernel is estimated with the values of `l0-grad`."""

    passes: int = 30  # more sharpen and ring more

    def __post_init__(self) -> None:
        require_positive(self)


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """The observation's kernel, and each channel restored with it; deterministic, on the CPU."""
    del rng, device
    return blind(
        observation, estimate_kernel, lambda blurry, kernel: richardson_lucy(blurry, kernel, settings.passes)
    )


METHOD = Method(
    name="rl",
    title="L0 gradient, Richardson-Lucy (ours)",
    paper="Richardson, JOSA 1972; Lucy, AJ 1974; the kernel as in Pan et al., CVPR 2014",
    licence="this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
