"""Joint optimisation of an image prior and a kernel prior: the problem that most methods here compose.

minimise over the parameters of (image prior, kernel prior):  objective( operator(image, kernels), blurry )
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.blur.convolution import central_crop, uniform_blur
from benchmark.blur.svola import svola
from benchmark.core.types import Observation
from methods.parts.image_priors.skip import DeepImagePrior
from methods.parts.losses import Estimate, Objective, Operator
from methods.parts.solver import Result, Step
from methods.parts.stopping import WindowedVariance

Flaw = tuple[str, Callable[[Estimate], Tensor]]  # a sentence, and whether (a bool scalar) it holds


@dataclass(frozen=True)
class Stage:
    """A run of iterations under one objective.

    What the objective does not depend on does not move in it.
    """

    name: str
    iterations: int
    objective: Objective
    # Instead of the kernel prior's own forward(), to train less of it.
    kernels: Callable[[], Tensor] | None = None
    flaws: Sequence[Flaw] = ()  # ways in which an estimate can be lost although its loss is finite


def beginning_with(steps: int, kernels: Callable[[], Tensor], stages: Sequence[Stage]) -> list[Stage]:
    """`stages`, the first `steps` iterations of them with `kernels` in place of the kernel prior's own."""
    cut = []
    for stage in stages:
        first = min(steps, stage.iterations)
        steps -= first
        cut.append(replace(stage, iterations=first, kernels=kernels))
        cut.append(replace(stage, iterations=stage.iterations - first))
    return cut


@dataclass(frozen=True)
class Rates:
    """Adam's learning rates; each milestone, from its own iteration on, multiplies both by `factor`."""

    image: float
    kernel: float
    milestones: Sequence[int] = ()
    factor: float = 0.5

    def at(self, iteration: int) -> tuple[float, float]:
        """(image rate, kernel rate) at a 0-based iteration."""
        scale = self.factor ** sum(milestone <= iteration for milestone in self.milestones)
        return self.image * scale, self.kernel * scale


ReadOut = Callable[[Tensor, Tensor], Result]  # latent image (C, H', W'), kernels (P, h, w) -> result


def middle(frame: tuple[int, int]) -> ReadOut:
    """The restored frame (H, W) is the middle of the latent image."""

    def read_out(image: Tensor, kernels: Tensor) -> Result:
        return Result(central_crop(image, frame), kernels)

    return read_out


class Fit:
    """A `Problem` of `parts.solver`: one Adam over both priors, from the first stage to the last."""

    def __init__(
        self,
        *,
        image: DeepImagePrior,
        kernel: nn.Module,  # forward() -> kernels (P, h, w)
        operator: Operator,
        stages: Sequence[Stage],
        rates: Rates,
        read_out: ReadOut,  # what of the latent image is the result
        rng: torch.Generator,  # of perturbations and samples; lives on the device of the priors
        weights: str = "",  # names the pre-trained weights in the priors
        stopper: WindowedVariance | None = None,  # watches the last stage: a change of objective moves all
    ) -> None:
        self.image, self.kernel, self.operator = image, kernel, operator
        self.stages, self.rates, self.read_out, self.rng = stages, rates, read_out, rng
        self.weights, self.stopper = weights, stopper
        self.device = image.code.device
        self.iterations = sum(stage.iterations for stage in stages)
        self.adam = torch.optim.Adam(
            [
                {"params": list(image.parameters()), "lr": rates.image},
                {"params": list(kernel.parameters()), "lr": rates.kernel},
            ],
            fused=True,  # one call for all parameters instead of a dozen for each
        )
        self.slowdown = 1.0

    def step(self, iteration: int) -> Step:
        """One joint gradient step on both priors."""
        stage = self._stage_at(iteration)
        for group, rate in zip(self.adam.param_groups, self.rates.at(iteration), strict=True):
            group["lr"] = rate * self.slowdown
        self.adam.zero_grad(set_to_none=True)
        estimate = self._estimate(self._perturbation(), stage.kernels or self.kernel)
        loss = stage.objective(estimate)
        loss.backward()
        self.adam.step()
        ended = None
        if self.stopper is not None and stage is self.stages[-1]:
            reached = self.stopper.push(estimate.image, estimate.kernels)
            ended = reached if self.stopper.ends else None
        flaws = {sentence: holds(estimate) for sentence, holds in stage.flaws}
        return Step(stage.name, loss.detach(), flaws, ended)

    def slow_down(self) -> None:
        """Halve both rates for the rest of the run."""
        self.slowdown *= 0.5

    @torch.no_grad()
    def estimate(self) -> Result:
        """Read out the current image and kernels, from the code without its perturbation.

        Batch norm stays in training mode. At the end of a run with a stopper: what the stopper remembers.
        """
        last = self.stages[-1].iterations
        best = None if self.stopper is None else self.stopper.best(last)
        if best is None:
            estimate = self._estimate(None, self.kernel)
            return self.read_out(estimate.image, estimate.kernels)
        result = self.read_out(best.image, best.kernels)
        return replace(result, iteration=self.iterations - last + best.iteration)

    def state_dict(self) -> dict[str, Any]:
        """Parameters, Adam's moments, the generator, the slowdown and what the stopper remembers."""
        return {
            "image": self.image.state_dict(),
            "kernel": self.kernel.state_dict(),
            "adam": self.adam.state_dict(),
            "rng": self.rng.get_state(),
            "slowdown": self.slowdown,
            "stopper": {} if self.stopper is None else self.stopper.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.image.load_state_dict(state["image"])
        self.kernel.load_state_dict(state["kernel"])
        self.adam.load_state_dict(state["adam"])
        self.rng.set_state(state["rng"].cpu())
        self.slowdown = state["slowdown"]
        if self.stopper is not None:
            self.stopper.load_state_dict(state["stopper"])

    def _stage_at(self, iteration: int) -> Stage:
        for stage in self.stages:
            if iteration < stage.iterations:
                return stage
            iteration -= stage.iterations
        raise IndexError(f"the stages end before iteration {iteration}")

    def _perturbation(self) -> Tensor | None:
        if not self.image.noise_scale:
            return None
        return self._noise_like(self.image.code)

    def _noise_like(self, tensor: Tensor) -> Tensor:
        return torch.randn(tensor.shape, generator=self.rng, dtype=tensor.dtype, device=tensor.device)

    def _estimate(self, noise: Tensor | None, kernels_of: Callable[[], Tensor]) -> Estimate:
        image, deviation = self.image.latent(noise)
        return Estimate(image, kernels_of(), self.operator, deviation, lambda: self._noise_like(image))


def operator_for(observation: Observation) -> Operator:
    """What re-blurs a latent image: one kernel, or those at the nodes of the observation's grid by SVOLA."""
    if observation.blur_model == "uniform":
        return uniform_blur
    return partial(svola, grid=observation.grid)


def kernel_count(observation: Observation) -> int:
    """How many kernels `operator_for` takes."""
    return 1 if observation.blur_model == "uniform" else prod(observation.grid)
