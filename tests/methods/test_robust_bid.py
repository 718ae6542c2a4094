import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.types import Observation, Status
from methods.parts.settings import change, compose
from methods.parts.solver import Task, solve
from methods.robust_bid import ImageSettings, Settings, half, problem, problem_without_kernel, shifted

TINY = compose(
    Settings,
    iterations=30,
    channels=4,
    skip_channels=2,
    scales=2,
    siren_width=8,
    kernel_hidden=8,
    window=5,
    patience=10,
)


def observe(shape=(1, 36, 38), kernel_size=(9, 8)):
    blurry = np.random.default_rng(0).random(shape, dtype=np.float32)
    return Observation("test", "case", blurry, kernel_size)


def build(observation, settings, seed=0):
    return problem(observation, settings, torch.Generator().manual_seed(seed), torch.device("cpu"))


def restore(observation, settings):
    ((_, restoration),) = solve([Task("case", lambda: build(observation, settings))])
    return restoration


@pytest.mark.parametrize("kernel_prior", ["siren", "network", "convolutional"])
@pytest.mark.parametrize("shape", [(1, 36, 38), (3, 33, 40)])
def test_every_kernel_prior_runs(kernel_prior, shape):
    restoration = restore(observe(shape), change(TINY, kernel_prior=kernel_prior))
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.image.shape == shape
    assert restoration.kernels.shape == (1, 9, 8)


@pytest.mark.parametrize("data_term", ["huber", "l1", "mse"])
@pytest.mark.parametrize("regulariser", ["l1/l2", "l1/l2-scaled", "l1/l2-mean", "tv", "none"])
def test_ten_steps_lower_every_loss(data_term, regulariser):
    settings = change(TINY, data_term=data_term, regulariser=regulariser, stop="fixed")
    fit = build(observe(), settings)
    losses = [fit.step(iteration).loss.item() for iteration in range(10)]
    assert losses[-1] < losses[0]


def test_without_a_kernel_the_image_is_as_large_as_the_observation():
    tiny = compose(ImageSettings, iterations=30, channels=4, skip_channels=2, scales=2, window=5, patience=10)
    observation = observe((3, 36, 38), None)
    fit = problem_without_kernel(observation, tiny, torch.Generator().manual_seed(0), torch.device("cpu"))
    losses = [fit.step(iteration).loss.item() for iteration in range(10)]
    result = fit.estimate()
    assert losses[-1] < losses[0]
    assert fit.image.code.shape[2:] == result.image.shape[1:] == (36, 38)
    assert result.kernels is None


def test_a_kernel_of_undeclared_size_gets_half_the_image():
    assert half((255, 300)) == (128, 150)
    restoration = restore(observe((1, 41, 36), None), change(TINY, scales=1))
    assert restoration.kernels.shape == (1, 21, 18)


def test_rates_halve_after_the_papers_steps():
    rates = build(observe(), change(TINY, iterations=10_000)).rates
    steps = (1999, 2000, 3000, 5000, 8000)
    assert [rates.at(step) for step in steps] == [(1e-2 / 2**k, 1e-4 / 2**k) for k in range(5)]


def test_kernels_move_and_lose_what_leaves_the_box():
    kernel = torch.arange(12.0).reshape(1, 3, 4)
    moved = shifted(kernel, (1, -2))[0]
    assert moved.tolist() == [[0, 0, 0, 0], [2, 3, 0, 0], [6, 7, 0, 0]]
    assert torch.equal(shifted(kernel, (0, 0)), kernel)


def test_the_result_is_the_window_that_looks_like_the_blurry_image():
    """And its kernel comes along: together they explain the observation as the middle crop would."""
    blurry = torch.rand(1, 30, 32)
    latent = torch.rand(1, 38, 39)
    latent[:, 1:31, 5:37] = blurry
    kernels = torch.zeros(1, 9, 8)
    kernels[0, 9 - 1 - 1, 8 - 1 - 5] = 1  # explains it exactly
    observation = Observation("test", "case", blurry.numpy(), (9, 8))
    fit = build(observation, TINY)
    result = fit.read_out(latent, kernels)
    assert torch.equal(result.image, blurry)
    assert result.kernels[0, 4, 4] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"delta": 0.0}, "delta must be positive"),
        ({"siren_layers": 0}, "siren_layers must be at least 1"),
        ({"window": 31}, "window must be at most the 30 iterations"),
        ({"regulariser_weight": -1.0}, "regulariser_weight must be at least 0, not -1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        change(TINY, **changes)


def test_a_latent_image_may_be_no_larger_than_the_observation():
    settings = change(TINY, result="all")
    fit = build(observe((3, 36, 38), (9, 7)), settings)
    assert fit.image.code.shape[2:] == (36, 38)
    losses = [fit.step(iteration).loss.item() for iteration in range(10)]
    assert losses[-1] < losses[0]
    result = fit.estimate()
    assert (result.image.shape, result.kernels.shape) == ((3, 36, 38), (1, 9, 7))
    with pytest.raises(NotSupportedError, match=r"an even kernel \(9 x 8\) has no centre"):
        build(observe(), settings)


def test_the_middle_of_the_latent_image_may_be_the_result():
    fit = build(observe((1, 30, 32)), change(TINY, result="middle"))
    latent = torch.rand(1, 38, 39)
    result = fit.read_out(latent, torch.full((1, 9, 8), 1 / 72))
    assert torch.equal(result.image, latent[:, 4:34, 3:35])
    assert result.kernels.sum().item() == pytest.approx(1)


def test_the_rates_of_real_photographs_are_settings():
    fit = build(observe(), change(TINY, image_rate=1e-3, kernel_rate=1e-5))
    assert fit.rates.at(0) == (1e-3, 1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (8, 9), (9, 8), (36, 38), (35, 1)])
def test_even_odd_thin_and_huge_kernels_run(size):
    restoration = restore(observe(kernel_size=size), change(TINY, iterations=8))
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.kernels.shape == (1, *size)
    assert restoration.kernels.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (35, 1)])
def test_a_kernel_without_room_for_a_convolutional_network_is_declined(size):
    restoration = restore(observe(kernel_size=size), change(TINY, kernel_prior="convolutional"))
    assert restoration.status is Status.NOT_SUPPORTED
    assert f"at least 3 px, not {size[0]} x {size[1]}" in restoration.reason


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        ((1, 36, 38), (37, 9), "the kernel (37 x 9) is larger than the image (36 x 38)"),
        ((1, 36, 38), (0, 9), "the kernel size must be positive, not 0"),
        ((2, 36, 38), None, "an image is (1 or 3, H, W), not (2, 36, 38)"),
    ],
)
def test_kernels_and_images_that_cannot_be_are_one_line(shape, size, message):
    with pytest.raises(InputError) as caught:
        observe(shape, size)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_one_line(value):
    blurry = np.full((1, 36, 38), 0.5, np.float32)
    blurry[0, 3, 4] = value
    with pytest.raises(InputError, match=r"test/case: the image holds NaN or infinite pixels; replace them"):
        Observation("test", "case", blurry, (9, 8))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_an_image_of_one_colour_stays_one(value):
    observation = Observation("test", "case", np.full((3, 24, 40), value, np.float32), (7, 7))
    restoration = restore(observation, TINY)
    assert restoration.status is Status.OK, restoration.reason
    assert np.isfinite(restoration.image).all()
    assert np.isfinite(restoration.kernels).all()


@pytest.mark.parametrize("shape", [(1, 11, 90), (1, 90, 11), (3, 17, 64)])
def test_images_that_are_far_from_square_run(shape):
    restoration = restore(observe(shape, None), change(TINY, iterations=8))
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.image.shape == shape


@pytest.mark.parametrize("shape", [(1, 10, 40), (1, 3, 3), (1, 1, 1)])
def test_images_smaller_than_what_similarity_is_measured_on_are_declined_in_one_line(shape):
    restoration = restore(observe(shape, None), change(TINY, iterations=8))
    assert restoration.status is Status.NOT_SUPPORTED
    assert "11 px at least" in restoration.reason
    assert "\n" not in restoration.reason
