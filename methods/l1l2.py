"""Normalised sparsity: the ratio of norms that `robust-bid` uses, too, with a classical optimiser.

D. Krishnan, T. Tay, R. Fergus, "Blind Deconvolution Using a Normalized Sparsity Measure", CVPR 2011.
"""

from dataclasses import dataclass

import torch

from benchmark.blur.nonblind import Image, Kernel
from benchmark.types import Observation
from methods.classical.blind import blind
from methods.classical.final import total_variation
from methods.classical.kernel import conjugate_gradients
from methods.classical.settings import require_positive
from methods.classical.sparse_ratio import ImageStep, Turn, estimate_kernel, normal_equations
from methods.direct import Direct
from methods.registry import Method


@dataclass(frozen=True)
class Settings:
    """The values of the authors' demo."""

    weight: float = 100.0  # lambda of the data term; the demo: 200 for some images, less for noisy ones
    delta: float = 1e-3  # length of an ISTA step
    alternations: int = 21  # per scale
    final_weight: float = 3000.0  # of the data term of the final step,
    final_penalty: float = 400.0  # of its splitting,
    final_iterations: int = 50  # and its length

    def __post_init__(self) -> None:
        require_positive(self)


GROWTH = 3.0  # of the cost that an image step may cause
CG_STEPS, CG_TOLERANCE = 1, 1e-4  # per kernel step


def kernel_step(x: Image, g: Image, kernel: Kernel, turn: Turn) -> Kernel:
    """Equation (6) without its l1 term, whose weight is 0 in the authors' demo."""
    del turn
    product, target = normal_equations(x, g, (kernel.shape[0], kernel.shape[1]))
    return conjugate_gradients(product, target, kernel, CG_STEPS, CG_TOLERANCE)


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
            ImageStep(settings.weight, settings.delta, GROWTH, afresh=False),
            kernel_step,
            smallest=max(3, 2 * ((max(size) - 1) // 16) + 1),
            alternations=settings.alternations,
        ),
        lambda blurry, kernel: total_variation(
            blurry, kernel, settings.final_weight, settings.final_penalty, settings.final_iterations
        ),
    )


METHOD = Method(
    name="l1l2",
    title="Normalised sparsity (ours)",
    paper="Krishnan et al., CVPR 2011",
    licence="this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
