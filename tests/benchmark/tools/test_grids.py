"""Kernels at the nodes of a grid, for a blur that differs over the photo."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from skimage import data

from benchmark.blur.camera_shake import CameraShake, patch_centres
from benchmark.blur.svola import svola
from benchmark.blur.warp import warp_average
from benchmark.core.types import Restoration, Status
from benchmark.tools import grids
from benchmark.tools.deblur import Deblurring
from benchmark.tools.grids import KernelGrid, blurred_on_grid, find_grid, restore_on_grid
from methods.parts.registry import built_in
from tests.benchmark.tools.conftest import psnr

SIZE, SIDE = 31, 400


@cache
def shaken(roll):
    """A photograph (1, SIDE, SIDE), the same shaken by so many degrees of roll and a pan, the shake."""
    sharp = data.camera()[60 : 60 + SIDE, 60 : 60 + SIDE][None].astype(np.float64) / 255
    time = np.linspace(-1, 1, 120)
    poses = np.zeros((120, 6))
    poses[:, 0], poses[:, 1] = 3 / SIDE * (time + 0.4 * time**2), 3 / SIDE * time
    poses[:, 2] = np.deg2rad(roll) * time
    shake = CameraShake(poses, (SIDE, SIDE))
    blurry = warp_average(torch.from_numpy(sharp), torch.from_numpy(shake.homographies), "replicate").numpy()
    blurry += np.random.default_rng(0).normal(0, 0.003, blurry.shape)
    return sharp, blurry.clip(0, 1).astype(np.float32), shake


def estimating(kernels):
    """Return an estimator that gives these kernels in turn."""
    left = list(kernels)
    return lambda part, size: Restoration(Status.OK, kernels=left.pop(0)[None].astype(np.float32))


def kernels_of(shake):
    """Return the kernel of the middle, and those of the cells."""
    middle = shake.psfs(np.array([[SIDE / 2, SIDE / 2]]), SIZE)[0]
    return middle, shake.psfs(patch_centres((SIDE, SIDE), (2, 2)), SIZE)


def restored_before_and_after(blurry, middle, kernels):
    """Restore with the kernel of the middle, and again after the parts were compared."""
    deblurring = Deblurring(blurry)
    (one,) = deblurring.find(estimating([middle]), (SIZE,))
    single = deblurring.restored(one)
    deblurring.compare_parts(estimating(kernels))
    return single, deblurring.restored(one)


def test_a_rolled_camera_is_restored_better_by_a_grid():
    sharp, blurry, shake = shaken(1.5)
    middle, kernels = kernels_of(shake)
    single, many = restored_before_and_after(blurry, middle, kernels)
    assert psnr(many.image, sharp) > psnr(single.image, sharp) + 1
    assert many.verdict.residual < single.verdict.residual
    assert "the blur differs over the photo" in many.verdict.sentence


def test_one_kernel_is_kept_where_the_blur_is_uniform():
    _, blurry, shake = shaken(0)
    middle, kernels = kernels_of(shake)
    assert find_grid(blurry, middle, SIZE, estimating(kernels)) is None
    single, again = restored_before_and_after(blurry, middle, kernels)
    np.testing.assert_array_equal(again.image, single.image)
    assert again.verdict == single.verdict


def test_kernels_that_explain_their_cells_no_better_are_not_taken():
    _, blurry, shake = shaken(0)
    middle, _ = kernels_of(shake)
    deblurring = Deblurring(blurry)
    (one,) = deblurring.find(estimating([middle]), (SIZE,))
    single = deblurring.restored(one)
    deblurring.compare_parts(estimating([middle[:, ::-1]] * 4))
    again = deblurring.restored(one)
    np.testing.assert_array_equal(again.image, single.image)
    assert "the kernels of the photo's parts differ, but explain it no better" in again.verdict.sentence


def test_a_method_with_a_kernel_for_each_pixel_is_named_where_its_full_weights_are(monkeypatch, tmp_path):
    (name,) = [method.name for method in built_in().values() if method.kernels_per_pixel]
    weights = tmp_path / "weights.pth"
    full = replace(built_in()[name], files=lambda case, settings: [weights])
    monkeypatch.setattr(grids, "built_in", lambda: {name: full})
    for size, expected in ((grids.SHIPPED, None), (grids.SHIPPED + 1, name)):
        with weights.open("wb") as file:
            file.truncate(size)
        assert grids.per_pixel_method() == expected
    _, blurry, shake = shaken(0)
    middle, _ = kernels_of(shake)
    deblurring = Deblurring(blurry)
    (one,) = deblurring.find(estimating([middle]), (SIZE,))
    deblurring.compare_parts(estimating([middle[:, ::-1]] * 4))
    assert f"blindbench deblur PHOTO --method {name} --out FILE" in deblurring.restored(one).verdict.sentence


def test_small_photos_and_failed_estimates_have_no_grid():
    _, blurry, shake = shaken(0)
    middle, _ = kernels_of(shake)
    assert find_grid(blurry[:, :300], middle, SIZE, estimating([])) is None
    fails = lambda part, size: Restoration(Status.FAILED, "no")  # noqa: E731
    assert find_grid(blurry, middle, SIZE, fails) is None


def test_the_blur_is_the_output_form_of_svola():
    rng = np.random.default_rng(0)
    kernels = rng.random((4, 5, 5))
    kernels /= kernels.sum((1, 2), keepdims=True)
    image = rng.random((40, 50))
    grid = KernelGrid((2, 2), tuple(kernels), 4)
    expected = svola(torch.from_numpy(image)[None], torch.from_numpy(kernels), (2, 2), "zero", "output")[0]
    np.testing.assert_allclose(blurred_on_grid(image, grid), expected.numpy(), atol=1e-6)


def test_equal_kernels_restore_as_one(pair):
    kernel = np.full((1, 9), 1 / 9)
    alike = restore_on_grid(pair[1], KernelGrid((2, 2), (kernel,) * 4, 4), 0.01)
    assert psnr(alike, pair[0]) == pytest.approx(
        psnr(restore_on_grid(pair[1], KernelGrid((1, 1), (kernel,), 1), 0.01), pair[0]), abs=0.5
    )
