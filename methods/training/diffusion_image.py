"""Train a diffusion model of small images, for BIRD and BlindDPS at demo size.

Not in the papers, which use published models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.core.errors import InputError
from benchmark.core.progress import Report
from methods.parts.weight_files import file_name
from methods.training.diffusion import DiffusionSettings, DiffusionTraining
from methods.training.loop import Materials
from methods.training.photographs import colours, reaching
from methods.training.registry import Training


@dataclass(frozen=True)
class Settings(DiffusionSettings):
    """As for all diffusion models; none of these values is in the papers."""

    # What is taken of a photograph. whole: its middle square, for aligned subjects such as faces. crops:
    # random squares of at least the side, for all other photographs.
    parts: Literal["whole", "crops"] = "whole"


class Images:
    """Photographs on the CPU, from which square images are cut and reduced."""

    def __init__(self, photographs: Sequence[NDArray[np.uint8]], side: int, whole: bool) -> None:
        """Prepare photographs (C, H, W), C = 1 or 3.

        Args:
            photographs: 8 bits.
            side: of the images, in pixels.
            whole: whether to take the middle square of each, or random squares.

        Raises:
            InputError: there are no photographs.
        """
        if not photographs:
            raise InputError("no photographs to train on; give --images a folder that holds some")
        self.side = side
        self.photographs = [reaching(colours(photograph), side) for photograph in photographs]
        if whole:
            self.photographs = [self._reduced(_middle_square(photo)) for photo in self.photographs]

    def drawn(self, count: int, rng: np.random.Generator) -> Tensor:
        """Draw `count` images (count, 3, side, side) in [-1, 1], mirrored at random."""
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
        """Reduce a square by averaging over areas."""
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
    """Start the training. Raises InputError without photographs."""
    del report  # nothing takes long here
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
