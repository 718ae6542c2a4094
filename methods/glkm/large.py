"""Kernels larger than any generator's: fit a reduced image first, then refine the enlarged kernel.

Not in the paper, though its real photographs have kernels of up to 151 px. A method fits the reduced
observation like any other, then the observation in its own size with a `LogitKernel` in place of the
generator.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.classical import pyramid
from methods.glkm.generator import OFFICIAL
from methods.glkm.start import LatentSettings, latent_kernel
from methods.parts.fit import Fit, kernel_count
from methods.parts.kernel_priors.logits import LogitKernel
from methods.parts.kernel_priors.protocol import KernelSetup
from methods.parts.solver import Result, Step
from methods.parts.warm_start import resting

LARGEST = max(OFFICIAL)


def is_large(observation: Observation) -> bool:
    """Tell whether the declared kernel size is larger than every generator's."""
    return observation.kernel_size is not None and max(observation.kernel_size) > LARGEST


def full_size(observation: Observation) -> int:
    """Return the side of the kernels of an observation that `is_large`.

    It is odd, so that the middle of a generator's kernel stays the middle. Kernels are square, as the
    generator's. Raises NotSupportedError when the image is smaller.
    """
    assert observation.kernel_size is not None
    size = pyramid.odd(max(observation.kernel_size))
    height, width = observation.blurry.shape[1:]
    if size > min(height, width):
        raise NotSupportedError(
            f"the image ({height} x {width}) is smaller than the square around its kernel ({size} x {size})"
        )
    return size


def shrunken(observation: Observation) -> Observation:
    """Reduce a large observation to the kernel size of the largest generator. Raises as `full_size`."""
    factor = LARGEST / full_size(observation)
    channels = [pyramid.shrunk(channel, factor) for channel in observation.blurry]
    return replace(observation, blurry=np.stack(channels).astype(np.float32), kernel_size=(LARGEST, LARGEST))


def enlarged(kernels: Tensor, size: int) -> Tensor:
    """Enlarge kernels (P, n, n) to (P, size, size) about their middles: bicubic, clipped at 0, sum 1 each."""
    larger = functional.interpolate(kernels[:, None], (size, size), mode="bicubic")[:, 0].clamp_min(0)
    return larger / larger.sum((-2, -1), keepdim=True)


def free_kernel(observation: Observation) -> LogitKernel:
    """Build the kernel prior of an observation that `is_large`, not yet started. Raises as `full_size`."""
    size = full_size(observation)
    return LogitKernel(kernel_count(observation), (size, size))


def fit_latent(
    observation: Observation,
    settings: LatentSettings,
    rng: torch.Generator,
    device: torch.device,
    fit: Callable[[Observation, KernelSetup], Fit],
    *,
    iterations: int,
    pretraining: int = 0,
    shared_iterations: int = 0,
) -> "Fit | SmallFirst":
    """Fit an observation with a generator's kernel; a kernel larger than any generator's takes two fits.

    Args:
        observation: The blurry image and its declared kernel size.
        settings: Of the kernel prior.
        rng: Where a random start is drawn from.
        device: Where the kernel prior lives.
        fit: Builds the fit of an observation (the given or the shrunken one) with a kernel.
        iterations: Of a fit, without its pre-training.
        pretraining: Iterations before these. A large kernel rests during them, too.
        shared_iterations: During so many first ones all nodes of a non-uniform blur share one kernel.

    Raises:
        NotSupportedError: As `latent_kernel` and `full_size`.
        WeightsMissingError: As `latent_kernel`.
    """

    def generated(observation: Observation) -> Fit:
        prior, weights = latent_kernel(observation, settings, rng, device)
        kernel = KernelSetup(
            prior,
            settings.latent_rate,
            weights,
            first_iterations=shared_iterations,
            first_kernels=prior.shared if shared_iterations else None,
        )
        return fit(observation, resting(kernel, round(settings.frozen * iterations), pretraining))

    if not is_large(observation):
        return generated(observation)
    small, prior = generated(shrunken(observation)), free_kernel(observation)
    kernel = KernelSetup(
        prior,
        settings.logit_rate,
        small.weights,
        first_iterations=pretraining + round(settings.frozen_share * iterations),
        first_kernels=prior.frozen,
    )
    return SmallFirst(small, fit(observation, kernel), prior)


class SmallFirst:
    """A `Problem` of `parts.solver`: one fit, then a second one that starts at the kernels of the first.

    The estimate is always the second fit's; during the first fit it is that of the start.
    """

    def __init__(self, small: Fit, full: Fit, kernel: LogitKernel) -> None:
        """Put two fits after each other.

        Args:
            small: the fit of the reduced image.
            full: the fit of the image in its own size.
            kernel: the kernel prior of `full`.
        """
        self.small, self.full, self.kernel = small, full, kernel
        self.iterations = small.iterations + full.iterations
        self.device, self.weights = full.device, small.weights

    def step(self, iteration: int) -> Step:
        """Do a step of the first fit or of the second; stage names of the first begin with 'small'."""
        if iteration < self.small.iterations:
            step = self.small.step(iteration)
            return replace(step, stage=f"small {step.stage}", ended=None)
        if iteration == self.small.iterations:
            kernels = self.small.estimate().kernels
            assert kernels is not None
            self.kernel.start_at(enlarged(kernels, self.kernel.size[0]))
        return self.full.step(iteration - self.small.iterations)

    def slow_down(self) -> None:
        """Halve the rates of both fits."""
        self.small.slow_down()
        self.full.slow_down()

    def estimate(self) -> Result:
        """Return the estimate of the second fit; its iteration counts from the start of the first."""
        result = self.full.estimate()
        if result.iteration is None:
            return result
        return replace(result, iteration=self.small.iterations + result.iteration)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both fits."""
        return {"small": self.small.state_dict(), "full": self.full.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.small.load_state_dict(state["small"])
        self.full.load_state_dict(state["full"])
