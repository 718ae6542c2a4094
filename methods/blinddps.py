"""BlindDPS: diffusion models of the image and of the kernel, sampled together.

H. Chung, J. Kim, S. Kim, J. C. Ye, "Parallel Diffusion Models of Operator and Image for Blind Inverse
Problems", CVPR 2023.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from benchmark.core.types import NotSupportedError, Observation
from methods.diffusion import prior as priors
from methods.diffusion.sampling import KernelDiffusion, ParallelSampling, SamplingSettings, drawing_from
from methods.diffusion.view import View, image_prior, joined, prior_files
from methods.parts.limits import at_least
from methods.parts.registry import Method
from methods.parts.seeding import generator_from


@dataclass(frozen=True)
class Settings(SamplingSettings):
    """The released code's values."""

    kernel_prior: str = ""  # file of the kernel model; the shipped one, of demo size, if empty
    # The paper's sparsity: order and weight of a norm of the kernel. As released it acts on the normalised
    # kernel, whose l1 norm is 1 and whose l0 norm has no gradient: it changes nothing. `unnormalised`, before
    # the division by the sum, l1 does (ours).
    penalty_order: Literal[0, 1] = 1  # the released script for motion blur
    penalty_weight: float = 1.0
    penalty_on: Literal["normalised", "unnormalised"] = "normalised"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "penalty_weight")


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> ParallelSampling:
    """The observation's two chains, drawn from `rng`. The kernel has the size of its model's kernels, plus 1.

    Raises NotSupportedError for declared kernels that are larger, and as `View`; WeightsMissingError without
    one of the models.
    """
    prior = image_prior(settings)
    kernel_prior = priors.load(priors.path_of(settings.kernel_prior, "diffusion-kernel"), "diffusion-kernel")
    side = kernel_prior.side
    if observation.kernel_size is not None and max(observation.kernel_size) > side + 1 - side % 2:
        raise NotSupportedError(
            f"the kernel model is for kernels of up to {side} x {side}, not "
            f"{observation.kernel_size[0]} x {observation.kernel_size[1]}"
        )
    view = View(observation, settings, device, prior)
    kernel_prior.network.to(device)
    image = torch.randn(1, 3, *view.size, generator=rng)
    kernel = torch.randn(1, 1, side, side, generator=rng)
    noise = generator_from(rng, device)
    return ParallelSampling(
        view=view,
        image=image.to(device),
        kernel=KernelDiffusion(
            kernel_prior,
            kernel.to(device),
            settings.penalty_order,
            settings.penalty_weight,
            settings.penalty_on,
        ),
        settings=settings,
        draw=drawing_from(noise),
        rng=noise,
        weights=joined(prior.label, kernel_prior.label),
    )


def _files(case: str, settings: Settings) -> list[Path]:
    kernel = priors.files_of(priors.path_of(settings.kernel_prior, "diffusion-kernel"))
    return prior_files(case, settings) + kernel


METHOD = Method(
    name="blinddps",
    title="BlindDPS",
    paper="Chung et al., Parallel Diffusion Models of Operator and Image for Blind Inverse Problems, "
    "CVPR 2023",
    licence="none stated by the authors' repository; this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
    files=_files,
)
