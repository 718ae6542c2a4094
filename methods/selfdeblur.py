"""SelfDeblur: an untrained image network and an untrained kernel network, fitted to one blurry image.

D. Ren, K. Zhang, Q. Wang, Q. Hu, W. Zuo, "Neural Blind Deconvolution Using Deep Priors", CVPR 2020.
Where paper and published code differ (the code has no TV term, but a second stage with 1 - SSIM), this
follows the code: the published numbers come from it.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from benchmark.core.types import NotSupportedError, Observation
from methods.parts.colour import luma
from methods.parts.fit import Fit, ReadOut, build_fit, kernel_count, middle
from methods.parts.image_priors.skip import DeepImagePrior, PerturbedSkipSettings
from methods.parts.kernel_priors.fcn import KERNEL_RATE, FcnSettings, fcn_kernels
from methods.parts.kernel_priors.protocol import KernelSetup
from methods.parts.limits import at_least
from methods.parts.registry import Method
from methods.parts.seeding import initialised_from
from methods.parts.solver import Result
from methods.parts.stages import MseThenSsim, Schedule
from methods.parts.warm_start import estimated_kernel, estimator, fit_to

# Ours, not the paper's: in few iterations the kernel hardly moves at the scripts' rate.
SHORT_RUN = 2000  # iterations: runs below this
SHORT_RUN_KERNEL_RATE = 5e-4  # have this rate by default


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
    # A method, such as l0-grad, at whose kernel the kernel network starts (not in the paper). null: random
    # weights, whose kernel is nearly uniform.
    warm_start: str | None = None

    def __post_init__(self) -> None:
        if self.kernel_rate is not None:
            at_least(0, self, "kernel_rate")
        if self.warm_start is not None:
            estimator(self.warm_start)  # raises InputError unless the method estimates kernels

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
        NotSupportedError: No kernel size is declared, or the warm start fails.
    """
    if observation.kernel_size is None:
        raise NotSupportedError("selfdeblur needs a declared kernel size")
    count = kernel_count(observation)
    if count > 1 and settings.warm_start is not None:
        raise NotSupportedError("selfdeblur has no warm start for non-uniform blur")
    photo = torch.from_numpy(observation.blurry).to(device)
    blurry = luma(photo) if settings.colour == "luma" else photo
    frame, support = (blurry.shape[1], blurry.shape[2]), observation.kernel_size
    # Both codes are drawn first, then the weights of both networks from one seed.
    image_code = settings.image.code(frame, support, rng)
    kernel_codes = settings.kernel.codes(count, rng)
    with initialised_from(rng):
        network = settings.image.network(len(blurry))
        kernel = fcn_kernels(kernel_codes, support, settings.kernel.kernel_hidden)
    fit = build_fit(
        observation,
        DeepImagePrior(network, image_code, settings.image.code_noise),
        KernelSetup(kernel, settings.effective_kernel_rate()),
        settings.objective.stages(blurry, settings.schedule.iterations),
        settings.schedule,
        rng,
        device,
        # In YCbCr, another luma under the same chroma is the same step in all three channels.
        read_out=_with_chroma_of(photo, blurry) if settings.colour == "luma" else None,
    )
    if settings.warm_start is not None:
        fit_to(fit.kernel, estimated_kernel(settings.warm_start, observation, rng, device))
    return fit


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
    problem=problem,
    uses=lambda settings: () if settings.warm_start is None else (settings.warm_start,),
)
