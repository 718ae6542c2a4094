"""The controls: what each makes of an observation, and how it declines."""

import numpy as np
import pytest
import torch
from skimage.io import imsave

from benchmark.blur.noise_level import NOISE_FACTOR, data_weight
from benchmark.blur.nonblind import hyper_laplacian_by_cg, hyper_laplacian_periodic, hyper_laplacian_valid
from benchmark.blur.operators import SvolaBlur
from benchmark.core.types import KnownBlur, Observation, Status
from methods import folder, oracle
from methods.parts.solver import Task, solve


def solved(module, observation, settings):
    def build():
        return module.problem(observation, settings, torch.Generator(), torch.device("cpu"))

    return dict(solve([Task("case", build)]))["case"]


def observe(shape=(1, 20, 23)):
    blurry = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32) / 255
    return Observation("test", "case", blurry, (3, 5))


def test_the_oracle_uses_the_kernel_it_is_given():
    kernels = np.random.default_rng(1).random((1, 3, 5), dtype=np.float32)
    kernels /= kernels.sum()
    observation = KnownBlur(**vars(observe((3, 20, 23))), kernels=kernels)
    restoration = solved(oracle, observation, oracle.Settings(weight=500.0, alpha=0.5))
    expected = hyper_laplacian_valid(observation.blurry, kernels[0], 500.0, 0.5)
    np.testing.assert_array_equal(restoration.image, np.clip(expected, 0, 1).astype(np.float32))
    np.testing.assert_array_equal(restoration.kernels, kernels)


def test_the_noise_sets_the_weight_of_the_oracle():
    rng = np.random.default_rng(3)
    smooth = np.add.outer(np.linspace(0.2, 0.5, 60), np.linspace(0, 0.3, 70))
    for sigma in (0.02, 0.05):
        blurry = (smooth + sigma * rng.standard_normal(smooth.shape)).astype(np.float32)[None]
        observation = KnownBlur("test", "case", blurry, (3, 5), kernels=random_kernels(1))
        restoration = solved(oracle, observation, oracle.Settings())
        weight = data_weight(blurry.astype(np.float64))
        assert weight == pytest.approx(NOISE_FACTOR / sigma**2, rel=0.2)
        expected = hyper_laplacian_valid(blurry, observation.kernels[0], weight)
        np.testing.assert_allclose(restoration.image, np.clip(expected, 0, 1), rtol=0, atol=1e-6)


def random_kernels(count):
    kernels = np.random.default_rng(1).random((count, 3, 5), dtype=np.float32)
    return kernels / kernels.sum((1, 2), keepdims=True)


@pytest.mark.parametrize(
    ("model", "grid", "boundary"),
    [
        ("uniform", (1, 1), "zero"),
        ("uniform", (1, 1), "grey"),
        ("nonuniform", (2, 3), "valid"),
        ("nonuniform", (2, 3), "replicate"),
        ("nonuniform", (1, 1), "valid"),
    ],
)
def test_the_oracle_uses_the_grid_and_the_boundary_it_is_told(model, grid, boundary):
    kernels = random_kernels(grid[0] * grid[1])
    told = {**vars(observe()), "blur_model": model, "grid": grid, "boundary": boundary}
    restoration = solved(oracle, KnownBlur(**told, kernels=kernels), oracle.Settings(weight=500.0, alpha=0.5))
    operator = SvolaBlur(torch.from_numpy(kernels), grid, boundary)
    expected = hyper_laplacian_by_cg(told["blurry"], operator, 500.0, 0.5)
    np.testing.assert_array_equal(restoration.image, np.clip(expected, 0, 1).astype(np.float32))
    np.testing.assert_array_equal(restoration.kernels, kernels)


def test_the_oracle_uses_that_an_image_is_periodic():
    told = {**vars(observe()), "boundary": "circular"}
    kernels = random_kernels(1)
    restoration = solved(oracle, KnownBlur(**told, kernels=kernels), oracle.Settings())
    expected = hyper_laplacian_periodic(told["blurry"].astype(np.float64), kernels[0], 2000.0, 2 / 3)
    np.testing.assert_array_equal(restoration.image, np.clip(expected, 0, 1).astype(np.float32))


def test_the_oracle_refuses_kernels_that_do_not_fit_the_grid():
    told = {**vars(observe()), "blur_model": "nonuniform", "grid": (2, 3)}
    restoration = solved(oracle, KnownBlur(**told, kernels=random_kernels(5)), oracle.Settings())
    assert restoration.status is Status.FAILED
    assert restoration.reason == "a grid of 2 x 3 nodes takes 6 kernels, not 5"


@pytest.mark.parametrize("observation", [observe(), KnownBlur(**vars(observe()), kernels=None)])
def test_the_oracle_declines_where_no_kernel_is_known(observation):
    restoration = solved(oracle, observation, oracle.Settings())
    assert restoration.status is Status.NOT_SUPPORTED
    assert restoration.reason == "the true kernel of this image is not known"


@pytest.mark.parametrize("setting", [{"weight": 0.0}, {"alpha": 0.0}, {"alpha": 1.5}])
def test_the_oracle_refuses_settings_without_a_meaning(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        oracle.Settings(**setting)


def from_folder(path, observation=None):
    return solved(folder, observation or observe(), folder.Settings(str(path)))


def write(path, shape=(20, 23), dtype=np.uint8):
    pixels = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    imsave(path, pixels, check_contrast=False)
    return pixels


@pytest.mark.parametrize(
    ("shape", "dtype"), [((20, 23), np.uint8), ((20, 23, 3), np.uint8), ((20, 23), np.uint16)]
)
def test_the_folder_gives_the_file_named_after_the_case(tmp_path, shape, dtype):
    pixels = write(tmp_path / "case.png", shape, dtype)
    write(tmp_path / "case2.png")
    write(tmp_path / "another case.png")
    (tmp_path / "case.txt").write_text("notes")
    observation = observe((3, 20, 23) if len(shape) == 3 else (1, 20, 23))
    restoration = from_folder(tmp_path, observation)
    assert restoration.status is Status.OK, restoration.reason
    expected = np.atleast_3d(pixels).transpose(2, 0, 1) / np.iinfo(dtype).max
    np.testing.assert_allclose(restoration.image, expected, rtol=0, atol=1e-7)
    assert restoration.kernels is None


@pytest.mark.parametrize("name", ["case.PNG", "case.bmp", "case.tif", "run/images/case_mine.JPG"])
def test_the_folder_takes_other_suffixes_and_folders(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    write(tmp_path / name)
    assert from_folder(tmp_path).status is Status.OK


def test_three_equal_channels_are_grey_where_the_blurry_image_is(tmp_path):
    grey = write(tmp_path / "case.png")
    expected = from_folder(tmp_path).image
    imsave(tmp_path / "case.png", np.stack([grey] * 3, -1), check_contrast=False)
    np.testing.assert_array_equal(from_folder(tmp_path).image, expected)
    opaque = np.stack([grey] * 3 + [np.full_like(grey, 255)], -1)
    imsave(tmp_path / "case.png", opaque, check_contrast=False)
    np.testing.assert_array_equal(from_folder(tmp_path).image, expected)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / ".DS_Store").touch()
    with pytest.raises(ValueError, match="holds no image"):
        folder.Settings(str(tmp_path))
    with pytest.raises(ValueError, match="not a folder that can be read"):
        folder.Settings(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"'\{image\}' has no meaning"):
        folder.Settings(f"{tmp_path}/{{image}}.png")


def test_case_names_are_no_patterns(tmp_path):
    write(tmp_path / "a.png")
    write(tmp_path / "im[1]*.v2.png")
    assert folder.files("im[1]*.v2", folder.Settings(str(tmp_path))) == [tmp_path / "im[1]*.v2.png"]
    assert folder.files("*", folder.Settings(str(tmp_path))) == []


def test_a_missing_image_is_not_supported(tmp_path):
    write(tmp_path / "other.png")
    (tmp_path / "case.png").mkdir()
    restoration = from_folder(tmp_path)
    assert restoration.status is Status.NOT_SUPPORTED
    assert restoration.reason == (f"{tmp_path}: no file of case; `blindbench match` shows what there is")


def test_two_candidates_are_named(tmp_path):
    write(tmp_path / "case.png")
    write(tmp_path / "case.bmp")
    restoration = from_folder(tmp_path)
    assert restoration.status is Status.FAILED
    assert (
        restoration.reason
        == f"{tmp_path}: case.bmp and case.png may both be case; remove one, or give a pattern as path"
    )


@pytest.mark.parametrize(
    ("shape", "found"), [((22, 23), "22 x 23 px in 1 channel"), ((20, 23, 3), "20 x 23 px in 3 channels")]
)
def test_a_wrong_size_names_both(tmp_path, shape, found):
    write(tmp_path / "case.png", shape)
    restoration = from_folder(tmp_path)
    assert restoration.status is Status.FAILED
    assert restoration.reason == (
        f"{tmp_path / 'case.png'}: {found}, but the blurry image has 20 x 23 px in 1 channel"
    )


@pytest.mark.parametrize(
    ("start", "problem"),
    [(b"hello", "not a photograph that can be read"), (b"", "damaged or truncated (")],
)
def test_an_unreadable_file_is_named(tmp_path, start, problem):
    path = tmp_path / "case.png"
    write(path)
    path.write_bytes((start + path.read_bytes())[:100])
    restoration = from_folder(tmp_path)
    assert restoration.status is Status.FAILED
    assert restoration.reason.startswith(f"{path}: {problem}")
    assert "\n" not in restoration.reason
