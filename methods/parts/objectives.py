"""Objectives that a fit minimises: data terms, regularisers, and sums of them.

An objective is a function from an `Estimate` to a scalar. Scores are something else (see
`benchmark/scoring/metrics.py`): no score is minimised, and no objective is reported as a score.

>>> blurry = torch.zeros(1, 24, 28)
>>> objective = weighted((1.0, mse(blurry)), (1e-5, total_variation))
>>> estimate = Estimate(torch.ones(1, 28, 32), torch.ones(1, 1, 1), lambda image, kernels: blurry + 2)
>>> objective(estimate).item()
4.0
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from methods.parts.limits import at_least, positive

# Differences of neighbours in a colour photograph of the paper on Robust BID: its section 4.4 puts the ratio
# of equation (19) at about 1e3 for one, and the ratio is at most the root of this number, 1.7e3.
PAPER_DIFFERENCES = 3e6

# Blurs: latent image (C, H', W'), kernels (P, h, w) -> (C, H, W).
Operator = Callable[[Tensor, Tensor], Tensor]


def no_noise() -> Tensor:
    """Raise RuntimeError: an objective asks for noise, and the estimate has none to give."""
    raise RuntimeError("this objective draws noise, and its estimate offers none")


@dataclass(frozen=True)
class Estimate:
    """Image and kernels of one step. The re-blurred image is computed when an objective first asks for it."""

    image: Tensor  # latent image (C, H', W'); its mean where the image prior gives a distribution
    kernels: Tensor  # (P, h, w), true-convolution form
    operator: Operator
    deviation: Tensor | None = None  # standard deviations (C, H', W') where the prior gives a distribution
    draw: Callable[[], Tensor] = no_noise  # draws standard normal noise (C, H', W')

    @cached_property
    def reblurred(self) -> Tensor:
        """The latent image, blurred by the kernels: (C, H, W)."""
        return self.operator(self.image, self.kernels)


Objective = Callable[[Estimate], Tensor]  # a scalar to be minimised


def weighted(*parts: tuple[float, Objective]) -> Objective:
    """Add up objectives.

    Args:
        parts: (weight, objective); they draw their noise in this order.
    """

    def objective(estimate: Estimate) -> Tensor:
        return torch.stack([weight * part(estimate) for weight, part in parts]).sum()

    return objective


def mse(blurry: Tensor) -> Objective:
    """Return the mean squared residual over all pixels and channels of `blurry` (C, H, W)."""

    def objective(estimate: Estimate) -> Tensor:
        return functional.mse_loss(estimate.reblurred, blurry)

    return objective


def huber(blurry: Tensor, delta: float) -> Objective:
    """Return the mean Huber loss of the residual u: u^2 / 2 up to `delta`, delta (|u| - delta / 2) beyond.

    "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise", equation (18).
    """

    def objective(estimate: Estimate) -> Tensor:
        return functional.huber_loss(estimate.reblurred, blurry, delta=delta)

    return objective


def mean_absolute(blurry: Tensor) -> Objective:
    """Return the mean absolute residual over all pixels and channels of `blurry` (C, H, W)."""

    def objective(estimate: Estimate) -> Tensor:
        return functional.l1_loss(estimate.reblurred, blurry)

    return objective


def total_variation(estimate: Estimate) -> Tensor:
    """Compute the mean absolute difference between vertical and horizontal neighbours in the latent image.

    A mean, like the data terms: SelfDeblur's equation (7) has sums for both, which is the same ratio.
    """
    vertical, horizontal = _differences(estimate.image)
    return torch.cat((vertical, horizontal)).abs().mean()


def gradient_sparsity(estimate: Estimate) -> Tensor:
    """Compute |grad x|_1 / |grad x|_2 of the latent image x, all channels in one ratio.

    "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise", equation (19). Does not depend on
    the contrast; lies between 1 and the root of the number of differences; 0 for a constant image.
    """
    differences = torch.cat(_differences(estimate.image))
    # The constant within the root gives a constant image the gradient 0 instead of NaN.
    ratio: Tensor = differences.abs().sum() / (differences.square().sum() + 1e-12).sqrt()
    return ratio


def scaled_gradient_sparsity(estimate: Estimate) -> Tensor:
    """Compute `gradient_sparsity` as strong as the paper's photographs have it, whatever the image's size.

    It is sqrt(3e6 / N) times equation (19), for N differences of neighbours: equal to it at N = 3e6.
    """
    return sqrt(PAPER_DIFFERENCES) * mean_gradient_sparsity(estimate)


def mean_gradient_sparsity(estimate: Estimate) -> Tensor:
    """Compute the mean of |grad x| over its root mean square: `gradient_sparsity` over the root of N.

    N is the number of differences. The value lies in [0, 1]: under the same weight it is weaker than
    equation (19) by the root of N, by about 1,700 at N = 3e6.
    """
    count = sum(len(differences) for differences in _differences(estimate.image))
    return gradient_sparsity(estimate) / sqrt(count)


def _differences(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the vertical and the horizontal differences of neighbours in an image (C, H, W), flattened."""
    return image.diff(dim=1).flatten(), image.diff(dim=2).flatten()


def one_minus_ssim(blurry: Tensor) -> Objective:
    """Return 1 - SSIM between the re-blurred image and `blurry` (C, H, W): SelfDeblur's second stage."""
    window = ssim_window().to(blurry)  # made once: a step on a GPU must not wait for a copy from the host

    def objective(estimate: Estimate) -> Tensor:
        return 1.0 - ssim_index(estimate.reblurred, blurry, window)

    return objective


def ssim_index(a: Tensor, b: Tensor, window: Tensor | None = None) -> Tensor:
    """Compute SSIM as SelfDeblur's code has it for its loss: with 5 px of zeros around both images.

    The zeros darken the statistics of border pixels.

    Args:
        a, b: Images (C, H, W) in [0, 1].
        window: The weights (11, 11) of SSIM's local statistics; `ssim_window()` if None.

    Returns:
        The mean over all pixels and channels, a scalar.
    """
    window = (ssim_window() if window is None else window).to(a)
    channels = a.shape[0]
    # One convolution for all five maps, and not one along each axis: the published window is not exactly a
    # product of two vectors, and torch's depth-wise convolution is slower along one axis.
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
    """Return the Gaussian window (11, 11) with sigma 1.5, bit for bit as the published code has it (float32).

    The exponentials are computed in float64 and rounded; divided, in float32, by their rounded float64 sum;
    and their outer product is taken in float32. A plain float32 sum is lower by one unit in the last place,
    which moves SSIM by 4.5e-6.
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
    The data term is a mean over pixels and channels. The ratio of equation (19) grows with the root of the
    number of differences (section 4.4), so how strong a weight is depends on the size of the image;
    `l1/l2-scaled` removes this dependence.
    """

    data_term: Literal["huber", "l1", "mse"] = "huber"  # how the residual is penalised
    delta: float = 0.05  # where the Huber loss turns from a parabola into a line
    # How the gradients of the latent image are penalised. l1/l2: equation (19), a sum over the root of a sum.
    # l1/l2-scaled: sqrt(3e6 / N) times that, for N differences: as strong as in the paper's photographs.
    # l1/l2-mean: mean over root mean square, weaker than the paper's by about 1,700 at 3e6 differences.
    # tv: mean of |grad x|.
    regulariser: Literal["l1/l2", "l1/l2-scaled", "l1/l2-mean", "tv", "none"] = "l1/l2"
    regulariser_weight: float = 1e-5  # lambda: the regulariser times this is added to the data term

    def __post_init__(self) -> None:
        at_least(0, self, "regulariser_weight")
        positive(self, "delta")

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
        regulariser = {
            "l1/l2": gradient_sparsity,
            "l1/l2-scaled": scaled_gradient_sparsity,
            "l1/l2-mean": mean_gradient_sparsity,
            "tv": total_variation,
        }[self.regulariser]
        return weighted((1.0, data_term), (self.regulariser_weight, regulariser))
