"""Fit an image prior and a kernel prior to a blurry image together: what most methods here do.

minimise over the parameters of both priors:  objective( operator(image, kernels), blurry )
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor

from benchmark.blur.convolution import central_crop, uniform_blur
from benchmark.blur.svola import svola
from benchmark.core.types import Observation
from methods.parts.capture import repeated
from methods.parts.image_priors.skip import DeepImagePrior
from methods.parts.kernel_priors.protocol import KernelPrior, KernelSetup
from methods.parts.objectives import Estimate, Operator
from methods.parts.precision import check_precision_on, multiplying
from methods.parts.seeding import generator_from
from methods.parts.solver import Result, Step
from methods.parts.stages import Rates, Schedule, Stage
from methods.parts.stopping import WindowedVariance

ReadOut = Callable[[Tensor, Tensor], Result]  # latent image (C, H', W'), kernels (P, h, w) -> result


def middle(frame: tuple[int, int]) -> ReadOut:
    """Return a read-out that takes the central `frame` (H, W) of the latent image.

    >>> result = middle((4, 4))(torch.zeros(3, 8, 8), torch.ones(1, 1, 1))
    >>> result.image.shape
    torch.Size([3, 4, 4])
    """

    def read_out(image: Tensor, kernels: Tensor) -> Result:
        return Result(central_crop(image, frame), kernels)

    return read_out


class Fit:
    """A `Problem` of `methods.parts.solver`: one Adam over both priors, from the first stage to the last.

    Methods build theirs by `build_fit`.
    """

    def __init__(
        self,
        *,
        image: DeepImagePrior,
        kernel: KernelPrior,
        operator: Operator,
        stages: Sequence[Stage],
        rates: Rates,
        read_out: ReadOut,
        rng: torch.Generator,
        weights: str = "",
        stopper: WindowedVariance | None = None,
    ) -> None:
        """Compose the fit. Both priors and `rng` must be on the device of the observation.

        Args:
            image: Gives the latent image.
            kernel: Gives the kernels.
            operator: Blurs the latent image with the kernels.
            stages: Objectives, and for how long each.
            rates: Adam's learning rates.
            read_out: Makes the result of the latent image and the kernels.
            rng: Draws the perturbations of the image prior's code, and samples.
            weights: Names the pre-trained weights in the priors; empty if there are none.
            stopper: Watches the last stage for early stopping. Not the stages before: a new objective
                changes the whole image, and the variance that is watched with it.
        """
        self.image, self.kernel, self.operator = image, kernel, operator
        self.stages, self.rates, self.read_out, self.rng = stages, rates, read_out, rng
        self.weights, self.stopper = weights, stopper
        self.device = image.code.device
        self.iterations = sum(stage.iterations for stage in stages)
        # The rates as Adam reads them. On a GPU they lie there, in the type that its fused Adam takes;
        # elsewhere float64 rounds nothing.
        place: dict[str, Any] = {"dtype": torch.float64}
        if self.device.type == "cuda":
            place = {"device": self.device}
        self.current_rates = [torch.zeros((), **place) for _ in range(2)]
        self.adam = torch.optim.Adam(
            [
                {"params": list(parameters), "lr": rate}
                for parameters, rate in zip(
                    (image.parameters(), kernel.parameters()), self.current_rates, strict=True
                )
            ],
            **self._ways_of_adam(),
        )
        self.slowdown = 1.0
        self._repeated: tuple[Stage, Callable[[], Step]] | None = None  # the stage, and what does its step

    def step(self, iteration: int) -> Step:
        """Do one joint gradient step on both priors."""
        for current, rate in zip(self.current_rates, self.rates.at(iteration), strict=True):
            current.fill_(rate * self.slowdown)
        stage = self._stage_at(iteration)
        if self._repeated is None or self._repeated[0] is not stage:
            self._repeated = stage, repeated(partial(self._advance, stage), self.device, self.rng)
        return self._repeated[1]()

    def _advance(self, stage: Stage) -> Step:
        """Do a step of a stage. What differs from one step to the next lies in tensors: see `repeated`."""
        with multiplying(self.image.precision, self.device):
            return self._gradient_step(stage)

    def _gradient_step(self, stage: Stage) -> Step:
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
        """Read out the current image and kernels, or at the end of a run those that the stopper kept.

        The code is not perturbed; batch norms stay in training mode.
        """
        last = self.stages[-1].iterations
        best = None if self.stopper is None else self.stopper.best(last)
        if best is None:
            estimate = self._estimate(None, self.kernel)
            result = self.read_out(estimate.image, estimate.kernels)
        else:
            result = self.read_out(best.image, best.kernels)
            result = replace(result, iteration=self.iterations - last + best.iteration)
        return replace(result, notes={**result.notes, "precision": self.image.precision})

    def state_dict(self) -> dict[str, Any]:
        """Return parameters, Adam's moments, the generator, the slowdown and the state of the stopper."""
        return {
            "image": self.image.state_dict(),
            "kernel": self.kernel.state_dict(),
            "adam": self.adam.state_dict(),
            "rng": self.rng.get_state(),
            "slowdown": self.slowdown,
            "stopper": {} if self.stopper is None else self.stopper.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self._repeated = None  # Adam and the stopper get other tensors
        self.image.load_state_dict(state["image"])
        self.kernel.load_state_dict(state["kernel"])
        self.adam.load_state_dict(state["adam"])
        for group, rate in zip(self.adam.param_groups, self.current_rates, strict=True):
            group |= {"lr": rate, **self._ways_of_adam()}  # the state may come from another device
        self.rng.set_state(state["rng"].cpu())
        self.slowdown = state["slowdown"]
        if self.stopper is not None:
            self.stopper.load_state_dict(state["stopper"], self.device)

    def _ways_of_adam(self) -> dict[str, Any]:
        # Fused: one call for all parameters instead of a dozen for each; the device `meta` has none.
        return {"fused": self.device.type != "meta", "capturable": self.device.type == "cuda"}

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


def build_fit(
    observation: Observation,
    image: DeepImagePrior,
    kernel: KernelSetup,
    stages: Sequence[Stage],
    schedule: Schedule,
    rng: torch.Generator,
    device: torch.device,
    *,
    pretraining: int = 0,
    operator: Operator | None = None,
    read_out: ReadOut | None = None,
    stopper: WindowedVariance | None = None,
) -> Fit:
    """Build the fit of one observation.

    Args:
        observation: The blurry image and what is known of its blur.
        image: The image prior, already drawn from `rng`; its latent image is larger than the observation by
            the kernel's size less one.
        kernel: The kernel prior, also drawn, with its rate and its first iterations.
        stages: Objectives, and for how long each; their tensors are on `device`.
        schedule: The image's rate, and the milestones of both rates.
        rng: Seeds the generator of perturbations and samples: one draw.
        device: Both priors are moved there.
        pretraining: Iterations of `stages` that are not counted by `schedule`.
        operator: Blurs the latent image; if None, the observation's own kind of blur.
        read_out: Makes the result; if None, the middle of the latent image is.
        stopper: Watches the last stage for early stopping.

    Raises:
        NotSupportedError: The device does not have the precision of the image network.

    >>> import numpy as np
    >>> from methods.parts.image_priors.skip import SkipSettings
    >>> from methods.parts.kernel_priors.fcn import FcnSettings
    >>> from methods.parts.stages import MseThenSsim
    >>> observation = Observation("photos", "mine", np.full((1, 24, 28), 0.5, np.float32), (5, 5))
    >>> rng, schedule = torch.Generator().manual_seed(0), Schedule(iterations=10)
    >>> kernel = KernelSetup(FcnSettings(kernel_hidden=8).draw(1, (5, 5), rng), rate=1e-4)
    >>> image = SkipSettings(channels=4, skip_channels=2, scales=2).draw(1, (24, 28), (5, 5), rng)
    >>> stages = MseThenSsim().stages(torch.from_numpy(observation.blurry), schedule.iterations)
    >>> fit = build_fit(observation, image, kernel, stages, schedule, rng, torch.device("cpu"))
    >>> fit.step(0).stage, fit.estimate().image.shape, fit.estimate().kernels.shape
    ('mse', torch.Size([1, 24, 28]), torch.Size([1, 5, 5]))
    """
    check_precision_on(image.network.precision, device)
    return Fit(
        image=image.to(device),
        kernel=kernel.prior.to(device),
        operator=operator or operator_for(observation),
        stages=kernel.stages(stages),
        rates=schedule.rates(kernel.rate, pretraining),
        read_out=read_out or middle((observation.blurry.shape[1], observation.blurry.shape[2])),
        rng=generator_from(rng, device),
        weights=kernel.weights,
        stopper=stopper,
    )


def operator_for(observation: Observation) -> Operator:
    """Return the operator of the observation's blur: one kernel, or one at each node of a grid (SVOLA)."""
    if observation.blur_model == "uniform":
        return uniform_blur
    return partial(svola, grid=observation.grid)


def kernel_count(observation: Observation) -> int:
    """Return how many kernels `operator_for` the observation takes."""
    return 1 if observation.blur_model == "uniform" else prod(observation.grid)
