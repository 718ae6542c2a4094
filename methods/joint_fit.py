"""Any image prior with any kernel prior, objective and stop: a row of an ablation is a line of a config.

The parts are those of the named methods: `selfdeblur` is skip, network and mse-ssim; `dip-glkm` skip,
generator and mse-ssim; `vdip-sparse` variational, network and sparse; and so on, all with a fixed stop. The
other one watches the last stage of an objective (see `methods/stopping.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from benchmark.types import Observation
from methods import vdip, vdip_extreme, vdip_sparse
from methods.dip import DipSettings
from methods.fit import Fit, Rates, Stage, generator_from, initialised_from, operator_for
from methods.glkm.large import SmallFirst
from methods.glkm.start import used_by, weight_files
from methods.image_priors.skip import DeepImagePrior, VariationalImagePrior
from methods.losses import Objective
from methods.registry import Method
from methods.stopping import StopSettings


@dataclass(frozen=True)
class Settings(DipSettings, vdip_extreme.ExtremeSettings, vdip.FcnSettings, vdip.GlkmSettings, StopSettings):
    """What the parts do not need, they ignore; values that the methods disagree on are SelfDeblur's."""

    image_prior: Literal["skip", "variational"] = "skip"
    kernel_prior: Literal["network", "generator"] = "network"
    # mse-ssim has the stages of SelfDeblur, the others those of VDIP-Std, -Sparse and -Extreme.
    objective: Literal["mse-ssim", "std", "sparse", "extreme"] = "mse-ssim"
    code_channels: int = 8
    # VDIP-Sparse's.
    pretraining_share: float = 0.1
    prior_weights: tuple[float, ...] = (0.1, 0.01)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.objective != "mse-ssim" and self.image_prior != "variational":
            raise ValueError(
                f"objective {self.objective} needs standard deviations of the image; "
                "set image_prior to variational"
            )
        self.check_stop(self.iterations)

    def pretraining(self) -> int:
        """Only the variational objectives have one."""
        return 0 if self.objective == "mse-ssim" else super().pretraining()


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Fit | SmallFirst:
    """The observation's latent image and kernels as a joint fit, drawn from `rng`.

    Raises as `vdip.network_kernel`, `vdip.with_generator` and `vdip_extreme.regularisers`.
    """

    def fitted(observation: Observation, kernel: vdip.Kernel) -> Fit:
        return _fit(observation, settings, rng, device, kernel)

    if settings.kernel_prior == "network":
        return fitted(observation, vdip.network_kernel(observation, settings, rng))
    return vdip.with_generator(observation, settings, rng, device, fitted)


def _fit(
    observation: Observation,
    settings: Settings,
    rng: torch.Generator,
    device: torch.device,
    kernel: vdip.Kernel,
) -> Fit:
    blurry = torch.from_numpy(observation.blurry).to(device)
    frame = (blurry.shape[1], blurry.shape[2])
    prior, outputs = {
        "skip": (DeepImagePrior, len(blurry)),
        "variational": (VariationalImagePrior, 2 * len(blurry)),
    }[settings.image_prior]
    code = settings.image_code(frame, kernel.prior.size, rng)
    with initialised_from(rng):
        network = settings.network(outputs)
    if settings.objective == "mse-ssim":
        stages: Sequence[Stage] = settings.stages(blurry)
    else:
        regularisers = _regularisers(observation, kernel, settings)
        stages = vdip.stages(blurry, settings, kernel.prefit, regularisers)
    return Fit(
        image=prior(network, code, settings.code_noise).to(device),
        kernel=kernel.prior.to(device),
        operator=operator_for(observation),
        stages=kernel.staged(stages),
        rates=Rates(settings.image_rate, kernel.rate, settings.milestone_iterations()),
        frame=frame,
        rng=generator_from(rng, device),
        weights=kernel.weights,
        stopper=settings.stopper(),
    )


def _regularisers(observation: Observation, kernel: vdip.Kernel, settings: Settings) -> list[Objective]:
    if settings.objective == "sparse":
        return vdip_sparse.regularisers(settings)
    if settings.objective == "extreme":
        return vdip_extreme.regularisers(observation, kernel, settings)
    return []


def _files(case: str, settings: Settings) -> list[Path]:
    return weight_files(case, settings) if settings.kernel_prior == "generator" else []


METHOD = Method(
    name="joint-fit",
    title="Joint fit",
    paper="none; the parts are those of SelfDeblur, VDIP and GLKM",
    licence="this is our own code",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    files=_files,
    uses=lambda settings: used_by(settings.start) if settings.kernel_prior == "generator" else (),
)
