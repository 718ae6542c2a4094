"""BlindDPS: diffusion models of the image and of the kernel, sampled together.

H. Chung, J. Kim, S. Kim, J. C. Ye, "Parallel Diffusion Models of Operator and Image for Blind Inverse
Problems", CVPR 2023. Two methods: `blinddps`; and `blinddps-glkm`, with the latent features of a pre-trained
kernel generator. For the latter "Generative Latent Kernel Modeling for Blind Motion Deblurring", section
V-A2, refers to a supplement that is not available. Here the features w start where the initializer puts
them, and each step of the image is followed by one step of Adam on w.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.diffusion import prior as priors
from methods.diffusion.sampling import (
    KernelDiffusion,
    LatentWalk,
    ParallelSampling,
    SamplingSettings,
    drawing_from,
)
from methods.diffusion.view import View, ViewSettings, image_prior, prior_files
from methods.glkm.start import LatentSettings, latent_kernel
from methods.parts.ending import EndingSettings, with_ending
from methods.parts.limits import at_least, shares
from methods.parts.registry import Method
from methods.parts.seeding import generator_from
from methods.parts.weight_files import joined_labels


@dataclass(frozen=True)
class Settings:
    """Settings of `blinddps`: the values of the released code."""

    view: ViewSettings = ViewSettings()
    sampling: SamplingSettings = SamplingSettings()
    kernel_prior: str = ""  # file of the kernel model; the shipped one, of demo size, if empty
    # Which norm of the kernel is penalised, l0 or l1; the released script has l1.
    penalty_order: Literal[0, 1] = 1
    penalty_weight: float = 1.0  # weight of the penalised norm
    # Which kernel is penalised. normalised: that of sum 1, as in the released code. It changes nothing there:
    # its l1 norm is 1, and the l0 norm has no gradient. unnormalised: that before the division by its sum
    # (ours).
    penalty_on: Literal["normalised", "unnormalised"] = "normalised"
    ending: EndingSettings = EndingSettings()

    def __post_init__(self) -> None:
        at_least(0, self, "penalty_weight")


@dataclass(frozen=True)
class GlkmSettings:
    """Settings of `blinddps-glkm`: BlindDPS's values. The rates that the GLKM paper prints are lost."""

    view: ViewSettings = ViewSettings()
    sampling: SamplingSettings = SamplingSettings()
    # Chosen by us, of 3e-4, 1e-3, 3e-3 and, late, 5e-4, by the mean PSNR of four held-out faces of 64 px with
    # the demo's model and one seed, in a tenth of the steps at ten times the rate, so that w can move as far
    # (config/diffusion-rates.yaml, docs/results/diffusion-rates.csv).
    kernel: LatentSettings = LatentSettings(latent_rate=1e-3)
    # How fast the features w move: early estimates of the image are smooth, and draw any kernel towards a
    # point. growing: the rate times sqrt(A_t), like the image's correction. late: w rests until `late_share`
    # of the diffusion's steps are left.
    latent_schedule: Literal["growing", "late"] = "growing"
    late_share: float = 0.6  # share of the diffusion's steps during which w moves, for latent_schedule: late
    ending: EndingSettings = EndingSettings()

    def __post_init__(self) -> None:
        shares(self, "late_share")

    def without_effect(self) -> dict[str, str]:
        """Find the settings that the schedule does not use: see `methods.parts.settings.without_effect`."""
        schedule = f"latent_schedule: {self.latent_schedule}"  # which says when w rests
        return {"frozen": schedule} | ({"late_share": schedule} if self.latent_schedule == "growing" else {})


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> ParallelSampling:
    """Build the two chains. The kernel has the size of its model's kernels, plus 1.

    Raises:
        NotSupportedError: The declared kernel is larger than the model's, or as `View`.
        WeightsMissingError: One of the models is not there.
    """
    prior = image_prior(settings.view)
    kernel_prior = priors.load(priors.path_of(settings.kernel_prior, "diffusion-kernel"), "diffusion-kernel")
    side = kernel_prior.side
    assert side is not None  # as every model of kernels has one
    if observation.kernel_size is not None and max(observation.kernel_size) > side + 1 - side % 2:
        raise NotSupportedError(
            f"the kernel model is for kernels of up to {side} x {side}, not "
            f"{observation.kernel_size[0]} x {observation.kernel_size[1]}"
        )
    view = View(observation, settings.view, device, prior)
    kernel_prior.network.to(device)
    image = torch.randn(view.shape, generator=rng)
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
        settings=settings.sampling,
        draw=drawing_from(noise),
        rng=noise,
        weights=joined_labels(prior.label, kernel_prior.label),
    )


def glkm_problem(
    observation: Observation, settings: GlkmSettings, rng: torch.Generator, device: torch.device
) -> ParallelSampling:
    """Build the chain of images and the latent kernel.

    Raises:
        NotSupportedError: As `View` and `latent_kernel`.
        WeightsMissingError: One of the networks is not there.
    """
    prior = image_prior(settings.view)
    view = View(observation, settings.view, device, prior)
    kernel, label = latent_kernel(observation, settings.kernel, rng, device)
    image = torch.randn(view.shape, generator=rng)
    noise = generator_from(rng, device)
    return ParallelSampling(
        view=view,
        image=image.to(device),
        kernel=LatentWalk(
            kernel.to(device), settings.kernel.latent_rate, settings.latent_schedule, settings.late_share
        ),
        settings=settings.sampling,
        draw=drawing_from(noise),
        rng=noise,
        weights=joined_labels(prior.label, label),
    )


# A tenth of the steps. Lengths and rates were chosen on four held-out faces of 64 px with the demo's models:
# config/diffusion-rates.yaml, docs/results/diffusion-rates.csv.
SHORT = {"iterations": 100, "step_factor": 2.5}
SHORT_GLKM = {"iterations": 100, "step_factor": 10.0, "latent_rate": 1e-2}
METHODS = (
    Method(
        name="blinddps",
        title="BlindDPS",
        paper="Chung et al., Parallel Diffusion Models of Operator and Image for Blind Inverse Problems, "
        "CVPR 2023",
        licence="none stated by the authors' repository; this is our own code",
        blur_models=("uniform",),
        settings=Settings,
        problem=with_ending(problem),
        presets={"quick": SHORT},
        files=lambda _, settings: (
            prior_files(settings.view)
            + priors.files_of(priors.path_of(settings.kernel_prior, "diffusion-kernel"))
        ),
    ),
    Method(
        name="blinddps-glkm",
        title="BlindDPS-GLKM",
        paper="Generative Latent Kernel Modeling for Blind Motion Deblurring, section V-A2",
        licence="no code published; BlindDPS's states no licence; this is our own code",
        blur_models=("uniform",),
        settings=GlkmSettings,
        problem=with_ending(glkm_problem),
        presets={"quick": SHORT_GLKM},
        files=lambda _, settings: prior_files(settings.view) + settings.kernel.files(),
        uses=lambda settings: settings.kernel.methods_run_first(),
    ),
)
