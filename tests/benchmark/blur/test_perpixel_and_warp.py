"""Kernels per pixel and warping, against reference numbers and scipy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from benchmark.blur import warp
from benchmark.blur.convolution import blur, odd_from_correlation, rotate_180
from benchmark.blur.perpixel import blur_per_pixel
from benchmark.blur.warp import warp_average
from benchmark.core.errors import InputError


@pytest.fixture
def reblur(fixture):
    return {
        name: torch.from_numpy(array) for name, array in fixture("ufpnet_reblur").items() if array.ndim > 1
    }


@pytest.mark.parametrize("sample", [0, 1])
@pytest.mark.parametrize(("boundary", "name"), [("replicate", "replication"), ("zero", "zero")])
def test_kernels_per_pixel_equal_the_reference(reblur, boundary, name, sample):
    kernels = rotate_180(reblur["kernel"][sample])
    blurred = blur_per_pixel(reblur["image"][sample], kernels, boundary)
    torch.testing.assert_close(blurred, reblur[f"out_{name}"][sample], rtol=0, atol=1e-9)


def test_an_image_extended_by_hand_equals_the_reference(reblur):
    mirrored = torch.nn.functional.pad(reblur["image"][0], (2, 2, 2, 2), mode="reflect")
    blurred = blur_per_pixel(mirrored, rotate_180(reblur["kernel"][0]), "valid")
    torch.testing.assert_close(blurred, reblur["out_reflection"][0], rtol=0, atol=1e-9)


def test_equal_kernels_for_all_pixels_equal_the_reference(reblur):
    kernel = rotate_180(reblur["uniform_kernel"])
    for image, expected in zip(reblur["image"], reblur["out_uniform"], strict=True):
        blurred = blur_per_pixel(image, kernel.expand(168, 5, 5), "replicate")
        torch.testing.assert_close(blurred, expected, rtol=0, atol=1e-9)
        torch.testing.assert_close(blur(image, kernel, "replicate"), expected, rtol=0, atol=1e-9)


def test_even_kernels_equal_the_reference(reblur):
    kernels = odd_from_correlation(reblur["even_kernel"][0], zeros="after")
    blurred = blur_per_pixel(reblur["image"][0], kernels, "replicate")
    torch.testing.assert_close(blurred, reblur["out_even"][0], rtol=0, atol=1e-9)


def test_gradients_equal_the_reference(reblur):
    image = reblur["image"][0].clone().requires_grad_()
    kernels = reblur["kernel"][0].clone().requires_grad_()
    (blur_per_pixel(image, rotate_180(kernels), "replicate") - reblur["target"][0]).abs().mean().backward()
    torch.testing.assert_close(image.grad, reblur["grad_image"][0], rtol=0, atol=1e-9)
    torch.testing.assert_close(kernels.grad, reblur["grad_kernel"][0], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("shape", "boundary"), [((1, 6, 7), "zero"), ((1, 2, 7), "valid")])
def test_there_is_one_kernel_for_every_pixel(shape, boundary):
    with pytest.raises(InputError, match="takes one kernel for each, not 41"):
        blur_per_pixel(torch.rand(shape), torch.rand(41, 3, 3), boundary)


@pytest.fixture
def shake(fixture):
    reference = fixture("glkm_camera_shake")
    return {name: torch.from_numpy(reference[name]) for name in ("x", "y", "homographies")}


def test_warping_equals_the_reference(shake):
    warped = warp_average(shake["x"][None], shake["homographies"])
    torch.testing.assert_close(warped[0], shake["y"], rtol=0, atol=1e-9)


def test_warping_with_a_black_outside_equals_scipy(shake):
    rows, columns = np.mgrid[:40, :48]
    seen = np.einsum("tij,jrc->tirc", shake["homographies"].numpy(), [columns, rows, np.ones_like(rows)])
    padded = np.pad(shake["x"].numpy(), 30)  # scipy's own black border does not blend into the image
    expected = np.mean(
        [map_coordinates(padded, [y / z + 30, x / z + 30], order=1) for x, y, z in seen], axis=0
    )
    warped = warp_average(shake["x"][None], shake["homographies"], "zero")
    np.testing.assert_allclose(warped[0], expected, rtol=0, atol=1e-12)


def test_poses_in_portions_equal_all_at_once(shake, monkeypatch):
    image = shake["x"][None].clone().requires_grad_()
    whole = warp_average(image, shake["homographies"])
    (gradient,) = torch.autograd.grad(whole.square().sum(), image)
    monkeypatch.setattr(warp, "SAMPLES_AT_ONCE", 5 * 40 * 48)
    portions = warp_average(image, shake["homographies"])
    torch.testing.assert_close(portions, whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(
        torch.autograd.grad(portions.square().sum(), image)[0], gradient, rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("boundary", ["valid", "grey", "circular"])
def test_warping_refuses_other_boundaries(boundary):
    with pytest.raises(InputError, match="replicate and zero"):
        warp_average(torch.rand(1, 5, 5), torch.eye(3)[None], boundary)
