"""Restorations that take no iterations: the controls, and networks that were trained beforehand."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from methods.parts.solver import Step

Restore = Callable[[], tuple[Tensor, Tensor | None]]  # as `Problem.estimate`

CPU = torch.device("cpu")


def no_field() -> None:
    """There is no kernel field."""


class Direct:
    """A `Problem` (see `methods/parts/solver.py`) whose estimate is one call."""

    iterations = 0
    returned = None

    def __init__(
        self,
        restore: Restore,
        device: torch.device = CPU,
        weights: str = "",
        kernel_field: Callable[[], Tensor | None] = no_field,
    ) -> None:
        """`kernel_field` is called after `restore`."""
        self.restore, self.device, self.weights = restore, device, weights
        self.kernel_field = kernel_field

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
