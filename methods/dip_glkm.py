"""DIP-GLKM: a deep image prior and the latent features of a pre-trained kernel generator.

"Generative Latent Kernel Modeling for Blind Motion Deblurring": equation (7) and Algorithm 2 for uniform
blur, equation (13) and Algorithm 4 for non-uniform blur. Where the paper is silent, this follows the
published code of its predecessor (ECCV 2024, "Blind Image Deconvolution by Generative-based Kernel Prior and
Initializer via Latent Encoding"): one joint step on image and kernel, the change of the objective, the rates.
For kernels larger than any generator's see `methods/glkm/large.py`.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.glkm.large import SmallFirst, fit_latent
from methods.glkm.start import LatentSettings
from methods.parts.ending import EndingSettings, with_ending
from methods.parts.fit import Fit, build_fit
from methods.parts.image_priors.skip import PerturbedSkipSettings
from methods.parts.kernel_priors.protocol import KernelSetup
from methods.parts.limits import at_least
from methods.parts.presets import QUICK_BLIND
from methods.parts.registry import Method
from methods.parts.stages import MseThenSsim, Schedule


@dataclass(frozen=True)
class Settings:
    """The predecessor's published values; those of the image are SelfDeblur's."""

    objective: MseThenSsim = MseThenSsim()
    schedule: Schedule = Schedule()
    image: PerturbedSkipSettings = PerturbedSkipSettings()
    kernel: LatentSettings = LatentSettings()
    ending: EndingSettings = EndingSettings()
    # For non-uniform blur: in how many first iterations all nodes share one w. The paper gives no number.
    global_steps: int = 0

    def __post_init__(self) -> None:
        at_least(0, self, "global_steps")
        if self.global_steps and self.kernel.frozen:
            raise ValueError("frozen and global_steps are both about the first iterations; set one to 0")


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Fit | SmallFirst:
    """Build the fit of the observation's latent image and kernels. Raises as `fit_latent`."""
    schedule = settings.schedule

    def fit(observation: Observation, kernel: KernelSetup) -> Fit:
        blurry = torch.from_numpy(observation.blurry).to(device)
        image = settings.image.draw(
            len(blurry),
            (blurry.shape[1], blurry.shape[2]),
            kernel.prior.size,
            rng,
        )
        stages = settings.objective.stages(blurry, schedule.iterations)
        return build_fit(observation, image, kernel, stages, schedule, rng, device)

    return fit_latent(
        observation,
        settings.kernel,
        rng,
        device,
        fit,
        iterations=schedule.iterations,
        shared_iterations=settings.global_steps,
    )


METHOD = Method(
    name="dip-glkm",
    title="DIP-GLKM",
    paper="Generative Latent Kernel Modeling for Blind Motion Deblurring, eq. (7), (13), Algorithms 2, 4",
    licence="the predecessor's code and weights: non-commercial; this is our own code, with our own weights",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=with_ending(problem),
    files=lambda _, settings: settings.kernel.files(),
    uses=lambda settings: settings.kernel.methods_run_first(),
    presets={"quick": {**QUICK_BLIND, "latent_rate": 5e-3}},  # the rate of config/demo.yaml, for short runs
)
