"""MIMO-UNet+, and the same network with UFPNet's attention to kernels: two rows of UFPNet's Table 6.

S.-J. Cho, S.-W. Ji, J.-P. Hong, S.-W. Jung, S.-J. Ko, "Rethinking Coarse-to-Fine Approach in Single Image
Deblurring", ICCV 2021. The kernels are those of UFPNet: see `methods/ufpnet.py`.
"""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.parts.direct import Direct
from methods.parts.registry import Method
from methods.parts.weight_files import weights_folder
from methods.ufp import weights
from methods.ufp.counts import properties
from methods.ufp.network import mimo_shape
from methods.ufp.restoration import KernelSettings, PassSettings, restored_by


@dataclass(frozen=True)
class Settings:
    """Where the weights of MIMO-UNet+ lie; the sizes of the network come with them."""

    # A folder with the authors' MIMO-UNetPlus.pkl or a mimo.safetensors; empty: the package's own folder.
    weights: str = ""
    passes: PassSettings = PassSettings()


@dataclass(frozen=True)
class KernelsSettings:
    """What may vary at test time where the network attends to kernels."""

    weights: str = ""  # a folder with a mimo-ufp-<k>.safetensors; empty: the package's own folder
    kernels: KernelSettings = KernelSettings()
    passes: PassSettings = PassSettings()


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Restore by one pass through the network. Raises WeightsMissingError without weights."""
    return restored_by("mimo", settings.weights, observation, device, KernelSettings(), settings.passes, rng)


def problem_with_kernels(
    observation: Observation, settings: KernelsSettings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Restore by one pass through the network, or by several. Raises WeightsMissingError without weights."""
    return restored_by(
        "mimo-ufp", settings.weights, observation, device, settings.kernels, settings.passes, rng
    )


METHODS = (
    Method(
        name="mimo",
        title="MIMO-UNet+",
        paper=weights.MIMO_PAPER,
        licence="the authors' code has none; this is our own code",
        blur_models=("uniform", "nonuniform"),
        settings=Settings,
        problem=problem,
        files=lambda _, settings: weights.files(weights_folder(settings.weights), "mimo"),
        properties=lambda: properties(mimo_shape()),
        cost="seconds",
    ),
    Method(
        name="mimo-ufp",
        title="MIMO-UNet+ with UFPNet's kernels",
        paper=f"{weights.PAPER}, Table 6, and {weights.MIMO_PAPER}",
        licence="the authors released no code of it; this is our own code",
        blur_models=("uniform", "nonuniform"),
        settings=KernelsSettings,
        problem=problem_with_kernels,
        files=lambda _, settings: weights.files(weights_folder(settings.weights), "mimo-ufp"),
        cost="seconds",
    ),
)
