"""What the variants of VDIP have in common: settings, stages, and the fit that they are compositions of.

D. Huo, A. Masoumzadeh, R. Kushol, Y.-H. Yang, "Blind Image Deconvolution Using Variational Deep Image
Prior", TPAMI 2023, as their public code has it: pre-training of both networks, the variational bound, then
1 - SSIM of the mean. Its estimation of the noise level, which nothing calls, is left out. Updates whose
gradient is not a number, which it skips, are left to the solver: it goes back to its last checkpoint.

With GLKM ("Generative Latent Kernel Modeling for Blind Motion Deblurring"; the supplement with the details is
not available) the kernel is a generator's instead of a network's, stays at its start during pre-training, and
is not penalised for its energy: the generator is its prior. Kernels larger than any generator's are treated
as in `methods/glkm/large.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import count, pairwise

import torch
from torch import Tensor

from benchmark.core.types import NotSupportedError, Observation
from methods.glkm.large import SmallFirst, small_first
from methods.glkm.latent import LatentKernel
from methods.glkm.start import LatentSettings, check_latent, latent_kernel
from methods.parts.fit import Fit, Flaw, Rates, Stage, beginning_with, kernel_count, middle, operator_for
from methods.parts.image_priors.skip import SkipSettings, VariationalImagePrior
from methods.parts.kernel_priors.convolutional import ConvolutionalKernel
from methods.parts.kernel_priors.fcn import FcnKernel, FcnKernels, FcnSettings
from methods.parts.kernel_priors.logits import LogitKernel
from methods.parts.kernel_priors.siren import SirenKernel
from methods.parts.losses import Objective, one_minus_ssim, weighted
from methods.parts.seeding import generator_from, initialised_from
from methods.vdip import bound

PAPER = "Huo et al., Blind Image Deconvolution Using Variational Deep Image Prior, TPAMI 2023"
GLKM_PAPER = f"{PAPER}; kernel: Generative Latent Kernel Modeling for Blind Motion Deblurring"
LICENCE = "none stated by the authors' repository; this is our own code"
GLKM_LICENCE = f"{LICENCE}; GLKM predecessor's code and weights: non-commercial; ours are our own"

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
class Settings(SkipSettings):
    """The values of the authors' scripts. `iterations` are those after the pre-training, as there."""

    pretraining_share: float = 0.1  # 500 iterations before the 5000
    bound_share: float = 0.4  # the bound until 2000 of 5000, then 1 - SSIM of the mean
    code_channels: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in fields(self):
            value, least = getattr(self, field.name), 1 if field.type is int else 0
            if field.type in (int, float) and not value >= least:
                raise ValueError(f"{field.name} must be at least {least}, not {value}")
        if self.bound_share > 1:
            raise ValueError(f"bound_share must lie in [0, 1], not {self.bound_share}")

    def pretraining(self) -> int:
        """Iterations of the pre-training."""
        return round(self.pretraining_share * self.iterations)

    def milestone_iterations(self) -> Sequence[int]:
        """They count from the end of the pre-training on."""
        return [self.pretraining() + milestone for milestone in super().milestone_iterations()]


@dataclass(frozen=True)
class RegularisedSettings(Settings):
    """What the variants with a regulariser add."""

    # Of the regulariser, in equally long parts of the bound's share: the scripts go on with a tenth of the
    # first one, their sigma_n, after 1000 iterations.
    prior_weights: tuple[float, ...] = (0.1, 0.01)
    kernel_penalty: float = 10.0  # times the kernel's energy, within the regulariser

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.prior_weights or not min(self.prior_weights) >= 0:
            raise ValueError(f"prior_weights must be numbers of at least 0, not {list(self.prior_weights)}")


@dataclass(frozen=True)
class GlkmSettings(Settings, LatentSettings):
    """What the variants with GLKM have in common."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_latent(self)


@dataclass(frozen=True)
class Kernel:
    """A kernel prior and how it is treated."""

    prior: ConvolutionalKernel | FcnKernel | FcnKernels | LatentKernel | LogitKernel | SirenKernel
    rate: float
    prefit: Objective | None  # what pre-training asks of it; None: nothing, it stays where it is
    weights: str = ""  # names the pre-trained weights in it
    # So many first iterations with these kernels.
    beginning: tuple[int, Callable[[], Tensor]] | None = None

    def staged(self, stages: Sequence[Stage]) -> Sequence[Stage]:
        """`stages` with its beginning."""
        return stages if self.beginning is None else beginning_with(*self.beginning, stages)


def network_kernel(observation: Observation, settings: FcnSettings, rng: torch.Generator) -> Kernel:
    """A network for each kernel, drawn from `rng`.

    Raises NotSupportedError without a declared kernel size.
    """
    if observation.kernel_size is None:
        raise NotSupportedError("VDIP needs a declared kernel size")
    prior = settings.kernel_networks(kernel_count(observation), observation.kernel_size, rng)
    return Kernel(prior, settings.kernel_rate, bound.flat_kernel)


def no_regularisers(observation: Observation, kernel: Kernel) -> Sequence[Objective]:
    """VDIP-Std's."""
    del observation, kernel
    return ()


def glkm_problem(
    observation: Observation,
    settings: GlkmSettings,
    rng: torch.Generator,
    device: torch.device,
    regularisers: Callable[[Observation, Kernel], Sequence[Objective]] = no_regularisers,
) -> Fit | SmallFirst:
    """The observation's latent image and a generator's kernels, drawn from `rng`.

    Raises NotSupportedError and WeightsMissingError as `latent_kernel`, and as `regularisers`.
    """

    def fitted(observation: Observation, kernel: Kernel) -> Fit:
        return fit(observation, settings, rng, device, kernel, regularisers(observation, kernel))

    return with_generator(observation, settings, rng, device, fitted)


def with_generator(
    observation: Observation,
    settings: GlkmSettings,
    rng: torch.Generator,
    device: torch.device,
    fitted: Callable[[Observation, Kernel], Fit],
) -> Fit | SmallFirst:
    """What `fitted` makes of an observation and a generator's kernels; of large ones, what it makes of both.

    Raises as `latent_kernel` and `small_first`.
    """

    def generated(observation: Observation) -> Fit:
        prior, weights = latent_kernel(observation, settings, rng, device)
        return fitted(observation, Kernel(prior, settings.latent_rate, None, weights))

    def free(prior: LogitKernel, weights: str) -> Fit:
        frozen = settings.pretraining() + round(settings.frozen_share * settings.iterations)
        kernel = Kernel(prior, settings.logit_rate, None, weights, (frozen, prior.frozen))
        return fitted(observation, kernel)

    return small_first(observation, generated, free)


def fit(
    observation: Observation,
    settings: Settings,
    rng: torch.Generator,
    device: torch.device,
    kernel: Kernel,
    regularisers: Sequence[Objective] = (),
) -> Fit:
    """The observation's latent image, its network drawn from `rng`, and `kernel`, fitted together."""
    blurry = torch.from_numpy(observation.blurry).to(device)
    frame = (blurry.shape[1], blurry.shape[2])
    code = settings.image_code(frame, kernel.prior.size, rng)
    with initialised_from(rng):
        network = settings.network(2 * len(blurry))
    return Fit(
        image=VariationalImagePrior(network, code, noise_scale=0.0).to(device),
        kernel=kernel.prior.to(device),
        operator=operator_for(observation),
        stages=kernel.staged(stages(blurry, settings, kernel.prefit, regularisers)),
        rates=Rates(settings.image_rate, kernel.rate, settings.milestone_iterations()),
        read_out=middle(frame),
        rng=generator_from(rng, device),
        weights=kernel.weights,
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
        Stage("pre-training", settings.pretraining(), weighted(*((1.0, prefit) for prefit in prefits))),
        *(
            Stage(f"bound-{part}", end - start, objective, flaws=flaws)
            for part, (start, end), objective in zip(count(1), pairwise(ends), bounds, strict=False)
        ),
        Stage("1-ssim", settings.iterations - iterations, one_minus_ssim(blurry)),
    ]
