"""The lower bound of every table: the blurry image itself."""

from dataclasses import dataclass

import torch

from benchmark.core.types import Observation
from methods.parts.direct import Direct
from methods.parts.registry import Method
from methods.parts.solver import Result


@dataclass(frozen=True)
class Settings:
    """There is nothing to set."""


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Return the blurry image as its own restoration."""
    del settings, rng, device
    return Direct(lambda: Result(torch.from_numpy(observation.blurry)))


METHOD = Method(
    name="blurry",
    title="Blurry input",
    paper="control: the floor of every table",
    licence="-",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    role="floor",
    cost="seconds",
    gpu=False,
)
