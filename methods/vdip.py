"""What the variants of VDIP have in common: settings, stages, and the fit that they are compositions of.

D. Huo, A. Masoumzadeh, R. Kushol, Y.-H. Yang, "Blind Image Deconvolution Using Variational Deep Image
Prior", TPAMI 2023, as their public code has it: pre-training of both networks, the variational bound, then
1 - SSIM of the mean. Its estimation of the noise level, which nothing calls, is left out. Updates whose
gradient is not a number, which it skips, are left to the solver: it goes back to its last checkpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import count, pairwise

import torch
from torch import Tensor

from benchmark.blur.convolution import uniform_blur
from benchmark.types import NotSupportedError, Observation
from methods import bound
from methods.fit import Fit, Flaw, Rates, Stage, initialised_from
from methods.image_priors.skip import SkipNetwork, VariationalImagePrior
from methods.kernel_priors.fcn import FcnKernel
from methods.losses import Objective, one_minus_ssim, weighted

CODE_SCALE = 0.1  # both codes are uniform on [0, 0.1)

COLLAPSED: Flaw = (
    "The standard deviations of the image collapsed to 0; raise the weight of the regularisers.",
    bound.collapsed,
)
EXPLODED: Flaw = (
    "The standard deviations of the image grew to the range of intensities; lower the learning rates "
    "or the weight of the regularisers.",
    bound.exploded,
)


@dataclass(frozen=True)
class Settings:
    """The values of the authors' scripts. The schedule is given in shares of `iterations`."""

    iterations: int = 5000  # those after pre-training, as in the scripts
    pretraining_share: float = 0.1  # 500 iterations before the 5000
    bound_share: float = 0.4  # the bound until 2000 of 5000, then 1 - SSIM of the mean
    milestones: tuple[float, ...] = (0.4, 0.6, 0.8)  # iterations 2000, 3000, 4000: both rates halved
    image_rate: float = 1e-2
    kernel_rate: float = 1e-4
    code_channels: int = 3
    channels: int = 128
    skip_channels: int = 16
    scales: int = 5

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 1 if field.type is int else 0
            if field.type in (int, float) and not value >= least:
                raise ValueError(f"{field.name} must be at least {least}, not {value}")
        if self.channels < 2:
            raise ValueError(
                f"channels must be at least 2 (the non-local block halves it), not {self.channels}"
            )
        for share in (self.bound_share, *self.milestones):
            if not 0 <= share <= 1:
                raise ValueError(f"bound_share and milestones must lie in [0, 1], not {share}")


@dataclass(frozen=True)
class RegularisedSettings(Settings):
    """What the variants with a regulariser add."""

    # Of the regulariser, in equally long parts of the bound's share: the scripts go on with a tenth of the
    # first one, their sigma_n, after 1000 iterations.
    prior_weights: tuple[float, ...] = (0.1, 0.01)
    kernel_penalty: float = 10.0  # times the kernel's energy, within the regulariser

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.prior_weights or min(self.prior_weights) < 0:
            raise ValueError(f"prior_weights must be numbers of at least 0, not {list(self.prior_weights)}")


def fit(
    observation: Observation,
    settings: Settings,
    rng: torch.Generator,
    device: torch.device,
    kernel: FcnKernel,
    kernel_prefit: Objective | None,
    regularisers: Sequence[Objective] = (),
) -> Fit:
    """The observation's latent image and its `kernel`, fitted together; the image network comes from `rng`.

    `kernel_prefit` is what pre-training asks of the kernel, None: nothing. See `stages` for `regularisers`.
    """
    blurry = torch.from_numpy(observation.blurry).to(device)
    channels, *frame = blurry.shape
    latent = [side + more - 1 for side, more in zip(frame, kernel.size, strict=True)]
    code = CODE_SCALE * torch.rand(1, settings.code_channels, *latent, generator=rng)
    with initialised_from(rng):
        network = SkipNetwork(
            settings.code_channels, 2 * channels, settings.channels, settings.skip_channels, settings.scales
        )
    samples = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=rng)))
    return Fit(
        image=VariationalImagePrior(network, code, noise_scale=0.0).to(device),
        kernel=kernel.to(device),
        operator=uniform_blur,
        stages=stages(blurry, settings, kernel_prefit, regularisers),
        rates=rates(settings),
        frame=(frame[0], frame[1]),
        rng=samples,
    )


def stages(
    blurry: Tensor, settings: Settings, kernel_prefit: Objective | None, regularisers: Sequence[Objective]
) -> list[Stage]:
    """Pre-training, the bound under one regulariser after another, equally long each, and 1 - SSIM.

    Without a regulariser only the data term of the bound is left (VDIP-Std), and nothing holds the deviations
    up: then that they vanish is no flaw.
    """
    prefits, misfit = [bound.image_prefit(blurry)], bound.expected_misfit(blurry)
    if kernel_prefit is not None:
        prefits.append(kernel_prefit)
    bounds = [weighted((1.0, regulariser), (1.0, misfit)) for regulariser in regularisers] or [misfit]
    flaws = [COLLAPSED, EXPLODED] if regularisers else [EXPLODED]
    iterations = round(settings.bound_share * settings.iterations)
    ends = [iterations * part // len(bounds) for part in range(len(bounds) + 1)]
    return [
        Stage("pre-training", pretraining(settings), weighted(*((1.0, prefit) for prefit in prefits))),
        *(
            Stage(f"bound-{part}", end - start, objective, flaws)
            for part, (start, end), objective in zip(count(1), pairwise(ends), bounds)
        ),
        Stage("1-ssim", settings.iterations - iterations, one_minus_ssim(blurry)),
    ]


def rates(settings: Settings) -> Rates:
    """The milestones count from the end of the pre-training on."""
    return Rates(
        image=settings.image_rate,
        kernel=settings.kernel_rate,
        milestones=[
            pretraining(settings) + round(share * settings.iterations) for share in settings.milestones
        ],
    )


def pretraining(settings: Settings) -> int:
    """Iterations of the pre-training."""
    return round(settings.pretraining_share * settings.iterations)


def fcn_kernel(observation: Observation, code: int, hidden: int, rng: torch.Generator) -> FcnKernel:
    """The kernel network, drawn from `rng`. Raises NotSupportedError without a declared kernel size."""
    if observation.kernel_size is None:
        raise NotSupportedError("VDIP needs a declared kernel size")
    with initialised_from(rng):
        return FcnKernel(CODE_SCALE * torch.rand(code, generator=rng), observation.kernel_size, hidden)
