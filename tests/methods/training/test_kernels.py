"""The kernels that are trained on."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from benchmark.blur.convolution import convolve_valid, rotate_180
from methods.glkm.latent import LatentKernel
from methods.training import held_out as held_out_module
from methods.training import kernels as module
from methods.training.decoder import Settings as DecoderSettings
from methods.training.evidence import HELD_OUT_SEED, as_array, yardsticks
from methods.training.held_out import EXAMINED, HeldOut
from methods.training.kernels import ncc, training_kernels, turned
from methods.training.photographs import blurred
from tests.methods.glkm.test_latent import codes, generator


def box(kernel):
    rows, columns = torch.nonzero(kernel.sum(1)), torch.nonzero(kernel.sum(0))
    return rows.min().item(), rows.max().item(), columns.min().item(), columns.max().item()


def test_kernels_sum_to_one_and_lie_in_the_middle():
    kernels = training_kernels(31, (), 40, 0)
    assert kernels.shape == (40, 1, 31, 31)
    assert kernels.min() >= 0
    torch.testing.assert_close(kernels.sum((1, 2, 3)), torch.ones(40))
    for kernel in kernels[:, 0]:
        top, bottom, left, right = box(kernel)
        assert abs(top - (30 - bottom)) <= 1
        assert abs(left - (30 - right)) <= 1


def test_kernels_keep_to_the_sizes_they_are_drawn_for():
    for kernel in training_kernels(31, (11,), 30, 0)[:, 0]:
        top, bottom, left, right = box(kernel)
        assert max(bottom - top, right - left) < 11


@pytest.mark.parametrize("size", ["any", 31])
def test_held_out_kernels_of_a_training_for_all_sizes_are_of_each_shown_size_in_turn(size):
    held_out = HeldOut.drawn(DecoderSettings(kernel_size=size), 20, torch.device("cpu"))
    if size == 31:
        assert held_out.sizes == ()
        assert torch.equal(held_out.kernels, training_kernels(31, (), 20, HELD_OUT_SEED))
        return
    assert held_out.sizes == (EXAMINED * 3)[:20]
    extents = []
    for kernel, known in zip(held_out.kernels[:, 0], held_out.sizes, strict=True):
        top, bottom, left, right = box(kernel)
        extents.append(max(bottom - top, right - left) + 1)
        assert min(top, left) >= (75 - known) // 2
        assert max(bottom, right) < (75 + known) // 2
    assert max(extents[:8]) == max(extents[7], extents[6])  # the largest are of the largest sizes


def test_a_known_size_is_cut_out_of_the_logits_as_in_use():
    network, latent = generator(75, width=2), codes(4)
    held_out = HeldOut(torch.zeros(4, 1, 75, 75), (13, 31, 55, 75)).part(1, 3)
    logits = network.logits(network.features(latent[1:3]))
    for kernel, code, size in zip(as_array(held_out.within(logits)), latent[1:3], (31, 55), strict=True):
        used = LatentKernel(network, code[None], size=(size, size))()[0].detach().numpy()
        margin = (75 - size) // 2
        np.testing.assert_allclose(kernel[margin : 75 - margin, margin : 75 - margin], used, rtol=1e-4)
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert np.count_nonzero(kernel) == size**2


def test_a_yardstick_of_a_known_size_is_of_kernels_of_that_size(monkeypatch):
    monkeypatch.setattr(held_out_module, "YARDSTICK", 6)
    held_out = HeldOut(torch.zeros(3, 1, 75, 75), (13, 75, 13))
    mean = held_out.yardsticks(training_kernels(75, (), 2, 0), 0)["mean kernel"]
    expected = as_array(training_kernels(75, (13,), 6, 0).mean(0, keepdim=True))[0]
    np.testing.assert_allclose(mean[[0, 2]], np.stack([expected] * 2), rtol=1e-5)
    assert np.count_nonzero(mean[1]) > np.count_nonzero(expected)


def test_the_seed_decides_and_the_count_does_not():
    kernels = training_kernels(13, (), 8, 5)
    assert torch.equal(training_kernels(13, (), 3, 5), kernels[:3])
    assert not torch.equal(training_kernels(13, (), 8, 6), kernels)


def test_the_largest_published_size_but_one_has_drawn_strokes_too():
    kernels = training_kernels(65, (7,), 12, 0)
    assert any(box(kernel)[1] - box(kernel)[0] > 8 for kernel in kernels[:, 0])  # not drawn for a size


@pytest.fixture
def intensities(monkeypatch):
    """The intensities that motion kernels are drawn with."""
    seen = []

    def noted(size, intensity, rng):
        seen.append(intensity)
        return np.full((65, 65), 1 / 65**2, np.float32)

    monkeypatch.setattr(module, "motion_blur_kernel", noted)
    return seen


def test_motion_kernels_have_the_intensity_of_the_tests_unless_another_is_asked_for(intensities):
    training_kernels(65, (7,), 30, 0)
    assert len(intensities) > 3
    assert set(intensities) == {0.5}
    intensities.clear()
    training_kernels(65, (7,), 30, 0, intensities=(0.2, 1.0))
    assert all(0.2 <= intensity <= 1.0 for intensity in intensities)
    assert len(set(intensities)) == len(intensities)


def test_other_sizes_have_no_motion_kernels(intensities):
    training_kernels(31, (7,), 30, 0)
    assert not intensities


def test_the_number_of_processes_does_not_matter(monkeypatch):
    monkeypatch.setattr(module, "WITHOUT_PROCESSES", 4)
    reports = []
    kernels = training_kernels(13, (), 9, 0, 2, reports.append)
    assert torch.equal(kernels, training_kernels(13, (), 9, 0, 1))
    asked = [training_kernels(65, (7,), 5, 0, processes, intensities=(0.2, 1.0)) for processes in (1, 2)]
    assert torch.equal(*asked)
    assert not torch.equal(asked[0], training_kernels(65, (7,), 5, 0, 1))
    assert reports[-1].iteration == reports[-1].iterations == 9
    # One thread or several: the last bits of a factorisation differ.
    torch.testing.assert_close(kernels[:4], training_kernels(13, (), 4, 0), rtol=0, atol=1e-5)


def test_a_kernel_in_correlation_form_blurs_as_its_rotation_convolves():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.random((1, 1, 20, 22), np.float32))
    corner = torch.zeros(1, 1, 5, 5)
    corner[..., :4, 1] = 0.2
    corner[..., 3, 2] = 0.2
    images = blurred(image, corner)
    torch.testing.assert_close(images, functional.conv2d(image, corner), rtol=0, atol=1e-6)
    convolved = convolve_valid(image[0], rotate_180(corner[0, 0]))
    torch.testing.assert_close(images[0], convolved, rtol=0, atol=1e-6)
    assert np.array_equal(as_array(corner)[0], rotate_180(corner[0, 0]).numpy())


def test_turning_gives_each_of_the_eight_views_and_keeps_the_kernel():
    kernel = torch.zeros(1, 1, 5, 5)
    kernel[..., 0, :2] = torch.tensor([0.75, 0.25])
    views = turned(kernel.expand(64, -1, -1, -1), np.random.default_rng(0))
    assert len({tuple(view.flatten().tolist()) for view in views}) == 8
    assert kernel[0, 0, 0, 0] == 0.75


def test_ncc_is_one_for_a_shifted_kernel_and_less_for_a_rotated_one():
    kernel = torch.zeros(1, 1, 9, 9)
    kernel[..., 2, 2:6] = 0.2
    kernel[..., 3, 2] = 0.2
    assert ncc(kernel.roll((2, 1), (2, 3)), kernel).item() == pytest.approx(1)
    assert ncc(kernel.flip(-1, -2), kernel).item() < 0.95


def test_the_best_gaussian_finds_the_width_of_gaussians():
    offsets = torch.arange(13) - 6.0
    profile = (-(offsets**2) / (2 * (0.12 * 13) ** 2)).exp()  # one of the widths that are tried
    kernel = (profile[:, None] * profile / profile.sum() ** 2)[None, None].expand(6, -1, -1, -1)
    constants = yardsticks(kernel, 2)
    assert constants["Gaussian"].shape == (2, 13, 13)
    np.testing.assert_allclose(constants["Gaussian"][0], kernel[0, 0], atol=1e-6)
    np.testing.assert_allclose(constants["mean kernel"][1], kernel[0, 0], atol=1e-6)
