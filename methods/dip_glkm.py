"""DIP-GLKM: a deep image prior and the latent features of a pre-trained kernel generator.

"Generative Latent Kernel Modeling for Blind Motion Deblurring": equation (7) and Algorithm 2 for uniform
blur, equation (13) and Algorithm 4 for non-uniform blur. Where the paper is silent, the published code of its
predecessor is followed (ECCV 2024, "Blind Image Deconvolution by Generative-based Kernel Prior and
Initializer via Latent Encoding"): one joint step on image and kernel, the switch of the objective, the rates.
Kernels larger than any generator's are treated as in `methods/glkm/large.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.core.types import Observation
from methods.glkm.large import SmallFirst, small_first
from methods.glkm.latent import LatentKernel
from methods.glkm.start import LatentSettings, check_latent, latent_kernel, used_by, weight_files
from methods.parts.fit import Fit, Rates, beginning_with, middle, operator_for
from methods.parts.image_priors.skip import DeepImagePrior
from methods.parts.kernel_priors.logits import LogitKernel
from methods.parts.limits import at_least
from methods.parts.registry import Method
from methods.parts.seeding import generator_from, initialised_from
from methods.parts.skip_settings import DipSettings


@dataclass(frozen=True)
class Settings(DipSettings, LatentSettings):
    """The predecessor's published values; those of the image are SelfDeblur's."""

    # Of a non-uniform blur: so many first iterations move one w for all nodes. The paper is silent: 0.
    global_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "global_steps")
        check_latent(self)


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Fit | SmallFirst:
    """The observation's latent image and kernels as a joint fit, drawn from `rng`.

    Raises NotSupportedError and WeightsMissingError as `latent_kernel`.
    """

    def generated(observation: Observation) -> Fit:
        kernel, label = latent_kernel(observation, settings, rng, device)
        beginning = (settings.global_steps, kernel.shared)
        return _fit(observation, settings, rng, device, kernel, settings.latent_rate, beginning, label)

    def free(kernel: LogitKernel, label: str) -> Fit:
        beginning = (round(settings.frozen_share * settings.iterations), kernel.frozen)
        return _fit(observation, settings, rng, device, kernel, settings.logit_rate, beginning, label)

    return small_first(observation, generated, free)


def _fit(
    observation: Observation,
    settings: Settings,
    rng: torch.Generator,
    device: torch.device,
    kernel: LatentKernel | LogitKernel,
    rate: float,
    beginning: tuple[int, Callable[[], Tensor]],  # so many iterations with these kernels
    label: str,
) -> Fit:
    """With `kernel`, which learns at `rate`."""
    blurry = torch.from_numpy(observation.blurry).to(device)
    frame = (blurry.shape[1], blurry.shape[2])
    image_code = settings.image_code(frame, kernel.size, rng)
    with initialised_from(rng):
        network = settings.network(len(blurry))
    return Fit(
        image=DeepImagePrior(network, image_code, settings.code_noise).to(device),
        kernel=kernel.to(device),
        operator=operator_for(observation),
        stages=beginning_with(*beginning, settings.stages(blurry)),
        rates=Rates(
            image=settings.image_rate,
            kernel=rate,
            milestones=settings.milestone_iterations(),
        ),
        read_out=middle(frame),
        rng=generator_from(rng, device),
        weights=label,
    )


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
