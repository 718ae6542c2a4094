"""The upper bound of every table: deconvolution with the true kernels.

For uniform blur with the boundary 'valid' it is the ending that every other method may take, too: pixels
outside the frame are unknown, and the noise sets the weight (`methods.parts.ending`).

D. Krishnan, R. Fergus, "Fast Image Deconvolution using Hyper-Laplacian Priors", NIPS 2009.
"""

from dataclasses import dataclass

import numpy as np
import torch

from benchmark.blur.noise_level import data_weight
from benchmark.blur.nonblind import (
    ALPHA,
    LAMBDA,
    hyper_laplacian_by_cg,
    hyper_laplacian_periodic,
    hyper_laplacian_valid,
)
from benchmark.blur.operators import SvolaBlur
from benchmark.core.errors import NotSupportedError
from benchmark.core.types import KnownBlur, Observation
from methods.parts.direct import Direct
from methods.parts.limits import positive
from methods.parts.registry import Method
from methods.parts.solver import Result


@dataclass(frozen=True)
class Settings:
    """The exponent is the paper's, the weight from the noise ours."""

    # lambda of the data term. null: for uniform blur with the boundary 'valid' from the noise, otherwise the
    # paper's 2000, for noise with a standard deviation of about 0.01.
    weight: float | None = None
    alpha: float = ALPHA  # exponent of the prior, in (0, 1]

    def __post_init__(self) -> None:
        if self.weight is not None:
            positive(self, "weight")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha must lie in (0, 1], not {self.alpha}")


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Deconvolve with the true kernels, on the CPU, which is fast enough.

    A uniform blur with the boundary 'circular' goes the paper's way, by FFT. All other blurs have the same
    objective, minimised by conjugate gradients under their own operator.

    Raises NotSupportedError where the true kernels are not known.
    """
    del rng, device
    if not isinstance(observation, KnownBlur) or observation.kernels is None:
        raise NotSupportedError("the true kernel of this image is not known")
    blurry, kernels = observation.blurry.astype(np.float64), observation.kernels
    is_uniform, boundary = observation.blur_model == "uniform", observation.boundary
    alpha = settings.alpha

    def restore() -> Result:
        known, weight = torch.from_numpy(kernels), settings.weight
        if is_uniform and boundary == "valid":
            restored = hyper_laplacian_valid(blurry, kernels[0], weight or data_weight(blurry), alpha)
        elif is_uniform and boundary == "circular":
            restored = hyper_laplacian_periodic(blurry, kernels[0], weight or LAMBDA, alpha)
        else:
            operator = SvolaBlur(known.float(), observation.grid, boundary)
            restored = hyper_laplacian_by_cg(blurry, operator, weight or LAMBDA, alpha)
        return Result(torch.from_numpy(restored), known)

    return Direct(restore)


METHOD = Method(
    name="oracle",
    title="True kernel, hyper-Laplacian with border",
    paper="control: the ceiling of every table; Krishnan and Fergus, NIPS 2009, Algorithm 1",
    licence="this is our own code",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    role="ceiling",
    needs_true_kernels=True,
    cost="seconds",
    gpu=False,
)
