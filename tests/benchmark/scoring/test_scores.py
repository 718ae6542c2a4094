"""The shift search and the metrics of image pairs."""

import numpy as np
import pytest
import torch

from benchmark.blur.convolution import uniform_blur
from benchmark.blur.field import reblurred
from benchmark.core.errors import InputError
from benchmark.core.images import read_image
from benchmark.scoring.alignment import best_shift
from benchmark.scoring.metrics import psnr, reblur_psnr, reblur_ssim_3d, ssim, ssim_wang
from benchmark.scoring.protocols import PROTOCOLS


def grey_pair(arrays, name):
    return (arrays[f"{name}/{key}"][None].astype(np.float64) / 255 for key in ("est", "gt"))


@pytest.mark.parametrize("pair", ["int", "frac", "blur", "blur_ms5", "down2"])
def test_quarter_pixel_protocol_matches_the_reference(fixture, pair):
    arrays = fixture("dip_eval")
    estimate, reference = grey_pair(arrays, pair)
    aligned = best_shift(estimate, reference, max_shift=int(arrays[f"{pair}/maxshift"]), steps_per_pixel=4)
    assert aligned.shift == (arrays[f"{pair}/shift_y"], arrays[f"{pair}/shift_x"])
    error = ((aligned.estimate - aligned.reference) ** 2).sum()
    assert error == pytest.approx(arrays[f"{pair}/ssd_min"], abs=1e-9)
    assert psnr(aligned.estimate, aligned.reference) == pytest.approx(arrays[f"{pair}/psnr"], abs=1e-7)
    assert ssim_wang(aligned.estimate, aligned.reference) == pytest.approx(arrays[f"{pair}/ssim"], abs=1e-10)


@pytest.mark.parametrize("pair", ["int", "frac"])
def test_scores_without_alignment_are_the_references_unaligned_ones_on_the_crop(fixture, pair):
    arrays = fixture("dip_eval")
    estimate, reference = (image[:, 15:-15, 15:-15] for image in grey_pair(arrays, pair))
    assert psnr(estimate, reference) == pytest.approx(arrays[f"{pair}/psnr_unaligned"], abs=1e-7)
    assert ssim_wang(estimate, reference) == pytest.approx(arrays[f"{pair}/ssim_unaligned"], abs=1e-10)


def test_wang_ssim_matches_the_reference(fixture):
    arrays = fixture("dip_eval")
    a, b = (arrays[f"ssim1/{key}"][None].astype(np.float64) / 255 for key in "ab")
    assert ssim_wang(a, b) == pytest.approx(arrays["ssim1/ssim"], abs=1e-10)


def test_levins_blurry_photographs_have_the_reference_scores(fixture, mirror):
    arrays = fixture("dip_eval")
    protocol = PROTOCOLS["levin-shift"]
    for image in range(4):
        reference = read_image(mirror / f"data/levin/gt/im{image + 1}.png").astype(np.float64)
        for kernel in range(8):
            path = mirror / f"data/levin/im{image + 1}_kernel{kernel + 1}_img.png"
            aligned = protocol.align(read_image(path).astype(np.float64), [reference])
            metrics = [protocol.metric(asked) for asked in ("psnr", "ssim")]
            scores = [metric.function(aligned.estimate, aligned.reference) for metric in metrics]
            at = (image, kernel)
            assert aligned.shift == (
                arrays["levin_blurry/shift_y"][at],
                arrays["levin_blurry/shift_x"][at],
            )
            # read_image is float32: 1e-7 of a pixel value
            assert scores[0] == pytest.approx(arrays["levin_blurry/psnr"][at], abs=1e-5)
            assert scores[1] == pytest.approx(arrays["levin_blurry/ssim"][at], abs=1e-6)


def brute_force(estimate, reference, border, reach):
    height, width = reference.shape[1:]
    inner = reference[:, border:-border, border:-border]
    errors = {
        (y, x): (
            (estimate[:, border + y : height - border + y, border + x : width - border + x] - inner) ** 2
        ).sum()
        for y in range(-reach, reach + 1)
        for x in range(-reach, reach + 1)
    }
    return min(errors, key=lambda shift: (errors[shift], shift))


@pytest.mark.parametrize(("shape", "shift"), [((1, 40, 45), (3, -2)), ((3, 37, 44), (-10, 10))])
def test_whole_pixel_search_finds_the_shift_and_equals_brute_force(shape, shift):
    rng = np.random.default_rng(0)
    scene = rng.random((shape[0], shape[1] + 20, shape[2] + 20))
    reference = scene[:, 10:-10, 10:-10]
    estimate = np.roll(scene, shift, axis=(1, 2))[:, 10:-10, 10:-10] + 0.01 * rng.random(shape)
    aligned = best_shift(estimate, reference)
    assert aligned.shift == shift == brute_force(estimate, reference, 15, 10)
    assert aligned.estimate.shape == aligned.reference.shape == (shape[0], shape[1] - 30, shape[2] - 30)


def test_ties_go_to_the_smallest_shift():
    flat = np.full((1, 36, 36), 0.5)
    assert best_shift(flat, flat).shift == (-10, -10)


@pytest.mark.parametrize(
    ("shapes", "message"), [(((1, 30, 60),) * 2, "border"), (((1, 40, 40), (1, 40, 41)), "restored image")]
)
def test_images_that_cannot_be_aligned_are_refused(shapes, message):
    with pytest.raises(InputError, match=message):
        best_shift(*(np.zeros(shape) for shape in shapes))


def test_psnr_is_the_formula_and_infinite_for_equal_images():
    a = np.zeros((3, 20, 20))
    assert psnr(a + 0.1, a) == pytest.approx(20.0)
    assert psnr(a, a) == float("inf")


def test_wang_ssim_is_the_plain_one_on_reduced_images():
    rng = np.random.default_rng(0)
    small = rng.random((1, 200, 300))
    noisy = np.clip(small + 0.1 * rng.random(small.shape), 0, 1)
    assert ssim(small, small) == 1
    assert ssim_wang(small, noisy) == ssim(small, noisy)
    large, larger_noisy = (np.kron(image, np.ones((1, 2, 2))) for image in (small, noisy))
    assert ssim_wang(large, larger_noisy) != pytest.approx(ssim(large, larger_noisy), abs=1e-3)


@pytest.mark.parametrize("function", [ssim, ssim_wang])
def test_ssim_needs_its_window(function):
    with pytest.raises(InputError, match="at least 11 px"):
        function(np.zeros((1, 10, 40)), np.zeros((1, 10, 40)))


def test_a_field_of_equal_kernels_is_a_uniform_blur_with_replicated_borders():
    rng = np.random.default_rng(0)
    sharp, kernel = rng.random((3, 12, 17)), rng.random((5, 3))
    padded = np.pad(sharp, ((0, 0), (2, 2), (1, 1)), mode="edge")
    expected = uniform_blur(torch.from_numpy(padded), torch.from_numpy(kernel)[None]).numpy()
    for shape in ((1, 1), (4, 6), (12, 17)):
        field = np.broadcast_to(kernel, (*shape, 5, 3))
        np.testing.assert_allclose(reblurred(sharp, field), expected, rtol=0, atol=1e-12)


def test_kernels_between_the_middles_of_patches_are_interpolated():
    sharp = np.broadcast_to(np.arange(8.0), (1, 8, 8)) / 8
    field = np.zeros((1, 2, 1, 3))
    field[0, 0, 0, 1], field[0, 1, 0, 1] = 1, 0.5  # no blur; half the brightness
    (row, *_) = (reblurred(sharp, field) / sharp.clip(1e-9))[0]
    np.testing.assert_allclose(row[1:], [1, 0.9375, 0.8125, 0.6875, 0.5625, 0.5, 0.5], rtol=0, atol=1e-9)


def test_the_re_blur_scores_compare_with_the_blurry_image():
    rng = np.random.default_rng(0)
    sharp, field = rng.random((3, 20, 20)), np.zeros((20, 20, 3, 3))
    field[:, :, 1, 1] = 1
    assert reblur_psnr(sharp, sharp, field) == np.inf
    assert reblur_ssim_3d(sharp, sharp, field) == pytest.approx(1)
    field[:, :, 1, 1] = 0.9
    assert reblur_psnr(sharp, sharp, field) == pytest.approx(-10 * np.log10((0.01 * sharp**2).mean()))
