import numpy as np
import pytest
import torch

from methods.parts import objectives
from methods.parts.objectives import (
    Estimate,
    gradient_sparsity,
    huber,
    mean_absolute,
    mean_gradient_sparsity,
    mse,
    one_minus_ssim,
    scaled_gradient_sparsity,
    ssim_index,
    ssim_window,
    total_variation,
    weighted,
)


def test_window_is_the_published_one_bit_for_bit(fixture):
    assert (ssim_window().numpy() == fixture("dip_ssim")["window_f32"]).all()


def test_the_window_is_made_once(monkeypatch):
    image = torch.rand(1, 12, 12, dtype=torch.float64)
    objective = one_minus_ssim(image)
    monkeypatch.setattr(objectives, "ssim_window", lambda: pytest.fail("the window is made again"))
    assert objective(reblurring_to(image.flip(1))) == objective(reblurring_to(image.flip(1))) > 0


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


def estimate_of(image, reblurred=None):
    return Estimate(
        image, torch.ones(1, 1, 1), lambda image, kernels: image if reblurred is None else reblurred
    )


def test_robust_data_terms_match_the_reference(fixture):
    arrays = fixture("robust_losses")
    residual = torch.from_numpy(arrays["u"]).reshape(1, 4, 8).requires_grad_()
    zero, delta = torch.zeros(1, 4, 8, dtype=torch.float64), float(arrays["delta"])
    loss = huber(zero, delta)(estimate_of(residual))
    assert loss.item() == pytest.approx(float(arrays["huber_mean"]), abs=1e-12)
    (loss * residual.numel()).backward()
    np.testing.assert_allclose(residual.grad.flatten(), arrays["huber_grad_elem"], rtol=0, atol=1e-12)
    assert mse(zero)(estimate_of(residual)).item() == pytest.approx(float(arrays["l2_mean"]), abs=1e-12)
    value = mean_absolute(zero)(estimate_of(residual)).item()
    assert value == pytest.approx(float(arrays["l1_mean"]), abs=1e-12)


def test_gradient_sparsity_matches_the_reference(fixture):
    arrays = fixture("robust_losses")
    image = torch.from_numpy(arrays["x"]).requires_grad_()
    ratio = gradient_sparsity(estimate_of(image))
    assert ratio.item() == pytest.approx(float(arrays["reg_l1l2"]), abs=1e-12)
    ratio.backward()
    np.testing.assert_allclose(image.grad, arrays["reg_l1l2_grad"], rtol=0, atol=1e-12)
    scaled = gradient_sparsity(estimate_of(7 * image)).item()
    assert scaled == pytest.approx(float(arrays["reg_l1l2_scaled_by_7"]), abs=1e-12)
    differences = image[:, 1:].numel() + image[:, :, 1:].numel()
    total = float(arrays["reg_l1_sum"]) / differences
    assert total_variation(estimate_of(image)).item() == pytest.approx(total, abs=1e-12)


def test_scaled_sparsity_is_that_of_three_million_differences():
    """A picture tiled to 3e6 differences has the ratio that the scaled form gives a single tile."""
    tile = torch.rand(1, 20, 20, dtype=torch.float64)
    times = 61
    tiled = tile.repeat(1, times, times)
    count = 2 * tiled.numel()  # but for the border
    assert count == pytest.approx(3e6, rel=0.01)
    ratio = gradient_sparsity(estimate_of(tiled)).item()
    assert scaled_gradient_sparsity(estimate_of(tile)).item() == pytest.approx(ratio, rel=0.02)


def test_mean_sparsity_is_a_ratio_of_means_whatever_the_size():
    image = torch.rand(3, 9, 11, dtype=torch.float64)
    differences = torch.cat([image.diff(dim=axis).flatten() for axis in (1, 2)])
    expected = differences.abs().mean() / differences.square().mean().sqrt()
    value = mean_gradient_sparsity(estimate_of(image))
    assert value.item() == pytest.approx(expected.item(), rel=1e-9)
    assert value <= 1


def test_a_constant_image_has_no_gradient_to_lose():
    image = torch.full((3, 5, 6), 0.4, requires_grad=True)
    ratio = gradient_sparsity(estimate_of(image))
    ratio.backward()
    assert ratio.item() == 0
    assert torch.equal(image.grad, torch.zeros_like(image))


def test_the_robust_objective_is_the_references(fixture):
    arrays = fixture("robust_losses")
    image, blurry, reblurred = (torch.from_numpy(arrays[name]) for name in ("x", "y", "yhat"))
    objective = weighted(
        (1.0, huber(blurry, float(arrays["delta"]))), (float(arrays["lam"]), gradient_sparsity)
    )
    value = objective(estimate_of(image, reblurred)).item()
    assert value == pytest.approx(float(arrays["objective"]), abs=1e-12)
