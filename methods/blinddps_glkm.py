"""BlindDPS-GLKM: BlindDPS with the latent features of a pre-trained kernel generator as its kernel.

"Generative Latent Kernel Modeling for Blind Motion Deblurring", section V-A2, leaves it to a supplement that
is not in our sources: the kernel's diffusion is replaced by w, started by the initializer, and moved by a
step of Adam for each step of the image.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from benchmark.core.types import Observation
from methods.diffusion.sampling import LatentWalk, ParallelSampling, SamplingSettings, drawing_from
from methods.diffusion.view import View, image_prior, joined, prior_files
from methods.glkm.start import LatentSettings, check_latent, latent_kernel, used_by
from methods.parts.limits import at_least
from methods.parts.registry import Method
from methods.parts.seeding import generator_from


@dataclass(frozen=True)
class Settings(SamplingSettings, LatentSettings):
    """BlindDPS's values; the two rates of w are not in our sources."""

    # Of 3e-4, 1e-3, 3e-3 and, late, 5e-4 the one with the best kernels and images on four held-out faces of
    # 64 px, in a tenth of the steps at ten times the rate: fewer steps want it so much larger.
    latent_rate: float = 3e-3
    # Early estimates of the image are smooth and draw any kernel towards a point. growing: the rate times
    # sqrt(A_t), as the image's correction; late: w rests until `late_share` of the time is left.
    latent_schedule: Literal["growing", "late"] = "growing"
    late_share: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "late_share")
        check_latent(self)


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> ParallelSampling:
    """The observation's chain of images, drawn from `rng`, and its latent kernel.

    Raises NotSupportedError as `View` and `latent_kernel`, WeightsMissingError without one of the networks.
    """
    prior = image_prior(settings)
    view = View(observation, settings, device, prior)
    kernel, label = latent_kernel(observation, settings, rng, device)
    image = torch.randn(1, 3, *view.size, generator=rng)
    noise = generator_from(rng, device)
    return ParallelSampling(
        view=view,
        image=image.to(device),
        kernel=LatentWalk(
            kernel.to(device), settings.latent_rate, settings.latent_schedule, settings.late_share
        ),
        settings=settings,
        draw=drawing_from(noise),
        rng=noise,
        weights=joined(prior.label, label),
    )


METHOD = Method(
    name="blinddps-glkm",
    title="BlindDPS-GLKM",
    paper="Generative Latent Kernel Modeling for Blind Motion Deblurring, section V-A2",
    licence="no code published; BlindDPS's states no licence; this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
    files=prior_files,
    uses=lambda settings: used_by(settings.start),
)
