"""SelfDeblur: an untrained image network and an untrained kernel network, fitted to one blurry image.

D. Ren, K. Zhang, Q. Wang, Q. Hu, W. Zuo, "Neural Blind Deconvolution Using Deep Priors", CVPR 2020.
Where paper and published code differ (the code has no TV term and a 1 - SSIM second stage), the code is
followed: the published numbers come from it.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from benchmark.core.types import NotSupportedError, Observation
from methods.parts.colour import luma
from methods.parts.fit import Fit, Rates, ReadOut, kernel_count, middle, operator_for
from methods.parts.image_priors.skip import DeepImagePrior
from methods.parts.kernel_priors.fcn import FcnSettings, fcn_kernels
from methods.parts.limits import at_least
from methods.parts.registry import Method
from methods.parts.seeding import generator_from, initialised_from
from methods.parts.skip_settings import DipSettings
from methods.parts.solver import Result
from methods.parts.warm_start import estimated_kernel, estimator, fit_to


@dataclass(frozen=True)
class Settings(DipSettings, FcnSettings):
    """The published scripts' values, and what is not in the paper."""

    # In few iterations the kernel hardly moves at the paper's rate and the result ends below the blurry
    # input, so runs shorter than `short_below` take `short_kernel_rate` (measured; not in the paper).
    short_below: int = 2000
    short_kernel_rate: float = 5e-4
    # joint: one network with three outputs and one kernel; luma: the YCbCr script's way, which restores the
    # luma alone and leaves the blurry image's chroma as it is. Grey images are the same either way.
    colour: Literal["joint", "luma"] = "joint"
    # A method, such as l0-grad, that estimates the kernel which the kernel network starts at (not in the
    # paper); None: random weights, whose kernel is nearly uniform.
    warm_start: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "kernel_code", "kernel_hidden")
        at_least(0, self, "kernel_rate", "short_kernel_rate", "short_below")
        if self.warm_start is not None:
            estimator(self.warm_start)


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernels as a joint fit, drawn from `rng`.

    Where the blur is not uniform, every node of the grid has a kernel network of its own ("adapted by
    integrating SVOLA" in the GLKM paper). Nothing keeps their kernels from drifting apart, which tears the
    image; the published scores show it too.
    Raises NotSupportedError without a declared kernel size, or when the warm start fails.
    """
    if observation.kernel_size is None:
        raise NotSupportedError("selfdeblur needs a declared kernel size")
    count = kernel_count(observation)
    if count > 1 and settings.warm_start is not None:
        raise NotSupportedError("selfdeblur has no warm start for non-uniform blur")
    photo = torch.from_numpy(observation.blurry).to(device)
    blurry = luma(photo) if settings.colour == "luma" else photo
    frame, support = (blurry.shape[1], blurry.shape[2]), observation.kernel_size
    image_code = settings.image_code(frame, support, rng)
    kernel_codes = settings.kernel_codes(count, rng)
    with initialised_from(rng):
        network = settings.network(len(blurry))
        kernel = fcn_kernels(kernel_codes, support, settings.kernel_hidden)
    perturbations = generator_from(rng, device)
    kernel.to(device)
    if settings.warm_start is not None:
        fit_to(kernel, estimated_kernel(settings.warm_start, observation, rng, device))
    short = settings.iterations < settings.short_below
    return Fit(
        image=DeepImagePrior(network, image_code, settings.code_noise).to(device),
        kernel=kernel,
        operator=operator_for(observation),
        stages=settings.stages(blurry),
        rates=Rates(
            image=settings.image_rate,
            kernel=settings.short_kernel_rate if short else settings.kernel_rate,
            milestones=settings.milestone_iterations(),
        ),
        # In YCbCr, another luma under the same chroma is the same step on all three channels.
        read_out=_with_chroma_of(photo, blurry) if settings.colour == "luma" else middle(frame),
        rng=perturbations,
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
    problem=problem,
    uses=lambda settings: () if settings.warm_start is None else (settings.warm_start,),
)
