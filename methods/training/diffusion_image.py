"""A diffusion model of small images, for BIRD and BlindDPS at demo size; not in the papers, which take
published ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.core.progress import Report
from benchmark.core.types import InputError
from methods.parts.weight_files import file_name
from methods.training.diffusion import DiffusionSettings, DiffusionTraining
from methods.training.loop import Materials
from methods.training.photographs import colours, reaching
from methods.training.registry import Training


@dataclass(frozen=True)
class Settings(DiffusionSettings):
    """As for all diffusion models; nothing of this is in the papers."""

    # What of a photograph is an image: whole, its middle square, for sets of aligned subjects such as faces;
    # crops, random squares of at least the side, for all others.
    parts: Literal["whole", "crops"] = "whole"


class Images:
    """Photographs on the CPU, ready to become images of one side."""

    def __init__(self, photographs: Sequence[NDArray[np.uint8]], side: int, whole: bool) -> None:
        """Raises InputError when there are none."""
        if not photographs:
            raise InputError("no photographs to train on; give --images a folder that holds some")
        self.side = side
        self.photographs = [reaching(colours(photograph), side) for photograph in photographs]
        if whole:
            self.photographs = [self._reduced(_middle_square(photo)) for photo in self.photographs]

    def drawn(self, count: int, rng: np.random.Generator) -> Tensor:
        """`count` random ones (count, 3, side, side), mirrored at random, in [-1, 1]."""
        drawn = []
        for _ in range(count):
            photograph = self.photographs[int(rng.integers(len(self.photographs)))]
            shortest = min(photograph.shape[1:])
            square = int(rng.integers(self.side, shortest + 1))
            top, left = (int(rng.integers(side - square + 1)) for side in photograph.shape[1:])
            image = self._reduced(photograph[:, top : top + square, left : left + square])
            drawn.append(image.flip(-1) if rng.integers(2) else image)
        return torch.stack(drawn).float() / 127.5 - 1

    def _reduced(self, square: Tensor) -> Tensor:
        """By means over areas."""
        if square.shape[-1] == self.side:
            return square
        return functional.adaptive_avg_pool2d(square.float(), self.side).round().to(torch.uint8)


def _middle_square(photo: Tensor) -> Tensor:
    side = min(photo.shape[1:])
    top, left = (photo.shape[1] - side) // 2, (photo.shape[2] - side) // 2
    return photo[:, top : top + side, left : left + side]


def start(
    settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
) -> DiffusionTraining:
    """Raises InputError without photographs."""
    del report  # nothing is made beforehand
    whole = settings.parts == "whole"
    images = Images(materials.photographs, settings.side, whole)
    held_out = Images(materials.held_out, settings.side, whole)
    data = f"{len(materials.photographs)} photographs, {settings.parts}"
    return DiffusionTraining(settings, "diffusion-image", seed, device, images.drawn, held_out.drawn, data)


TRAINING = Training(
    name="diffusion-image",
    title="Diffusion model of small images",
    paper="Ho et al., Denoising Diffusion Probabilistic Models, NeurIPS 2020; the network is ADM's, small",
    settings=Settings,
    start=start,
    outputs=lambda settings: (file_name("diffusion-image", settings.side),),
    photographs=True,
)
