"""What every kernel prior offers, and how a fit treats one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from methods.parts.objectives import Objective
from methods.parts.stages import Stage, with_first_kernels


class KernelPrior(Protocol):
    """A parametrisation of the blur kernels: any `nn.Module` with a `size` and such a `forward` is one."""

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the kernels."""

    def __call__(self) -> Tensor:
        """Return the kernels (P, h, w): true-convolution form, non-negative, sum 1 each, differentiable."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return what is optimised."""

    def to(self, device: torch.device) -> Self:
        """Move to `device`."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return the state that a checkpoint needs."""

    def load_state_dict(self, state: Mapping[str, Any], /) -> object:
        """Take a state back from a checkpoint."""


@dataclass(frozen=True)
class KernelSetup:
    """A kernel prior and how a fit trains it.

    >>> from methods.parts.kernel_priors.logits import LogitKernel
    >>> kernel = LogitKernel(count=1, size=(5, 5))
    >>> KernelSetup(kernel, rate=1e-4, first_iterations=500, first_kernels=kernel.frozen).prior.size
    (5, 5)
    """

    prior: KernelPrior
    rate: float  # of Adam
    weights: str = ""  # names the pre-trained weights in the prior; empty if there are none
    pretraining: Objective | None = None  # of the kernels in a pre-training; None: they do not change in it
    first_iterations: int = 0  # in so many first iterations `first_kernels` replaces the prior
    first_kernels: Callable[[], Tensor] | None = None  # gives (P, h, w), such as the prior's without gradient

    def stages(self, stages: Sequence[Stage]) -> Sequence[Stage]:
        """Put `first_kernels` into the first iterations of `stages`."""
        if self.first_kernels is None:
            return stages
        return with_first_kernels(self.first_iterations, self.first_kernels, stages)
