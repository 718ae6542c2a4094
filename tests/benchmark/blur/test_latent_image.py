"""The latent image of a known kernel against reference numbers."""

import numpy as np
import pytest

from benchmark.blur.latent_image import extended, sparse_gradients


@pytest.mark.parametrize(("weight", "name"), [(4e-3, "4e-3"), (1e-3, "1e-3")])
def test_latent_image_equals_the_reference(fixture, weight, name):
    reference = fixture("robust_classical")
    image = sparse_gradients(reference["edgetaper1"], reference["k"], weight)
    np.testing.assert_allclose(image, reference[f"l0_image_lam{name}"], rtol=0, atol=1e-10)


def test_extended_images_are_periodic_without_a_jump():
    ramp = np.add.outer(np.arange(20.0), np.arange(17.0))
    periodic = extended(ramp, (5, 7))
    np.testing.assert_array_equal(periodic[:20, :17], ramp)
    assert periodic.shape[0] >= 24 and periodic.shape[1] >= 23
    for axis, room in ((0, periodic.shape[0] - 20), (1, periodic.shape[1] - 17)):
        steps = np.abs(np.roll(periodic, -1, axis) - periodic)
        assert steps.max() <= max(1, 19 / room)


def test_float32_gives_the_same_image_but_for_rounding():
    step = np.tile(np.repeat([0.2, 0.8], 20), (40, 1))
    kernel = np.full((1, 3), 1 / 3)
    blurry = (np.roll(step, -1, 1) + step + np.roll(step, 1, 1)) / 3
    double, single = (
        sparse_gradients(blurry.astype(kind), kernel, 4e-3) for kind in (np.float64, np.float32)
    )
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    np.testing.assert_allclose(single, double, atol=1e-4)
