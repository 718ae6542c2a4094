"""What the trainings of diffusion models learn from, at which rate, and what they show."""

import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError
from methods.diffusion import prior
from methods.training import diffusion_image, diffusion_kernel
from methods.training.diffusion import PICTURED
from methods.training.diffusion_image import Images
from methods.training.kernels import silent
from methods.training.loop import Materials

CPU = torch.device("cpu")
SMALL = {"channels": 8, "multipliers": (1, 4), "norm_groups": 4, "batch": 4, "side": 8}


def photograph(channels=3, height=20, width=30):
    return np.random.default_rng(height).integers(0, 256, (channels, height, width), dtype=np.uint8)


def started(**more):
    materials = Materials([photograph(), photograph(1, 9, 7)], [photograph(3, 16, 16)])
    settings = diffusion_image.Settings(**SMALL, **more)
    return diffusion_image.start(settings, materials, 0, CPU, silent)


def test_whole_photographs_are_means_over_areas_of_the_middle_square():
    photo = photograph(3, 16, 20)
    square = photo[:, :, 2:18].reshape(3, 8, 2, 8, 2).mean((2, 4))
    (image,) = Images([photo], 8, whole=True).drawn(1, np.random.default_rng(0))
    pixels = (image.numpy() + 1) * 127.5
    differences = [np.abs(pixels[..., ::turn] - square).max() for turn in (1, -1)]  # mirrored or not
    assert min(differences) < 0.51  # rounded to 8 bits


def test_crops_have_the_side_and_stay_in_range_whatever_the_photograph():
    images = Images([photograph(), photograph(1, 5, 40)], 8, whole=False).drawn(20, np.random.default_rng(0))
    assert images.shape == (20, 3, 8, 8)
    assert -1 <= images.min() < images.max() <= 1
    grey = [image for image in images if torch.equal(image[0], image[1])]
    assert 0 < len(grey) < 20


def test_without_photographs_there_is_nothing_to_learn():
    with pytest.raises(InputError, match="--images"):
        Images([], 8, whole=True)


def test_kernels_fill_the_middle_that_their_reduction_leaves():
    rng = np.random.default_rng(0)
    for reduction in (1, 2, 4):
        kernels = (diffusion_kernel.drawn(12, 64, (reduction,), rng) + 1) / 2
        assert kernels.shape == (12, 1, 64, 64)
        torch.testing.assert_close(kernels.amax((-2, -1)), torch.ones(12, 1))
        assert kernels.min() >= 0
        margin = (64 - 64 // reduction) // 2
        inside = kernels[..., margin : 64 - margin, margin : 64 - margin]
        torch.testing.assert_close(inside.sum(), kernels.sum())


def test_the_rate_rises_and_falls_to_the_last_one():
    trainee = started(warm_up=10, rate=1.0, last_rate=0.1)
    assert trainee.rate(0, 0.0) == pytest.approx(0.1)
    assert trainee.rate(10, 0.0) == pytest.approx(1.0)
    assert trainee.rate(10, 0.5) == pytest.approx(0.55)
    assert trainee.rate(10, 1.0) == pytest.approx(0.1)


def test_training_tells_noise_better_and_the_average_is_what_is_kept(tmp_path):
    trainee = started(warm_up=5, rate=5e-3)
    before = trainee.examine(16, silent).numbers
    assert before["prior"] == before["yardstick"]  # it tells nothing
    for number in range(60):
        trainee.step(number, 0.0)
    evidence = trainee.examine(16, silent)
    assert evidence.numbers["prior"]["noise loss"] < 0.9 * before["prior"]["noise loss"]
    assert evidence.numbers["yardstick"] == before["yardstick"]
    assert set(evidence.images) == {"real", "generated", "held out", "noisy, 400", "denoised"}
    for pictures in evidence.images.values():
        assert pictures.shape == (PICTURED, 3, 8, 8)
        assert 0 <= pictures.min() <= pictures.max() <= 1
    trainee.save(tmp_path, 60, "tiny", half=True)
    found = prior.load(tmp_path / "diffusion-image-8.safetensors", "diffusion-image")
    assert (found.side, found.label) == (8, "diffusion-image-8 tiny")
    kept = found.network.out[2].weight
    torch.testing.assert_close(kept, trainee.average.out[2].weight, rtol=1e-3, atol=1e-6)
    assert not torch.allclose(kept, trainee.network.out[2].weight, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"channels": 6}, "norm_groups"),
        ({"side": 9}, "side must be a multiple of 2"),
        ({"channels": 4}, "channels where there is attention"),
        ({"decay": 1.0}, "decay"),
        ({"batch": 0}, "batch"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        diffusion_image.Settings(**{**SMALL, **wrong})


def test_reductions_leave_even_sides():
    with pytest.raises(ValueError, match="reductions"):
        diffusion_kernel.Settings(reductions=(3,))
