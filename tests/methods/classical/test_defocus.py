"""Kernels of one parameter: the families, and that the right member is found."""

import numpy as np
import pytest
import skimage.data
from scipy.signal import fftconvolve

from methods.classical.alternation import TurnSettings
from methods.classical.defocus import disk, disks, estimate_symmetric, gaussian, gaussians


def spread(kernel):
    """The standard deviation along rows."""
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    return np.sqrt((kernel.sum(1) * offsets**2).sum())


def test_members_have_their_size_and_are_symmetric():
    assert spread(disk((31, 31), 8.0)) == pytest.approx(8.0 / 2, rel=0.02)  # of a disk: half its radius
    assert spread(gaussian((31, 31), 3.0)) == pytest.approx(3.0, rel=0.02)
    members = (*disks((15, 11)), *gaussians((15, 11)))
    assert len(members) > 50
    for kernel in members:
        assert kernel.shape == (15, 11)
        assert kernel.sum() == pytest.approx(1)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], rtol=0, atol=1e-15)
    assert max(map(spread, members)) > 2.5
    assert all(len(family((1, 1))) for family in (disks, gaussians))


@pytest.mark.parametrize("true", [disk((25, 25), 4.0), gaussian((25, 25), 2.0)], ids=["disk", "gaussian"])
def test_the_right_one_is_found_in_a_larger_box(true):
    sharp = skimage.data.camera()[20:220, 150:350] / 255
    blurry = fftconvolve(sharp, true, "valid")
    blurry += np.random.default_rng(0).normal(0, 0.003, blurry.shape)
    kernel = estimate_symmetric(blurry, (25, 25), TurnSettings())
    assert spread(kernel) == pytest.approx(spread(true), rel=0.15)
    peak = kernel.max() * spread(kernel) ** 2  # tells a disk from a Gaussian of the same spread
    assert peak == pytest.approx(true.max() * spread(true) ** 2, rel=0.1)
