"""Train MIMO-UNet+ as in its paper, on the same pairs as NAFNet."""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.core.progress import Report
from methods.parts.limits import at_least
from methods.parts.seeding import initialised_from
from methods.training.loop import Materials
from methods.training.pairs import Pairs
from methods.training.registry import Training
from methods.training.restorer import Losses, PairSettings, Recipe, RestorerTraining
from methods.training.schedules import halved
from methods.ufp import weights
from methods.ufp.mimo import MimoUnet, multi_scale_loss
from methods.ufp.network import UfpNet, mimo_shape

STAGE: weights.Stage = "mimo"
RATES = 6  # the published rate is halved after every 500 of 3,000 epochs


@dataclass(frozen=True)
class Settings(PairSettings):
    """A small network that is trained in minutes.

    The published one: width 32, blocks 20, 3,000 epochs of 526 steps of 4 crops of 256 px, Adam with learning
    rate 1e-4, halved after every 500 epochs.
    """

    width: int = 8  # channels at full size
    blocks: int = 2  # residual blocks in each of the three encoders and decoders
    steps: int = 2000
    rate: float = 1e-3  # learning rate at the beginning; it is halved after every sixth of the training

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "blocks")
        at_least(8, self, "width")
        at_least(0, self, "rate")
        if self.width % 4:
            raise ValueError(f"width must be a multiple of 4, not {self.width}")
        if self.crop % 4:
            raise ValueError(f"crop must be a multiple of 4, not {self.crop}")


def recipe(settings: Settings, decoded_every: int = 1) -> Recipe:
    """Return how MIMO-UNet+ is trained."""
    return Recipe(
        loss=loss,
        optimiser=lambda restorer: torch.optim.Adam(restorer.parameters(), lr=settings.rate, fused=True),
        rate=lambda share: halved(settings.rate, share, RATES),
        decoded_every=decoded_every,
    )


def loss(
    network: UfpNet, batch: Pairs, kernels: Tensor | None, rng: torch.Generator
) -> tuple[Tensor, Losses]:
    """Return the network's own loss at three scales; `rng` draws which features a step leaves out."""
    restorer = network.restorer
    assert isinstance(restorer, MimoUnet)
    features = [] if kernels is None else restorer.kernel_features(kernels)
    with initialised_from(rng):
        residuals = restorer.residuals(batch.blurry, features)
    total = multi_scale_loss(batch.blurry, residuals, batch.frame)
    return total, {"error": total}


def start(
    settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
) -> RestorerTraining:
    """Start the training; it needs no other network."""
    with initialised_from(torch.Generator().manual_seed(seed)):
        network = UfpNet(mimo_shape(settings.width, settings.blocks))
    return RestorerTraining(settings, recipe(settings), network, STAGE, materials, seed, device, report)


TRAINING = Training(
    name=STAGE,
    title="MIMO-UNet+: restoring network of three scales",
    paper=weights.MIMO_PAPER,
    settings=Settings,
    start=start,
    outputs=lambda _: (weights.file_name(STAGE, 0),),
    photographs=True,
    pairs=True,
)
