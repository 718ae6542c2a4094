"""Low-rank kernels: the classical method made for over-declared kernel sizes.

L. Si-Yao, D. Ren, Q. Yin, "Understanding Kernel Size in Blind Deconvolution", WACV 2019.

Weak where the size is declared exactly: on the 4 photographs of Levin's kernel 3 its kernels reach a mean
similarity of 0.62, the images 26.3 dB (blurry: 26.3 dB); on six crops of 256 px under trajectories of 13 to
21 px 28.6 dB (blurry: 28.0 dB, true kernel: 35.3 dB).
"""

from dataclasses import dataclass

import numpy as np
import torch

from benchmark.blur.nonblind import Image, Kernel
from benchmark.core.types import Observation
from methods.classical.blind import blind
from methods.classical.final import total_variation
from methods.classical.kernel import THRESHOLD
from methods.classical.lowrank import low_rank_kernel
from methods.classical.settings import require_positive
from methods.classical.sparse_ratio import ImageStep, Turn, estimate_kernel
from methods.parts.direct import Direct
from methods.parts.registry import Method


@dataclass(frozen=True)
class Settings:
    """The values of the authors' code."""

    weight: float = 80.0  # lambda of the data term
    delta: float = 1e-2  # length of an ISTA step
    alternations: int = 5  # per scale
    rank_weight: float = 1e-5  # tau at the finest scale; a comment in the code: 3e-4 for small kernels
    final_weight: float = 3000.0  # of the data term of the final step,
    final_penalty: float = 400.0  # of its splitting,
    final_iterations: int = 50  # and its length

    def __post_init__(self) -> None:
        require_positive(self)


GROWTH = 2.0  # of the cost that an image step may cause


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """The observation's kernel, and each channel restored with it; deterministic, on the CPU."""
    del rng, device

    def kernel_step(x: Image, g: Image, kernel: Kernel, turn: Turn) -> Kernel:
        found = low_rank_kernel(x, g, kernel, settings.rank_weight * turn.scale)
        return np.where(found < THRESHOLD * turn.alternation * found.max(), 0, found)

    return blind(
        observation,
        lambda blurry, size: estimate_kernel(
            blurry,
            size,
            ImageStep(settings.weight, settings.delta, GROWTH, afresh=True),
            kernel_step,
            smallest=max(3, 2 * ((max(size) - 1) // 32) + 1),
            alternations=settings.alternations,
        ),
        lambda blurry, kernel: total_variation(
            blurry, kernel, settings.final_weight, settings.final_penalty, settings.final_iterations
        ),
    )


METHOD = Method(
    name="lowrank",
    title="Low-rank kernel (ours)",
    paper="Si-Yao et al., WACV 2019",
    licence="this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
