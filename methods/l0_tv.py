"""The kernel of `l0-grad`, finished as in Pan's code: total variation, then rings suppressed.

J. Pan, Z. Hu, Z. Su, M.-H. Yang, "Deblurring Text Images via L0-Regularized Intensity and Gradient Prior",
CVPR 2014, section 5.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.classical.alternation import estimate_kernel
from methods.classical.blind import blind
from methods.classical.final import ringing_suppressed
from methods.classical.settings import require_positive
from methods.parts.direct import Direct
from methods.parts.registry import Method


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code, in the middle of the ranges that it gives."""

    tv_weight: float = 2e-3  # lambda_tv, 1e-3 to 1e-2
    sparsity: float = 5e-4  # lambda_l0 of the image without rings, 1e-4 to 2e-3
    ring_strength: float = 1.0  # w: how much of the rings is taken away

    def __post_init__(self) -> None:
        require_positive(self)


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """The observation's kernel, and each channel restored with it; deterministic, on the CPU."""
    del rng, device
    return blind(
        observation,
        estimate_kernel,
        lambda blurry, kernel: ringing_suppressed(
            blurry, kernel, settings.tv_weight, settings.sparsity, settings.ring_strength
        ),
    )


METHOD = Method(
    name="l0-tv",
    title="L0 gradient, TV without ringing (ours)",
    paper="Pan et al., CVPR 2014, section 5; the kernel as in l0-grad",
    licence="this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
