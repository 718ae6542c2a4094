"""UFPNet, stage III: train the restoring network with frozen kernels, equation (8)."""

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.core.progress import Report
from methods.parts.limits import at_least
from methods.parts.seeding import initialised_from
from methods.parts.weight_files import fill
from methods.training.loop import Materials
from methods.training.pairs import Pairs, patches
from methods.training.registry import Training
from methods.training.restorer import (
    Losses,
    PairSettings,
    Recipe,
    RestorerTraining,
    psnr_loss,
    restored_with,
)
from methods.training.schedules import cosine
from methods.ufp import weights
from methods.ufp.network import Shape, UfpNet

STAGE: weights.Stage = "ufpnet"
KERNELS: weights.Stage = "ufpnet-kernels"  # the stage before
LAST_RATE = 1e-6


@dataclass(frozen=True)
class NafnetSettings(PairSettings):
    """A small NAFNet that is trained in minutes.

    The paper's: width 64, blocks 1, 1, 1, 28, 400,000 steps of 64 crops of 256 px, Adam with betas 0.9 and
    0.9, learning rate from 1e-3 to 1e-7, gradients clipped at 0.01.
    """

    width: int = 16  # see `methods.ufp.network.Shape`
    encoder: tuple[int, ...] = (1, 1, 1, 4)
    middle: int = 1
    decoder: tuple[int, ...] = (1, 1, 1, 1)
    rate: float = 1e-3  # learning rate at the beginning; it falls to LAST_RATE along a cosine
    weight_decay: float = 1e-3
    clip: float = 0.1  # largest norm of the gradient; the published 0.01 is for large batches

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "width", "middle")
        at_least(0, self, "rate", "weight_decay", "clip")
        if len(self.encoder) != len(self.decoder):
            raise ValueError(
                "encoder and decoder must have as many levels, "
                f"not {len(self.encoder)} and {len(self.decoder)}"
            )
        if self.crop % 2 ** len(self.encoder):
            raise ValueError(f"crop must be a multiple of {2 ** len(self.encoder)}, not {self.crop}")


@dataclass(frozen=True)
class Settings(NafnetSettings):
    """As `NafnetSettings`; `kernel_size` is that of the estimated kernels, too."""

    # The flow decodes the kernels of every such row and column, for it takes most of a step's time on a CPU;
    # kernels change slowly from pixel to pixel.
    decoded_every: int = 2
    reblur_weight: float = 0.01  # lambda; the published code multiplies by it twice

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "decoded_every")
        at_least(0, self, "reblur_weight")


def recipe(settings: NafnetSettings, decoded_every: int = 1, reblur_weight: float = 0.0) -> Recipe:
    """Return how NAFNet is trained, and UFPNet with the re-blurred image in the loss, equation (8)."""
    return Recipe(
        loss=partial(loss, decoded_every=decoded_every, reblur_weight=reblur_weight),
        optimiser=lambda restorer: torch.optim.AdamW(
            restorer.parameters(),
            lr=settings.rate,
            betas=(0.9, 0.9),
            weight_decay=settings.weight_decay,
            fused=True,
        ),
        rate=lambda share: cosine(settings.rate, share, LAST_RATE),
        clip=settings.clip,
        decoded_every=decoded_every,
    )


def loss(
    network: UfpNet,
    batch: Pairs,
    kernels: Tensor | None,
    rng: torch.Generator,
    decoded_every: int = 1,
    reblur_weight: float = 0.0,
) -> tuple[Tensor, Losses]:
    """Return equation (8) and its terms; without kernels it is the negative PSNR alone."""
    del rng
    with torch.autocast("cuda", torch.bfloat16, enabled=batch.blurry.is_cuda):
        restored = restored_with(network, batch.blurry, kernels).clamp(0, 1).float()
    fidelity = psnr_loss(restored, batch.frame)
    if kernels is None:
        return fidelity, {"negative PSNR": fidelity}
    reblur = reblur_loss(restored, kernels, batch.blurry, decoded_every)
    return fidelity + reblur_weight * reblur, {"reblur": reblur, "negative PSNR": fidelity}


def reblur_loss(images: Tensor, kernels: Tensor, blurry: Tensor, every: int = 1) -> Tensor:
    """Return the mean absolute error of re-blurred images.

    Args:
        images: restored, (B, 3, H, W).
        kernels: of their pixels, (B, L, H, W), correlation form.
        blurry: what the re-blurred images should be, (B, 3, H, W).
        every: only every such row and column counts.
    """
    margin = (round(kernels.shape[1] ** 0.5) - 1) // 2
    padded = functional.pad(images, (margin, margin, margin, margin), mode="replicate")
    reached = patches(padded, kernels.shape[1], every)
    reblurred = (reached * kernels[..., ::every, ::every].flatten(2)[:, None]).sum(2)
    error: Tensor = reblurred - blurry[..., ::every, ::every].flatten(2)
    return error.abs().mean()


def start(
    settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
) -> RestorerTraining:
    """Start the training. Raises InputError when estimator and flow are missing."""
    stored, shape = weights.load(materials.weights, KERNELS, settings.kernel_size)
    network = restorer_network(settings, shape, seed)
    for name in ("estimator", "flow"):
        module = getattr(network, name)
        if module is not None:
            fill(module, stored.part(name))
            module.eval().requires_grad_(False)
    chosen = recipe(settings, settings.decoded_every, settings.reblur_weight)
    return RestorerTraining(settings, chosen, network, STAGE, materials, seed, device, report)


def restorer_network(settings: NafnetSettings, kernels: Shape, seed: int) -> UfpNet:
    """Build a network: its kernels by the sizes in `kernels`, its restoring part by those in the settings."""
    shape = replace(
        kernels,
        width=settings.width,
        encoder=settings.encoder,
        middle=settings.middle,
        decoder=settings.decoder,
        attending=min(kernels.attending, len(settings.encoder)),
        trained_on=settings.crop,  # larger images have local means; in training means are global
    )
    with initialised_from(torch.Generator().manual_seed(seed)):
        return UfpNet(shape)


TRAINING = Training(
    name=STAGE,
    title="UFPNet, stage III: restoring network",
    paper=f"{weights.PAPER}, eq. (8)",
    settings=Settings,
    start=start,
    outputs=lambda settings: (weights.file_name(STAGE, settings.kernel_size),),
    inputs=lambda settings, folder: (folder / weights.file_name(KERNELS, settings.kernel_size),),
    photographs=True,
    pairs=True,
)
