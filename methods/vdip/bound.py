"""The terms of VDIP's variational bound, each as an objective to be minimised, and what goes before it.

D. Huo, A. Masoumzadeh, R. Kushol, Y.-H. Yang, "Blind Image Deconvolution Using Variational Deep Image
Prior", TPAMI 2023, as their public code has it. Each entry of the latent image is a Gaussian with mean m and
standard deviation s; the kernel is a point. Terms are normalised as in the code, so that weights carry over.
"""

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import central_crop
from methods.parts.losses import Estimate, Objective

TINY = 1e-45  # in float32 its smallest number, 1.4e-45
IN_ROOTS = 1e-32
IN_WEIGHTS = 1e-6  # of the half-quadratic weights of the gradients
# Sigmoids start near 0.5. Beyond these means they are saturated: no gradient leads back.
COLLAPSED, EXPLODED = 1e-6, 0.95


def expected_misfit(blurry: Tensor) -> Objective:
    """-E, the data term, by one sample of the image: residuals and their first and second differences.

    Where the code also blurs the sample's gradients, that term equals the first differences (uniform blur),
    which therefore count twice. Divided by the entries of the latent image, not of `blurry` (C, H, W).
    """

    def objective(estimate: Estimate) -> Tensor:
        sample = estimate.image + _deviation(estimate) * estimate.draw()
        zeroth, first, second = misfit_by_order(estimate.operator(sample, estimate.kernels) - blurry)
        return (zeroth + 2 * first + second) / sample.numel()

    return objective


def misfit_by_order(residual: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """-E0, -E1, -E2 of a residual (C, H, W): its energy, that of its first and of its second differences."""
    down, right = _down(residual), _right(residual)
    second = _energy(_down(down)) + 2 * _energy(_right(down)) + _energy(_right(right))
    return _energy(residual) / 2, (_energy(down) + _energy(right)) / 4, second / 8


def negative_entropy(estimate: Estimate) -> Tensor:
    """-T1 / P: the mean of -log s over the P entries of the latent image."""
    return -_deviation(estimate).clamp_min(TINY).log().mean()


def sparse_gradients(estimate: Estimate) -> Tensor:
    """VDIP-Sparse's T2: expected squared gradients over themselves, which makes them few.

    Its value hardly moves; only its gradient says anything.
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
    """VDIP-Extreme's T2: sampled dark and bright channel of the squared image, over themselves.

    `patch` is the side of their window; the latent image must be at least as large. Its value is constant
    but for signs; only its gradient says anything.
    """

    def objective(estimate: Estimate) -> Tensor:
        mean, deviation = estimate.image, _deviation(estimate)
        dark = least(squared_sample(mean, deviation, estimate.draw()), patch)
        bright = least(squared_complement_sample(mean, deviation, estimate.draw()), patch)
        total = torch.stack([(channel / (channel + TINY).detach()).sum() for channel in (dark, bright)]).sum()
        return total / 4 / dark.numel()

    return objective


def squared_sample(mean: Tensor, deviation: Tensor, noise: Tensor) -> Tensor:
    """x^2 for Gaussian x: its mean, and `noise` times its standard deviation."""
    variance = deviation**2
    return mean**2 + variance + noise * (4 * mean**2 * variance + 2 * variance**2 + IN_ROOTS).sqrt()


def squared_complement_sample(mean: Tensor, deviation: Tensor, noise: Tensor) -> Tensor:
    """(1 - x)^2 likewise, as in the code: its standard deviation lacks -8 m s^2 under the root."""
    variance = deviation**2
    spread = (4 * variance + 4 * mean**2 * variance + 2 * variance**2 + IN_ROOTS).sqrt()
    return (1 - mean) ** 2 + variance + noise * spread


def least(values: Tensor, patch: int) -> Tensor:
    """The least of (C, H, W) over all channels and `patch` x `patch` px: (H - patch + 1, W - patch + 1)."""
    highest = functional.max_pool2d(-values.amin(0, keepdim=True), (patch, 1), stride=1)
    return -functional.max_pool2d(highest, (1, patch), stride=1)[0]


def kernel_energy(estimate: Estimate) -> Tensor:
    """T3: half the kernel's energy, the mean over the kernels of a non-uniform blur."""
    return _energy(estimate.kernels) / 2 / len(estimate.kernels)


def image_prefit(blurry: Tensor) -> Objective:
    """Pre-training of the image: the means towards `blurry` (C, H, W) in its frame, the deviations to 0."""

    def objective(estimate: Estimate) -> Tensor:
        size = (blurry.shape[-2], blurry.shape[-1])
        mean = central_crop(estimate.image, size)
        deviation = central_crop(_deviation(estimate), size)
        return ((mean - blurry) ** 2 + deviation**2).mean() / 2

    return objective


def flat_kernel(estimate: Estimate) -> Tensor:
    """Pre-training of the kernels, towards the uniform one."""
    h, w = estimate.kernels.shape[-2:]
    return ((estimate.kernels - 1 / (h * w)) ** 2).mean()


@torch.no_grad()
def collapsed(estimate: Estimate) -> Tensor:
    """Whether the standard deviations have all but gone: a point, whatever the entropy says."""
    return _deviation(estimate).mean() < COLLAPSED


@torch.no_grad()
def exploded(estimate: Estimate) -> Tensor:
    """Whether the standard deviations span the range of intensities: nothing is known of the image."""
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
