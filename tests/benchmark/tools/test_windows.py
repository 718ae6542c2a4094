"""Deconvolution of a photo window by window."""

import numpy as np
import pytest

from benchmark.blur.nonblind import hyper_laplacian
from benchmark.tools import windows
from benchmark.tools.windows import deconvolve
from tests.benchmark.tools.conftest import line_kernel, psnr


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
