"""BIRD: find the noise from which a diffusion model makes the sharp image.

    min over x_T and k  of  mean (k * g(x_T) - y)^2,   x_T on the sphere of radius sqrt(3 H W)

x_T is the noise, g the model's map from noise to an image in a few deterministic steps, k the kernel, y the
blurry image. H. Chihaoui, A. Lemkhenter, P. Favaro, "Blind Image Restoration via Fast Diffusion Inversion",
NeurIPS 2024. Where the paper and the released code differ, the code's way is the default.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from methods.diffusion.schedule import STEPS, ddim_chain, strided_steps
from methods.diffusion.view import View, odd
from methods.parts.kernel_priors.protocol import KernelPrior
from methods.parts.limits import at_least
from methods.parts.solver import Result, Step


@dataclass(frozen=True)
class InversionSettings:
    """Settings: how BIRD looks for the noise; defaults are those of the released code."""

    iterations: int = 100  # steps of the fit
    image_rate: float = 3e-3  # learning rate of the noise x_T
    # Every so many of the diffusion's 1000 steps is taken: 100 makes 10 calls of the network per iteration.
    stride: int = 100
    # Which gradient the noise gets. stop: the network's output counts as a constant, as in the released code.
    # full: that of the whole map, as in the paper; it takes about three times as long, and the memory of one
    # network's gradient.
    gradient: Literal["stop", "full"] = "stop"
    bfloat16: bool = False  # whether the network computes in bfloat16, in half the memory (ours)

    def __post_init__(self) -> None:
        at_least(1, self, "iterations")
        at_least(0, self, "image_rate")
        if not 1 <= self.stride <= STEPS:
            raise ValueError(f"stride must lie between 1 and {STEPS}, not {self.stride}")

    @property
    def advice(self) -> str:
        """What to set to need less memory."""
        if self.gradient == "full":
            return "set gradient: stop"
        return "take a smaller prior or image" if self.bfloat16 else "set bfloat16: true"


class Inversion:
    """A `Problem` of `methods.parts.solver`: one Adam over the noise and the kernel prior."""

    def __init__(
        self,
        *,
        view: View,
        kernel: KernelPrior | None,
        noise: Tensor,
        settings: InversionSettings,
        kernel_rate: float = 0.0,
        rest: int = 0,
        weights: str = "",
    ) -> None:
        """Start at a noise and a kernel prior.

        Args:
            view: the blurry image and the diffusion model.
            kernel: the prior of one kernel (1, h, w); None: there is no blur.
            noise: x_T, (1, C, H, W).
            settings: of the optimisation.
            kernel_rate: Adam's rate for the kernel prior.
            rest: in so many first iterations the kernel prior does not change.
            weights: label of the pre-trained weights.
        """
        self.view, self.kernel, self.settings, self.weights = view, kernel, settings, weights
        self.rest = rest
        self.device, self.iterations = view.device, settings.iterations
        self.noise = nn.Parameter(noise)
        groups = [{"params": [self.noise], "lr": settings.image_rate}]
        if kernel is not None:
            groups.append({"params": list(kernel.parameters()), "lr": kernel_rate})
        self.adam = torch.optim.Adam(groups)
        self.numbers = strided_steps(settings.stride)

    def image(self) -> Tensor:
        """Return g(x_T), (1, C, H, W) in [-1, 1]."""
        return ddim_chain(self.noise, self._noise_in, self.numbers)

    def step(self, iteration: int) -> Step:
        """Do one gradient step for noise and kernel, then put the noise back on the sphere."""
        self.adam.zero_grad(set_to_none=True)
        with self.view.memory(self.settings.gradient == "full", self.settings.advice):
            kernels = None if self.kernel is None else odd(self.kernel())
            if kernels is not None and iteration < self.rest:
                kernels = kernels.detach()
            loss = self.view.residual(self.image(), kernels).square().mean()
            loss.backward()
        self.adam.step()
        with torch.no_grad():
            squares = self.noise.square().sum()
            self.noise.mul_(math.sqrt(self.noise.numel()) / torch.sqrt(squares + 1e-9))
        return Step("mse", loss.detach())

    def slow_down(self) -> None:
        """Halve both rates for the rest of the run."""
        for group in self.adam.param_groups:
            group["lr"] *= 0.5

    @torch.no_grad()
    def estimate(self) -> Result:
        """Return the current image and kernel."""
        kernels = None if self.kernel is None else odd(self.kernel())
        return Result(self.view.result(self.image()), kernels)

    def state_dict(self) -> dict[str, Any]:
        """Return the noise, the state of the kernel prior, and Adam's."""
        kernel = {} if self.kernel is None else self.kernel.state_dict()
        return {"noise": self.noise.detach(), "kernel": kernel, "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        with torch.no_grad():
            self.noise.copy_(state["noise"])
        if self.kernel is not None:
            self.kernel.load_state_dict(state["kernel"])
        self.adam.load_state_dict(state["adam"])

    def _noise_in(self, images: Tensor, number: int) -> Tensor:
        stop = self.settings.gradient == "stop"
        given = images, number, self.settings.bfloat16
        if stop:
            with torch.no_grad():
                output = self.view.output(*given)
        elif torch.is_grad_enabled():
            output = checkpoint(self.view.output, *given, use_reentrant=False, preserve_rng_state=False)
        else:
            output = self.view.output(*given)
        return output[:, : images.shape[1]]
