"""End a restoration: which kernel counts at last, and how the image is restored with it.

Any method that estimates one uniform kernel may end otherwise than its paper does: by deconvolution with the
estimated kernel, or with that kernel polished. Its settings then have a part `EndingSettings`, and its
registration wraps the function that builds its problem: `problem=with_ending(problem)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import Any, Literal, Protocol

import numpy as np
import torch

from benchmark.blur.noise_level import data_weight
from benchmark.blur.nonblind import Image, Kernel, hyper_laplacian_valid
from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.parts.colour import luma
from methods.parts.polish import complete, polish
from methods.parts.solver import Problem, Result, Step

OWN: Literal["own"] = "own"
Deconvolution = Literal["hyper-laplacian", "polished"]
IF_UNIFORM: Literal["polished-if-uniform"] = "polished-if-uniform"
Finish = Literal["own", Deconvolution, "polished-if-uniform"]


@dataclass(frozen=True)
class EndingSettings:
    """Settings: how a method ends. Those of a method's own last step are fields of a subclass."""

    # What restores the image at the end. own: what the method itself has. hyper-laplacian: a deconvolution
    # with the estimated kernel, pixels outside the frame unknown, its weight from the noise. polished: the
    # same after `methods.parts.polish` has improved the kernel. polished-if-uniform: polished if the blur is
    # uniform, else own. The last three are in no paper.
    finish: Finish = OWN

    def deconvolution(self, observation: Observation) -> Deconvolution | None:
        """Return the deconvolution that restores an observation's image; None for the method's own end.

        Raises:
            NotSupportedError: The blur is not uniform, which this ending needs.
        """
        is_uniform = observation.blur_model == "uniform"
        if self.finish == IF_UNIFORM:
            return "polished" if is_uniform else None
        if self.finish == OWN:
            return None
        if not is_uniform:
            raise NotSupportedError(f"finish: {self.finish} is for uniform blur; take finish: {OWN}")
        return self.finish

    def without_effect(self) -> dict[str, str]:
        """Find the settings of the own last step where it is not used."""
        if self.finish == OWN:
            return {}
        own = [field.name for field in fields(self) if field.name != "finish"]
        return dict.fromkeys(own, f"finish: {self.finish}")


class HasEnding(Protocol):
    """Settings with an ending."""

    @property
    def ending(self) -> EndingSettings:
        """How the method ends."""


class Build(Protocol):
    """A function that builds the problem of an observation, as registrations have it."""

    __module__: str

    def __call__(
        self, observation: Observation, settings: Any, rng: torch.Generator, device: torch.device, /
    ) -> Problem:
        """Build it."""


def deconvolved(blurry: Image, kernel: Kernel, finish: Deconvolution) -> Result:
    """Restore an image with an estimated kernel.

    Args:
        blurry: (C, H, W) in [0, 1].
        kernel: (h, w), true-convolution form, sum 1.
        finish: whether the kernel is polished first, on the luma.

    Raises:
        NotSupportedError: the image is not larger than the kernel, which is to be polished.
    """
    if finish == "polished":
        grey = luma(torch.from_numpy(blurry)).numpy()[0]
        kernel = complete(grey, polish(grey, kernel))
    image = hyper_laplacian_valid(blurry, kernel, data_weight(blurry))
    return Result(torch.from_numpy(image), torch.from_numpy(kernel[None]))


def with_ending(build: Build) -> Build:
    """Let the method whose problems `build` builds end as its settings' `ending` says.

    The problem's function raises NotSupportedError for blur that is not uniform unless the ending is the
    method's own.
    """

    @wraps(build)
    def ended(
        observation: Observation, settings: HasEnding, rng: torch.Generator, device: torch.device
    ) -> Problem:
        deconvolution = settings.ending.deconvolution(observation)
        problem = build(observation, settings, rng, device)
        return problem if deconvolution is None else Ended(problem, observation, deconvolution)

    return ended


class Ended:
    """A `Problem` of `methods.parts.solver` that solves another one and restores anew with its kernel."""

    def __init__(self, problem: Problem, observation: Observation, finish: Deconvolution) -> None:
        """Wrap a problem.

        Args:
            problem: estimates one kernel.
            observation: of the same case.
            finish: how the image is restored.
        """
        self.problem, self.finish = problem, finish
        self.blurry = observation.blurry.astype(np.float64)
        self.iterations, self.device, self.weights = problem.iterations, problem.device, problem.weights

    def step(self, iteration: int) -> Step:
        """Do an iteration of the wrapped problem."""
        return self.problem.step(iteration)

    def slow_down(self) -> None:
        """Slow the wrapped problem down."""
        self.problem.slow_down()

    def estimate(self) -> Result:
        """Restore with the wrapped problem's kernel; an estimate that is not finite stays as it is."""
        result = self.problem.estimate()
        if result.kernels is None:
            raise NotSupportedError(f"finish: {self.finish} needs a kernel, and the method estimates none")
        if not result.kernels.isfinite().all():
            return result
        kernel = result.kernels[0].detach().cpu().double().numpy()
        ended = deconvolved(self.blurry, kernel / kernel.sum(), self.finish)
        return replace(result, image=ended.image, kernels=ended.kernels)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the wrapped problem."""
        return self.problem.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue the wrapped problem."""
        self.problem.load_state_dict(state)
