"""Restore an observation by a trained network."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
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


@dataclass(frozen=True)
class PassSettings:
    """How a trained network runs; a part of a method's settings."""

    # Whether the restoring network computes in bfloat16, in half the memory (ours). Its kernels stay in
    # float32: the deviations of their codes would vanish.
    bfloat16: bool = False

    @property
    def advice(self) -> str:
        """What to set to need less memory."""
        return "take a smaller image" if self.bfloat16 else "set bfloat16: true"


class NetworkRestoration(Direct):
    """A `Joint` problem of `methods.parts.solver`: one restoration, by one or several passes of a network."""

    def __init__(
        self,
        observation: Observation,
        network: UfpNet,
        device: torch.device,
        stride: int,
        generators: Sequence[torch.Generator | None],
        label: str = "",
        bfloat16: bool = False,
    ) -> None:
        """Prepare a restoration.

        Args:
            observation: the case.
            network: the trained network, on `device`.
            device: where it runs.
            stride: rows and columns between the kernels that are kept; 0: as few as keep at most
                MOST_KERNELS.
            generators: the result is the mean of one pass for each. A generator draws the noise on the codes
                of the kernels; None stands for no noise.
            label: names the weights.
            bfloat16: whether the restoring network computes in bfloat16.
        """
        super().__init__(lambda: self.estimates([])[0], device, label)
        self.blurry = torch.from_numpy(observation.blurry).to(device)
        self.network, self.generators, self.bfloat16 = network, generators, bfloat16
        self.grid = observation.grid
        pixels = self.blurry.shape[1] * self.blurry.shape[2]
        self.stride = stride or math.ceil((pixels / MOST_KERNELS) ** 0.5)
        # Images of one size go through one network together.
        draws = [rng is not None for rng in generators]
        self.kind = (id(network), self.blurry.shape[1:], self.stride, tuple(draws), bfloat16)

    @torch.no_grad()
    def estimates(self, others: "Sequence[NetworkRestoration]") -> list[Result]:
        """Run the network on all images at once, each with the noise that it would have alone."""
        together = [self, *others]
        # A grey image goes in as three equal colours.
        colours = torch.stack([one.blurry.expand(3, -1, -1) for one in together])
        passes = []
        for number, rng in enumerate(self.generators):
            rngs = None if rng is None else [one.generators[number] for one in together]
            half = torch.autocast(self.device.type, torch.bfloat16) if self.bfloat16 else nullcontext()
            with half:
                passes.append(self.network(colours, rngs, self.stride))
        return [
            one.result([(images[i], None if field is None else field[i]) for images, field in passes])
            for i, one in enumerate(together)
        ]

    def result(self, passes: Sequence[tuple[Tensor, Tensor | None]]) -> Result:
        """Average the passes, and their kernels over each patch of the blur model, with sum 1 each.

        The kernel field holds the kernels as the network has them. Of a grey image the mean colour comes out.

        Args:
            passes: images (3, H, W) with kernels (L, R, C), or with None.
        """
        restored = torch.stack([image for image, _ in passes]).mean(0)
        if len(self.blurry) == 1:
            restored = restored.mean(0, keepdim=True)
        fields = [kernels for _, kernels in passes if kernels is not None]
        if not fields:
            return Result(restored)
        field = torch.stack(fields).mean(0)
        kernels = as_kernels(functional.adaptive_avg_pool2d(field, self.grid)).flatten(0, 1)
        return Result(restored, kernels / kernels.sum((-2, -1), keepdim=True), as_kernels(field))


def restored_by(
    stage: weights.Stage,
    folder: str,
    observation: Observation,
    device: torch.device,
    kernels: KernelSettings,
    passes: PassSettings,
    rng: torch.Generator,
) -> NetworkRestoration:
    """Build the problem of a method that restores by a trained network.

    Args:
        stage: names the network.
        folder: the method's setting `weights`.
        observation: the case.
        device: where the network runs.
        kernels: how its kernels are made and kept; a network without kernels ignores them.
        passes: how it runs.
        rng: where the noise on the kernels' codes comes from.

    Raises:
        WeightsMissingError: the folder has no such network.
    """
    place = weights_folder(folder)
    stamps = tuple((path, path.stat().st_mtime_ns) for path in weights.files(place, stage))
    network, label = _network_on(device, place, stage, stamps)
    generators = kernels.generators(rng, device) if network.shape.kernel_size else [None]
    return NetworkRestoration(
        observation, network, device, kernels.field_stride, generators, label, passes.bfloat16
    )


@lru_cache(maxsize=1)  # one in memory for all cases of a job
def _network_on(
    device: torch.device, folder: Path, stage: weights.Stage, stamps: tuple[tuple[Path, int], ...]
) -> tuple[UfpNet, str]:
    """Read the network of a stage to a device, with its label; `stamps` say when its files were written."""
    del stamps
    network, label = weights.load_network(folder, stage)
    return network.to(device), label


def as_kernels(channels: Tensor) -> Tensor:
    """Turn kernels (L, R, C) in correlation form into (R, C, k, k) in true-convolution form."""
    size = round(len(channels) ** 0.5)
    return rotate_180(channels.permute(1, 2, 0).unflatten(2, (size, size)))
