"""Train MIMO-UNet+ with the kernels of a trained UFPNet, as for the UFPNet paper's Table 6.

The paper says that the kernels are pre-trained and that the network is retrained by its authors' code. All
else is as in `methods/training/mimo.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmark.core.errors import InputError, WeightsMissingError
from benchmark.core.progress import Report
from methods.parts.limits import at_least
from methods.parts.seeding import initialised_from
from methods.parts.weight_files import weights_folder
from methods.training import mimo
from methods.training.loop import Materials
from methods.training.registry import Training
from methods.training.restorer import RestorerTraining
from methods.ufp import weights
from methods.ufp.network import UfpNet, mimo_shape

STAGE: weights.Stage = "mimo-ufp"


@dataclass(frozen=True)
class Settings(mimo.Settings):
    """As for MIMO-UNet+; `kernel_size` is that of UFPNet's kernels, too."""

    # A folder with a trained UFPNet, whose kernel estimator and flow are used: the authors' net_g_latest.pth
    # or a ufpnet-<k>.safetensors; empty: the package's own.
    kernels_from: str = ""
    decoded_every: int = 2  # the flow decodes the kernels of every such row and column

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "decoded_every")


def start(
    settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
) -> RestorerTraining:
    """Start the training. Raises InputError when there is no UFPNet with kernels of the right size."""
    folder = weights_folder(settings.kernels_from)
    try:
        trained, _ = weights.load_network(folder, "ufpnet")
    except WeightsMissingError as error:
        raise InputError(f"kernels_from: {error}") from error
    size = trained.shape.kernel_size
    if size != settings.kernel_size:
        raise InputError(
            f"kernels_from: {folder}: has kernels of {size} px, not {settings.kernel_size}; "
            f"set kernel_size to {size}"
        )
    with initialised_from(torch.Generator().manual_seed(seed)):
        network = UfpNet(mimo_shape(settings.width, settings.blocks, trained.shape))
    network.estimator, network.flow = trained.estimator, trained.flow  # frozen
    recipe = mimo.recipe(settings, settings.decoded_every)
    return RestorerTraining(settings, recipe, network, STAGE, materials, seed, device, report)


def _inputs(settings: Settings, folder: Path) -> Sequence[Path]:
    del folder
    source = weights_folder(settings.kernels_from)
    return weights.files(source, "ufpnet") or [source / weights.file_name("ufpnet", settings.kernel_size)]


TRAINING = Training(
    name=STAGE,
    title="MIMO-UNet+ with UFPNet's kernels",
    paper=f"{weights.PAPER}, Table 6, and {weights.MIMO_PAPER}",
    settings=Settings,
    start=start,
    outputs=lambda settings: (weights.file_name(STAGE, settings.kernel_size),),
    inputs=_inputs,
    photographs=True,
    pairs=True,
)
