import numpy as np
import pytest
import skimage.data
import torch

from methods.glkm.first_estimates import (
    FINEST,
    MAPS,
    _moved,
    _off_centre,
    cleaned,
    kernel_estimates,
    whitened,
)
from methods.training.kernels import ncc, training_kernels
from methods.training.photographs import blurred


def photograph(side=256):
    return torch.from_numpy(
        skimage.data.camera()[None, None, 60 : 60 + side, 150 : 150 + side] / np.float32(255)
    )


def blocks(side=190):
    squares = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0)) > 0.5
    return torch.nn.functional.interpolate(squares.float(), scale_factor=16)[..., :side, :side]


def an_l():
    """An asymmetric kernel in correlation form."""
    kernel = torch.zeros(1, 1, 31, 31)
    kernel[0, 0, 15, 10:20] = 1
    kernel[0, 0, 15:22, 19] = 1
    return kernel / kernel.sum()


def test_the_finest_estimate_has_shape_and_orientation_of_the_kernel():
    estimate = cleaned(kernel_estimates(blurred(blocks(), an_l()), 31)[:, FINEST])
    assert ncc(estimate, an_l()).item() > 0.85
    assert ncc(estimate.flip(-2, -1), an_l()).item() < 0.75


def test_estimates_are_nearer_than_the_mean_kernel():
    kernels = training_kernels(31, (9, 13, 17), 12, 5)
    mean = training_kernels(31, (9, 13, 17), 200, 6).mean(0, keepdim=True)
    images = blurred(photograph(190).expand(12, -1, -1, -1), kernels)
    found = ncc(cleaned(kernel_estimates(images, 31)[:, FINEST]), kernels)
    assert found.median() > ncc(mean.expand_as(kernels), kernels).median() + 0.1


def test_an_image_is_treated_alike_alone_and_among_others():
    images = torch.rand(3, 1, 60, 50, generator=torch.Generator().manual_seed(0))
    together = kernel_estimates(images, 31)
    alone = torch.cat([kernel_estimates(image[None], 31) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-3)


@pytest.mark.parametrize("shape", [(12, 12), (31, 31), (33, 200), (129, 97)])
@pytest.mark.parametrize("size", [13, 31, 75])
def test_any_image_has_maps_of_the_kernels_size(shape, size):
    for images in (torch.rand(2, 1, *shape), torch.full((1, 1, *shape), 0.5), torch.zeros(1, 1, *shape)):
        maps = kernel_estimates(images, size)
        assert maps.shape == (len(images), MAPS, size, size)
        assert torch.isfinite(maps).all()
        assert maps.abs().max() <= 1


def test_kernels_are_moved_to_their_centre_of_mass():
    kernels = torch.zeros(2, 1, 9, 9)
    kernels[0, 0, 6, 1] = kernels[1, 0, 4, 4] = 1
    shift = _off_centre(kernels)
    assert shift.tolist() == [[2, -3], [0, 0]]
    assert (_moved(kernels, shift)[:, 0, 4, 4] == 1).all()
    kernels[0, 0, 0, 8] = 0.1
    assert _moved(kernels, torch.tensor([[2, -3], [0, 0]]))[0].sum() == 1  # what leaves is lost


def test_whitening_flattens_the_spectrum_of_natural_images():
    photograph = torch.from_numpy(skimage.data.camera()[None, None, 100:356, 100:356] / np.float32(255))

    window = torch.hann_window(256)[:, None] * torch.hann_window(256)

    def power(image, low, high):
        frequency = torch.hypot(torch.fft.fftfreq(256)[:, None], torch.fft.rfftfreq(256)[None])
        band = (frequency >= low) & (frequency < high)
        return torch.fft.rfft2(image[0, 0] * window).abs()[band].square().mean()

    def fall(image):
        return (power(image, 0.02, 0.05) / power(image, 0.15, 0.2)).item()

    assert fall(photograph) > 100
    assert fall(whitened(photograph)) < 10


def test_whitening_takes_the_brightness_away_and_most_of_the_contrast():
    image = torch.rand(2, 1, 40, 36, generator=torch.Generator().manual_seed(0))
    white = whitened(image)
    assert white.shape == image.shape
    torch.testing.assert_close(whitened(0.3 + image), white, rtol=0, atol=1e-4)
    assert 0.8 < (whitened(0.5 * image).std() / white.std()).item() < 1
    assert torch.isfinite(whitened(torch.full((1, 1, 40, 36), 0.5))).all()
