"""Random crops of photographs."""

import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError
from methods.training.initializer import noisy
from methods.training.photographs import Photographs

CPU = torch.device("cpu")


def test_crops_have_the_asked_size_and_range_and_come_from_the_photograph():
    grey = np.arange(30 * 40, dtype=np.uint16).reshape(1, 30, 40) % 251
    photographs = Photographs([grey.astype(np.uint8)], 16, CPU)
    crops = photographs.crops(5, 16, np.random.default_rng(0))
    assert crops.shape == (5, 1, 16, 16)
    windows = np.lib.stride_tricks.sliding_window_view(grey[0], (16, 16))
    for crop in (255 * crops[:, 0]).round().numpy():
        assert any((windows == view).all((2, 3)).any() for view in (crop, crop[:, ::-1]))


def test_small_photographs_are_enlarged():
    photographs = Photographs([np.full((1, 10, 30), 200, np.uint8)], 20, CPU)
    assert photographs.pixels[0].shape == (1, 20, 60)
    assert photographs.crops(1, 20, np.random.default_rng(0)).mean().item() == pytest.approx(200 / 255)


def test_colour_becomes_luma():
    red = np.zeros((3, 8, 8), np.uint8)
    red[0] = 255
    assert Photographs([red], 8, CPU).pixels[0][0, 0, 0] == 76  # 0.299
    colours = Photographs([red], 8, CPU, colour=True).pixels[0]
    assert colours[:, 0, 0].tolist() == [255, 0, 0]


def test_none_is_refused():
    with pytest.raises(InputError, match="no photographs"):
        Photographs([], 8, CPU)


def test_noise_is_bounded_and_in_eight_bits():
    images = noisy(torch.full((6, 1, 32, 32), 0.5), 0.02, np.random.default_rng(0))
    steps = 255 * images
    torch.testing.assert_close(steps, steps.round())
    assert images.std((1, 2, 3)).max() < 0.022
    assert images.std((1, 2, 3)).max() > images.std((1, 2, 3)).min()


def test_the_richest_of_several_crops_is_taken():
    half_flat = np.zeros((1, 64, 64), np.uint8)
    half_flat[0, :, 32:] = np.random.default_rng(0).integers(256, size=(64, 32))
    photographs = Photographs([half_flat], 16, torch.device("cpu"))
    plain = photographs.crops(40, 16, np.random.default_rng(1))
    rich = photographs.crops(40, 16, np.random.default_rng(1), richest_of=4)
    assert rich.shape == plain.shape
    assert rich.flatten(1).std(dim=1).mean() > 1.2 * plain.flatten(1).std(dim=1).mean()
