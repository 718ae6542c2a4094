"""Boundaries of a uniform blur, even kernels, and files of known boundary."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from skimage.io import imread

from benchmark.blur.boundary import extend, latent_frame, latent_size
from benchmark.blur.convolution import blur, convolve_valid, odd_from_correlation, rotate_180
from benchmark.core.errors import InputError
from benchmark.scoring.metrics import psnr

# What scipy and NumPy call the same boundary.
SAME_SIZE = {
    "zero": {"mode": "constant", "cval": 0.0},
    "grey": {"mode": "constant", "cval": 0.5},
    "replicate": {"mode": "nearest"},
    "circular": {"mode": "wrap"},
}


def random_image(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("kernel_size", [(1, 1), (3, 7), (9, 5)])
@pytest.mark.parametrize("boundary", SAME_SIZE)
def test_blur_keeps_the_size_and_equals_scipy(boundary, kernel_size):
    image, kernel = random_image(3, 11, 14), random_image(*kernel_size)
    expected = np.stack([convolve(plane, kernel.numpy(), **SAME_SIZE[boundary]) for plane in image.numpy()])
    np.testing.assert_allclose(blur(image, kernel, boundary), expected, rtol=0, atol=1e-12)


def test_valid_assumes_no_boundary():
    image, kernel = random_image(1, 11, 14), random_image(4, 3)
    torch.testing.assert_close(blur(image, kernel, "valid"), convolve_valid(image, kernel))
    assert latent_size((8, 12), (4, 3), "valid") == (11, 14)
    assert latent_size((8, 12), (3, 3), "grey") == (8, 12)
    with pytest.raises(InputError, match="'valid' has no extension"):
        extend(image, (1, 1), "valid")


def test_margins_may_exceed_the_image():
    image = torch.tensor([[[1.0, 2]]])
    assert extend(image, (0, 3), "circular").flatten().tolist() == [2, 1, 2, 1, 2, 1, 2, 1]
    assert extend(image, (0, 3), "replicate").flatten().tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert extend(image, (1, 0), "circular").tolist() == [[[1, 2], [1, 2], [1, 2]]]
    assert extend(image, (1, 1), "grey").tolist() == [[[0.5] * 4, [0.5, 1, 2, 0.5], [0.5] * 4]]


@pytest.mark.parametrize("boundary", SAME_SIZE)
@pytest.mark.parametrize("size", [(4, 5), (5, 4)])
def test_even_kernels_must_be_embedded_first(boundary, size):
    with pytest.raises(InputError, match="embed it in an odd one first"):
        latent_frame(random_image(1, 9, 9), size, boundary)


def correlate_padded(image, kernel, before, after):
    """Zero padding and correlation, spelled out."""
    padded = torch.nn.functional.pad(image, (before, after, before, after))
    return torch.nn.functional.conv2d(padded[:, None], kernel[None, None])[:, 0]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_kernels_of_64_px_embed_as_torch_pads_them():
    image, kernel = random_image(1, 70, 81), random_image(64, 64)
    embedded = odd_from_correlation(kernel, zeros="before")
    assert embedded.shape == (65, 65)
    expected = correlate_padded(image, kernel, 31, 32)
    torch.testing.assert_close(blur(image, embedded, "zero"), expected, rtol=1e-12, atol=0)
    by_torch = torch.nn.functional.conv2d(image[None], kernel[None, None], padding="same")[0]
    torch.testing.assert_close(expected, by_torch, rtol=1e-12, atol=0)


def test_even_kernels_that_were_padded_before_embed_the_other_way():
    image, kernel = random_image(1, 9, 10), random_image(4, 4)
    embedded = odd_from_correlation(kernel, zeros="after")
    torch.testing.assert_close(blur(image, embedded, "zero"), correlate_padded(image, kernel, 2, 1))


@pytest.mark.parametrize("zeros", ["before", "after"])
def test_embedding_leaves_odd_sides_alone(zeros):
    kernels = random_image(2, 3, 4)
    embedded = odd_from_correlation(kernels, zeros)
    assert embedded.shape == (2, 3, 5)
    assert embedded.sum() == pytest.approx(float(kernels.sum()))
    torch.testing.assert_close(
        odd_from_correlation(random_image(5, 3), zeros), rotate_180(random_image(5, 3))
    )


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("scene", ["saturated_03", "text_01"])
def test_the_circular_files_of_lai_are_made_again(mirror, scene, number):
    folder = mirror / "data" / "lai"
    if not folder.is_dir():
        pytest.skip(f"no files of Lai et al. in {folder}")
    sharp = imread(folder / "ground_truth" / f"{scene}.png")[..., :3].transpose(2, 0, 1) / 255
    kernel = imread(folder / "kernels" / f"kernel_{number:02}.png")[..., 0].astype(np.float64)
    file = imread(folder / "blurry_circular" / f"{scene}_kernel_{number:02}.png").transpose(2, 0, 1)
    blurry = blur(torch.from_numpy(sharp), torch.from_numpy(kernel / kernel.sum()), "circular").clamp(0, 1)
    # What is left is the files' rounding to 8 bits; a value at a half may round either way.
    assert 58.85 < psnr(blurry.numpy(), file / 255) < 60.85
    off = np.abs(np.round(255 * blurry.numpy()) - file)
    assert off.max() <= 1
    assert (off > 0).mean() < 1e-4  # 5e-5 at most
