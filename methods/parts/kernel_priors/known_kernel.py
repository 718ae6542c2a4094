"""Fit kernel priors to a known kernel: which of its frequencies each learns, and when.

Z. Zhuang, T. Li, H. Wang, J. Sun, "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise",
IJCV 2023, section 3.4 and Figure 12.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.blur.convolution import convolve_valid
from methods.parts.image_priors.skip import SkipSettings
from methods.parts.kernel_priors.convolutional import convolutional_kernel
from methods.parts.kernel_priors.fcn import KERNEL_RATE, FcnSettings
from methods.parts.kernel_priors.protocol import KernelPrior
from methods.parts.kernel_priors.siren import SirenSettings
from methods.parts.stages import Schedule

Misfit = Callable[[Tensor], Tensor]  # kernel (h, w) -> a scalar to be minimised


@dataclass(frozen=True)
class Candidate:
    """A kernel prior, and the rate of Adam at which the methods that use it train it."""

    prior: KernelPrior
    rate: float


def candidates(
    size: tuple[int, int],
    rng: torch.Generator,
    convolutional: SkipSettings | None = None,
    network: FcnSettings | None = None,
    siren: SirenSettings | None = None,
) -> dict[str, Candidate]:
    """Build the three kernel priors of the paper's Figure 12.

    Args:
        size: (h, w) of the kernels.
        rng: Where codes and initial weights are drawn from.
        convolutional, network, siren: Sizes of the three networks; the methods' own if None.

    Returns:
        The priors by the words that a figure has for them.
    """
    skip, fcn, sine = convolutional or SkipSettings(), network or FcnSettings(), siren or SirenSettings()
    return {
        "convolutional network": Candidate(convolutional_kernel(skip, size, rng), Schedule().image_rate),
        "network of one hidden layer": Candidate(fcn.draw(1, size, rng), KERNEL_RATE),
        "sine network": Candidate(sine.draw(size, rng), KERNEL_RATE),
    }


def kernel_misfit(kernel: Tensor) -> Misfit:
    """Return the squared distance to `kernel` (h, w), as a function of an estimate."""
    return lambda estimate: (estimate - kernel).square().sum()


def blur_misfit(scene: Tensor, kernel: Tensor) -> Misfit:
    """Return the squared distance between two blurred images, as a function of an estimate.

    Args:
        scene: A sharp image (C, H', W').
        kernel: The true kernel (h, w); the estimate blurs `scene` as well as it does.
    """
    blurry = convolve_valid(scene, kernel)
    return lambda estimate: (convolve_valid(scene, estimate) - blurry).square().sum()


def fit_steps(candidate: Candidate, misfit: Misfit, steps: int, every: int) -> Iterator[tuple[int, Tensor]]:
    """Minimise `misfit` by Adam.

    Yields:
        (step, kernel (h, w)) before each `every`-th of the `steps`, and after the last.
    """
    adam = torch.optim.Adam(candidate.prior.parameters(), lr=candidate.rate)
    for step in range(steps):
        adam.zero_grad(set_to_none=True)
        kernel: Tensor = candidate.prior()[0]
        if step % every == 0:
            yield step, kernel.detach()
        misfit(kernel).backward()
        adam.step()
    with torch.no_grad():
        yield steps, candidate.prior()[0]
