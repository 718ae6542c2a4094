"""BIRD: the noise that a diffusion model turns into the sharp image, fitted together with a kernel.

H. Chihaoui, A. Lemkhenter, P. Favaro, "Blind Image Restoration via Fast Diffusion Inversion", NeurIPS 2024.
Three methods. `bird` has the kernel network of SelfDeblur. `bird-glkm` has the latent features of a
pre-trained kernel generator ("Generative Latent Kernel Modeling for Blind Motion Deblurring", equations (8)
to (10), Algorithm 3). `bird-nonuniform` is BIRD's way with non-uniform blur: it has no kernel, looks for the
noise behind the blurry image itself, and stops early, which leaves the model's sharpness.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.diffusion.inversion import Inversion, InversionSettings
from methods.diffusion.view import View, ViewSettings, image_prior, prior_files
from methods.glkm.start import LatentSettings, latent_kernel
from methods.parts.ending import EndingSettings, with_ending
from methods.parts.kernel_priors.fcn import FcnSettings
from methods.parts.kernel_priors.protocol import KernelSetup
from methods.parts.limits import at_least, declared_size
from methods.parts.registry import Method
from methods.parts.warm_start import StartSettings, resting
from methods.parts.weight_files import joined_labels

PAPER = "Chihaoui et al., Blind Image Restoration via Fast Diffusion Inversion, NeurIPS 2024"
LICENCE = "none stated by the authors' repository; this is our own code"


@dataclass(frozen=True)
class Settings:
    """Settings of `bird`: the values of the released code; the kernel network is SelfDeblur's."""

    view: ViewSettings = ViewSettings()
    inversion: InversionSettings = InversionSettings()
    kernel: FcnSettings = FcnSettings()
    kernel_rate: float = 2e-4  # learning rate of the kernel network
    start: StartSettings = StartSettings()
    ending: EndingSettings = EndingSettings()

    def __post_init__(self) -> None:
        at_least(0, self, "kernel_rate")


@dataclass(frozen=True)
class GlkmSettings:
    """Settings of `bird-glkm`: BIRD's values. The rates that the GLKM paper prints are lost."""

    view: ViewSettings = ViewSettings()
    inversion: InversionSettings = InversionSettings()
    # Chosen by us, of 5e-4, 2e-3, 5e-3 and 1e-2, by the mean PSNR of four held-out faces of 64 px with the
    # demo's model and one seed (config/diffusion-rates.yaml, docs/results/diffusion-rates.csv).
    kernel: LatentSettings = LatentSettings(latent_rate=5e-4)
    ending: EndingSettings = EndingSettings()


@dataclass(frozen=True)
class NonuniformSettings:
    """Settings of `bird-nonuniform`: the values of the released code."""

    view: ViewSettings = ViewSettings()
    inversion: InversionSettings = InversionSettings(iterations=25, image_rate=2e-3)


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Inversion:
    """Build the fit of noise and kernel network. An even kernel gets a row and a column of zeros.

    Raises:
        NotSupportedError: No kernel size is declared, or as `View`.
        WeightsMissingError: There is no diffusion model.
    """
    size = declared_size(observation, "bird")
    return _invert(
        observation,
        settings,
        rng,
        device,
        lambda: settings.start.begun(
            KernelSetup(settings.kernel.draw(1, size, rng), settings.kernel_rate),
            observation,
            rng,
            device,
            settings.inversion.iterations,
        ),
    )


def glkm_problem(
    observation: Observation, settings: GlkmSettings, rng: torch.Generator, device: torch.device
) -> Inversion:
    """Build the fit of noise and latent kernel.

    Raises:
        NotSupportedError: As `View` and `latent_kernel`.
        WeightsMissingError: One of the networks is not there.
    """

    def kernel() -> KernelSetup:
        prior, weights = latent_kernel(observation, settings.kernel, rng, device)
        rest = round(settings.kernel.frozen * settings.inversion.iterations)
        return resting(KernelSetup(prior, settings.kernel.latent_rate, weights), rest)

    return _invert(observation, settings, rng, device, kernel)


def nonuniform_problem(
    observation: Observation, settings: NonuniformSettings, rng: torch.Generator, device: torch.device
) -> Inversion:
    """Build the fit of the noise alone. Raises as `problem`, but needs no kernel size."""
    return _invert(observation, settings, rng, device)


def _invert(
    observation: Observation,
    settings: Settings | GlkmSettings | NonuniformSettings,
    rng: torch.Generator,
    device: torch.device,
    draw_kernel: Callable[[], KernelSetup] | None = None,  # None: no blur
) -> Inversion:
    """Draw the kernel, then the noise."""
    prior = image_prior(settings.view)
    view = View(observation, settings.view, device, prior)
    kernel = None if draw_kernel is None else draw_kernel()
    noise = torch.randn(view.shape, generator=rng)
    return Inversion(
        view=view,
        kernel=None if kernel is None else kernel.prior.to(device),
        noise=noise.to(device),
        settings=settings.inversion,
        kernel_rate=0.0 if kernel is None else kernel.rate,
        rest=0 if kernel is None else kernel.first_iterations,
        weights=joined_labels(prior.label, "" if kernel is None else kernel.weights),
    )


METHODS = (
    Method(
        name="bird",
        title="BIRD",
        paper=PAPER,
        licence=LICENCE,
        blur_models=("uniform",),
        settings=Settings,
        problem=with_ending(problem),
        files=lambda _, settings: prior_files(settings.view),
        uses=lambda settings: settings.start.methods_run_first(),
    ),
    Method(
        name="bird-glkm",
        title="BIRD-GLKM",
        paper="Generative Latent Kernel Modeling for Blind Motion Deblurring, eq. (8) to (10), Algorithm 3",
        licence="no code published; BIRD's states no licence; this is our own code",
        blur_models=("uniform",),
        settings=GlkmSettings,
        problem=with_ending(glkm_problem),
        files=lambda _, settings: prior_files(settings.view) + settings.kernel.files(),
        uses=lambda settings: settings.kernel.methods_run_first(),
    ),
    Method(
        name="bird-nonuniform",
        title="BIRD without a blur operator",
        paper=PAPER,
        licence=LICENCE,
        blur_models=("uniform", "nonuniform"),
        settings=NonuniformSettings,
        problem=nonuniform_problem,
        files=lambda _, settings: prior_files(settings.view),
    ),
)
