"""The steps of kernel estimates against reference numbers and against their definitions."""

import numpy as np
import pytest
from scipy.signal import convolve2d

from methods.parts.kernel_steps import aligned_mean, cleaned, normal_equations


def test_cleaning_equals_the_reference(fixture):
    reference = fixture("robust_classical")
    clean = cleaned(reference["clean_in"], 0.05)
    np.testing.assert_allclose(clean, reference["clean_out_thr005_cc01"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("empty", [np.zeros((5, 5)), -np.ones((5, 5)), np.full((5, 5), np.nan)])
def test_nothing_is_left_of_a_kernel_without_mass(empty):
    assert cleaned(empty, 0.05) is None


def test_a_kernel_of_fragments_alone_is_empty():
    scattered = np.zeros((9, 9))
    scattered[::2, ::2] = 1
    assert cleaned(scattered, 0.05) is None


@pytest.mark.parametrize(("size", "grid"), [((5, 3), (14, 12)), ((5, 3), (16, 15)), ((4, 6), (16, 12))])
def test_normal_equations_are_those_of_valid_convolution(size, grid):
    rng = np.random.default_rng(0)
    x, g = rng.random((2, 14, 12)), rng.random((2, 14, 12))
    k, other = rng.random(size), rng.random(size)
    product, target = normal_equations(x, g, size, grid)

    def convolved(k):
        return np.stack([convolve2d(image, k, mode="valid") for image in x])

    assert np.vdot(other, product(k)) == pytest.approx(np.vdot(convolved(other), convolved(k)))
    top, left = (size[0] - 1) // 2, (size[1] - 1) // 2
    seen = g[:, top : top + 15 - size[0], left : left + 13 - size[1]]
    assert np.vdot(other, target) == pytest.approx(np.vdot(convolved(other), seen))


def test_a_mean_of_kernels_does_not_depend_on_their_shifts_and_boxes():
    kernel = np.zeros((9, 9))
    kernel[2, 2:6], kernel[3:5, 5] = 1, 1
    kernel /= kernel.sum()
    moved = np.pad(np.roll(kernel, (1, -2), (0, 1)), ((0, 2), (2, 0)))
    np.testing.assert_allclose(aligned_mean([kernel, moved, kernel]), kernel, atol=1e-12)
    mixed = aligned_mean([kernel, np.full((3, 3), 1 / 9)])
    assert mixed.shape == (9, 9)
    assert mixed.sum() == pytest.approx(1)
    assert (mixed >= kernel / 2 - 1e-12).all()
