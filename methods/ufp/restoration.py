"""Restore an observation by a trained network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import rotate_180
from benchmark.core.types import Observation
from methods.parts.direct import Direct
from methods.parts.limits import at_least
from methods.parts.seeding import generator_from
from methods.parts.solver import Result
from methods.parts.weight_files import weights_folder
from methods.ufp import weights
from methods.ufp.network import UfpNet

MOST_KERNELS = 4096  # in a kernel field, unless a stride is given


@dataclass(frozen=True)
class KernelSettings:
    """What may vary in the kernels of a trained network at test time; a part of a method's settings."""

    # Noise on the kernels' codes, equations (5) and (6). sample: one draw, as in the authors' code at test
    # time, too. zero: none; the paper speaks of noise for the training only. mean: the mean image of several
    # draws.
    noise: Literal["sample", "zero", "mean"] = "sample"
    samples: int = 8  # how many draws there are, for noise: mean
    field_stride: int = 0  # px between the kernels that are kept; 0: so many that at most 4,096 are kept

    def __post_init__(self) -> None:
        at_least(1, self, "samples")
        at_least(0, self, "field_stride")

    def without_effect(self) -> dict[str, str]:
        """Find the settings that `noise` does not use: see `methods.parts.settings.without_effect`."""
        return {} if self.noise == "mean" else {"samples": f"noise: {self.noise}"}

    def generators(self, rng: torch.Generator, device: torch.device) -> list[torch.Generator | None]:
        """Make a generator of noise for each pass of the network, seeded by `rng`; None: no noise."""
        count = {"zero": 0, "sample": 1, "mean": self.samples}[self.noise]
        return [generator_from(rng, device) for _ in range(count)] or [None]


class NetworkRestoration:
    """One restoration, by one or several passes of a network."""

    def __init__(
        self,
        observation: Observation,
        network: UfpNet,
        device: torch.device,
        stride: int,
        generators: Sequence[torch.Generator | None],
    ) -> None:
        """Prepare a restoration.

        Args:
            observation: the case.
            network: the trained network.
            device: where it runs.
            stride: rows and columns between the kernels that are kept; 0: as few as keep at most
                MOST_KERNELS.
            generators: the result is the mean of one pass for each. A generator draws the noise on the codes
                of the kernels; None stands for no noise.
        """
        self.blurry = torch.from_numpy(observation.blurry).to(device)
        self.network, self.generators = network.to(device), generators
        self.grid = observation.grid
        pixels = self.blurry.shape[1] * self.blurry.shape[2]
        self.stride = stride or math.ceil((pixels / MOST_KERNELS) ** 0.5)

    @torch.no_grad()
    def restore(self) -> Result:
        """Run the network, and average its kernels over each patch of the blur model, with sum 1 each.

        The kernel field holds the kernels as the network has them. A grey image goes in as three equal
        colours, whose mean comes out.
        """
        colours = self.blurry.expand(3, -1, -1)[None]
        passes = [self.network(colours, rng, self.stride) for rng in self.generators]
        restored = torch.stack([image[0] for image, _ in passes]).mean(0)
        if len(self.blurry) == 1:
            restored = restored.mean(0, keepdim=True)
        fields = [kernels[0] for _, kernels in passes if kernels is not None]
        if not fields:
            return Result(restored)
        field = torch.stack(fields).mean(0)
        kernels = as_kernels(functional.adaptive_avg_pool2d(field, self.grid)).flatten(0, 1)
        return Result(restored, kernels / kernels.sum((-2, -1), keepdim=True), as_kernels(field))

    def as_problem(self, label: str) -> Direct:
        """Return the restoration as a problem for the solver; `label` names the weights."""
        return Direct(self.restore, self.blurry.device, label)


def restored_by(
    stage: weights.Stage,
    folder: str,
    observation: Observation,
    device: torch.device,
    kernels: KernelSettings,
    rng: torch.Generator,
) -> Direct:
    """Build the problem of a method that restores by a trained network.

    Args:
        stage: names the network.
        folder: the method's setting `weights`.
        observation: the case.
        device: where the network runs.
        kernels: how its kernels are made and kept; a network without kernels ignores them.
        rng: where the noise on the kernels' codes comes from.

    Raises:
        WeightsMissingError: the folder has no such network.
    """
    network, label = weights.load_network(weights_folder(folder), stage)
    generators = kernels.generators(rng, device) if network.shape.kernel_size else [None]
    return NetworkRestoration(observation, network, device, kernels.field_stride, generators).as_problem(
        label
    )


def as_kernels(channels: Tensor) -> Tensor:
    """Turn kernels (L, R, C) in correlation form into (R, C, k, k) in true-convolution form."""
    size = round(len(channels) ** 0.5)
    return rotate_180(channels.permute(1, 2, 0).unflatten(2, (size, size)))
