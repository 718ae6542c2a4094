"""Polishing brings kernels nearer to the true one, and does no harm where it cannot help."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d
from skimage import data

from benchmark.blur.kernel_energy import energy_weight, kernel_energy
from benchmark.core.errors import NotSupportedError
from benchmark.scoring.kernel_scores import kernel_similarity
from methods.parts.polish import COMPLETING, EDGE, FAINT, PolishSettings, complete, polish
from tests.benchmark.blur.test_kernel_energy import blurred, motion


@pytest.mark.parametrize("name", ["camera", "astronaut", "coins"])
def test_a_smeared_kernel_comes_nearer_to_the_true_one(name):
    true = motion(1)
    blurry = blurred(name, true)
    smeared = gaussian_filter(true, 1.0, mode="constant")
    smeared /= smeared.sum()
    better = polish(blurry, smeared)
    assert kernel_similarity(better, true) > kernel_similarity(smeared, true) + 0.05
    assert kernel_energy(blurry, better) < kernel_energy(blurry, smeared)
    assert better.shape == true.shape and better.min() >= 0 and better.sum() == pytest.approx(1)


def fast_between_slow():
    """A kernel (17, 17) of a camera that moved fast, and so left little, from one slow part to another."""
    kernel = np.zeros((17, 17))
    kernel[12:15, 2:5] = [[0, 0, 3], [0, 2, 3], [4, 4, 2]]
    kernel[11:2:-1, 5:14] = 0.2 * np.eye(9)
    kernel[2:5, 14] = 0.8, 0.9, 0.8
    return kernel / kernel.sum()


def without_room(kernel):
    """`fast_between_slow` as estimates have it, centred by its mass: there is no room for the faint end."""
    cut = np.zeros_like(kernel)
    cut[:10, 7:] = kernel[5:15, 2:12]
    return cut / cut.sum()


@pytest.mark.parametrize("name", ["camera", "astronaut", "coins"])
def test_a_faint_part_beyond_the_box_is_found(name):
    true = fast_between_slow()
    blurry, start = blurred(name, true, side=150), without_room(true)
    plain, whole = polish(blurry, start), polish(blurry, start, FAINT)
    assert kernel_similarity(whole, true) > kernel_similarity(plain, true) + 0.01
    assert kernel_similarity(whole, true) > kernel_similarity(start, true)
    assert whole.sum() == pytest.approx(1) and whole.min() >= 0


def test_only_a_kernel_with_much_less_energy_is_taken(monkeypatch):
    true = fast_between_slow()
    blurry, start = blurred("coins", true, side=150), without_room(true)
    whole, weight = complete(blurry, start), energy_weight(blurry)
    np.testing.assert_array_equal(whole, polish(blurry, start, FAINT))
    least, energy = (kernel_energy(blurry, kernel, None, EDGE, weight) for kernel in (start, whole))
    assert energy < COMPLETING * least
    monkeypatch.setattr("methods.parts.polish.COMPLETING", energy / least)
    assert complete(blurry, start) is start


def test_kernels_with_even_sides_keep_their_place():
    true = np.pad(motion(1, 9), ((0, 1), (2, 1)))  # 10 x 12
    better = polish(blurred("camera", true), true, PolishSettings(weights=(3e-5,)))
    assert better.shape == (10, 12)
    assert np.vdot(better, true) / np.linalg.norm(better) / np.linalg.norm(true) > 0.9


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_a_blank_image_leaves_the_kernel_as_it_is(level):
    kernel = motion(1)
    np.testing.assert_array_equal(polish(np.full((40, 50), level), kernel), kernel)


def test_an_image_no_larger_than_the_kernel_is_declined():
    with pytest.raises(NotSupportedError, match="13 x 40"):
        polish(np.zeros((13, 40)), motion(1))


@pytest.mark.parametrize(("name", "row", "column"), [("clock", 60, 150), ("moon", 100, 100)])
def test_a_kernel_whose_polishing_makes_ripples_stays_as_it_is(name, row, column):
    true = motion(1)
    crop = getattr(data, name)()[row : row + 140, column : column + 140] / 255  # few edges
    blurry = convolve2d(crop, true, mode="valid") + np.random.default_rng(0).normal(0, 0.006, (128, 128))
    ruined = polish(blurry, true, PolishSettings(roughening=np.inf))
    assert kernel_similarity(ruined, true) < 0.8
    np.testing.assert_array_equal(polish(blurry, true), true)
