"""Warm start: a kernel prior that begins at a kernel which another method estimated.

What a deep method with a setting `warm_start` needs: `estimator` checks the name, `estimated_kernel` runs
that method on the same observation, `fit_to` brings the kernel prior there. The deep method's registration
names the estimator in `uses`, so that a change of the estimator makes its results stale.
"""

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.core.types import InputError, NotSupportedError, Observation, Status
from methods.parts import registry
from methods.parts.kernel_priors.divergence import cross_entropy_of
from methods.parts.kernel_priors.protocol import KernelPrior
from methods.parts.solver import Task, drive

# Measured on motion kernels of 13 and 31 px: SelfDeblur's network takes 56 to 81 steps, a SIREN of two layers
# of 256 takes 99 to 667. At a tenth of the rate SIREN is not there after 1,000, nor at three times the rate.
RATE = 1e-3
ERROR = 0.02  # relative, |fitted - given| / |given|: below what tells any two estimates of a kernel apart
MOST_STEPS = 1000


def estimator(name: str, setting: str = "warm_start") -> registry.Method:
    """The method called `name`, which a `setting` asks for.

    Raises InputError when it cannot estimate a kernel with its own defaults.
    """
    try:
        method = registry.find(name)
    except InputError as error:
        raise InputError(f"{setting}: {error}") from error
    if method.role != "method":
        raise InputError(f"{setting}: '{name}' is a control and estimates no kernel")
    try:
        method.settings()
    except TypeError as error:
        raise InputError(f"{setting}: '{name}' does not run without settings of its own") from error
    return method


def estimated_kernel(
    name: str, observation: Observation, rng: torch.Generator, device: torch.device
) -> Tensor:
    """The kernels (P, h, w) of the declared size that the method `name` finds at its default settings.

    Raises NotSupportedError when it declines, diverges or estimates no kernel; a crash stays what it is.
    """
    method = estimator(name)
    task = Task(name, lambda: method.problem(observation, method.settings(), rng, device))
    try:
        restoration = drive(task)
    except NotSupportedError as error:
        raise NotSupportedError(f"no warm start from {name}: {error}") from error
    if restoration.status is not Status.OK:
        raise NotSupportedError(f"no warm start from {name}: {restoration.reason}")
    if restoration.kernels is None:
        raise NotSupportedError(f"no warm start from {name}: it estimates no kernel")
    kernels = torch.from_numpy(restoration.kernels)
    if observation.kernel_size is None:
        return kernels
    framed = resized(kernels, observation.kernel_size)
    totals = framed.sum((-2, -1), keepdim=True)
    if not (totals > 0).all():
        raise NotSupportedError(f"no warm start from {name}: its kernel lies outside the declared size")
    return framed / totals


def resized(kernels: Tensor, size: tuple[int, int]) -> Tensor:
    """`kernels` (P, h', w') cropped or padded with zeros to `size` (h, w); entry h' // 2 becomes h // 2.

    That entry is the one that shifts nothing: restored frames are central crops of the latent image.
    """
    (rows, columns), (h, w) = kernels.shape[-2:], size
    top, left = h // 2 - rows // 2, w // 2 - columns // 2
    return functional.pad(kernels, (left, w - columns - left, top, h - rows - top))


def fit_to(prior: KernelPrior, kernels: Tensor, rate: float = RATE, enough: float = ERROR) -> None:
    """Move the parameters of `prior`, whose forward() gives kernels (P, h, w), until it gives `kernels`.

    Adam on the Kullback-Leibler divergence, up to the relative error `enough`. Draws nothing, leaves no
    gradients.
    Raises NotSupportedError when the prior does not get there: it would start somewhere else.
    """
    adam = torch.optim.Adam(prior.parameters(), lr=rate, fused=True)
    error = float("inf")
    for _ in range(MOST_STEPS):
        fitted: Tensor = prior()
        target = kernels.to(fitted)
        error = ((fitted.detach() - target).norm() / target.norm()).item()
        if error <= enough:
            break
        divergence = cross_entropy_of(target, fitted).sum()
        adam.zero_grad(set_to_none=True)
        divergence.backward()
        adam.step()
    adam.zero_grad(set_to_none=True)
    if not error <= enough:
        raise NotSupportedError(
            f"the kernel prior stays {error:.0%} away from the kernel it should start from"
        )
