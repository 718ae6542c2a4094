"""BIRD: the noise behind an image, found by running a diffusion model's few deterministic steps.

H. Chihaoui, A. Lemkhenter, P. Favaro, "Blind Image Restoration via Fast Diffusion Inversion", NeurIPS 2024.

    minimise over x_T on the sphere of radius sqrt(3 H W), and the kernel:  mean (k * g(x_T) - y)^2

g is the model's map from noise to an image. Where the paper and the released code differ, the code's way is
the default.
"""

import math
from collections.abc import Mapping
from contextlib import nullcontext
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
    stride: int = 100  # of the diffusion's 1000 steps: 10 calls of the network in each iteration
    # stop: the network's output is a constant for the gradient, as in the released code. full: the gradient
    # of the whole map, as in the paper, in about three times the time and with the memory of one network's.
    gradient: Literal["stop", "full"] = "stop"
    bfloat16: bool = False  # whether the network runs in half the memory (ours)

    def __post_init__(self) -> None:
        at_least(1, self, "iterations")
        at_least(0, self, "image_rate")
        if not 1 <= self.stride <= STEPS:
            raise ValueError(f"stride must lie between 1 and {STEPS}, not {self.stride}")

    @property
    def advice(self) -> str:
        """What needs less memory."""
        if self.gradient == "full":
            return "set gradient: stop"
        return "take a smaller prior or image" if self.bfloat16 else "set bfloat16: true"


class Inversion:
    """A `Problem` (see `methods/parts/solver.py`): one Adam over the noise and the kernel prior."""

    def __init__(
        self,
        *,
        view: View,
        kernel: KernelPrior | None,  # of one kernel; None: no blur
        noise: Tensor,  # (1, 3, H, W)
        settings: InversionSettings,
        kernel_rate: float = 0.0,
        weights: str = "",
    ) -> None:
        self.view, self.kernel, self.settings, self.weights = view, kernel, settings, weights
        self.device, self.iterations = view.device, settings.iterations
        self.noise = nn.Parameter(noise)
        self.rates = [settings.image_rate, kernel_rate]
        groups = [{"params": [self.noise], "lr": settings.image_rate}]
        if kernel is not None:
            groups.append({"params": list(kernel.parameters()), "lr": kernel_rate})
        self.adam = torch.optim.Adam(groups)
        self.numbers = strided_steps(settings.stride)

    def image(self) -> Tensor:
        """g(x_T), (1, 3, H, W)."""
        return ddim_chain(self.noise, self._noise_in, self.numbers)

    def step(self, iteration: int) -> Step:
        """One joint gradient step, and back to the sphere."""
        del iteration  # rates and objective stay
        self.adam.zero_grad(set_to_none=True)
        with self.view.memory(self.settings.gradient == "full", self.settings.advice):
            kernels = None if self.kernel is None else odd(self.kernel())
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
        """The image and kernel of the noise and kernel prior as they are."""
        kernels = None if self.kernel is None else odd(self.kernel())
        return Result(self.view.result(self.image()), kernels)

    def state_dict(self) -> dict[str, Any]:
        """The noise, the kernel prior, Adam's moments and rates."""
        kernel = {} if self.kernel is None else self.kernel.state_dict()
        return {"noise": self.noise.detach(), "kernel": kernel, "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        with torch.no_grad():
            self.noise.copy_(state["noise"])
        if self.kernel is not None:
            self.kernel.load_state_dict(state["kernel"])
        self.adam.load_state_dict(state["adam"])

    def _noise_in(self, images: Tensor, number: int) -> Tensor:
        stop = self.settings.gradient == "stop"
        half = torch.autocast(self.device.type, torch.bfloat16) if self.settings.bfloat16 else nullcontext()
        with half:
            if stop:
                with torch.no_grad():
                    output = self.view.prior.output(images, number)
            elif torch.is_grad_enabled():
                output = checkpoint(
                    self.view.prior.output, images, number, use_reentrant=False, preserve_rng_state=False
                )
            else:
                output = self.view.prior.output(images, number)
        return output[:, : images.shape[1]].to(images.dtype)
