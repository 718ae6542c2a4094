"""DIP-GLKM: a deep image prior and the latent features of a pre-trained kernel generator.

"Generative Latent Kernel Modeling for Blind Motion Deblurring": equation (7) and Algorithm 2 for uniform
blur, equation (13) and Algorithm 4 for non-uniform blur. Where the paper is silent, the published code of its
predecessor is followed (ECCV 2024, "Blind Image Deconvolution by Generative-based Kernel Prior and
Initializer via Latent Encoding"): one joint step on image and kernel, the switch of the objective, the rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from benchmark.types import Observation
from methods.dip import DipSettings, at_least
from methods.fit import Fit, Rates, Stage, generator_from, initialised_from, operator_for
from methods.glkm.start import LatentSettings, check_start, latent_kernel, used_by, weight_files
from methods.image_priors.skip import DeepImagePrior
from methods.kernel_priors.latent import LatentKernel
from methods.registry import Method


@dataclass(frozen=True)
class Settings(DipSettings, LatentSettings):
    """The predecessor's published values; those of the image are SelfDeblur's."""

    # Of a non-uniform blur: so many first iterations move one w for all nodes. The paper is silent: 0.
    global_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "latent_rate", "global_steps")
        check_start(self.start)


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernels as a joint fit, drawn from `rng`.

    Raises NotSupportedError and WeightsMissingError as `latent_kernel`.
    """
    blurry = torch.from_numpy(observation.blurry).to(device)
    frame = (blurry.shape[1], blurry.shape[2])
    kernel, label = latent_kernel(
        observation,
        rng,
        device,
        weights=settings.weights,
        variable=settings.variable,
        start=settings.start,
    )
    image_code = settings.image_code(frame, kernel.size, rng)
    with initialised_from(rng):
        network = settings.network(len(blurry))
    return Fit(
        image=DeepImagePrior(network, image_code, settings.code_noise).to(device),
        kernel=kernel,
        operator=operator_for(observation),
        stages=_sharing_first(settings.global_steps, settings.stages(blurry), kernel),
        rates=Rates(
            image=settings.image_rate,
            kernel=settings.latent_rate,
            milestones=settings.milestone_iterations(),
        ),
        frame=frame,
        rng=generator_from(rng, device),
        weights=label,
    )


def _sharing_first(steps: int, stages: Sequence[Stage], kernel: LatentKernel) -> list[Stage]:
    """`stages`, with one latent for all nodes in the first `steps` iterations."""
    cut = []
    for stage in stages:
        shared = min(steps, stage.iterations)
        steps -= shared
        cut.append(replace(stage, iterations=shared, kernels=kernel.shared))
        cut.append(replace(stage, iterations=stage.iterations - shared))
    return cut


METHOD = Method(
    name="dip-glkm",
    title="DIP-GLKM",
    paper="Generative Latent Kernel Modeling for Blind Motion Deblurring, eq. (7), (13), Algorithms 2, 4",
    licence="the predecessor's code and weights: non-commercial; this is our own code, with our own weights",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    files=weight_files,
    uses=lambda settings: used_by(settings.start),
)
