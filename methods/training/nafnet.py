"""Train NAFNet, UFPNet's baseline: the same restoring network without kernels, on the same pairs."""

from dataclasses import dataclass

import torch

from benchmark.core.progress import Report
from methods.training.loop import Materials
from methods.training.registry import Training
from methods.training.ufpnet import RestorerSettings, RestorerTraining, restorer_network
from methods.ufp import weights
from methods.ufp.network import Shape

STAGE: weights.Stage = "nafnet"


@dataclass(frozen=True)
class Settings(RestorerSettings):
    """As in the third stage of UFPNet; `kernel_size` is that of the blur in the training pairs."""


def start(
    settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
) -> RestorerTraining:
    """Start the training; it needs no other network."""
    network = restorer_network(settings, Shape(kernel_size=0), seed)
    return RestorerTraining(settings, network, STAGE, materials, seed, device, report)


TRAINING = Training(
    name=STAGE,
    title="NAFNet: restoring network without kernels",
    paper=weights.NAFNET_PAPER,
    settings=Settings,
    start=start,
    outputs=lambda _: (weights.file_name(STAGE, 0),),
    photographs=True,
    pairs=True,
)
