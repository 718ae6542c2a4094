"""NAFNet: the network to which UFPNet adds kernels, and its baseline.

L. Chen, X. Chu, X. Zhang, J. Sun, "Simple Baselines for Image Restoration", ECCV 2022.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.parts.direct import Direct
from methods.parts.registry import Method
from methods.parts.weight_files import weights_folder
from methods.ufp import weights
from methods.ufp.counts import properties
from methods.ufp.network import Shape
from methods.ufp.restoration import KernelSettings, PassSettings, restored_by


@dataclass(frozen=True)
class Settings:
    """Where the weights lie; the sizes of the network come with them."""

    # A folder with the authors' NAFNet-GoPro-width64.pth or a nafnet.safetensors; empty: the package's own.
    weights: str = ""
    passes: PassSettings = PassSettings()


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Restore by one pass through the network. Raises WeightsMissingError without weights."""
    return restored_by(
        "nafnet", settings.weights, observation, device, KernelSettings(), settings.passes, rng
    )


METHOD = Method(
    name="nafnet",
    title="NAFNet",
    paper=weights.NAFNET_PAPER,
    licence="MIT; this is our own code, with our own weights",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    files=lambda _, settings: weights.files(weights_folder(settings.weights), "nafnet"),
    properties=lambda: properties(Shape(kernel_size=0)),
    cost="seconds",
)
