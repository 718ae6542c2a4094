"""UFPNet: a normalizing flow gives a kernel for every pixel, and a restoring network attends to these.

Z. Fang, F. Wu, W. Dong, X. Li, J. Wu, G. Shi, "Self-supervised Non-uniform Kernel Estimation with Flow-based
Motion Prior for Blind Image Deblurring", CVPR 2023.
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
    """What may vary at test time; the sizes of the network come with its weights."""

    # A folder with the authors' net_g_latest.pth or a ufpnet-<k>.safetensors; empty: the package's own.
    weights: str = ""
    kernels: KernelSettings = KernelSettings()
    passes: PassSettings = PassSettings()


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Restore by one pass through the network, or by several. Raises WeightsMissingError without weights."""
    return restored_by(
        "ufpnet", settings.weights, observation, device, settings.kernels, settings.passes, rng
    )


METHOD = Method(
    name="ufpnet",
    title="UFPNet",
    paper=f"{weights.PAPER}, eq. (2) to (8)",
    licence="the authors' code has none; this is our own code, with our own weights",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    files=lambda _, settings: weights.files(weights_folder(settings.weights), "ufpnet"),
    properties=lambda: properties(Shape()),
    cost="seconds",
    kernels_per_pixel=True,
)
