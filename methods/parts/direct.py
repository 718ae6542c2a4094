"""Restore without iterations: the controls, the classical methods, and networks trained beforehand."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from methods.parts.solver import Result, Step

CPU = torch.device("cpu")


class Direct:
    """A `Problem` of `methods.parts.solver` whose estimate is one call.

    >>> problem = Direct(lambda: Result(torch.zeros(3, 4, 4)))
    >>> problem.iterations, problem.estimate().image.shape
    (0, torch.Size([3, 4, 4]))
    """

    iterations = 0

    def __init__(self, restore: Callable[[], Result], device: torch.device = CPU, weights: str = "") -> None:
        """Wrap `restore`.

        Args:
            restore: Does all the work.
            device: Where it does it.
            weights: Names the pre-trained weights that it uses; empty if there are none.
        """
        self.restore, self.device, self.weights = restore, device, weights

    def step(self, iteration: int) -> Step:
        """Never called: there are no iterations."""
        raise NotImplementedError(f"no iteration {iteration}")

    def slow_down(self) -> None:
        """Do nothing: there is no learning rate."""

    def estimate(self) -> Result:
        """Restore the image."""
        return self.restore()

    def state_dict(self) -> dict[str, Any]:
        """Return an empty state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Do nothing: there is no state."""
