"""BlindDPS: sample image and kernel from two diffusion models at once, guided by the residual.

    x <- x' - zeta d|r|/dx,   k <- k' - zeta d|r|/dk,   r = y - k0(k) * x0(x)

x and k are the noisy image and kernel, x' and k' their ancestral steps, x0 and k0 their clean estimates, y is
the blurry image, r the residual and zeta the length of the correction. H. Chung, J. Kim, S. Kim, J. C. Ye,
"Parallel Diffusion Models of Operator and Image for Blind Inverse Problems", CVPR 2023. Where the paper and
the released code differ, the code's way is the default. In place of the kernel's diffusion model there may be
GLKM's kernel prior.
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

Draw = Callable[[Tensor], Tensor]  # a tensor -> noise of its shape


@dataclass(frozen=True)
class SamplingSettings:
    """Settings: the steps of BlindDPS; defaults are those of the released code."""

    iterations: int = STEPS  # how many of the diffusion's 1000 steps are taken, spread evenly
    # Length of the correction, zeta. growing: sqrt(A_t), as in the released code. constant: constant_step, as
    # in the paper.
    step_size: Literal["growing", "constant"] = "growing"
    constant_step: float = 0.3  # zeta, for step_size: constant (section 5 of the paper)
    step_factor: float = 1.0  # factor of zeta, for fewer steps or smaller images (ours)
    # Whether activations are computed again instead of kept: less memory, more time, same result (ours).
    checkpointing: bool = False
    bfloat16: bool = False  # whether the image's network computes in bfloat16, in half the memory (ours)

    def __post_init__(self) -> None:
        if not 1 <= self.iterations <= STEPS:
            raise ValueError(f"iterations must lie between 1 and {STEPS}, not {self.iterations}")
        at_least(0, self, "constant_step", "step_factor")

    def without_effect(self) -> dict[str, str]:
        """Find the settings that `step_size` does not use: see `methods.parts.settings.without_effect`."""
        return {"constant_step": "step_size: growing"} if self.step_size == "growing" else {}

    def chain(self) -> Chain:
        """Return the chain of these steps."""
        return Chain() if self.iterations == STEPS else Chain(spread_steps(self.iterations))

    @property
    def advice(self) -> str:
        """What to set to need less memory."""
        if not self.checkpointing:
            return "set checkpointing: true"
        return "take a smaller prior or image" if self.bfloat16 else "set bfloat16: true"


class KernelSide(Protocol):
    """The kernel's part in the sampling."""

    @property
    def variables(self) -> Sequence[Tensor]:
        """The tensors by which the residual is differentiated."""

    def kernels(self, step: DiffusionStep) -> Tensor:
        """Return the clean estimate (1, h, w): odd sides, sum 1, true-convolution form, differentiable."""

    def penalty(self) -> Tensor:
        """Return what to add to the norm of the residual for the last `kernels`, a scalar."""

    def move(self, gradients: Sequence[Tensor], step: DiffusionStep, zeta: float, draw: Draw) -> None:
        """Go to the next step, given the gradients by `variables`."""

    def result(self) -> Tensor:
        """Return the current kernel (1, h, w), true-convolution form, sum 1."""

    def slow_down(self) -> None:
        """Halve the kernel's own rate, if it has one."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that determines the steps to come."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""


class KernelDiffusion:
    """A diffusion model of kernels, which are in correlation form and in [-1, 1] inside."""

    def __init__(self, prior: Prior, state: Tensor, order: int, weight: float, on: str) -> None:
        """Start at a noise.

        Args:
            prior: the diffusion model.
            state: the noise, (1, 1, n, n).
            order: of the norm that is penalised, 0 or 1.
            weight: of that norm.
            on: what it is taken of: the 'normalised' kernel, or the kernel before.
        """
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
        # To true-convolution form, here and in `result` and nowhere else.
        return odd_from_correlation(self.normalised[:, 0], "before")

    def penalty(self) -> Tensor:
        """Return the penalty. On the normalised kernel, as released, neither norm has a gradient."""
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
    """GLKM's kernel prior in place of a diffusion model: one step of Adam for each step of the image."""

    def __init__(
        self, kernel: LatentKernel, rate: float, schedule: Literal["growing", "late"], from_share: float
    ) -> None:
        """Start the optimisation of a kernel prior.

        Args:
            kernel: the kernel prior.
            rate: of Adam.
            schedule: 'growing' multiplies the rate by sqrt(A_t); 'late' moves the kernel in the last steps
                only.
            from_share: with 'late', the share of the 1000 steps that is left when the kernel begins to move.
        """
        self.kernel, self.rate, self.schedule, self.from_share = kernel, rate, schedule, from_share
        self.adam = torch.optim.Adam(kernel.parameters(), lr=rate)

    @property
    def variables(self) -> Sequence[Tensor]:
        return list(self.kernel.parameters())

    def kernels(self, step: DiffusionStep) -> Tensor:
        del step
        return odd(self.kernel())

    def penalty(self) -> Tensor:
        """Return 0: the generator is the prior."""
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
    """A `Problem` of `methods.parts.solver`: each iteration is a step of both to less noise."""

    def __init__(
        self,
        *,
        view: View,
        image: Tensor,
        kernel: KernelSide,
        settings: SamplingSettings,
        draw: Draw,
        rng: torch.Generator,
        weights: str = "",
    ) -> None:
        """Start at a noise.

        Args:
            view: the blurry image and the diffusion model of images.
            image: the noise, (1, C, H, W).
            kernel: the kernel's part.
            settings: of the sampling.
            draw: gives fresh noise.
            rng: where `draw` takes it from.
            weights: label of the pre-trained weights.
        """
        self.view, self.kernel, self.settings, self.weights = view, kernel, settings, weights
        self.draw, self.rng, self.device = draw, rng, view.device
        self.steps = settings.chain().steps
        self.iterations = len(self.steps)
        self.state = image.requires_grad_()
        self.latest = image.detach()  # the last clean estimate; after the last step the image that it led to
        self.slowdown = 1.0
        view.prior.network.checkpointing = settings.checkpointing

    def step(self, iteration: int) -> Step:
        """Do an ancestral step of both, corrected along the gradient of the residual's norm (not squared)."""
        step = self.steps[-1 - iteration]
        with self.view.memory(not self.settings.checkpointing, self.settings.advice):
            output = self.view.output(self.state, step.number, self.settings.bfloat16)
            estimate, mean, log_variance = ancestral(self.state, output, step)
            norm = self.view.residual(estimate, self.kernel.kernels(step)).norm()
            of_image, *of_kernel = torch.autograd.grad(
                norm + self.kernel.penalty(), [self.state, *self.kernel.variables]
            )
        zeta = self.zeta(step)
        moved = (descended(mean, log_variance, step, self.draw) - zeta * of_image).detach()
        self.kernel.move(of_kernel, step, zeta, self.draw)
        self.state = moved.requires_grad_()
        self.latest = moved.detach() if iteration == self.iterations - 1 else estimate.detach()
        return Step("residual", norm.detach())

    def zeta(self, step: DiffusionStep) -> float:
        """Return the length of the correction."""
        settings = self.settings
        length = step.level**0.5 if settings.step_size == "growing" else settings.constant_step
        return self.slowdown * settings.step_factor * length

    def slow_down(self) -> None:
        """Halve the corrections for the rest of the run."""
        self.slowdown *= 0.5
        self.kernel.slow_down()

    def estimate(self) -> Result:
        """Return the clean estimate of the last step, or the final image after all steps; and the kernel."""
        return Result(self.view.result(self.latest.clamp(-1, 1)), self.kernel.result())

    def state_dict(self) -> dict[str, Any]:
        """Return image, kernel, random generator and slowdown."""
        return {
            "image": self.state.detach(),
            "latest": self.latest,
            "kernel": self.kernel.state_dict(),
            "rng": self.rng.get_state(),
            "slowdown": self.slowdown,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.state = state["image"].to(self.device).requires_grad_()
        self.latest = state["latest"].to(self.device)
        self.kernel.load_state_dict(state["kernel"])
        self.rng.set_state(state["rng"].cpu())
        self.slowdown = state["slowdown"]


def descended(mean: Tensor, log_variance: Tensor, step: DiffusionStep, draw: Draw) -> Tensor:
    """Draw x_{t-1} from its mean and variance; the last step adds no noise."""
    if step.previous == 1:
        return mean
    return mean + (log_variance / 2).exp() * draw(mean)


def of_sum_one(kernels: Tensor) -> Tensor:
    """Divide a non-negative kernel (1, 1, n, n) by its sum; return a uniform one where all is 0."""
    total = kernels.sum()
    uniform = torch.full_like(kernels, 1 / kernels.numel())
    return torch.where(total > 1e-8, kernels / total.clamp_min(1e-8), uniform)


def drawing_from(rng: torch.Generator) -> Draw:
    """Return a function that draws noise from `rng`, which must be on the device of the tensors."""

    def draw(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=rng, dtype=like.dtype, device=like.device)

    return draw
