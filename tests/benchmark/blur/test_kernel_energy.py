"""The energy of kernels: least for the true one."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d
from skimage import data

from benchmark.blur.kernel_energy import NOISE, ONSET, WEIGHT, energy_weight, kernel_energy
from benchmark.blur.noise_level import noise_sigma, smooth_sigma
from benchmark.blur.trajectory import trajectory_kernel
from benchmark.core.errors import InputError
from tests.conftest import ROOT


def blurred(name, kernel, side=100):
    """A crop of a photograph in grey, blurred, with 0.3 % noise in 8 bits."""
    (h, w), photograph = kernel.shape, getattr(data, name)()
    grey = (photograph if photograph.ndim == 2 else photograph.mean(2))[60:, 100:] / 255
    blurry = convolve2d(grey[: side + h - 1, : side + w - 1], kernel, mode="valid")
    noise = 0.003 * np.random.default_rng(0).standard_normal(blurry.shape)
    return (255 * (blurry + noise)).round().clip(0, 255) / 255


def motion(seed, size=13):
    return trajectory_kernel(size, np.random.default_rng(seed)).astype(np.float64)


@pytest.mark.parametrize("name", ["camera", "astronaut", "coins"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_true_kernel_has_less_energy_than_wrong_estimates(name, seed):
    true = motion(seed)
    blurry = blurred(name, true)
    smeared = gaussian_filter(true, 1.0, mode="constant")
    flat = np.full_like(true, 1 / true.size)
    wrong = [true[::-1, ::-1], motion(seed + 10), smeared / smeared.sum(), flat]
    least = kernel_energy(blurry, true)
    assert all(kernel_energy(blurry, kernel) > least for kernel in wrong)


def test_zeros_around_a_kernel_change_the_frame_alone():
    true = motion(1)
    blurry = blurred("camera", true)
    padded = np.pad(true, 10)
    own, framed = kernel_energy(blurry, true), kernel_energy(blurry, true, largest=padded.shape)
    # What differs is how far the blurry image is extended to be periodic.
    assert kernel_energy(blurry, padded) == pytest.approx(framed, rel=0.01)
    assert abs(own - framed) > 2 * abs(kernel_energy(blurry, padded) - framed)


def test_an_image_without_room_for_the_kernel_has_no_energy():
    with pytest.raises(InputError, match="13 x 13"):
        kernel_energy(np.zeros((13, 40)), motion(1))


def test_dearer_edges_are_counted_on_the_same_latent_image():
    true, spike = motion(1), np.pad([[1.0]], 6)
    blurry = blurred("camera", true)
    shares = {}
    for name, kernel in (("true", true), ("spike", spike)):
        one, two, three = (kernel_energy(blurry, kernel, edge=edge) for edge in (1, 2, 3))
        assert three - two == pytest.approx(two - one)
        shares[name] = two - one
    assert 0 < shares["true"] < shares["spike"] <= 1


def with_noise(name, sigma):
    blurry = blurred(name, motion(1))
    return blurry + sigma * np.random.default_rng(1).standard_normal(blurry.shape)


@pytest.mark.parametrize("name", ["camera", "astronaut", "coins"])
def test_the_weight_grows_with_the_noise_from_its_onset_on(name):
    assert energy_weight(with_noise(name, 0.0)) == WEIGHT
    for sigma in (0.01, 0.02):
        assert energy_weight(with_noise(name, sigma)) == pytest.approx(WEIGHT * sigma / NOISE, rel=0.2)


def test_texture_is_no_noise_where_a_part_is_smooth():
    image = np.full((128, 128), 0.5)
    image[:, 32:] += 0.1 * np.random.default_rng(0).standard_normal((128, 96))
    assert smooth_sigma(image) == 0 and noise_sigma(image) > 0.05
    noisy = image + 0.01 * np.random.default_rng(1).standard_normal(image.shape)
    assert smooth_sigma(noisy) == pytest.approx(0.01, rel=0.15)


@pytest.mark.parametrize("shape", [(1, 1), (2, 50), (3, 3), (7, 40)])
def test_small_images_have_an_estimate_too(shape):
    assert np.isfinite(smooth_sigma(np.random.default_rng(0).random(shape)))


def test_the_onset_is_what_the_measurements_say():
    rows = pd.read_csv(ROOT / "docs/results/choose-noise.csv")
    assert (rows.smooth_sigma[rows.noise >= 0.01] > ONSET).all()
    assert (rows.smooth_sigma[rows.noise <= 0.005] < ONSET).all()
