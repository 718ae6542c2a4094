"""Generator inversion: the code, or the first layer's features, whose kernel is closest to a given one."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from methods.glkm.generator import Generator

Reduction = Literal["mean", "sum"]


def inverted(
    generator: Generator,
    codes: Tensor,
    kernels: Tensor,
    steps: int,
    rate: float,
    reduction: Reduction = "mean",
) -> Tensor:
    """Latent codes (B, 100, 1, 1) after `steps` of a fresh Adam from `codes` on |G(z) - kernels|, L1."""
    return _closest(generator, codes, kernels, steps, rate, reduction)


def inverted_features(
    generator: Generator,
    features: Tensor,
    kernels: Tensor,
    steps: int,
    rate: float,
) -> Tensor:
    """`inverted` of the truncated generator, in feature maps, with the sum of all differences."""
    return _closest(generator.kernels, features, kernels, steps, rate, "sum")


def best_inverted(generator: Generator, starts: Tensor, kernels: Tensor, steps: int, rate: float) -> Tensor:
    """For each of `kernels` (B, 1, n, n) the best of the codes that `starts` (S, B, 100, 1, 1) lead to."""
    found = [inverted(generator, codes, kernels, steps, rate, "sum") for codes in starts]
    with torch.no_grad():
        misses = torch.stack([(generator(codes) - kernels).abs().flatten(1).sum(1) for codes in found])
    return torch.stack(found)[misses.argmin(0), torch.arange(len(kernels), device=kernels.device)]


def _closest(
    forward: Callable[[Tensor], Tensor],
    start: Tensor,
    kernels: Tensor,
    steps: int,
    rate: float,
    reduction: Reduction,
) -> Tensor:
    start = start.detach().clone().requires_grad_()
    adam = torch.optim.Adam([start], lr=rate)
    for _ in range(steps):
        adam.zero_grad(set_to_none=True)
        difference = (forward(start) - kernels).abs()
        (difference.mean() if reduction == "mean" else difference.sum()).backward()
        adam.step()
    return start.detach()
