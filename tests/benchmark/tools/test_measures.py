"""Measures of a restoration and of a kernel."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from benchmark.blur.convolution import convolve_valid
from benchmark.tools.measures import fills_box, is_blob, is_point, judged_share, reblur_residual
from tests.benchmark.tools.conftest import line_kernel


def test_points_and_rims():
    assert is_point(line_kernel(15, 3))
    assert not is_point(line_kernel(15, 9))
    assert fills_box(line_kernel(15, 15))
    assert not fills_box(line_kernel(15, 9))


def test_the_residual_is_taken_where_the_blur_stays_inside():
    rng = np.random.default_rng(0)
    sharp, kernel = rng.random((40, 50)), rng.random((5, 7))
    kernel /= kernel.sum()
    blurry = np.full((40, 50), 9.0)
    inside = convolve_valid(torch.from_numpy(sharp)[None], torch.from_numpy(kernel))[0].numpy()
    blurry[2:-2, 3:-3] = inside + 0.01
    assert reblur_residual(blurry, sharp, kernel) == pytest.approx(0.01)
    blurry[10:13, 20:22] = 1.0  # a lamp: all else is judged
    assert reblur_residual(blurry, sharp, kernel) > 0.02
    assert reblur_residual(blurry, sharp, kernel, clipped=blurry == 1) == pytest.approx(0.01)


def test_a_saturated_pixel_is_no_misfit_unless_too_dark():
    rng = np.random.default_rng(0)
    sharp, kernel = rng.random((40, 50)), np.full((3, 3), 1 / 9)
    sharp[20, 20:23] = 30.0  # a lamp beyond white
    blurry = convolve(sharp, kernel).clip(0, 1)
    clipped = blurry == 1
    assert reblur_residual(blurry, sharp, kernel) > 0.3
    assert reblur_residual(blurry, sharp, kernel, clipped=clipped, bounded=False) == pytest.approx(0)
    assert reblur_residual(blurry, sharp.clip(0, 1), kernel, clipped=clipped, bounded=False) > 0.03
    # What ends at 1 cannot explain it: it is judged by the rest.
    assert reblur_residual(blurry, sharp.clip(0, 1), kernel, clipped=clipped) == pytest.approx(0)


def test_without_a_pixel_whose_blur_stays_inside_there_is_no_residual():
    flat = np.full((20, 20), 0.5)
    assert reblur_residual(flat, flat, np.full((21, 21), 1 / 441)) is None
    assert reblur_residual(flat, flat, np.full((19, 19), 1 / 361)) == pytest.approx(0)
    assert judged_share((20, 20), (19, 19)) == pytest.approx(0.01)


def test_spots_are_told_from_strokes():
    spot = np.exp(-(np.arange(-10, 11) ** 2) / 18)
    assert is_blob(np.outer(spot, spot) / spot.sum() ** 2)
    assert not is_blob(line_kernel(21, 15))
    corner = line_kernel(21, 15) + line_kernel(21, 15, vertical=True)
    assert not is_blob(corner / 2)
