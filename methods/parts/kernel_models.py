"""Kernel priors on their own, fitted to a kernel: which of its frequencies each learns, and when.

"Blind Image Deblurring with Unknown Kernel Size and Substantial Noise", section 3.4 and Figure 12. Rates and
initial codes are those of the methods that the priors come from.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark.blur.convolution import convolve_valid
from methods.robust_bid import Settings, convolutional_kernel

Misfit = Callable[[Tensor], Tensor]  # of a kernel (h, w): a scalar


@dataclass(frozen=True)
class KernelModel:
    """A kernel prior and the rate that Adam fits it with."""

    prior: nn.Module  # forward() -> (1, h, w)
    rate: float


def kernel_models(
    size: tuple[int, int], rng: torch.Generator, settings: Settings | None = None
) -> Mapping[str, KernelModel]:
    """Words to prior, for kernels of `size` (h, w), drawn from `rng`."""
    settings = settings or Settings()
    return {
        "convolutional network": KernelModel(convolutional_kernel(settings, size, rng), settings.image_rate),
        "network of one hidden layer": KernelModel(
            settings.kernel_networks(1, size, rng), settings.kernel_rate
        ),
        "sine network": KernelModel(settings.siren(size, rng), settings.kernel_rate),
    }


def to_the_kernel(kernel: Tensor) -> Misfit:
    """The squared distance to `kernel` (h, w)."""
    return lambda estimate: (estimate - kernel).square().sum()


def to_its_blur(scene: Tensor, kernel: Tensor) -> Misfit:
    """The squared distance between `scene` (C, H', W') through the estimate and through `kernel`."""
    blurry = convolve_valid(scene, kernel)
    return lambda estimate: (convolve_valid(scene, estimate) - blurry).square().sum()


def fitted(model: KernelModel, misfit: Misfit, steps: int, every: int) -> Iterator[tuple[int, Tensor]]:
    """(step, kernel (h, w)) before each `every`-th of `steps` steps of Adam, and after the last."""
    adam = torch.optim.Adam(model.prior.parameters(), lr=model.rate)
    for step in range(steps):
        adam.zero_grad(set_to_none=True)
        kernel: Tensor = model.prior()[0]
        if step % every == 0:
            yield step, kernel.detach()
        misfit(kernel).backward()
        adam.step()
    with torch.no_grad():
        yield steps, model.prior()[0]
