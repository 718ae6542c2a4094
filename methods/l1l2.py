"""Normalised sparsity: the ratio of norms that `robust-bid` uses, too, with a classical optimiser.

D. Krishnan, T. Tay, R. Fergus, "Blind Deconvolution Using a Normalized Sparsity Measure", CVPR 2011.

Weak by its kernels, not by its final step, and worse than the blurry image on some small crops: on Levin's 32
photographs they reach a mean similarity of 0.69, the images 25.0 dB (blurry: 23.2 dB; finished by
`hyper_laplacian`: 25.4 dB); on six crops of photographs under trajectories of 13 to 21 px 27.4 dB at 256 px
(blurry: 28.0 dB, true kernel: 35.3 dB) and 29.5 dB at 128 px (blurry: 31.4 dB). Neither another weight of the
data term (30 to 400) nor 2 to 20 steps of conjugate gradients raises these crops by more than 0.1 dB.
"""

from dataclasses import dataclass

import torch

from benchmark.blur.nonblind import Image, Kernel
from benchmark.core.types import Observation
from methods.classical.blind import blind
from methods.classical.final import total_variation
from methods.classical.kernel import conjugate_gradients
from methods.classical.settings import require_positive
from methods.classical.sparse_ratio import ImageStep, Turn, estimate_kernel, normal_equations
from methods.parts.direct import Direct
from methods.parts.registry import Method


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
