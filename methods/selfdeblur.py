"""SelfDeblur: an untrained image network and an untrained kernel network, fitted to one blurry image.

D. Ren, K. Zhang, Q. Wang, Q. Hu, W. Zuo, "Neural Blind Deconvolution Using Deep Priors", CVPR 2020.
Where paper and published code differ (the code has no TV term, but a second stage with 1 - SSIM), this
follows the code: the published numbers come from it.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from benchmark.core.types import Observation
from methods.parts.colour import luma
from methods.parts.ending import EndingSettings, with_ending
from methods.parts.fit import Fit, ReadOut, build_fit, kernel_count, middle
from methods.parts.image_priors.skip import DeepImagePrior, PerturbedSkipSettings
from methods.parts.kernel_priors.fcn import KERNEL_RATE, SHORT_RUN_KERNEL_RATE, FcnSettings, fcn_kernels
from methods.parts.kernel_priors.protocol import KernelSetup
from methods.parts.limits import at_least, declared_size
from methods.parts.presets import QUICK, QUICK_BLIND
from methods.parts.registry import Method
from methods.parts.seeding import initialised_from
from methods.parts.solver import Result
from methods.parts.stages import MseThenSsim, Schedule
from methods.parts.warm_start import StartSettings

SHORT_RUN = 2000  # iterations: shorter runs have SHORT_RUN_KERNEL_RATE by default (ours, not the paper's)


@dataclass(frozen=True)
class Settings:
    """The values of the published scripts, and three settings that are not in the paper."""

    objective: MseThenSsim = MseThenSsim()
    schedule: Schedule = Schedule()
    image: PerturbedSkipSettings = PerturbedSkipSettings()
    kernel: FcnSettings = FcnSettings()
    # Learning rate of the kernel network. null: the scripts' 1e-4, or 5e-4 in runs below 2000 iterations.
    kernel_rate: float | None = None
    # How colour images are restored. joint: by one network with three outputs. luma: as in the YCbCr script,
    # the luma alone, with the chroma of the blurry image. For grey images both are the same.
    colour: Literal["joint", "luma"] = "joint"
    start: StartSettings = StartSettings()
    ending: EndingSettings = EndingSettings()

    def __post_init__(self) -> None:
        if self.kernel_rate is not None:
            at_least(0, self, "kernel_rate")

    def effective_kernel_rate(self) -> float:
        """Return `kernel_rate`, or its default for this length of run."""
        if self.kernel_rate is not None:
            return self.kernel_rate
        return SHORT_RUN_KERNEL_RATE if self.schedule.iterations < SHORT_RUN else KERNEL_RATE


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """Build the fit of the observation's latent image and kernels.

    Where the blur is not uniform, each node of the grid has a kernel network of its own ("adapted by
    integrating SVOLA" in the GLKM paper). Nothing keeps their kernels from drifting apart, which tears the
    image; the published scores show it, too.

    Raises:
        NotSupportedError: No kernel size is declared, or as `StartSettings.begun`.
    """
    size = declared_size(observation, "selfdeblur")
    count = kernel_count(observation)
    photo = torch.from_numpy(observation.blurry).to(device)
    blurry = luma(photo) if settings.colour == "luma" else photo
    frame, support = (blurry.shape[1], blurry.shape[2]), size
    # Both codes are drawn first, then the weights of both networks from one seed.
    image_code = settings.image.code(frame, support, rng)
    kernel_codes = settings.kernel.codes(count, rng)
    with initialised_from(rng):
        network = settings.image.network(len(blurry))
        kernel = fcn_kernels(kernel_codes, support, settings.kernel.kernel_hidden)
    setup = KernelSetup(kernel, settings.effective_kernel_rate())
    return build_fit(
        observation,
        DeepImagePrior(network, image_code, settings.image.code_noise),
        settings.start.begun(setup, observation, rng, device, settings.schedule.iterations),
        settings.objective.stages(blurry, settings.schedule.iterations),
        settings.schedule,
        rng,
        device,
        # In YCbCr, another luma under the same chroma is the same step in all three channels.
        read_out=_with_chroma_of(photo, blurry) if settings.colour == "luma" else None,
    )


def _with_chroma_of(photo: Tensor, blurry_luma: Tensor) -> ReadOut:
    restored_frame = middle((photo.shape[1], photo.shape[2]))

    def read_out(luma: Tensor, kernels: Tensor) -> Result:
        restored = restored_frame(luma, kernels)
        return replace(restored, image=photo + (restored.image - blurry_luma))

    return read_out


METHOD = Method(
    name="selfdeblur",
    title="SelfDeblur",
    paper="Ren et al., Neural Blind Deconvolution Using Deep Priors, CVPR 2020",
    licence="none stated by the authors' repository; this is our own code",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=with_ending(problem),
    # photo: what `blindbench deblur --effort high` adds. The kernel alone counts, so half of the run will do.
    presets={"quick": QUICK_BLIND, "photo": {**QUICK, "iterations": 300, "colour": "luma"}},
    uses=lambda settings: settings.start.methods_run_first(),
)
