import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d

from benchmark.blur.convolution import (
    central_crop,
    convolve_valid,
    convolve_valid_direct,
    convolve_valid_fft,
    rotate_180,
    uniform_blur,
)
from benchmark.core.errors import InputError

BOTH = [convolve_valid_direct, convolve_valid_fft]
L_KERNEL = torch.tensor([[1.0, 0, 0], [2, 0, 0], [3, 4, 0]], dtype=torch.float64) / 10


@pytest.mark.parametrize("convolve", BOTH)
def test_a_point_source_becomes_the_kernel_itself(convolve):
    image = torch.zeros(1, 9, 9, dtype=torch.float64)
    image[0, 4, 4] = 1
    # True convolution: not mirrored, centred on the point.
    torch.testing.assert_close(convolve(image, L_KERNEL)[0, 2:5, 2:5], L_KERNEL)


@pytest.mark.parametrize("convolve", BOTH)
def test_the_delta_kernel_is_the_identity(convolve):
    image = torch.rand(3, 8, 9, dtype=torch.float64)
    delta = torch.zeros(5, 3, dtype=torch.float64)
    delta[2, 1] = 1
    torch.testing.assert_close(convolve(image, delta), image[:, 2:-2, 1:-1])


@pytest.mark.parametrize("convolve", BOTH)
def test_an_off_centre_delta_shifts_by_its_offset(convolve):
    image = torch.rand(1, 8, 8, dtype=torch.float64)
    kernel = torch.zeros(3, 3, dtype=torch.float64)
    kernel[2, 1] = 1  # one row below the centre: the scene moves down
    torch.testing.assert_close(convolve(image, kernel), image[:, 0:6, 1:7])


sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@settings(deadline=None, max_examples=60)
@given(observed=sizes, kernel=sizes, channels=st.sampled_from([1, 3]), seed=st.integers(0, 99))
def test_direct_and_fft_equal_scipy_for_every_size(observed, kernel, channels, seed):
    rng = np.random.default_rng(seed)
    image = rng.random((channels, observed[0] + kernel[0] - 1, observed[1] + kernel[1] - 1))
    weights = rng.random(kernel)
    expected = np.stack([convolve2d(plane, weights, mode="valid") for plane in image])
    for convolve in (*BOTH, convolve_valid):
        result = convolve(torch.from_numpy(image), torch.from_numpy(weights))
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("case", ["a", "b", "c"])
@pytest.mark.parametrize("convolve", BOTH)
def test_valid_convolution_and_its_gradients_match_the_reference(fixture, convolve, case):
    arrays = fixture("robust_fftconv")
    image, kernel = (torch.from_numpy(arrays[f"{case}_{name}"]).requires_grad_() for name in "xk")
    result = convolve(image, kernel)
    np.testing.assert_allclose(result.detach(), arrays[f"{case}_y"], rtol=0, atol=1e-12)
    (torch.from_numpy(arrays[f"{case}_w"]) * result).sum().backward()
    np.testing.assert_allclose(image.grad, arrays[f"{case}_gx"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(kernel.grad, arrays[f"{case}_gk"], rtol=0, atol=1e-11)
    if kernel.numel() > 1:
        assert np.abs(result.detach().numpy() - arrays[f"{case}_y_correlation"]).max() > 1e-3


def test_direct_and_fft_agree_in_float32():
    torch.manual_seed(0)
    image, kernel = torch.rand(3, 150, 141), torch.rand(21, 13)
    kernel /= kernel.sum()
    difference = convolve_valid_direct(image, kernel) - convolve_valid_fft(image, kernel)
    assert difference.abs().max() < 1e-6


@pytest.mark.parametrize("convolve", BOTH)
def test_gradients_in_image_and_kernel(convolve):
    torch.manual_seed(0)
    image = torch.rand(2, 7, 8, dtype=torch.float64, requires_grad=True)
    kernel = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(convolve, (image, kernel))


def test_a_kernel_larger_than_the_image_is_refused():
    with pytest.raises(InputError, match="larger than the image"):
        convolve_valid(torch.rand(1, 4, 9), torch.rand(5, 3))


def test_the_uniform_operator_takes_one_kernel():
    image, kernels = torch.rand(1, 9, 9), torch.rand(1, 3, 3)
    torch.testing.assert_close(uniform_blur(image, kernels), convolve_valid(image, kernels[0]))
    with pytest.raises(InputError, match="one kernel"):
        uniform_blur(image, torch.rand(2, 3, 3))


def test_rotation_turns_correlation_into_convolution():
    image = torch.rand(1, 9, 9, dtype=torch.float64)
    correlated = torch.nn.functional.conv2d(image[None], L_KERNEL[None, None])[0]
    torch.testing.assert_close(convolve_valid(image, rotate_180(L_KERNEL)), correlated)


def test_central_crop_is_the_frame_of_the_observation():
    image = torch.arange(49.0).reshape(1, 7, 7)
    torch.testing.assert_close(central_crop(image, (3, 5)), image[:, 2:5, 1:6])
