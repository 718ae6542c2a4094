"""VDIP's three variants (-Std, -Sparse, -Extreme), each with its own kernel network or with GLKM.

D. Huo, A. Masoumzadeh, R. Kushol, Y.-H. Yang, "Blind Image Deconvolution Using Variational Deep Image
Prior", TPAMI 2023.

With GLKM ("Generative Latent Kernel Modeling for Blind Motion Deblurring", whose supplement has the details
and is not available) a generator gives the kernel. Pre-training leaves it at its start, and its energy is not
penalised: the generator is its prior. For kernels larger than any generator's see `methods/glkm/large.py`.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.glkm.large import SmallFirst, fit_latent
from methods.glkm.start import LatentSettings
from methods.parts.ending import EndingSettings, with_ending
from methods.parts.fit import Fit, build_fit, kernel_count
from methods.parts.image_priors.skip import SkipSettings
from methods.parts.kernel_priors.fcn import KERNEL_RATE, FcnSettings
from methods.parts.kernel_priors.protocol import KernelSetup
from methods.parts.limits import at_least, declared_size
from methods.parts.presets import QUICK_BLIND
from methods.parts.registry import Method
from methods.parts.stages import Schedule
from methods.parts.warm_start import StartSettings
from methods.vdip.bound import flat_kernel
from methods.vdip.regularisers import (
    ExtremeRegulariser,
    NoRegulariser,
    RegulariserWeights,
    SparseRegulariser,
)
from methods.vdip.stages import BoundSettings

PAPER = "Huo et al., Blind Image Deconvolution Using Variational Deep Image Prior, TPAMI 2023"
GLKM_PAPER = f"{PAPER}; kernel: Generative Latent Kernel Modeling for Blind Motion Deblurring"
LICENCE = "none stated by the authors' repository; this is our own code"
GLKM_LICENCE = f"{LICENCE}; GLKM predecessor's code and weights: non-commercial; ours are our own"


@dataclass(frozen=True)
class NetworkKernel:
    """Settings: VDIP's own kernel prior, the network of SelfDeblur."""

    network: FcnSettings = FcnSettings()
    kernel_rate: float = KERNEL_RATE  # learning rate of the kernel network
    start: StartSettings = StartSettings()

    def __post_init__(self) -> None:
        at_least(0, self, "kernel_rate")

    def draw(self, observation: Observation, rng: torch.Generator) -> KernelSetup:
        """Draw a network for each kernel of the observation.

        Raises:
            NotSupportedError: No kernel size is declared.
        """
        size = declared_size(observation, "VDIP")
        prior = self.network.draw(kernel_count(observation), size, rng)
        return KernelSetup(prior, self.kernel_rate, pretraining=flat_kernel)


@dataclass(frozen=True)
class Settings:
    """What all variants have; defaults are those of the authors' scripts.

    `iterations` are those after the pre-training, as in the scripts.
    """

    kernel: NetworkKernel | LatentSettings
    regulariser: NoRegulariser | SparseRegulariser | ExtremeRegulariser
    bound: BoundSettings = BoundSettings()
    schedule: Schedule = Schedule()
    image: SkipSettings = SkipSettings(code_channels=3)
    ending: EndingSettings = EndingSettings()


SPARSE_GLKM = RegulariserWeights(kernel_penalty=0.0)
# 5 iterations of pre-training, as in the script for the uniform blur of the Lai set. The script for real
# photographs has 500: set `pretraining_share` to 0.1 for them.
EXTREME_BOUND = BoundSettings(pretraining_share=1e-3)
EXTREME_GLKM = RegulariserWeights(ExtremeRegulariser().weights.prior_weights, kernel_penalty=0.0)


@dataclass(frozen=True)
class Std(Settings):
    """VDIP-Std."""

    kernel: NetworkKernel = NetworkKernel()
    regulariser: NoRegulariser = NoRegulariser()


@dataclass(frozen=True)
class Sparse(Settings):
    """VDIP-Sparse."""

    kernel: NetworkKernel = NetworkKernel()
    regulariser: SparseRegulariser = SparseRegulariser()


@dataclass(frozen=True)
class Extreme(Settings):
    """VDIP-Extreme."""

    kernel: NetworkKernel = NetworkKernel()
    regulariser: ExtremeRegulariser = ExtremeRegulariser()
    bound: BoundSettings = EXTREME_BOUND


@dataclass(frozen=True)
class StdGlkm(Settings):
    """VDIP-Std with GLKM."""

    kernel: LatentSettings = LatentSettings()
    regulariser: NoRegulariser = NoRegulariser()


@dataclass(frozen=True)
class SparseGlkm(Settings):
    """VDIP-Sparse with GLKM."""

    kernel: LatentSettings = LatentSettings()
    regulariser: SparseRegulariser = SparseRegulariser(SPARSE_GLKM)


@dataclass(frozen=True)
class ExtremeGlkm(Settings):
    """VDIP-Extreme with GLKM. Its pre-training is as long as VDIP-Extreme's."""

    kernel: LatentSettings = LatentSettings()
    regulariser: ExtremeRegulariser = ExtremeRegulariser(EXTREME_GLKM)
    bound: BoundSettings = EXTREME_BOUND


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Fit | SmallFirst:
    """Build the fit of the observation's latent image and kernels.

    Raises:
        NotSupportedError: No kernel size is declared, or as `ExtremeRegulariser` and `fit_latent`.
        WeightsMissingError: As `fit_latent`.
    """
    iterations = settings.schedule.iterations
    pretraining = settings.bound.pretraining(iterations)

    def fit(observation: Observation, kernel: KernelSetup) -> Fit:
        blurry = torch.from_numpy(observation.blurry).to(device)
        support = kernel.prior.size
        regularisers = settings.regulariser.objectives(observation, support)
        stages = settings.bound.stages(blurry, iterations, kernel.pretraining, regularisers)
        frame = (blurry.shape[1], blurry.shape[2])
        image = settings.image.draw(len(blurry), frame, support, rng, variational=True)
        return build_fit(
            observation, image, kernel, stages, settings.schedule, rng, device, pretraining=pretraining
        )

    if isinstance(settings.kernel, NetworkKernel):
        drawn = settings.kernel.draw(observation, rng)
        begun = settings.kernel.start.begun(drawn, observation, rng, device, iterations, pretraining)
        return fit(observation, begun)
    return fit_latent(
        observation, settings.kernel, rng, device, fit, iterations=iterations, pretraining=pretraining
    )


# Rates and shares of the presets are those of config/vdip.yaml, which were chosen by hand for short runs.
QUICK_BOUND = {**QUICK_BLIND, "bound_share": 0.2}


def _network(name: str, title: str, settings: type[Settings], quick_rate: float) -> Method:
    return Method(
        name=name,
        title=title,
        paper=PAPER,
        licence=LICENCE,
        blur_models=("uniform", "nonuniform"),
        settings=settings,
        problem=with_ending(problem),
        presets={"quick": {**QUICK_BOUND, "kernel_rate": quick_rate}},
        uses=lambda settings: settings.kernel.start.methods_run_first(),
    )


def _glkm(name: str, title: str, settings: type[Settings]) -> Method:
    return Method(
        name=f"{name}-glkm",
        title=f"{title}-GLKM",
        paper=GLKM_PAPER,
        licence=GLKM_LICENCE,
        blur_models=("uniform", "nonuniform"),
        settings=settings,
        problem=with_ending(problem),
        files=lambda _, settings: settings.kernel.files(),
        uses=lambda settings: settings.kernel.methods_run_first(),
        presets={"quick": {**QUICK_BOUND, "pretraining_share": 0.0, "latent_rate": 5e-3}},
    )


VARIANTS = (
    ("vdip-std", "VDIP-Std", Std, StdGlkm, 5e-4),
    ("vdip-sparse", "VDIP-Sparse", Sparse, SparseGlkm, 1e-3),
    ("vdip-extreme", "VDIP-Extreme", Extreme, ExtremeGlkm, 1e-3),
)
METHODS = tuple(
    method
    for name, title, network, glkm, quick_rate in VARIANTS
    for method in (_network(name, title, network, quick_rate), _glkm(name, title, glkm))
)
