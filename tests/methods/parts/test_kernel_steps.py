"""The steps of kernel estimates against reference numbers and against their definitions."""

import numpy as np
import pytest
from scipy.signal import convolve2d

from methods.parts.kernel_steps import aligned_mean, cleaned, moved, normal_equations, to_middle


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


def test_a_fragment_stays_where_smaller_ones_are_noise():
    kernel = np.zeros((9, 9))
    kernel[2, 2:6], kernel[7, 7] = 1, 0.3
    np.testing.assert_allclose(cleaned(kernel, 0.05, 0.01), kernel / 4.3)
    assert cleaned(kernel, 0.05)[7, 7] == 0


@pytest.mark.parametrize("shape", [(9, 9), (8, 11), (7, 6)])
def test_entries_in_the_middle_stay_there_and_none_is_ever_lost(shape):
    kernel = np.zeros(shape)
    kernel[0, 1], kernel[2, 3] = 0.9, 0.1
    middle = moved(kernel, to_middle(kernel))
    assert to_middle(middle) == (0, 0)
    assert sorted(middle[middle > 0]) == [0.1, 0.9]
    for shift in ((-50, 50), (50, -50), (1, 1)):
        assert sorted(moved(middle, shift)[moved(middle, shift) > 0]) == [0.1, 0.9]
    np.testing.assert_array_equal(moved(middle, tuple(-way for way in to_middle(kernel))), kernel)


def test_an_empty_kernel_moves_nowhere():
    assert to_middle(np.zeros((3, 4))) == (0, 0)
    np.testing.assert_array_equal(moved(np.zeros((3, 4)), (1, 1)), np.zeros((3, 4)))
