"""Deconvolution of a photo window by window."""

import numpy as np
import pytest

from benchmark.blur.nonblind import hyper_laplacian, hyper_laplacian_valid
from benchmark.tools import windows
from benchmark.tools.windows import deconvolve
from tests.benchmark.tools.conftest import HOOK, line_kernel, psnr


def test_windows_restore_as_well_as_the_whole(monkeypatch, pair):
    sharp, blurry = pair
    kernel = line_kernel(9, 9)
    whole = deconvolve(blurry, kernel, 0.01)
    np.testing.assert_allclose(whole, hyper_laplacian(blurry, kernel, 0.1 / 0.01**2).clip(0, 1), atol=1e-6)
    monkeypatch.setattr(windows, "WINDOW", 88)
    spans = windows._spans(140, 9)
    assert len(spans) > 1
    shares = np.zeros(140)
    for window, share in spans:
        shares[window] += share
    np.testing.assert_allclose(shares, 1)
    # Rings of a window's border differ from those of the whole.
    assert psnr(deconvolve(blurry, kernel, 0.01), sharp) == pytest.approx(psnr(whole, sharp), abs=0.5)


def test_only_channels_with_lamps_take_the_way_that_knows_of_clipping(pair):
    _, blurry = pair
    lit = np.concatenate([blurry.clip(0, 0.99), blurry.clip(0, 0.99)])
    lit[1, 40:50, 60:70] = 1
    kernel, weight = line_kernel(9, 9), 0.1 / 0.01**2
    dark, bright = deconvolve(lit, kernel, 0.01)
    np.testing.assert_allclose(dark, hyper_laplacian(lit[:1], kernel, weight)[0].clip(0, 1), atol=1e-6)
    expected = hyper_laplacian_valid(lit[1:], kernel, weight, clipped=lit[1:] >= 1)[0].clip(0, 1)
    np.testing.assert_allclose(bright, expected, atol=1e-6)


def test_a_night_photo_gains_where_saturated_pixels_count_as_at_least_so_bright(lit):
    sharp, blurry = lit
    plain = hyper_laplacian(blurry, HOOK, 0.1 / 0.01**2).clip(0, 1)
    assert psnr(deconvolve(blurry, HOOK, 0.01), sharp) > psnr(plain, sharp) + 3
