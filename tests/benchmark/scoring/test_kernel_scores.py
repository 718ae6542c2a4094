"""Similarity of kernels, and what a wrong kernel costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.blur.kernel_energy import kernel_energy
from benchmark.core.errors import InputError
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.scoring.kernel_scores import (
    energy,
    error_ratio,
    kernel_psnr,
    kernel_similarity,
    misplaced_mass,
)

L_SHAPE = np.array([[1.0, 0, 0], [1, 0, 0], [1, 2, 1]]) / 6


def brute_force(estimate, truth):
    """Slide `truth` over a wide field that holds `estimate`, one position after the other."""
    (h, w), (height, width) = truth.shape, estimate.shape
    field = np.zeros((height + 2 * h, width + 2 * w))
    field[h : h + height, w : w + width] = estimate
    products = [
        (field[row : row + h, column : column + w] * truth).sum()
        for row in range(height + h + 1)
        for column in range(width + w + 1)
    ]
    return max(products) / np.sqrt((estimate**2).sum() * (truth**2).sum())


sides = st.integers(1, 7)


@settings(deadline=None, max_examples=60)
@given(sides, sides, sides, sides, st.integers(0, 1000))
def test_similarity_is_the_largest_over_all_shifts(h, w, height, width, seed):
    rng = np.random.default_rng(seed)
    estimate, truth = rng.random((height, width)), rng.random((h, w))
    expected = brute_force(estimate, truth)
    assert kernel_similarity(estimate, truth) == pytest.approx(expected, abs=1e-12)
    assert kernel_similarity(truth, estimate) == pytest.approx(expected, abs=1e-12)


def test_similarity_ignores_shift_and_box_but_not_rotation():
    moved = np.pad(L_SHAPE, ((4, 0), (0, 5)))
    assert kernel_similarity(moved, L_SHAPE) == pytest.approx(1, abs=1e-12)
    assert kernel_similarity(L_SHAPE[::-1, ::-1], L_SHAPE) < 0.9
    assert kernel_similarity(L_SHAPE.astype(np.float32), L_SHAPE) <= 1


@pytest.fixture(scope="module")
def camera():
    observation, truth = observe(make_case(find_dataset("demo-uniform"), "camera", 0), 0)
    return observation.blurry, truth.sharp, truth.kernels[0]


def test_the_true_kernel_has_ratio_one(camera):
    blurry, sharp, kernel = camera
    assert error_ratio(blurry, sharp, kernel, kernel) == 1


def test_a_shifted_kernel_in_a_larger_box_costs_little_and_a_wrong_one_much(camera):
    blurry, sharp, kernel = camera
    shifted = np.pad(kernel, ((4, 0), (0, 4)))  # by 2 px down and left against its box
    identity = np.ones((1, 1))
    # Not exactly 1: the larger box pads and tapers more.
    assert error_ratio(blurry, sharp, shifted, kernel) == pytest.approx(1, abs=0.1)
    assert error_ratio(blurry, sharp, kernel[::-1, ::-1], kernel) > 3
    assert error_ratio(blurry, sharp, identity, kernel) > 3


def test_an_image_without_an_inside_is_refused(camera):
    blurry, sharp, kernel = camera
    with pytest.raises(InputError, match="nothing inside a border of 15 px"):
        error_ratio(blurry[:, :30, :30], sharp[:, :30, :30], kernel, kernel)


def test_the_energy_is_that_of_the_luma(camera):
    blurry, _, kernel = camera
    grey = blurry.mean(0, keepdims=True)
    assert energy(grey, kernel) == pytest.approx(kernel_energy(grey[0], kernel))
    red = np.concatenate([grey / 0.299, 0 * grey, 0 * grey])  # a colour image of this luma
    assert energy(red, kernel) == pytest.approx(energy(grey, kernel))
    assert energy(blurry, kernel) < energy(blurry, kernel[::-1, ::-1])


def test_misplaced_mass_is_what_lies_elsewhere_at_the_best_shift():
    moved = np.zeros((8, 9))
    moved[4:7, 5:8] = L_SHAPE
    assert misplaced_mass(moved, L_SHAPE) == pytest.approx(0)
    assert misplaced_mass(L_SHAPE, moved) == pytest.approx(0)
    # A spot matches the two sixths of the corner's side; the other four lie elsewhere.
    assert misplaced_mass(np.ones((1, 1)), L_SHAPE) == pytest.approx(4 / 6)


def test_a_kernels_psnr_counts_all_that_lies_elsewhere_whatever_the_declared_size():
    truth = np.array([[0.0, 0.5], [0.0, 0.5]])
    estimate = np.array([[0.5, 0.0, 0.0], [0.4, 0.0, 0.1]])  # the tenth lies outside the truth's box
    # Squared errors 0.1^2 + 0.1^2 over 2 x 2 entries, peak 0.5.
    expected = 10 * np.log10(0.5**2 / (0.02 / 4))
    assert kernel_psnr(estimate, truth) == pytest.approx(expected)
    assert kernel_psnr(np.pad(estimate, 9), truth) == pytest.approx(expected)
    assert kernel_psnr(np.pad(truth, 3), truth) == np.inf
    assert kernel_psnr(estimate[:, ::-1].T, truth) < expected - 5
