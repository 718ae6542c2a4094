"""Gradients of images and frequencies of kernels, against the reference numbers."""

import numpy as np
import pytest

from benchmark.figures.gradients import gradient_cdf
from benchmark.figures.kernel_frequencies import BANDS, band_errors
from benchmark.figures.landscape import quasi_norm_ratio, regulariser
from methods.parts.objectives import gradient_sparsity, total_variation


@pytest.mark.parametrize(
    ("true", "estimate", "expected"),
    [
        ("fbe_k", "fbe_k_blur", "fbe_blur"),
        ("fbe_k", "fbe_k_noisy", "fbe_noisy"),
        ("fbe2_k", "fbe2_khat", "fbe2"),
    ],
)
def test_errors_of_bands_are_the_references(fixture, true, estimate, expected):
    """The last one is of even sizes, its rings from the width alone."""
    reference = fixture("robust_protocol")
    found = band_errors(reference[estimate], reference[true])
    assert found.shape == (BANDS,)
    np.testing.assert_allclose(found, reference[expected], rtol=1e-9)


def test_the_distribution_of_gradients_is_the_references(fixture):
    reference = fixture("robust_protocol")
    found = gradient_cdf(reference["cdf_img"][None], reference["cdf_grid"])
    np.testing.assert_allclose(found, reference["cdf"], atol=1e-12)


def test_a_constant_image_has_no_gradient():
    assert gradient_cdf(np.full((3, 9, 9), 0.5, np.float32), np.array([0.0, 1.0])).tolist() == [1, 1]


def test_ratios_do_not_depend_on_contrast_and_prefer_one_step_to_two():
    for ratio in (regulariser(gradient_sparsity), quasi_norm_ratio):
        assert ratio(0.2, 0.1) == pytest.approx(ratio(0.6, 0.3))
        assert ratio(0.3, 0.0) < ratio(0.2, 0.1)
    l1 = regulariser(total_variation)
    assert l1(0.6, 0.3) == pytest.approx(3 * l1(0.2, 0.1))
