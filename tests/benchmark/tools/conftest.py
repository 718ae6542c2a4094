"""What the tests of one photo share."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from skimage import data

from benchmark.blur.convolution import convolve_valid


def line_kernel(size, length, *, vertical=False):
    """A stroke of `length` px through the middle of (size, size)."""
    kernel = np.zeros((size, size))
    start = (size - length) // 2
    kernel[size // 2, start : start + length] = 1 / length
    return kernel.T if vertical else kernel


@pytest.fixture(scope="session")
def pair():
    """A photograph (1, 120, 140) and the same blurred by 9 px along rows, with a little noise."""
    sharp = data.camera()[60:180, 180:328].astype(np.float32)[None] / 255
    kernel = torch.from_numpy(line_kernel(9, 9)[4:5]).float()
    blurry = convolve_valid(torch.from_numpy(sharp), kernel).numpy()
    noise = np.random.default_rng(0).normal(0, 0.003, blurry.shape)
    return sharp[:, :, 4:-4], (blurry + noise).clip(0, 1).astype(np.float32)


@pytest.fixture(scope="session")
def streaked():
    """A photograph (1, 190, 200), the same blurred by 27 px along rows with a little noise, the kernel."""
    kernel = line_kernel(27, 27)[13:14]
    sharp = data.camera()[60:250, 160:386].astype(np.float32)[None] / 255
    blurry = convolve_valid(torch.from_numpy(sharp), torch.from_numpy(kernel).float()).numpy()
    noise = np.random.default_rng(0).normal(0, 0.003, blurry.shape)
    return sharp[:, :, 13:-13], (blurry + noise).clip(0, 1).astype(np.float32), kernel


HOOK = np.zeros((9, 13))
HOOK[2, 2:11] = 1
HOOK[2:7, 2] = 1
HOOK /= HOOK.sum()


@pytest.fixture(scope="session")
def lit():
    """A dim photograph (3, 140, 160) with nine lamps beyond white, and the same blurred by `HOOK`, clipped.

    With a little noise, rounded to 8 bits.
    """
    rng = np.random.default_rng(0)
    scene = np.repeat(0.4 * data.camera()[60:208, 180:352][None] / 255, 3, axis=0)
    for number in range(9):
        row, column = 20 + 50 * (number // 3), 25 + 55 * (number % 3)
        scene[:, row : row + 2, column : column + 2] += 10 ** rng.uniform(0.2, 1.2)
    seen = np.stack([convolve(channel, HOOK)[4:-4, 6:-6] for channel in scene])
    seen = (seen + rng.normal(0, 0.004, seen.shape)).clip(0, 1)
    sharp = scene[:, 4:-4, 6:-6].clip(0, 1)
    return sharp.astype(np.float32), (np.round(255 * seen) / 255).astype(np.float32)


def psnr(estimate, sharp):
    inner = (slice(None), slice(10, -10), slice(10, -10))
    return -10 * np.log10(((estimate - sharp)[inner] ** 2).mean())
