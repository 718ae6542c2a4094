"""Train NAFNet, UFPNet's baseline: the same restoring network without kernels, on the same pairs."""

import torch

from benchmark.core.progress import Report
from methods.training.loop import Materials
from methods.training.registry import Training
from methods.training.restorer import RestorerTraining
from methods.training.ufpnet import NafnetSettings as Settings
from methods.training.ufpnet import recipe, restorer_network
from methods.ufp import weights
from methods.ufp.network import Shape

STAGE: weights.Stage = "nafnet"


def start(
    settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
) -> RestorerTraining:
    """Start the training; it needs no other network."""
    network = restorer_network(settings, Shape(kernel_size=0), seed)
    return RestorerTraining(settings, recipe(settings), network, STAGE, materials, seed, device, report)


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
