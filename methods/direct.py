"""Restorations that take no iterations: the controls."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from methods.solver import Step

Restore = Callable[[], tuple[Tensor, Tensor | None]]  # as `Problem.estimate`


class Direct:
    """A `Problem` (see `methods/solver.py`) whose estimate is one call, on the CPU."""

    iterations = 0
    weights = ""
    returned = None

    def __init__(self, restore: Restore) -> None:
        self.restore, self.device = restore, torch.device("cpu")

    def step(self, iteration: int) -> Step:
        """Never called: there is no iteration."""
        raise NotImplementedError(f"no iteration {iteration}")

    def slow_down(self) -> None:
        """Nothing has a rate."""

    def estimate(self) -> tuple[Tensor, Tensor | None]:
        """What `restore` returns."""
        return self.restore()

    def state_dict(self) -> dict[str, Any]:
        """Empty."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""
