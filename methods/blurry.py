"""The floor of every table: the blurry image itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmark.types import Observation
from methods.registry import Method
from methods.solver import Step


@dataclass(frozen=True)
class Settings:
    """Nothing to set."""


class Unchanged:
    """A `Problem` without iterations."""

    iterations = 0

    def __init__(self, blurry: Tensor) -> None:
        self.blurry, self.device = blurry, blurry.device

    def step(self, iteration: int) -> Step:
        """Never called: there is no iteration."""
        raise NotImplementedError(f"no iteration {iteration}")

    def slow_down(self) -> None:
        """Nothing has a rate."""

    def estimate(self) -> tuple[Tensor, None]:
        """The blurry image and no kernel."""
        return self.blurry, None

    def state_dict(self) -> dict[str, Any]:
        """Empty."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Unchanged:
    """The observation as its own restoration."""
    del settings, rng
    return Unchanged(torch.from_numpy(observation.blurry).to(device))


METHOD = Method(
    name="blurry",
    title="Blurry input",
    paper="control: the floor of every table",
    licence="-",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    role="floor",
)
