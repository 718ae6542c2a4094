from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.blur.convolution import central_crop, convolve_valid
from benchmark.blur.trajectory import trajectory_kernel
from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.types import Observation
from methods.parts import registry
from methods.parts.direct import Direct
from methods.parts.kernel_priors.fcn import FcnKernel
from methods.parts.seeding import initialised_from
from methods.parts.solver import Result, Step
from methods.parts.warm_start import ERROR, estimated_kernel, estimator, fit_to, resized

CPU = torch.device("cpu")


@dataclass(frozen=True)
class NoSettings:
    pass


def network(size, seed=0):
    rng = torch.Generator().manual_seed(seed)
    with initialised_from(rng):
        return FcnKernel(0.1 * torch.rand(200, generator=rng), size, hidden=200)


def motion(size):
    return torch.from_numpy(trajectory_kernel(size, np.random.default_rng(size)))[None]


def spike(h, w):
    kernel = torch.zeros(1, h, w)
    kernel[0, h // 2, w // 2] = 1
    return kernel


def observe(blurry=None, kernel_size=(5, 5)):
    blurry = np.random.default_rng(0).random((1, 24, 28), dtype=np.float32) if blurry is None else blurry
    return Observation("test", "case", blurry, kernel_size)


def finds(kernels):
    """A method whose estimate of the kernel is `kernels`."""
    return registry.Method(
        name="finder",
        title="Finder",
        paper="none",
        licence="-",
        blur_models=("uniform",),
        settings=NoSettings,
        problem=lambda observation, *_: Direct(lambda: Result(torch.from_numpy(observation.blurry), kernels)),
    )


@pytest.mark.parametrize(
    "kernels",
    [motion(13), motion(31)[:, 3:-2], spike(5, 9), torch.full((1, 4, 6), 1 / 24), torch.ones(1, 1, 1)],
)
def test_the_prior_is_fitted_up_to_the_stated_error(kernels):
    prior = network(tuple(kernels.shape[1:]))
    kernels = kernels / kernels.sum()
    fit_to(prior, kernels)
    assert (prior() - kernels).norm() <= ERROR * kernels.norm()
    assert all(parameter.grad is None for parameter in prior.parameters())


def test_the_fit_draws_nothing_and_repeats_to_the_byte():
    state = torch.get_rng_state()
    first, second = network((13, 13)), network((13, 13))
    fit_to(first, motion(13))
    fit_to(second, motion(13))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first(), second())


def test_a_prior_that_cannot_get_there_is_no_warm_start():
    class Rows(nn.Module):
        """Kernels whose rows are all alike."""

        def __init__(self):
            super().__init__()
            self.logits = nn.Parameter(torch.zeros(5))

        def forward(self):
            return (torch.softmax(self.logits, 0) / 5).expand(1, 5, 5)

    with pytest.raises(NotSupportedError, match="away from the kernel"):
        fit_to(Rows(), spike(5, 5))


@pytest.mark.parametrize("given", [(5, 5), (4, 6), (7, 3), (1, 1)])
@pytest.mark.parametrize("size", [(5, 5), (6, 4), (1, 2), (9, 8)])
def test_another_size_does_not_shift_the_image(given, size):
    kernel = resized(spike(*given), size)
    assert kernel.shape == (1, *size)
    image = torch.rand(1, 20, 21, generator=torch.Generator().manual_seed(0))
    frame = (20 - size[0] + 1, 21 - size[1] + 1)
    torch.testing.assert_close(convolve_valid(image, kernel[0]), central_crop(image, frame))


def test_the_kernel_comes_in_the_declared_size_with_sum_one():
    kernels = estimated_kernel("l0-grad", observe(kernel_size=(6, 5)), torch.Generator(), CPU)
    assert kernels.shape == (1, 6, 5)
    assert (kernels >= 0).all()
    torch.testing.assert_close(kernels.sum(), torch.tensor(1.0))


def test_a_method_that_declines_is_no_warm_start_and_says_why():
    flat = np.full((1, 24, 28), 0.5, np.float32)
    with pytest.raises(NotSupportedError, match=r"no warm start from l0-grad: .* no edges"):
        estimated_kernel("l0-grad", observe(flat), torch.Generator(), CPU)


@pytest.mark.parametrize(
    ("kernels", "reason"),
    [
        (None, "estimates no kernel"),
        (resized(torch.ones(1, 1, 1), (9, 9)).roll(4, 1), "outside the declared"),
    ],
)
def test_a_method_without_a_usable_kernel_is_no_warm_start(monkeypatch, kernels, reason):
    monkeypatch.setattr(registry, "find", lambda name: finds(kernels))
    with pytest.raises(NotSupportedError, match=f"no warm start from finder: .*{reason}"):
        estimated_kernel("finder", observe(), torch.Generator(), CPU)


def test_a_method_that_diverges_is_no_warm_start(monkeypatch):
    class Diverging(Direct):
        iterations = 1

        def step(self, iteration):
            return Step("one", torch.tensor(torch.nan))

    method = replace(finds(None), problem=lambda *_: Diverging(lambda: None))
    monkeypatch.setattr(registry, "find", lambda name: method)
    with pytest.raises(NotSupportedError, match="no warm start from finder: The loss became non-finite"):
        estimated_kernel("finder", observe(), torch.Generator(), CPU)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("l0-gard", "Did you mean 'l0-grad'"),
        ("blurry", "is a control"),
        ("oracle", "is a control"),
        ("folder", "settings of its own"),
    ],
)
def test_what_cannot_estimate_a_kernel_is_refused(name, reason):
    with pytest.raises(InputError, match=f"^start: .*{reason}"):
        estimator(name)
