import numpy as np
import pytest
import torch

from methods.losses import Estimate, mse, one_minus_ssim, ssim_index, ssim_window, weighted


def test_window_is_the_published_one_bit_for_bit(fixture):
    assert (ssim_window().numpy() == fixture("dip_ssim")["window_f32"]).all()


@pytest.mark.parametrize("pair", range(5))
def test_ssim_matches_the_reference_and_its_gradient(fixture, pair):
    arrays = fixture("dip_ssim")
    a = torch.from_numpy(arrays[f"{pair}/a"][0]).requires_grad_()
    b = torch.from_numpy(arrays[f"{pair}/b"][0])

    similarity = ssim_index(a, b)
    similarity.backward()

    assert abs(similarity.item() - arrays[f"{pair}/ssim"]) < 1e-13
    np.testing.assert_allclose(a.grad, arrays[f"{pair}/grad_a"][0], rtol=0, atol=1e-13)
    exact_window = torch.from_numpy(arrays["window_f64"])
    assert abs(ssim_index(a, b, exact_window).item() - arrays[f"{pair}/ssim_win64"]) < 1e-13


def reblurring_to(reblurred):
    """An estimate of which only the re-blurred image matters."""
    return Estimate(torch.empty(0), torch.empty(0), operator=lambda image, kernels: reblurred)


def test_objectives_are_zero_for_a_perfect_estimate():
    blurry = torch.rand(3, 20, 24, dtype=torch.float64)
    estimate = reblurring_to(blurry)
    assert mse(blurry)(estimate) == 0
    assert abs(one_minus_ssim(blurry)(estimate)) < 1e-12


def test_mse_is_the_mean_over_pixels_and_channels():
    blurry = torch.zeros(3, 4, 5)
    assert mse(blurry)(reblurring_to(torch.full((3, 4, 5), 0.5))) == 0.25


def test_weighted_objectives_add_up():
    both = weighted((2.0, lambda estimate: estimate.reblurred.sum()), (0.5, mse(torch.zeros(1, 2, 2))))
    assert both(reblurring_to(torch.ones(1, 2, 2))) == 2 * 4 + 0.5


def test_what_no_objective_asks_for_is_not_computed():
    estimate = Estimate(torch.ones(1, 2, 2), torch.empty(0), operator=None)
    assert weighted((1.0, lambda estimate: estimate.image.sum()))(estimate) == 4
