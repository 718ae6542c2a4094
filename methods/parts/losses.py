"""Objectives of the optimisation. Scores live in `benchmark/scoring/metrics.py`: these two never mix."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from methods.parts.limits import at_least

Operator = Callable[[Tensor, Tensor], Tensor]  # (image, kernels) -> re-blurred image


def no_noise() -> Tensor:
    """For objectives that draw nothing."""
    raise RuntimeError("this objective draws noise, and its estimate offers none")


@dataclass(frozen=True)
class Estimate:
    """What the parts produce in one step. What an objective does not ask for is not computed."""

    image: Tensor  # latent image (C, H', W'); its mean, where the prior gives a distribution
    kernels: Tensor  # (P, h, w), true-convolution form
    operator: Operator
    deviation: Tensor | None = None  # standard deviations (C, H', W'), where the prior gives a distribution
    draw: Callable[[], Tensor] = no_noise  # fresh standard normal noise (C, H', W')

    @cached_property
    def reblurred(self) -> Tensor:
        """operator(image, kernels), (C, H, W)."""
        return self.operator(self.image, self.kernels)


Objective = Callable[[Estimate], Tensor]  # a scalar to be minimised


def weighted(*parts: tuple[float, Objective]) -> Objective:
    """The sum of objectives, each times its weight; they draw their noise in the order given."""

    def objective(estimate: Estimate) -> Tensor:
        return torch.stack([weight * part(estimate) for weight, part in parts]).sum()

    return objective


def mse(blurry: Tensor) -> Objective:
    """Mean squared residual over all pixels and channels of `blurry` (C, H, W)."""

    def objective(estimate: Estimate) -> Tensor:
        return functional.mse_loss(estimate.reblurred, blurry)

    return objective


def huber(blurry: Tensor, delta: float) -> Objective:
    """Mean Huber loss of the residual: u^2 / 2 up to `delta`, delta (|u| - delta / 2) beyond."""

    def objective(estimate: Estimate) -> Tensor:
        return functional.huber_loss(estimate.reblurred, blurry, delta=delta)

    return objective


def mean_absolute(blurry: Tensor) -> Objective:
    """Mean absolute residual."""

    def objective(estimate: Estimate) -> Tensor:
        return functional.l1_loss(estimate.reblurred, blurry)

    return objective


def total_variation(estimate: Estimate) -> Tensor:
    """Mean absolute difference between neighbours in the latent image, vertical and horizontal ones together.

    A mean, as the data terms are: SelfDeblur's equation (7) has sums for both, of the same ratio. A sum
    beside a mean residual smooths too much: at 1e-5 on a crop of 128 px with much noise, 23.05 dB instead
    of 24.21.
    """
    vertical, horizontal = _differences(estimate.image)
    return torch.cat((vertical, horizontal)).abs().mean()


def gradient_sparsity(estimate: Estimate) -> Tensor:
    """|grad x|_1 / |grad x|_2 of the whole latent image, all channels in one ratio; 0 for a constant image.

    "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise", equation (19). Between 1 and the
    root of the number of differences; scale-invariant; not divided by the number of pixels.
    """
    differences = torch.cat(_differences(estimate.image))
    # Within the root, so that a constant image has the gradient 0 instead of none.
    ratio: Tensor = differences.abs().sum() / (differences.square().sum() + 1e-12).sqrt()
    return ratio


def relative_gradient_sparsity(estimate: Estimate) -> Tensor:
    """`gradient_sparsity` over the root of the number of differences: the mean of |grad x| over its rms."""
    count = sum(len(differences) for differences in _differences(estimate.image))
    return gradient_sparsity(estimate) / sqrt(count)


def _differences(image: Tensor) -> tuple[Tensor, Tensor]:
    """Vertical and horizontal forward differences inside (C, H, W), flat."""
    return image.diff(dim=1).flatten(), image.diff(dim=2).flatten()


def one_minus_ssim(blurry: Tensor) -> Objective:
    """1 - SSIM between the re-blurred and the blurry image (C, H, W): SelfDeblur's second stage."""

    def objective(estimate: Estimate) -> Tensor:
        return 1.0 - ssim_index(estimate.reblurred, blurry)

    return objective


def ssim_index(a: Tensor, b: Tensor, window: Tensor | None = None) -> Tensor:
    """SSIM of the loss for images (C, H, W) in [0, 1]: zero padding of 5, mean over all pixels and channels.

    The padding darkens the statistics of border pixels. `window` (11, 11) defaults to `ssim_window()`.
    """
    window = ssim_window() if window is None else window
    window = window.to(a)
    channels = a.shape[0]
    # One call for all five maps. Not two separable passes: the published window is not exactly of rank one,
    # and torch's depth-wise convolution is slower on them.
    maps = torch.cat((a, b, a * a, b * b, a * b))[None]
    weight = window.expand(len(maps[0]), 1, 11, 11)
    filtered = functional.conv2d(maps, weight, padding=5, groups=len(maps[0]))[0]
    mean_a, mean_b, square_a, square_b, product = filtered.unflatten(0, (5, channels))
    variance_a, variance_b = square_a - mean_a**2, square_b - mean_b**2
    covariance = product - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity: Tensor = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))
    return similarity.mean()


def ssim_window() -> Tensor:
    """The (11, 11) Gaussian window, sigma 1.5, bit for bit the float32 one of the published code.

    Exponentials in float64, rounded; divided in float32 by their float64 sum, rounded; outer product in
    float32. A plain float32 sum is one unit lower in the last place and moves SSIM by 4.5e-6.
    """
    exponentials = np.exp(-((np.arange(11) - 5.0) ** 2) / 4.5)
    gaussian = exponentials.astype(np.float32) / np.float32(
        exponentials.astype(np.float32).sum(dtype=np.float64)
    )
    return torch.from_numpy(np.outer(gaussian, gaussian))


@dataclass(frozen=True)
class ResidualSettings:
    """Settings: a data term and a regulariser of the image.

    "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise", equations (18), (19) and (21).
    """

    data_term: Literal["huber", "l1", "mse"] = "huber"
    delta: float = 0.05  # of the Huber loss
    regulariser: Literal["l1/l2", "tv", "none"] = "l1/l2"
    # lambda. Both terms are means here. Equation (19) has the ratio l1/l2 as it is, which is larger by the
    # root of the number of differences and drowns the mean residual: on a crop of 128 px (kernel by sigmoid,
    # input 28.7 dB, 420 iterations) it gives 28.0 dB at 1e-6 and 29.6 at 3e-8, which is about 1e-5 here;
    # 21.6 at 1e-5, with a slower kernel. The best weights in the paper's Table 2 say the same: 2e-3 for the
    # mean of |grad x|, and for the ratio 1e-4, which is 2e-3 times the usual rms of gradients (0.05).
    regulariser_weight: float = 1e-5

    def __post_init__(self) -> None:
        at_least(0, self, "regulariser_weight")
        if not self.delta > 0:
            raise ValueError(f"delta must be positive, not {self.delta}")

    def without_effect(self) -> dict[str, str]:
        """Find the settings that the chosen terms do not use: see `methods.parts.settings.without_effect`."""
        useless = {} if self.data_term == "huber" else {"delta": f"data_term: {self.data_term}"}
        return useless | ({"regulariser_weight": "regulariser: none"} if self.regulariser == "none" else {})

    def objective(self, blurry: Tensor) -> Objective:
        """Return data term + lambda * regulariser, for `blurry` (C, H, W).

        >>> blurry = torch.zeros(1, 24, 28)
        >>> objective = ResidualSettings(data_term="mse", regulariser="none").objective(blurry)
        >>> image, kernels = torch.zeros(1, 28, 32), torch.ones(1, 1, 1)
        >>> exact = Estimate(image, kernels, lambda image, kernels: blurry)
        >>> objective(exact).item()
        0.0
        """
        data_term = {
            "huber": huber(blurry, self.delta),
            "l1": mean_absolute(blurry),
            "mse": mse(blurry),
        }[self.data_term]
        if self.regulariser == "none":
            return data_term
        regulariser = {"l1/l2": relative_gradient_sparsity, "tv": total_variation}[self.regulariser]
        return weighted((1.0, data_term), (self.regulariser_weight, regulariser))
