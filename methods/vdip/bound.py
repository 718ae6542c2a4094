"""The terms of VDIP's variational bound, and of its pre-training, as objectives to be minimised.

D. Huo, A. Masoumzadeh, R. Kushol, Y.-H. Yang, "Blind Image Deconvolution Using Variational Deep Image
Prior", TPAMI 2023, as in the authors' code. Each entry of the latent image is a Gaussian with mean m and
standard deviation s; the kernel has no distribution. Each term is divided by the same number as in the code,
so that its weights hold here.
"""

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import central_crop
from methods.parts.objectives import Estimate, Objective

TINY = 1e-45  # rounds to the smallest float32, 1.4e-45
IN_ROOTS = 1e-32  # added within square roots
IN_WEIGHTS = 1e-6  # added in the denominators of the gradients' weights
# Means of the standard deviations. They start near 0.5, the middle of their sigmoid; beyond these the sigmoid
# is saturated, and no gradient leads back.
COLLAPSED, EXPLODED = 1e-6, 0.95


def expected_misfit(blurry: Tensor) -> Objective:
    """Return the data term -E: the energies of one sample's residual and of its differences.

    The code has another term, the blurred gradients of the sample. For uniform blur it equals the first
    differences, which therefore count twice. The sum is divided by the number of entries of the latent image,
    not of `blurry` (C, H, W).
    """

    def objective(estimate: Estimate) -> Tensor:
        sample = estimate.image + _deviation(estimate) * estimate.draw()
        zeroth, first, second = misfit_by_order(estimate.operator(sample, estimate.kernels) - blurry)
        return (zeroth + 2 * first + second) / sample.numel()

    return objective


def misfit_by_order(residual: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return -E0, -E1, -E2 of a residual (C, H, W): the energies of it, its first and second differences."""
    down, right = _down(residual), _right(residual)
    second = _energy(_down(down)) + 2 * _energy(_right(down)) + _energy(_right(right))
    return _energy(residual) / 2, (_energy(down) + _energy(right)) / 4, second / 8


def negative_entropy(estimate: Estimate) -> Tensor:
    """Compute -T1 / P: the mean of -log s over the P entries of the latent image."""
    return -_deviation(estimate).clamp_min(TINY).log().mean()


def sparse_gradients(estimate: Estimate) -> Tensor:
    """Compute T2 of VDIP-Sparse: expected squared gradients g, weighted by 1 / (g + 1e-6).

    The weights are constants for the gradient, which makes large gradients few. The value itself says
    little: it is close to a constant.
    """
    mean, variance = estimate.image, _deviation(estimate) ** 2
    squares = (
        _down(mean) ** 2 + variance[..., 1:, :] + variance[..., :-1, :],
        _right(mean) ** 2 + variance[..., 1:] + variance[..., :-1],
    )
    total = torch.stack([(square / (square + IN_WEIGHTS).detach()).sum() for square in squares]).sum()
    channels, height, width = mean.shape
    return total / 4 / (channels * (height - 1) * (width - 1))


def extreme_channels(patch: int) -> Objective:
    """Return T2 of VDIP-Extreme: samples of the dark and the bright channel of the squared image.

    Each is divided by itself, but the denominators are constants for the gradient. The value itself says
    nothing: it counts signs.

    Args:
        patch: Side of the channels' window in pixels; the latent image must be at least as large.
    """

    def objective(estimate: Estimate) -> Tensor:
        mean, deviation = estimate.image, _deviation(estimate)
        dark = patch_minimum(squared_sample(mean, deviation, estimate.draw()), patch)
        bright = patch_minimum(squared_complement_sample(mean, deviation, estimate.draw()), patch)
        total = torch.stack([(channel / (channel + TINY).detach()).sum() for channel in (dark, bright)]).sum()
        return total / 4 / dark.numel()

    return objective


def squared_sample(mean: Tensor, deviation: Tensor, noise: Tensor) -> Tensor:
    """Sample x^2 for Gaussian x: the mean of x^2, plus `noise` times its standard deviation."""
    variance = deviation**2
    return mean**2 + variance + noise * (4 * mean**2 * variance + 2 * variance**2 + IN_ROOTS).sqrt()


def squared_complement_sample(mean: Tensor, deviation: Tensor, noise: Tensor) -> Tensor:
    """Sample (1 - x)^2 likewise, as in the code, whose standard deviation lacks -8 m s^2 under the root."""
    variance = deviation**2
    spread = (4 * variance + 4 * mean**2 * variance + 2 * variance**2 + IN_ROOTS).sqrt()
    return (1 - mean) ** 2 + variance + noise * spread


def patch_minimum(values: Tensor, patch: int) -> Tensor:
    """Take the minimum over all channels and over windows of `patch` x `patch` px.

    Args:
        values: (C, H, W).
        patch: Side of the window.

    Returns:
        (H - patch + 1, W - patch + 1).
    """
    highest = functional.max_pool2d(-values.amin(0, keepdim=True), (patch, 1), stride=1)
    return -functional.max_pool2d(highest, (1, patch), stride=1)[0]


def kernel_energy(estimate: Estimate) -> Tensor:
    """Compute T3: half the kernel's energy; for non-uniform blur the mean over the kernels."""
    return _energy(estimate.kernels) / 2 / len(estimate.kernels)


def image_prefit(blurry: Tensor) -> Objective:
    """Return the image's objective in pre-training: within the frame of `blurry`, m like it, s at 0."""

    def objective(estimate: Estimate) -> Tensor:
        size = (blurry.shape[-2], blurry.shape[-1])
        mean = central_crop(estimate.image, size)
        deviation = central_crop(_deviation(estimate), size)
        return ((mean - blurry) ** 2 + deviation**2).mean() / 2

    return objective


def flat_kernel(estimate: Estimate) -> Tensor:
    """Compute the kernels' objective in pre-training: the distance to a uniform kernel."""
    h, w = estimate.kernels.shape[-2:]
    return ((estimate.kernels - 1 / (h * w)) ** 2).mean()


@torch.no_grad()
def collapsed(estimate: Estimate) -> Tensor:
    """Say whether the standard deviations are all but 0 (a bool scalar)."""
    return _deviation(estimate).mean() < COLLAPSED


@torch.no_grad()
def exploded(estimate: Estimate) -> Tensor:
    """Say whether the standard deviations span the whole range of intensities (a bool scalar)."""
    return _deviation(estimate).mean() > EXPLODED


def _deviation(estimate: Estimate) -> Tensor:
    assert estimate.deviation is not None, "the bound needs an image prior that gives standard deviations"
    return estimate.deviation


def _energy(values: Tensor) -> Tensor:
    return (values**2).sum()


def _down(image: Tensor) -> Tensor:
    return image[..., 1:, :] - image[..., :-1, :]


def _right(image: Tensor) -> Tensor:
    return image[..., 1:] - image[..., :-1]
