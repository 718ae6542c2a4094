"""Any image prior with any kernel prior, objective and stop: a row of an ablation is a line of a config.

The parts are those of the named methods. `selfdeblur` is skip, network and mse-ssim; `dip-glkm` is skip,
generator and mse-ssim; `vdip-sparse` is variational, network and sparse; all of them with a fixed stop.
`robust-bid` is siren, residual and wmv, but with another read-out and image network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.glkm.large import SmallFirst, fit_latent
from methods.glkm.start import LatentSettings
from methods.parts.ending import EndingSettings, with_ending
from methods.parts.fit import Fit, build_fit
from methods.parts.image_priors.skip import PerturbedSkipSettings
from methods.parts.kernel_priors.convolutional import convolutional_kernel
from methods.parts.kernel_priors.fcn import KERNEL_RATE, SHORT_RUN_KERNEL_RATE, FcnSettings
from methods.parts.kernel_priors.protocol import KernelPrior, KernelSetup
from methods.parts.kernel_priors.siren import SirenSettings
from methods.parts.limits import at_least, declared_size
from methods.parts.objectives import Objective, ResidualSettings
from methods.parts.presets import QUICK_BLIND
from methods.parts.registry import Method
from methods.parts.settings import flat
from methods.parts.stages import MseThenSsim, Schedule, Stage
from methods.parts.stopping import StopSettings
from methods.vdip.bound import flat_kernel
from methods.vdip.regularisers import ExtremeRegulariser, RegulariserWeights, SparseRegulariser
from methods.vdip.stages import BoundSettings
from methods.vdip.variants import NetworkKernel

BOUNDS = ("std", "sparse", "extreme")  # objectives that begin with VDIP's variational bound


@dataclass(frozen=True)
class Settings:
    """Where the methods disagree, defaults are SelfDeblur's; those of the bound are VDIP-Sparse's."""

    # Which network gives the image. skip: that of SelfDeblur. variational: that of VDIP, which gives standard
    # deviations, too.
    image_prior: Literal["skip", "variational"] = "skip"
    # Which network gives the kernel. network: SelfDeblur's. siren, convolutional: those of Robust BID.
    # generator: GLKM's.
    kernel_prior: Literal["network", "siren", "convolutional", "generator"] = "network"
    # What is minimised. mse-ssim: the two stages of SelfDeblur. residual: a data term and a regulariser, in
    # one stage. std, sparse, extreme: the stages of these variants of VDIP.
    objective: Literal["mse-ssim", "residual", "std", "sparse", "extreme"] = "mse-ssim"
    schedule: Schedule = Schedule()
    image: PerturbedSkipSettings = PerturbedSkipSettings()
    network: FcnSettings = FcnSettings()
    siren: SirenSettings = SirenSettings()
    generator: LatentSettings = LatentSettings()
    kernel_rate: float = KERNEL_RATE  # learning rate of the kernel's network, unless it is a generator
    mse_ssim: MseThenSsim = MseThenSsim()
    residual: ResidualSettings = ResidualSettings()
    bound: BoundSettings = BoundSettings()
    regulariser: ExtremeRegulariser = ExtremeRegulariser(RegulariserWeights())  # of sparse and extreme
    stopping: StopSettings = StopSettings()  # watches the last stage
    ending: EndingSettings = EndingSettings()

    def __post_init__(self) -> None:
        at_least(0, self, "kernel_rate")
        if self.objective in BOUNDS and self.image_prior != "variational":
            raise ValueError(
                f"objective {self.objective} needs standard deviations of the image; "
                "set image_prior to variational"
            )
        self.stopping.check_fits(self.schedule.iterations)

    def without_effect(self) -> dict[str, str]:
        """Find the settings of parts that were not chosen: see `methods.parts.settings.without_effect`."""
        kernel, objective = f"kernel_prior: {self.kernel_prior}", f"objective: {self.objective}"
        unused: dict[str, str] = {}
        for prior in ("network", "siren", "generator"):
            if prior != self.kernel_prior:
                unused |= dict.fromkeys(flat(getattr(self, prior)), kernel)
        if self.generator.methods_run_first():  # any prior can start at a method's kernel
            unused.pop("start", None)
            unused.pop("frozen", None)
        if self.kernel_prior == "generator":
            unused["kernel_rate"] = kernel
        if self.objective != "mse-ssim":
            unused |= dict.fromkeys(flat(self.mse_ssim), objective)
        if self.objective != "residual":
            unused |= dict.fromkeys(flat(self.residual), objective)
        if self.objective not in BOUNDS:
            unused |= dict.fromkeys(flat(self.bound), objective)
        if self.objective not in ("sparse", "extreme"):
            unused |= dict.fromkeys(flat(self.regulariser), objective)
        elif self.objective == "sparse":
            unused["patch"] = objective
        return unused

    def pretraining(self) -> int:
        """Return the iterations of the pre-training, which only the variational objectives have."""
        return self.bound.pretraining(self.schedule.iterations) if self.objective in BOUNDS else 0

    def stages(self, observation: Observation, blurry: Tensor, kernel: KernelSetup) -> Sequence[Stage]:
        """Return the stages of the objective; `blurry` is the observation's image on the device."""
        iterations = self.schedule.iterations
        if self.objective == "mse-ssim":
            return self.mse_ssim.stages(blurry, iterations)
        if self.objective == "residual":
            return [Stage(self.residual.data_term, iterations, self.residual.objective(blurry))]
        regularisers: Sequence[Objective] = ()
        if self.objective == "sparse":
            sparse = SparseRegulariser(self.regulariser.weights)
            regularisers = sparse.objectives(observation, kernel.prior.size)
        elif self.objective == "extreme":
            regularisers = self.regulariser.objectives(observation, kernel.prior.size)
        return self.bound.stages(blurry, iterations, kernel.pretraining, regularisers)


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Fit | SmallFirst:
    """Build the fit of the observation's latent image and kernels.

    Raises:
        NotSupportedError: No kernel size is declared; the kernel prior is one of a single kernel and the
            blur is not uniform; or as `fit_latent`, `ExtremeRegulariser` and `convolutional_kernel`.
        WeightsMissingError: As `fit_latent`.
    """

    def fit(observation: Observation, kernel: KernelSetup) -> Fit:
        blurry = torch.from_numpy(observation.blurry).to(device)
        image = settings.image.draw(
            len(blurry),
            (blurry.shape[1], blurry.shape[2]),
            kernel.prior.size,
            rng,
            variational=settings.image_prior == "variational",
        )
        return build_fit(
            observation,
            image,
            kernel,
            settings.stages(observation, blurry, kernel),
            settings.schedule,
            rng,
            device,
            pretraining=settings.pretraining(),
            stopper=settings.stopping.stopper(),
        )

    if settings.kernel_prior == "generator":
        return fit_latent(
            observation,
            settings.generator,
            rng,
            device,
            fit,
            iterations=settings.schedule.iterations,
            pretraining=settings.pretraining(),
        )
    if settings.kernel_prior == "network":
        drawn = NetworkKernel(settings.network, settings.kernel_rate).draw(observation, rng)
    else:
        drawn = _single_kernel(observation, settings, rng)
    start, iterations = settings.generator.for_other_priors(), settings.schedule.iterations
    return fit(observation, start.begun(drawn, observation, rng, device, iterations, settings.pretraining()))


def _single_kernel(observation: Observation, settings: Settings, rng: torch.Generator) -> KernelSetup:
    size = declared_size(observation, "joint-fit")
    if observation.blur_model != "uniform":
        raise NotSupportedError(f"kernel_prior {settings.kernel_prior} is one of uniform blur")
    prior: KernelPrior
    if settings.kernel_prior == "siren":
        prior = settings.siren.draw(size, rng)
    else:
        prior = convolutional_kernel(settings.image, size, rng)
    return KernelSetup(prior, settings.kernel_rate, pretraining=flat_kernel)


def _files(case: str, settings: Settings) -> list[Path]:
    del case
    return settings.generator.files() if settings.kernel_prior == "generator" else []


def _uses(settings: Settings) -> tuple[str, ...]:
    return settings.generator.methods_run_first()


METHOD = Method(
    name="joint-fit",
    title="Joint fit",
    paper="none; the parts are those of SelfDeblur, VDIP, GLKM and Robust BID",
    licence="this is our own code",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=with_ending(problem),
    files=_files,
    uses=_uses,
    presets={"quick": {**QUICK_BLIND, "kernel_rate": SHORT_RUN_KERNEL_RATE}},
)
