"""The classical methods end to end: what they gain, and what they make of images that show no blur."""

import numpy as np
import pytest
import torch
from skimage import data

from benchmark.blur.convolution import convolve_valid
from benchmark.blur.noise import Gaussian, add_noise
from benchmark.blur.trajectory import trajectory_kernel
from benchmark.core.types import Observation, Status
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe as synthesise
from benchmark.scoring.alignment import best_shift
from benchmark.scoring.metrics import psnr
from methods import l0_grad, l0_robust
from methods.classical.method import LARGEST_UNDECLARED, has_edges, kernel_size
from methods.parts import registry
from methods.parts.settings import compose, keys_of
from methods.parts.solver import Task, solve

CLASSICAL = ["l0-dark", "l0-fast", "l0-grad", "l0-robust", "l0-tv", "l1l2", "lowrank", "rl", "rl-sat"]


def restore(observation, method=l0_grad.METHOD, **settings):
    def build():
        return method.problem(
            observation, method.settings(**settings), torch.Generator(), torch.device("cpu")
        )

    return dict(solve([Task("case", build)]))["case"]


def observe(blurry, size):
    return Observation("test", "case", np.asarray(blurry, np.float32), size)


def blurred(name, kernel, crop, noise=0.001):
    """A 128 x 128 observation of a photograph's crop at (top, left), and its sharp image."""
    (top, left), (h, w) = crop, kernel.shape
    photograph = getattr(data, name)() / 255
    scene = photograph[top : top + 127 + h, left : left + 127 + w][None]
    blurry = convolve_valid(torch.from_numpy(scene), torch.from_numpy(kernel).double()).numpy()
    noisy = add_noise(blurry.astype(np.float32), Gaussian(noise), np.random.default_rng(1))
    return noisy, scene[:, h // 2 :, w // 2 :][:, :128, :128]


def aligned_psnr(image, sharp):
    aligned = best_shift(image.astype(np.float64), sharp)
    return psnr(aligned.estimate, aligned.reference)


MOTION = trajectory_kernel(9, np.random.default_rng(5))


@pytest.fixture(scope="module")
def coins():
    return blurred("coins", MOTION, (20, 60))


@pytest.mark.parametrize("size", [(9, 9), (19, 19)])
def test_l0_grad_restores_a_photograph(coins, size):
    blurry, sharp = coins
    restoration = restore(observe(blurry, size))
    assert aligned_psnr(restoration.image, sharp) > aligned_psnr(blurry, sharp) + 2.5


@pytest.mark.parametrize("name", ["l0-dark", "l0-fast", "l0-robust", "rl", "rl-sat"])
def test_every_l0_method_gains_on_an_easy_photograph(coins, name):
    blurry, sharp = coins
    restoration = restore(observe(blurry, (9, 9)), registry.find(name))
    assert aligned_psnr(restoration.image, sharp) > aligned_psnr(blurry, sharp) + 1.5


@pytest.mark.parametrize(("name", "case"), [("l1l2", "astronaut"), ("lowrank", "camera")])
def test_the_gradient_methods_gain_on_a_known_good_case(name, case):
    observation, truth = synthesise(make_case(find_dataset("demo-uniform"), case, 0), 0)
    restored, sharp = restore(observation, registry.find(name)).image, truth.sharp.astype(np.float64)
    assert aligned_psnr(restored, sharp) > aligned_psnr(observation.blurry, sharp) + 0.8


def test_channels_share_the_kernel_of_the_luma(coins):
    blurry, _ = coins
    grey = restore(observe(blurry, (9, 9)))
    colour = restore(observe(np.repeat(blurry, 3, axis=0), (9, 9)))
    np.testing.assert_allclose(colour.kernels, grey.kernels, rtol=0, atol=1e-4)
    np.testing.assert_allclose(colour.image, np.repeat(grey.image, 3, axis=0), rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [(9, 15), (15, 9)])
def test_declared_sizes_need_not_be_square(coins, size):
    blurry, sharp = coins
    restoration = restore(observe(blurry, size))
    assert restoration.kernels.shape == (1, *size)
    assert aligned_psnr(restoration.image, sharp) > aligned_psnr(blurry, sharp) + 2


def test_even_sizes_are_one_more_and_undeclared_ones_half_the_image():
    blurry = np.zeros((1, 60, 400))
    assert kernel_size(observe(blurry, (8, 9))) == (9, 9)
    assert kernel_size(observe(blurry, None)) == (31, LARGEST_UNDECLARED)


def test_a_sharp_photograph_gets_a_kernel_of_a_few_pixels():
    sharp = data.camera()[None, 20:148, 60:188] / 255
    kernel = restore(observe(sharp, (15, 15))).kernels[0]
    assert kernel[5:10, 5:10].sum() > 0.8


RAMP = np.broadcast_to(np.linspace(0, 1, 40), (1, 30, 40))
DEGENERATE = {"constant": np.full((1, 30, 40), 0.7), "black": np.zeros((3, 30, 40)), "ramp": RAMP}


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("image", DEGENERATE)
def test_images_without_edges_are_declined(name, image):
    restoration = restore(observe(DEGENERATE[image], (7, 7)), registry.find(name))
    assert restoration.status is Status.NOT_SUPPORTED
    assert "no edges" in restoration.reason


@pytest.mark.parametrize(
    ("name", "size"),
    [("l0-grad", (1, 1)), ("l0-grad", (24, 26)), ("l1l2", (24, 26)), *((name, (7, 7)) for name in CLASSICAL)],
)
@pytest.mark.parametrize("image", ["stripes", "one pixel", "black and white"])
def test_odd_images_are_restored_or_declined(name, image, size):
    rng = np.random.default_rng(0)
    blurry = np.full((1, 24, 26), 0.5)
    if image == "stripes":
        blurry[:, :, ::2] = 0.9
    elif image == "one pixel":
        blurry[0, 11, 12] = 1
    else:
        blurry = (rng.random((1, 24, 26)) < 0.5).astype(float)
    restoration = restore(observe(blurry, size), registry.find(name))
    assert restoration.status in (Status.OK, Status.NOT_SUPPORTED), restoration.reason
    if restoration.status is Status.OK:
        assert np.isfinite(restoration.image).all()
        assert restoration.kernels.min() >= 0
        assert restoration.kernels.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("shape", "edges"), [((1, 9), False), ((2, 2), False), ((3, 3), True)])
def test_edges_need_neighbours_in_both_directions(shape, edges):
    assert has_edges(np.random.default_rng(0).random(shape)) is edges


def test_l0_robust_stands_impulses_and_heavy_noise(coins):
    rng = np.random.default_rng(0)
    blurry, sharp = coins
    draws = rng.random(blurry.shape)
    impulses = np.where(draws < 0.025, 0, np.where(draws > 0.975, 1, blurry))
    gaussian = add_noise(blurry, Gaussian(0.05), rng)
    for noisy in (impulses, gaussian):
        plain, robust = (
            aligned_psnr(restore(observe(noisy, (9, 9)), method).image, sharp)
            for method in (l0_grad.METHOD, l0_robust.METHOD)
        )
        assert robust > aligned_psnr(noisy, sharp) > plain


@pytest.mark.parametrize("name", CLASSICAL)
def test_settings_without_a_meaning_are_refused(name):
    settings = registry.find(name).settings
    for key in keys_of(settings):
        if key in ("finish", "blur"):  # words
            continue
        for wrong in (0, -1, float("nan")):
            with pytest.raises(ValueError, match=key):
                compose(settings, **{key: wrong})
