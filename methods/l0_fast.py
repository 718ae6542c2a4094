"""L0 gradient prior with the kernel in closed form: fast, and good where the declared size is exact.

J. Anger, G. Facciolo, M. Delbracio, "Blind Image Deblurring using the l0 Gradient Prior", IPOL 2019. Other
than there, the kernel and not the latent image is carried to the next scale, from the full-size image each
time, and borders are extended and not tapered: `l0-grad` and this method differ in the kernel step, the
scales and the final step alone.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.classical.alternation import ALTERNATIONS, GRADIENT_WEIGHT, estimate_kernel
from methods.classical.blind import blind
from methods.classical.final import total_variation
from methods.classical.kernel import in_fourier_space
from methods.classical.settings import require_positive
from methods.parts.direct import Direct
from methods.parts.registry import Method


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    gradient_weight: float = GRADIENT_WEIGHT  # lambda of |grad S|_0
    kernel_weight: float = 20.0  # of |k|^2
    alternations: int = ALTERNATIONS  # per scale
    final_weight: float = 3000.0  # of the data term of the final step,
    final_penalty: float = 30.0  # of its splitting,
    final_iterations: int = 7  # and its length

    def __post_init__(self) -> None:
        require_positive(self)


RATIO = 0.5  # of the scales


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """The observation's kernel, and each channel restored with it; deterministic, on the CPU."""
    del rng, device
    return blind(
        observation,
        lambda blurry, size: estimate_kernel(
            blurry,
            size,
            solve=in_fourier_space,
            weight=settings.gradient_weight,
            kernel_weight=settings.kernel_weight,
            alternations=settings.alternations,
            ratio=RATIO,
        ),
        lambda blurry, kernel: total_variation(
            blurry, kernel, settings.final_weight, settings.final_penalty, settings.final_iterations
        ),
    )


METHOD = Method(
    name="l0-fast",
    title="L0 closed form (ours)",
    paper="Anger et al., IPOL 2019",
    licence="this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
