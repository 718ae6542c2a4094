"""L0 gradient prior and dark-channel prior, with another final step than the authors'.

J. Pan, D. Sun, H. Pfister, M.-H. Yang, "Blind Image Deblurring Using Dark Channel Prior", CVPR 2016.
"""

from dataclasses import dataclass

import torch

from benchmark.blur.nonblind import LAMBDA, Image, Kernel, hyper_laplacian
from benchmark.core.types import Observation
from methods.classical.alternation import ALTERNATIONS, GRADIENT_WEIGHT, estimate_kernel
from methods.classical.blind import blind
from methods.classical.dark import sparse_dark_channel
from methods.classical.settings import require_positive
from methods.parts.direct import Direct
from methods.parts.registry import Method


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    gradient_weight: float = GRADIENT_WEIGHT  # mu of |grad S|_0
    dark_weight: float = 4e-3  # lambda of |dark(S)|_0; decays in step with the gradient weight
    alternations: int = ALTERNATIONS  # per scale
    final_weight: float = LAMBDA  # of the data term of the final step

    def __post_init__(self) -> None:
        require_positive(self)


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """The observation's kernel, and each channel restored with it; deterministic, on the CPU."""
    del rng, device
    dark_share = settings.dark_weight / settings.gradient_weight

    def latent(blurry: Image, kernel: Kernel, weight: float) -> Image:
        return sparse_dark_channel(blurry, kernel, weight, dark_share * weight)

    return blind(
        observation,
        lambda blurry, size: estimate_kernel(
            blurry, size, latent, weight=settings.gradient_weight, alternations=settings.alternations
        ),
        lambda blurry, kernel: hyper_laplacian(blurry, kernel, settings.final_weight),
    )


METHOD = Method(
    name="l0-dark",
    title="L0 dark channel (ours)",
    paper="Pan et al., Dark Channel Prior, CVPR 2016; final step Krishnan and Fergus, NIPS 2009",
    licence="this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
