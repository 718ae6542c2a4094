"""Choose among kernels: several methods run, their kernels are polished, compared by energy and merged.

It is the suite's own method and stands in no paper. What it is made of is published: the methods that it
runs, and the comparison of kernels by the energy that an estimation minimises (S. Cho, S. Lee, "Convergence
Analysis of MAP based Blur Kernel Estimation", ICCV 2017). Which candidates run was chosen on the photographs
of `datasets/choose-tuning.yaml`; docs/choose.md shows what was tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from benchmark.core.types import Observation
from methods.parts.candidates import Candidate
from methods.parts.choice import Choice
from methods.parts.limits import at_least
from methods.parts.registry import Method

Effort = Literal["low", "normal", "high"]

KERNEL_ONLY = {"finish": "own"}  # the cheapest: of a candidate the kernel alone counts
# Different weights of the gradients, pyramids and sizes go wrong on different photographs.
LOW = (
    {"method": "l0-fast", "settings": {"gradient_weight": 1e-3}},
    {"method": "l0-fast", "settings": {"gradient_weight": 1.6e-2}},
    {"method": "l0-grad", "settings": {"gradient_weight": 1.6e-2}},
    {"method": "l0-fast", "size": 1.4},
)
NORMAL = (
    *LOW,
    {"method": "l0-grad"},
    {"method": "l0-fast"},
    {"method": "l0-grad", "size": 1.4},
    {"method": "l0-grad", "size": 0.7},
    {"method": "l0-fast", "settings": {"gradient_weight": 1e-3}, "size": 1.4},
    {"method": "l0-dark"},
    {"method": "selfdeblur@quick", "settings": {**KERNEL_ONLY, "iterations": 300}},
)
HIGH = (
    *NORMAL,
    {"method": "selfdeblur@quick", "settings": KERNEL_ONLY, "seed": 1},
    {"method": "selfdeblur@quick", "settings": KERNEL_ONLY, "seed": 2},
    {"method": "dip-glkm@quick", "settings": KERNEL_ONLY},
)
EFFORTS: dict[Effort, tuple[dict[str, Any], ...]] = {"low": LOW, "normal": NORMAL, "high": HIGH}


@dataclass(frozen=True)
class Settings:
    """Ours, chosen on photographs that no report shows."""

    # How many candidates run. At 255 px on one core: low about 10 seconds, normal 2 minutes, high 10 minutes.
    effort: Effort = "normal"
    # The candidates to run instead: each a mapping with a `method` (<method> or <method>@<preset>), and if
    # wanted its `settings`, the `size` of its kernel in declared sizes (default 1) and a `seed` (default 0).
    candidates: tuple[dict[str, Any], ...] = ()
    # px, the side of the part of a larger image that kernels are estimated from; five times the kernel's box
    # if that is more. 0: the whole image.
    window: int = 384

    def __post_init__(self) -> None:
        """Raise ValueError or InputError unless the candidates can run."""
        at_least(0, self, "window")
        for number, description in enumerate(self.candidates):
            try:
                candidate = Candidate.read(description)
            except ValueError as error:
                raise ValueError(f"candidates[{number}]: {error}") from error
            if candidate.base is METHOD:
                raise ValueError(f"candidates[{number}]: '{METHOD.name}' cannot be its own candidate")

    def plan(self) -> Sequence[Candidate]:
        """Return the candidates in the order in which they run."""
        return [Candidate.read(description) for description in self.candidates or EFFORTS[self.effort]]

    def without_effect(self) -> dict[str, str]:
        """Find the effort where the candidates are given."""
        return {"effort": "candidates"} if self.candidates else {}


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Choice:
    """Run the candidates on the CPU, and restore with the best kernel or a mean of the best."""
    del device
    return Choice(settings.plan(), observation, rng, settings.window)


METHOD = Method(
    name="choose",
    title="Least energy of several kernels (ours)",
    paper="none; compares kernels by energy, after Cho and Lee, ICCV 2017",
    licence="this is our own code",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
    cost="minutes",
    gpu=False,
    uses=lambda settings: tuple(dict.fromkeys(candidate.base.name for candidate in settings.plan())),
)
