"""The upper bound of every table: deconvolution with the true kernels.

D. Krishnan, R. Fergus, "Fast Image Deconvolution using Hyper-Laplacian Priors", NIPS 2009.
"""

from dataclasses import dataclass

import numpy as np
import torch

from benchmark.blur.nonblind import (
    ALPHA,
    LAMBDA,
    hyper_laplacian,
    hyper_laplacian_by_cg,
    hyper_laplacian_periodic,
)
from benchmark.blur.operators import SvolaBlur
from benchmark.core.types import KnownBlur, NotSupportedError, Observation
from methods.parts.direct import Direct
from methods.parts.limits import positive
from methods.parts.registry import Method
from methods.parts.solver import Result


@dataclass(frozen=True)
class Settings:
    """The paper's values."""

    weight: float = LAMBDA  # lambda of the data term, for noise with a standard deviation of about 0.01
    alpha: float = ALPHA  # exponent of the prior, in (0, 1]

    def __post_init__(self) -> None:
        positive(self, "weight")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha must lie in (0, 1], not {self.alpha}")


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Deconvolve with the true kernels, on the CPU, which is fast enough.

    A uniform blur with the boundary 'valid' or 'circular' goes the paper's way, by FFT; 'valid' images are
    padded first. All other blurs have the same objective, minimised by conjugate gradients under their own
    operator.

    Raises NotSupportedError where the true kernels are not known.
    """
    del rng, device
    if not isinstance(observation, KnownBlur) or observation.kernels is None:
        raise NotSupportedError("the true kernel of this image is not known")
    blurry, kernels, boundary = observation.blurry, observation.kernels, observation.boundary

    def restore() -> Result:
        known = torch.from_numpy(kernels)
        if observation.blur_model == "uniform" and boundary == "valid":
            restored = hyper_laplacian(blurry, kernels[0], settings.weight, settings.alpha)
        elif observation.blur_model == "uniform" and boundary == "circular":
            periodic = blurry.astype(np.float64)
            restored = hyper_laplacian_periodic(periodic, kernels[0], settings.weight, settings.alpha)
        else:
            operator = SvolaBlur(known.float(), observation.grid, boundary)
            restored = hyper_laplacian_by_cg(blurry, operator, settings.weight, settings.alpha)
        return Result(torch.from_numpy(restored), known)

    return Direct(restore)


METHOD = Method(
    name="oracle",
    title="True kernel, hyper-Laplacian",
    paper="control: the ceiling of every table; Krishnan and Fergus, NIPS 2009, Algorithm 1",
    licence="this is our own code",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    role="ceiling",
    needs_true_kernels=True,
)
