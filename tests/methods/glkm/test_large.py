from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from benchmark.blur.convolution import central_crop, convolve_valid, rotate_180
from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.classical import pyramid
from methods.glkm.large import enlarged, free_kernel, full_size, is_large, shrunken
from methods.glkm.start import LatentSettings, latent_kernel


def observe(shape=(1, 100, 110), kernel_size=(81, 81), **more):
    blurry = np.random.default_rng(0).random(shape, dtype=np.float32)
    return Observation("test", "case", blurry, kernel_size, **more)


def an_l(size=75):
    """An L off the middle, drawn softly."""
    drawn = np.zeros((size, size))
    drawn[20:50, 30] = drawn[49, 30:45] = 1
    soft = torch.from_numpy(gaussian_filter(drawn, 1.5)).float()[None]
    return soft / soft.sum()


@pytest.mark.parametrize(
    ("kernel_size", "expected"),
    [(None, False), ((75, 75), False), ((5, 76), True), ((151, 151), True)],
)
def test_large_is_what_no_generator_serves(kernel_size, expected):
    assert is_large(observe((1, 160, 160), kernel_size)) is expected


@pytest.mark.parametrize(("declared", "size"), [((81, 81), 81), ((41, 77), 77), ((80, 9), 81)])
def test_kernels_are_odd_squares_around_the_declared_size(declared, size):
    observation = observe(kernel_size=declared)
    assert full_size(observation) == size
    assert free_kernel(observation)().shape == (1, size, size)
    assert free_kernel(replace(observation, blur_model="nonuniform", grid=(2, 3)))().shape == (6, size, size)


@pytest.mark.parametrize("kernel_size", [(81, 81), (41, 81)])
def test_the_image_shrinks_by_what_makes_the_kernel_75(kernel_size):
    ramp = np.broadcast_to(np.linspace(0, 1, 100, dtype=np.float32)[:, None], (3, 100, 110))
    small = shrunken(replace(observe(kernel_size=kernel_size), blurry=ramp))
    assert small.kernel_size == (75, 75)
    assert small.blurry.shape == (3, 92, 101)
    assert small.blurry.dtype == np.float32
    inner = small.blurry[:, 10:-10]
    np.testing.assert_allclose(np.diff(inner, axis=1), 81 / 75 / 99, rtol=1e-3)


def test_an_image_as_large_as_its_kernel_still_holds_the_generators():
    for size in range(77, 303, 2):
        assert shrunken(observe((1, size, size), (size, size))).blurry.shape == (1, 75, 75)


def test_shrinking_smoothes_first():
    stripes = np.broadcast_to(np.arange(320, dtype=np.float32) % 2, (1, 320, 320))
    small = shrunken(replace(observe((1, 320, 320), (301, 301)), blurry=stripes))
    assert np.abs(small.blurry[..., 2:-2] - 0.5).max() < 1e-3


def test_enlarged_kernels_are_kernels():
    noise = torch.rand(2, 75, 75, generator=torch.Generator().manual_seed(0)) ** 8
    kernels = enlarged(noise / noise.sum((1, 2), keepdim=True), 101)
    assert kernels.shape == (2, 101, 101)
    assert kernels.min() == 0  # the interpolation undershoots
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [77, 101, 151])
def test_enlarging_keeps_the_middle_and_scales_around_it(size):
    middle = torch.zeros(1, 75, 75)
    middle[0, 37, 37] = 1
    larger = enlarged(middle, size)[0]
    assert larger[size // 2, size // 2] == larger.max()
    torch.testing.assert_close(larger, rotate_180(larger), rtol=0, atol=1e-5)
    # In px; how the pixels fall decides about a few hundredths.
    torch.testing.assert_close(
        from_middle(enlarged(an_l(), size)), from_middle(an_l()) * size / 75, rtol=0, atol=0.03
    )


def from_middle(kernel):
    """Where the centre of mass of (1, n, n) lies, relative to the middle."""
    places = torch.arange(kernel.shape[-1]) - kernel.shape[-1] // 2
    return torch.stack([(kernel[0].sum(1) * places).sum(), (kernel[0].sum(0) * places).sum()])


def test_the_enlarged_kernel_blurs_the_image_as_the_small_one_blurs_the_shrunken_image():
    """Turned by 180 degrees or at another scale it does not."""
    size, frame = 101, (150, 160)
    latent = gaussian_filter(np.random.default_rng(0).random((250, 260)), 3).astype(np.float32)
    blurry = convolve_valid(torch.from_numpy(latent)[None], enlarged(an_l(), size)[0])
    assert blurry.shape == (1, *frame)
    small = torch.from_numpy(
        shrunken(replace(observe(), blurry=blurry.numpy(), kernel_size=(size, size))).blurry
    )
    small_latent = torch.from_numpy(pyramid.shrunk(latent, 75 / size)).float()[None]

    def misfit(kernel):
        again = convolve_valid(small_latent, kernel)
        return (central_crop(again, (100, 100)) - central_crop(small, (100, 100))).std() / small.std()

    assert misfit(an_l()[0]) < 0.1
    assert misfit(rotate_180(an_l())[0]) > 0.5
    assert misfit(central_crop(enlarged(an_l(), 85), (75, 75))[0]) > 0.2


def test_declines_images_smaller_than_the_kernel():
    for use in (full_size, shrunken, free_kernel):
        with pytest.raises(NotSupportedError, match=r"\(100 x 80\) is smaller .* \(81 x 81\)"):
            use(observe((1, 100, 80), (81, 5)))


def test_generators_alone_do_not_serve_it():
    with pytest.raises(NotSupportedError, match="the largest is 75"):
        latent_kernel(observe(), LatentSettings(start="random"), torch.Generator(), torch.device("cpu"))
