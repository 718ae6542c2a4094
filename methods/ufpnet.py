"""UFPNet: a normalizing flow gives a kernel for every pixel, and a restoring network attends to these.

Z. Fang, F. Wu, W. Dong, X. Li, J. Wu, G. Shi, "Self-supervised Non-uniform Kernel Estimation with Flow-based
Motion Prior for Blind Image Deblurring", CVPR 2023.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from benchmark.core.types import Observation
from methods.parts.direct import Direct
from methods.parts.limits import at_least
from methods.parts.registry import Method
from methods.parts.weight_files import weights_folder
from methods.ufp import weights
from methods.ufp.counts import properties
from methods.ufp.network import Shape
from methods.ufp.restoration import NetworkRestoration, draws


@dataclass(frozen=True)
class Settings:
    """What may vary at test time; the sizes of the network come with its weights."""

    # A folder with the authors' net_g_latest.pth or a ufpnet-<k>.safetensors; empty: the package's own.
    weights: str = ""
    # Noise on the kernels' codes, equations (5) and (6). zero: none. sample: one draw, as in the authors'
    # code; the paper speaks of it for training only. mean: the mean image of several draws.
    noise: Literal["zero", "sample", "mean"] = "zero"
    samples: int = 8  # how many draws there are, for noise: mean
    field_stride: int = 0  # px between the kernels that are kept; 0: so many that at most 4,096 are kept

    def __post_init__(self) -> None:
        at_least(1, self, "samples")
        at_least(0, self, "field_stride")

    def without_effect(self) -> dict[str, str]:
        """Find the settings that `noise` does not use: see `methods.parts.settings.without_effect`."""
        return {} if self.noise == "mean" else {"samples": f"noise: {self.noise}"}


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Restore by one pass through the network, or by several. Raises WeightsMissingError without weights."""
    network, label = weights.load_network(weights_folder(settings.weights), "ufpnet")
    count = {"zero": 0, "sample": 1, "mean": settings.samples}[settings.noise]
    generators = draws(count, rng, device) or [None]
    restoration = NetworkRestoration(observation, network, device, settings.field_stride, generators)
    return restoration.as_problem(label)


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
)
