"""Warm start: let a kernel prior start at the kernel that another method estimates.

A method whose kernel prior is free has the part `StartSettings`: it runs the other method on the same
observation with `estimated_kernel`, fits the kernel prior to that kernel with `fit_to`, and lets it rest
there for a share of the iterations. The registration names the other method in `uses`, so that results become
stale when that method changes.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.types import Observation, Status
from methods.parts import registry
from methods.parts.kernel_priors.divergence import cross_entropy_of
from methods.parts.kernel_priors.protocol import KernelPrior, KernelSetup
from methods.parts.limits import shares
from methods.parts.solver import Task, drive

RATE = 1e-3  # of Adam; ours: kernel networks reach ERROR within MOST_STEPS, as the tests check
ERROR = 0.02  # |prior's kernel - given| / |given|: smaller than the difference of any two methods' kernels
MOST_STEPS = 1000


@dataclass(frozen=True)
class StartSettings:
    """Settings: the kernel at which a free kernel prior starts. No paper has it."""

    # A method, such as l0-grad, at whose kernel the kernel prior starts. null: at that of its random weights.
    start: str | None = None
    frozen: float = 0.0  # share of the iterations during which the kernel rests at that start

    def __post_init__(self) -> None:
        shares(self, "frozen")
        if self.start is not None:
            estimator(self.start)  # raises InputError unless the method estimates kernels

    def without_effect(self) -> dict[str, str]:
        """Find out that nothing rests without a start: see `methods.parts.settings.without_effect`."""
        return {"frozen": "start: null"} if self.start is None else {}

    def methods_run_first(self) -> tuple[str, ...]:
        """Return the name of the method whose kernel the prior starts at, if any."""
        return () if self.start is None else (self.start,)

    def begun(
        self,
        kernel: KernelSetup,
        observation: Observation,
        rng: torch.Generator,
        device: torch.device,
        iterations: int,
        pretraining: int = 0,
    ) -> KernelSetup:
        """Bring a kernel prior to its start.

        Args:
            kernel: The prior, already drawn; its parameters change.
            observation: What the other method restores.
            rng: Where that method draws from.
            device: Where that method runs.
            iterations: Of the fit, without its pre-training.
            pretraining: Iterations before these, in which the kernel rests, too.

        Raises:
            NotSupportedError: The blur is not uniform, or as `estimated_kernel` and `fit_to`.
        """
        if self.start is None:
            return kernel
        if observation.blur_model != "uniform":
            raise NotSupportedError("there is no start at another method's kernel for non-uniform blur")
        kernels = resized(estimated_kernel(self.start, observation, rng, device), kernel.prior.size)
        fit_to(kernel.prior, kernels / kernels.sum((-2, -1), keepdim=True))
        return resting(replace(kernel, pretraining=None), round(self.frozen * iterations), pretraining)


def resting(kernel: KernelSetup, iterations: int, pretraining: int = 0) -> KernelSetup:
    """Let a kernel prior rest for so many first iterations after a pre-training; none changes nothing."""
    if not iterations:
        return kernel
    prior = kernel.prior
    return replace(kernel, first_iterations=pretraining + iterations, first_kernels=lambda: prior().detach())


def estimator(name: str) -> registry.Method:
    """Return the method that a setting `start` names.

    Args:
        name: Of the method.

    Raises:
        InputError: There is no such method, it is a control, or it does not run with its defaults.
    """
    try:
        method = registry.find(name)
    except InputError as error:
        raise InputError(f"start: {error}") from error
    if method.role != "method":
        raise InputError(f"start: '{name}' is a control and estimates no kernel")
    try:
        method.settings()
    except TypeError as error:
        raise InputError(f"start: '{name}' does not run without settings of its own") from error
    return method


def estimated_kernel(
    name: str, observation: Observation, rng: torch.Generator, device: torch.device
) -> Tensor:
    """Run another method, with its default settings, and return its kernels.

    Args:
        name: Of the method.
        observation: What it restores.
        rng: Where it draws from.
        device: Where it runs.

    Returns:
        (P, h, w) of the declared size, sum 1 each; of the method's own size where none is declared.

    Raises:
        NotSupportedError: The method declines, diverges or estimates no kernel of that size. Other errors
            are not caught.
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
    """Crop kernels, or pad them with zeros, about the entry that shifts nothing.

    Args:
        kernels: (P, h', w'). Entry (h' // 2, w' // 2) shifts nothing, as restored frames are central crops.
        size: (h, w).

    Returns:
        (P, h, w), whose entry (h // 2, w // 2) shifts nothing.
    """
    (rows, columns), (h, w) = kernels.shape[-2:], size
    top, left = h // 2 - rows // 2, w // 2 - columns // 2
    return functional.pad(kernels, (left, w - columns - left, top, h - rows - top))


def fit_to(prior: KernelPrior, kernels: Tensor, rate: float = RATE, enough: float = ERROR) -> None:
    """Train a kernel prior until it gives certain kernels: Adam on the Kullback-Leibler divergence.

    Draws no random numbers, and leaves no gradients.

    Args:
        prior: Its parameters change.
        kernels: (P, h, w), sum 1 each.
        rate: Of Adam.
        enough: The relative error at which the training ends.

    Raises:
        NotSupportedError: The error is still larger after MOST_STEPS steps.
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
