"""Diffusion arithmetic: schedules, the deterministic (DDIM) and the ancestral (DDPM) step backwards.

J. Ho, A. Jain, P. Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020; J. Song, C. Meng,
S. Ermon, "Denoising Diffusion Implicit Models", ICLR 2021; learned variances and fewer steps as in A. Nichol,
P. Dhariwal, "Improved Denoising Diffusion Probabilistic Models", ICML 2021. Images are in [-1, 1].

    x_t = sqrt(A_t) x_0 + sqrt(1 - A_t) noise,   A_t = product over s <= t of (1 - beta_s),   A_-1 = 1
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STEPS = 1000  # of every published model
# What a network tells of x_t: its noise, as all published ones; or sqrt(A_t) noise - sqrt(1 - A_t) x_0, the
# 'velocity' of T. Salimans, J. Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", ICLR
# 2022, by which a network that was hardly trained knows much: telling 0 has a noise loss of 0.19, not 1.
Target = Literal["noise", "velocity"]
Floats = NDArray[np.float64]


def linear_betas() -> Floats:
    """The noise variances beta_t of every published model, STEPS from 1e-4 to 0.02."""
    return np.linspace(1e-4, 0.02, STEPS)


@cache
def levels() -> tuple[float, ...]:
    """The signal levels A_t of all STEPS steps."""
    return tuple(np.cumprod(1 - linear_betas()).tolist())


def spread_steps(count: int) -> list[int]:
    """Choose `count` of the STEPS steps, from the first to the last, as evenly as whole numbers allow.

    Args:
        count: how many steps to keep, 1 to STEPS.

    Returns:
        The numbers of the kept steps, ascending.

    Raises:
        ValueError: there are not that many steps.

    >>> spread_steps(5)
    [0, 250, 500, 749, 999]
    """
    if not 1 <= count <= STEPS:
        raise ValueError(f"{count} of {STEPS} steps cannot be taken")
    stride = 1.0 if count == 1 else (STEPS - 1) / (count - 1)
    kept: list[int] = []
    place = 0.0
    for _ in range(count):
        kept.append(round(place))
        place += stride  # accumulated and rounded half to even, as in the published code
    return kept


def strided_steps(stride: int) -> list[int]:
    """The steps of a short deterministic chain, descending: multiples of about `stride`, down to 0.

    The first is one stride below STEPS, as in BIRD's released code: pure noise is taken for that step.

    >>> strided_steps(250)
    [750, 500, 250, 0]
    """
    calls = STEPS // stride
    return [STEPS // calls * number for number in reversed(range(calls))]


@dataclass(frozen=True)
class Step:
    """One number per quantity, of one step of a chain; float64 until they meet a tensor."""

    number: int  # that the network is told: of the original chain
    beta: float
    level: float  # A_t
    previous: float  # A_{t-1}
    log_variance: float  # of the posterior; at the first step that of the second, as it would be log 0

    @property
    def variances(self) -> tuple[float, float]:
        """Logarithms of the least and the largest variance."""
        return self.log_variance, float(np.log(self.beta))


class Chain:
    """A sequence of steps, or those of it that remain: `steps[i]` leads from x_i to x_{i-1}."""

    def __init__(self, kept: Sequence[int] | None = None) -> None:
        given = linear_betas()
        numbers = range(STEPS) if kept is None else kept
        levels: Floats = np.cumprod(1 - given, dtype=np.float64)[list(numbers)]
        previous = np.append(1.0, levels[:-1])
        # Untouched betas stay the given ones to the last bit.
        self.betas: Floats = given if kept is None else 1 - levels / previous
        self.levels: Floats = levels
        variances = self.betas * (1 - previous) / (1 - levels)
        variances[0] = variances[1] if len(variances) > 1 else self.betas[0]
        self.log_variances: Floats = np.log(variances)
        self.steps = [
            Step(int(number), float(beta), float(level), float(before), float(log_variance))
            for number, beta, level, before, log_variance in zip(
                numbers, self.betas, levels, previous, self.log_variances, strict=True
            )
        ]


def clean(images: Tensor, noise: Tensor, level: float) -> Tensor:
    """The clean images, clamped to [-1, 1], that `noise` in x_t means."""
    estimate: Tensor = ((images - (1 - level) ** 0.5 * noise) / level**0.5).clamp(-1, 1)
    return estimate


def ddim(images: Tensor, noise: Tensor, level: float, previous: float) -> Tensor:
    """x_t to the x of the noise level `previous`, without new noise.

    The noise is derived again from the clamped clean image; with `previous` = 1 that image is the result.
    """
    estimate = clean(images, noise, level)
    consistent = (images - level**0.5 * estimate) / (1 - level) ** 0.5
    less_noisy: Tensor = previous**0.5 * estimate + (1 - previous) ** 0.5 * consistent
    return less_noisy


def ddim_chain(noise: Tensor, noise_in: Callable[[Tensor, int], Tensor], numbers: Sequence[int]) -> Tensor:
    """Turn pure noise into images by `ddim` from step to step.

    Args:
        noise: x_T, (B, C, H, W).
        noise_in: a model's estimate of the noise in images (B, C, H, W) of a step.
        numbers: the steps that are taken, descending.

    Returns:
        The images after the last step, (B, C, H, W) in [-1, 1].
    """
    images = noise
    for number, following in zip_longest(numbers, numbers[1:]):
        previous = 1.0 if following is None else levels()[following]
        images = ddim(images, noise_in(images, number), levels()[number], previous)
    return images


def ancestral(images: Tensor, output: Tensor, step: Step) -> tuple[Tensor, Tensor, Tensor]:
    """Clean images, mean and log variance of x_{t-1} given x_t and a network's output (B, C or 2 C, H, W).

    The second half of the output, where there is one, mixes the largest and the least variance; otherwise it
    is the least.
    """
    noise, mix = output[:, : images.shape[1]], output[:, images.shape[1] :]
    estimate = clean(images, noise, step.level)
    of_clean = step.beta * step.previous**0.5 / (1 - step.level)
    of_noisy = (1 - step.previous) * (1 - step.beta) ** 0.5 / (1 - step.level)
    least, largest = step.variances
    if mix.shape[1]:
        share = (mix + 1) / 2
        log_variance = share * largest + (1 - share) * least
    else:
        log_variance = torch.full_like(images, least)
    return estimate, of_clean * estimate + of_noisy * images, log_variance
