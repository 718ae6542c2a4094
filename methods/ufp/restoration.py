"""Restore an observation by a trained network."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import rotate_180
from benchmark.core.types import Observation
from methods.parts.direct import Direct
from methods.parts.seeding import generator_from
from methods.parts.solver import Result
from methods.ufp.network import UfpNet

MOST_KERNELS = 4096  # in a kernel field, unless a stride is given


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


def as_kernels(channels: Tensor) -> Tensor:
    """Turn kernels (L, R, C) in correlation form into (R, C, k, k) in true-convolution form."""
    size = round(len(channels) ** 0.5)
    return rotate_180(channels.permute(1, 2, 0).unflatten(2, (size, size)))


def draws(count: int, rng: torch.Generator, device: torch.device) -> list[torch.Generator | None]:
    """Make `count` generators on a device, seeded by draws of `rng`."""
    return [generator_from(rng, device) for _ in range(count)]
