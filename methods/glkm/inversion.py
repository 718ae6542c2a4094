"""Generator inversion: find the latent variables whose kernel is closest to a given one."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Reduction = Literal["mean", "sum"]
KernelsOf = Callable[[Tensor], Tensor]  # a generator G, or its part G2, or these with smaller kernels


def minimised(start: Tensor, loss: Callable[[Tensor], Tensor], steps: int, rate: float) -> Tensor:
    """Minimise `loss` over a tensor by a fresh Adam of `steps` steps at `rate`, and return where it ends.

    >>> minimised(torch.zeros(1), lambda x: (x - 3).square().sum(), steps=200, rate=0.1).round()
    tensor([3.])
    """
    variable = start.detach().clone().requires_grad_()
    adam = torch.optim.Adam([variable], lr=rate)
    for _ in range(steps):
        adam.zero_grad(set_to_none=True)
        loss(variable).backward()
        adam.step()
    return variable.detach()


def inverted(
    generator: KernelsOf,
    codes: Tensor,
    kernels: Tensor,
    steps: int,
    rate: float,
    reduction: Reduction = "mean",
) -> Tensor:
    """Minimise |G(z) - k| over latent codes z: the inner loop of Algorithm 1 of the GLKM paper.

    Or |G2(w) - k| over the feature maps w of the generator's first layer.

    Args:
        generator: G, frozen; or G2.
        codes: where the codes start, (B, 100, 1, 1); or the feature maps.
        kernels: the kernels k, (B, 1, n, n), correlation form.
        steps: steps of Adam.
        rate: its learning rate.
        reduction: mean or sum of the absolute differences over all pixels and kernels.

    Returns:
        The codes, or the feature maps, after the last step.
    """
    return minimised(codes, _difference(generator, kernels, reduction), steps, rate)


def best_inverted(generator: KernelsOf, starts: Tensor, kernels: Tensor, steps: int, rate: float) -> Tensor:
    """Invert `kernels` (B, 1, n, n) from each of `starts` (S, B, 100, 1, 1); return the best codes."""
    ends = torch.stack([inverted(generator, codes, kernels, steps, rate, "sum") for codes in starts])
    with torch.no_grad():
        misses = torch.stack([(generator(codes) - kernels).abs().flatten(1).sum(1) for codes in ends])
    return ends[misses.argmin(0), torch.arange(len(kernels), device=kernels.device)]


def _difference(kernels_of: KernelsOf, kernels: Tensor, reduction: Reduction) -> Callable[[Tensor], Tensor]:
    def loss(latent: Tensor) -> Tensor:
        difference = (kernels_of(latent) - kernels).abs()
        return difference.mean() if reduction == "mean" else difference.sum()

    return loss
