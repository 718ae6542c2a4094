"""The arithmetic of diffusion: the levels of noise, and the steps from more noise to less.

    x_t = sqrt(A_t) x_0 + sqrt(1 - A_t) noise,   A_t = product over s <= t of (1 - beta_s),   A_-1 = 1

x_0 is a clean image in [-1, 1], x_t the noisy one of step t, beta_t the variance of the noise that step t
adds, A_t the share of the signal's power that is left. The ancestral step: J. Ho, A. Jain, P. Abbeel,
"Denoising Diffusion Probabilistic Models" (DDPM), NeurIPS 2020. The deterministic step: J. Song, C. Meng, S.
Ermon, "Denoising Diffusion Implicit Models" (DDIM), ICLR 2021. Learned variances and fewer steps: A. Nichol,
P. Dhariwal, "Improved Denoising Diffusion Probabilistic Models", ICML 2021.
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
# What a network predicts from x_t. 'noise': as all published ones. 'velocity': sqrt(A_t) noise - sqrt(1 -
# A_t) x_0, of T. Salimans, J. Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", ICLR
# 2022. With it a network that was hardly trained is better already: a prediction of 0 takes the scaled noisy
# image for the noise, which is right where nearly all is noise. The yardstick on the cards of such models
# (`methods/weights/diffusion-*.md`) is this prediction. 'residual': what a denoiser takes off an image, see
# `methods.diffusion.denoiser`.
Prediction = Literal["noise", "velocity", "residual"]
Floats = NDArray[np.float64]


def linear_betas() -> Floats:
    """Return the noise variances beta_t of every published model: STEPS, from 1e-4 to 0.02."""
    return np.linspace(1e-4, 0.02, STEPS)


@cache
def levels() -> tuple[float, ...]:
    """Return the signal levels A_t of all STEPS steps."""
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
    """Return the steps of a short deterministic chain, descending: multiples of about `stride`, down to 0.

    The first is one stride below STEPS, as in BIRD's released code: pure noise is taken for that step.

    >>> strided_steps(250)
    [750, 500, 250, 0]
    """
    calls = STEPS // stride
    return [STEPS // calls * number for number in reversed(range(calls))]


@dataclass(frozen=True)
class Step:
    """One step of a chain."""

    number: int  # in the chain of STEPS steps; the network needs it
    beta: float
    level: float  # A_t
    previous: float  # A_{t-1}
    log_variance: float  # of the posterior; at the first step, where it would be log 0, that of the second

    @property
    def variances(self) -> tuple[float, float]:
        """The logarithms of the least and the largest variance that the step may have."""
        return self.log_variance, float(np.log(self.beta))


class Chain:
    """A chain of diffusion steps; `steps[i]` leads from x_i to x_{i-1}."""

    def __init__(self, kept: Sequence[int] | None = None) -> None:
        """Take all STEPS steps, or only those whose numbers are `kept`, ascending."""
        given = linear_betas()
        numbers = range(STEPS) if kept is None else kept
        levels: Floats = np.cumprod(1 - given, dtype=np.float64)[list(numbers)]
        previous = np.append(1.0, levels[:-1])
        # Where all steps are kept, the betas stay the same to the last bit.
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
    """Return the clean images x_0, clamped to [-1, 1], of noisy ones with a known noise.

    Args:
        images: x_t, (B, C, H, W).
        noise: its estimated noise, of the same shape.
        level: A_t.
    """
    estimate: Tensor = ((images - (1 - level) ** 0.5 * noise) / level**0.5).clamp(-1, 1)
    return estimate


def ddim(images: Tensor, noise: Tensor, level: float, previous: float) -> Tensor:
    """Do one deterministic step (DDIM): from x_t to an image with less noise.

    The noise is computed again from the clamped clean image.

    Args:
        images: x_t, (B, C, H, W).
        noise: its estimated noise, of the same shape.
        level: A_t.
        previous: the level after the step; 1 gives the clean image.
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
    """Prepare one ancestral step (DDPM): the distribution of x_{t-1} given x_t.

    Args:
        images: x_t, (B, C, H, W).
        output: of the network. (B, C, H, W): the noise; the variance is then the least. (B, 2 C, H, W): the
            noise, and a mix, in [-1, 1], of the least and the largest variance.
        step: the step.

    Returns:
        The clean images x_0, and mean and logarithm of the variance of x_{t-1}, each (B, C, H, W).
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
