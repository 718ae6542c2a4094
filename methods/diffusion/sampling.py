"""BlindDPS: diffusion models of images and of kernels, run backwards together, led by the residual.

H. Chung, J. Kim, S. Kim, J. C. Ye, "Parallel Diffusion Models of Operator and Image for Blind Inverse
Problems", CVPR 2023. Where the paper and the released code differ, the code's way is the default.

    x <- x' - zeta d|r|/dx,   k <- k' - zeta d|r|/dk,   r = y - k0(k) * x0(x)

x', k' are the ancestral steps, x0 and k0 the clean estimates. The kernel's side may be another one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from benchmark.blur.convolution import odd_from_correlation
from methods.diffusion.prior import Prior
from methods.diffusion.schedule import STEPS, Chain, ancestral, spread_steps
from methods.diffusion.schedule import Step as DiffusionStep
from methods.diffusion.view import View, odd
from methods.glkm.latent import LatentKernel
from methods.parts.limits import at_least
from methods.parts.solver import Result, Step

Draw = Callable[[Tensor], Tensor]  # noise of a tensor's shape


@dataclass(frozen=True)
class SamplingSettings:
    """Settings: the steps of BlindDPS; defaults are those of the released code."""

    iterations: int = STEPS  # of the diffusion's 1000 steps; fewer are spread evenly
    # Length of the correction, zeta. growing: sqrt(A_t), as in the released code. constant: constant_step, as
    # in the paper.
    step_size: Literal["growing", "constant"] = "growing"
    constant_step: float = 0.3  # zeta of step_size: constant (section 5)
    step_factor: float = 1.0  # times zeta, for fewer steps or smaller images (ours)
    checkpointing: bool = False  # less memory, more time: activations are computed again (same result; ours)

    def __post_init__(self) -> None:
        if not 1 <= self.iterations <= STEPS:
            raise ValueError(f"iterations must lie between 1 and {STEPS}, not {self.iterations}")
        at_least(0, self, "constant_step", "step_factor")

    def without_effect(self) -> dict[str, str]:
        """Find the settings that `step_size` does not use: see `methods.parts.settings.without_effect`."""
        return {"constant_step": "step_size: growing"} if self.step_size == "growing" else {}

    def chain(self) -> Chain:
        """The steps that remain."""
        return Chain() if self.iterations == STEPS else Chain(spread_steps(self.iterations))

    @property
    def advice(self) -> str:
        """What needs less memory."""
        return "take a smaller prior or image" if self.checkpointing else "set checkpointing: true"


class KernelSide(Protocol):
    """The kernel's half of the sampling."""

    @property
    def variables(self) -> Sequence[Tensor]:
        """What the residual is differentiated by."""

    def kernels(self, step: DiffusionStep) -> Tensor:
        """The clean estimate (1, h, w), odd, sum 1, true-convolution form, differentiable in `variables`."""

    def penalty(self) -> Tensor:
        """A scalar beside the norm of the residual, of the last `kernels`."""

    def move(self, gradients: Sequence[Tensor], step: DiffusionStep, zeta: float, draw: Draw) -> None:
        """From x_t to x_{t-1}, given the gradients by `variables`."""

    def result(self) -> Tensor:
        """The kernel (1, h, w), true-convolution form, sum 1, as it stands."""

    def slow_down(self) -> None:
        """Halve its own rate, if any."""

    def state_dict(self) -> dict[str, Any]:
        """All that determines the steps to come."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""


class KernelDiffusion:
    """A diffusion model of kernels; correlation form inside, in [-1, 1]."""

    def __init__(self, prior: Prior, state: Tensor, order: int, weight: float, on: str) -> None:
        """`state` (1, 1, n, n) is where it starts; order, weight and `on` as in the method's settings."""
        self.prior, self.order, self.weight, self.on = prior, order, weight, on
        self.state = state.requires_grad_()

    @property
    def variables(self) -> Sequence[Tensor]:
        return [self.state]

    def kernels(self, step: DiffusionStep) -> Tensor:
        output = self.prior.output(self.state, step.number)
        estimate, self.mean, self.log_variance = ancestral(self.state, output, step)
        self.shifted = (estimate + 1) / 2
        self.normalised = of_sum_one(self.shifted)
        # Correlation form is turned here and in `result` and nowhere else.
        return odd_from_correlation(self.normalised[:, 0], "before")

    def penalty(self) -> Tensor:
        """As released: on the normalised kernel, of which neither norm has a gradient."""
        if self.order == 0:
            return self.weight * (self.normalised.detach() != 0).sum()
        return self.weight * (self.normalised if self.on == "normalised" else self.shifted).abs().sum()

    def move(self, gradients: Sequence[Tensor], step: DiffusionStep, zeta: float, draw: Draw) -> None:
        moved = descended(self.mean, self.log_variance, step, draw) - zeta * gradients[0]
        self.state = moved.detach().requires_grad_()

    def result(self) -> Tensor:
        kernel = of_sum_one(((self.state.detach() + 1) / 2).clamp_min(0))
        return odd_from_correlation(kernel[:, 0], "before")

    def slow_down(self) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {"state": self.state.detach()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.state = state["state"].to(self.state.device).requires_grad_()


class LatentWalk:
    """GLKM's latent kernel in the place of a diffusion model: one step of Adam for each of the image."""

    def __init__(
        self, kernel: LatentKernel, rate: float, schedule: Literal["growing", "late"], from_share: float
    ) -> None:
        """`rate` by `schedule`: growing times sqrt(A_t); late: only within the last `from_share` of time."""
        self.kernel, self.rate, self.schedule, self.from_share = kernel, rate, schedule, from_share
        self.adam = torch.optim.Adam(kernel.parameters(), lr=rate)

    @property
    def variables(self) -> Sequence[Tensor]:
        return list(self.kernel.parameters())

    def kernels(self, step: DiffusionStep) -> Tensor:
        del step
        return odd(self.kernel())

    def penalty(self) -> Tensor:
        """None: the generator is the prior."""
        return torch.zeros((), device=self.kernel.latent.device)

    def move(self, gradients: Sequence[Tensor], step: DiffusionStep, zeta: float, draw: Draw) -> None:
        del zeta, draw
        if self.schedule == "late" and step.number > self.from_share * STEPS:
            return
        for group in self.adam.param_groups:
            group["lr"] = self.rate * (step.level**0.5 if self.schedule == "growing" else 1.0)
        for parameter, gradient in zip(self.kernel.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self.adam.step()

    @torch.no_grad()
    def result(self) -> Tensor:
        return odd(self.kernel())

    def slow_down(self) -> None:
        self.rate *= 0.5

    def state_dict(self) -> dict[str, Any]:
        return {"kernel": self.kernel.state_dict(), "adam": self.adam.state_dict(), "rate": self.rate}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.kernel.load_state_dict(state["kernel"])
        self.adam.load_state_dict(state["adam"])
        self.rate = state["rate"]


class ParallelSampling:
    """A `Problem` (see `methods/parts/solver.py`): each iteration is a step of the diffusion backwards."""

    def __init__(
        self,
        *,
        view: View,
        image: Tensor,  # (1, 3, H, W): where it starts
        kernel: KernelSide,
        settings: SamplingSettings,
        draw: Draw,
        rng: torch.Generator,  # that `draw` draws from
        weights: str = "",
    ) -> None:
        self.view, self.kernel, self.settings, self.weights = view, kernel, settings, weights
        self.draw, self.rng, self.device = draw, rng, view.device
        self.steps = settings.chain().steps
        self.iterations = len(self.steps)
        self.state = image.requires_grad_()
        self.shown = image.detach()  # the last clean estimate; after the last step what it led to
        self.slowdown = 1.0
        view.prior.network.checkpointing = settings.checkpointing

    def step(self, iteration: int) -> Step:
        """One ancestral step of both, corrected along the gradient of the residual's norm (not squared)."""
        step = self.steps[-1 - iteration]
        with self.view.memory(not self.settings.checkpointing, self.settings.advice):
            output = self.view.prior.output(self.state, step.number)
            estimate, mean, log_variance = ancestral(self.state, output, step)
            norm = self.view.residual(estimate, self.kernel.kernels(step)).norm()
            of_image, *of_kernel = torch.autograd.grad(
                norm + self.kernel.penalty(), [self.state, *self.kernel.variables]
            )
        zeta = self.zeta(step)
        moved = (descended(mean, log_variance, step, self.draw) - zeta * of_image).detach()
        self.kernel.move(of_kernel, step, zeta, self.draw)
        self.state = moved.requires_grad_()
        self.shown = moved.detach() if iteration == self.iterations - 1 else estimate.detach()
        return Step("residual", norm.detach())

    def zeta(self, step: DiffusionStep) -> float:
        """The length of the correction."""
        settings = self.settings
        length = step.level**0.5 if settings.step_size == "growing" else settings.constant_step
        return self.slowdown * settings.step_factor * length

    def slow_down(self) -> None:
        """Halve the corrections for the rest of the run."""
        self.slowdown *= 0.5
        self.kernel.slow_down()

    def estimate(self) -> Result:
        """The clean estimate of the last step, or the end; and the kernel as it stands."""
        return Result(self.view.result(self.shown.clamp(-1, 1)), self.kernel.result())

    def state_dict(self) -> dict[str, Any]:
        """Both states, the generator and the slowdown."""
        return {
            "image": self.state.detach(),
            "shown": self.shown,
            "kernel": self.kernel.state_dict(),
            "rng": self.rng.get_state(),
            "slowdown": self.slowdown,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.state = state["image"].to(self.device).requires_grad_()
        self.shown = state["shown"].to(self.device)
        self.kernel.load_state_dict(state["kernel"])
        self.rng.set_state(state["rng"].cpu())
        self.slowdown = state["slowdown"]


def descended(mean: Tensor, log_variance: Tensor, step: DiffusionStep, draw: Draw) -> Tensor:
    """x_{t-1}: the mean with noise, of which the last step has none."""
    if step.previous == 1:
        return mean
    return mean + (log_variance / 2).exp() * draw(mean)


def of_sum_one(kernels: Tensor) -> Tensor:
    """Non-negative (1, 1, n, n) with sum 1; a uniform kernel where all is zero."""
    total = kernels.sum()
    uniform = torch.full_like(kernels, 1 / kernels.numel())
    return torch.where(total > 1e-8, kernels / total.clamp_min(1e-8), uniform)


def drawing_from(rng: torch.Generator) -> Draw:
    """Noise from `rng`, which lives on the device of the tensors."""

    def draw(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=rng, dtype=like.dtype, device=like.device)

    return draw
