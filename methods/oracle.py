"""The ceiling of every table: non-blind restoration with the true kernel.

D. Krishnan, R. Fergus, "Fast Image Deconvolution using Hyper-Laplacian Priors", NIPS 2009.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.blur.nonblind import ALPHA, LAMBDA, hyper_laplacian
from benchmark.types import KnownBlur, NotSupportedError, Observation
from methods.direct import Direct
from methods.registry import Method


@dataclass(frozen=True)
class Settings:
    """The paper's values."""

    weight: float = LAMBDA  # lambda of the data term; the paper chose it for noise of about 0.01
    alpha: float = ALPHA  # exponent of the prior

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise ValueError(f"weight must be positive, not {self.weight}")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha must lie in (0, 1], not {self.alpha}")


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """The observation deconvolved, each channel with the true kernel; the CPU is fast enough for it."""
    del rng, device
    if not isinstance(observation, KnownBlur) or observation.kernels is None:
        raise NotSupportedError("the true kernel of this image is not known")
    kernels = observation.kernels

    def restore() -> tuple[Tensor, Tensor]:
        restored = hyper_laplacian(observation.blurry, kernels[0], settings.weight, settings.alpha)
        return torch.from_numpy(restored), torch.from_numpy(kernels)

    return Direct(restore)


METHOD = Method(
    name="oracle",
    title="True kernel, hyper-Laplacian",
    paper="control: the ceiling of every table; Krishnan and Fergus, NIPS 2009, Algorithm 1",
    licence="this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
    role="ceiling",
    needs_true_kernels=True,
)
