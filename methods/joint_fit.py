"""Any image prior with any kernel prior, objective and stop: a row of an ablation is a line of a config.

The parts are those of the named methods: `selfdeblur` is skip, network and mse-ssim; `dip-glkm` skip,
generator and mse-ssim; `vdip-sparse` variational, network and sparse; and so on, all with a fixed stop. The
other one watches the last stage of an objective (see `methods/parts/stopping.py`). Those of `robust-bid` are
siren, residual and wmv, but for its read-out and its image network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from benchmark.core.types import NotSupportedError, Observation
from methods import robust_bid
from methods.glkm.large import SmallFirst
from methods.glkm.start import used_by, weight_files
from methods.parts.fit import Fit, Rates, Stage, middle, operator_for
from methods.parts.image_priors.skip import DeepImagePrior, VariationalImagePrior
from methods.parts.kernel_priors.convolutional import ConvolutionalKernel, convolutional_kernel
from methods.parts.kernel_priors.fcn import FcnSettings
from methods.parts.kernel_priors.siren import SirenKernel, SirenSettings
from methods.parts.losses import Objective
from methods.parts.registry import Method
from methods.parts.seeding import generator_from, initialised_from
from methods.parts.skip_settings import DipSettings
from methods.parts.stopping import StopSettings
from methods.vdip import bound
from methods.vdip import common as vdip
from methods.vdip import extreme as vdip_extreme
from methods.vdip import sparse as vdip_sparse


@dataclass(frozen=True)
class Settings(
    DipSettings,
    vdip_extreme.ExtremeSettings,
    FcnSettings,
    vdip.GlkmSettings,
    robust_bid.ResidualSettings,
    SirenSettings,
    StopSettings,
):
    """What the parts do not need, they ignore; values that the methods disagree on are SelfDeblur's."""

    image_prior: Literal["skip", "variational"] = "skip"
    kernel_prior: Literal["network", "siren", "convolutional", "generator"] = "network"
    # mse-ssim has the stages of SelfDeblur; residual is a data term and a regulariser from first to last; the
    # others have the stages of VDIP-Std, -Sparse and -Extreme.
    objective: Literal["mse-ssim", "residual", "std", "sparse", "extreme"] = "mse-ssim"
    code_channels: int = 8
    # VDIP-Sparse's.
    pretraining_share: float = 0.1
    prior_weights: tuple[float, ...] = (0.1, 0.01)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_siren()
        self.check_residual()
        if self.is_bound() and self.image_prior != "variational":
            raise ValueError(
                f"objective {self.objective} needs standard deviations of the image; "
                "set image_prior to variational"
            )
        self.check_stop(self.iterations)

    def pretraining(self) -> int:
        """Only the variational objectives have one."""
        return super().pretraining() if self.is_bound() else 0

    def is_bound(self) -> bool:
        """Whether the objective begins with a variational bound."""
        return self.objective in ("std", "sparse", "extreme")


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Fit | SmallFirst:
    """The observation's latent image and kernels as a joint fit, drawn from `rng`.

    Raises as `vdip.network_kernel`, `vdip.with_generator` and `vdip_extreme.regularisers`, and
    NotSupportedError for kernel priors of one kernel where the blur is not uniform.
    """

    def fitted(observation: Observation, kernel: vdip.Kernel) -> Fit:
        return _fit(observation, settings, rng, device, kernel)

    if settings.kernel_prior == "network":
        return fitted(observation, vdip.network_kernel(observation, settings, rng))
    if settings.kernel_prior == "generator":
        return vdip.with_generator(observation, settings, rng, device, fitted)
    return fitted(observation, _single_kernel(observation, settings, rng))


def _single_kernel(observation: Observation, settings: Settings, rng: torch.Generator) -> vdip.Kernel:
    if observation.kernel_size is None:
        raise NotSupportedError("joint-fit needs a declared kernel size")
    if observation.blur_model != "uniform":
        raise NotSupportedError(f"kernel_prior {settings.kernel_prior} is one of uniform blur")
    prior: SirenKernel | ConvolutionalKernel
    if settings.kernel_prior == "siren":
        prior = settings.siren(observation.kernel_size, rng)
    else:
        prior = convolutional_kernel(settings, observation.kernel_size, rng)
    return vdip.Kernel(prior, settings.kernel_rate, bound.flat_kernel)


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
    elif settings.objective == "residual":
        stages = [Stage(settings.data_term, settings.iterations, settings.residual(blurry))]
    else:
        regularisers = _regularisers(observation, kernel, settings)
        stages = vdip.stages(blurry, settings, kernel.prefit, regularisers)
    return Fit(
        image=prior(network, code, settings.code_noise).to(device),
        kernel=kernel.prior.to(device),
        operator=operator_for(observation),
        stages=kernel.staged(stages),
        rates=Rates(settings.image_rate, kernel.rate, settings.milestone_iterations()),
        read_out=middle(frame),
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
    paper="none; the parts are those of SelfDeblur, VDIP, GLKM and Robust BID",
    licence="this is our own code",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    files=_files,
    uses=lambda settings: used_by(settings.start) if settings.kernel_prior == "generator" else (),
)
