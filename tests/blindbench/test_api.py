"""The Python API: what goes in comes out in the same layout, and the verbs give the same results."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data

import blindbench
from benchmark.cli import main
from tests.conftest import ROOT

TINY = {"iterations": 3, "channels": 4, "skip_channels": 2, "scales": 2}


@pytest.fixture(scope="module")
def blurred():
    """A photograph (76, 66) of type uint8, blurred over 5 px along columns."""
    return ndimage.uniform_filter1d(data.astronaut()[60:136, 180:246, 0].astype(float), 5, axis=0).astype(
        np.uint8
    )


def test_the_examples_run():
    failed, tried = doctest.testmod(blindbench)
    assert (failed, tried >= 10) == (0, True)


def test_importing_loads_no_torch():
    code = "import sys, blindbench; print({'torch', 'pandas', 'skimage', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("shape", [(24, 30), (24, 30, 1), (24, 30, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_results_have_the_layout_and_type_of_the_image(shape, dtype):
    image = np.random.default_rng(0).random(shape)
    if np.issubdtype(dtype, np.integer):
        image = np.round(image * np.iinfo(dtype).max)
    image = image.astype(dtype)
    result = blindbench.restore("blurry", image).image
    assert (result.shape, result.dtype) == (shape, dtype)
    np.testing.assert_allclose(result, image, rtol=1e-6)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\); give \(H, W\)"),
        (np.zeros((4, 4), np.int64), "type int64; give uint8"),
        (np.full((4, 4), 255.0), r"values outside \[0, 1\]"),
        (np.full((4, 4), np.nan), r"values outside \[0, 1\]"),
        (np.zeros((0, 4)), "shape"),
        ("photo.png", "the image is a str; give a NumPy array"),
        ([[0.5]], "the image is a list; give a NumPy array"),
    ],
)
def test_other_arrays_are_refused(image, message):
    with pytest.raises(blindbench.InputError, match=message):
        blindbench.deblur(image)


def test_settings_reach_the_method(blurred):
    result = blindbench.restore("selfdeblur", blurred, kernel_size=(7, 5), **TINY)
    assert result.iterations == 3
    assert result.kernels.shape == (1, 7, 5)
    assert result.kernels.sum() == pytest.approx(1, abs=1e-5)
    other = blindbench.restore("selfdeblur", blurred, kernel_size=(7, 5), seed=1, **TINY)
    assert (other.image != result.image).any()


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (("selfdebur",), {}, "unknown method 'selfdebur'. Did you mean 'selfdeblur'?"),
        (("selfdeblur", 5), {"chanels": 3}, "unknown setting 'chanels'. Did you mean 'channels'?"),
        (("selfdeblur", 99), {}, "larger than the image"),
        (("folder",), {}, "settings of folder.path: this setting has no default; give it a value"),
        ((None,), {}, "method: the name of a method is needed, not None"),
        (("rl", 5), {"seed": -1}, "seed: a whole number of at least 0 is needed, not -1"),
        (("rl", 5), {"seed": "a"}, "seed: a whole number of at least 0 is needed, not 'a'"),
        (("oracle", 5), {}, "oracle: not_supported: the true kernel of this image is not known"),
    ],
)
def test_what_cannot_be_restored_is_refused(blurred, arguments, settings, message):
    name, *size = arguments
    with pytest.raises(blindbench.InputError) as error:
        blindbench.restore(name, blurred, *size, **settings)
    assert message in str(error.value)


@pytest.mark.parametrize("size", ["9", 5.5, (5, 5, 5), (5, 5.0), [5, 5]])
def test_a_kernel_size_is_one_or_two_whole_numbers(blurred, size):
    with pytest.raises(blindbench.InputError, match="give a whole number of px"):
        blindbench.restore("rl", blurred, size)
    with pytest.raises(blindbench.InputError, match="give a whole number of px"):
        blindbench.deblur(blurred, size)


def test_a_kernel_size_may_be_a_number_of_numpy(blurred):
    assert blindbench.restore("rl", blurred, np.int64(5)).kernels.shape == (1, 5, 5)


def test_metrics_are_a_list(blurred):
    with pytest.raises(blindbench.InputError, match=r"give a list, such as \['psnr'\]"):
        blindbench.score(blurred, blurred, "plain", "psnr")


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 2), (4, 5, 3)])
@pytest.mark.parametrize("size", [None, 1])
def test_a_photo_of_few_pixels_comes_back_as_it_is(shape, size):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    result = blindbench.deblur(image, size)
    np.testing.assert_array_equal(result.image, image)
    assert "too small" in result.verdict


def test_a_method_that_fails_is_an_error(blurred, monkeypatch):
    monkeypatch.setattr("methods.parts.fit.Fit.step", lambda self, step: 1 / 0)
    with pytest.raises(RuntimeError, match="selfdeblur: failed"):
        blindbench.restore("selfdeblur", blurred, 5, **TINY)


def test_deblur_takes_the_effort_that_is_asked_for(blurred, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "benchmark.tools.deblur.Deblurring.find",
        lambda *_, finer, deep, **__: asked.append((finer, bool(deep))) or (),
    )
    for effort in ("low", "normal", "high"):
        assert not blindbench.deblur(blurred, effort=effort).trusted
    assert asked == [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effort": "max"}, "effort='max': there are low, normal, high"),
        ({"effort": "low", "kernel_size": 9}, "effort='low': with kernel_size one size is tried"),
        ({"blur": "wind"}, "'wind'"),
    ],
)
def test_deblur_names_a_wrong_option(blurred, options, message):
    with pytest.raises(blindbench.InputError, match=message):
        blindbench.deblur(blurred, **options)


def test_deblur_gives_what_the_verb_writes(blurred, tmp_path, monkeypatch):
    photo, out = tmp_path / "photo.png", tmp_path / "x.png"
    Image.fromarray(blurred).save(photo)
    arguments = ["deblur", str(photo), "--kernel-size", "9", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["blindbench", *arguments])
    monkeypatch.setattr("benchmark.runs.machine.prepare", lambda threads: None)  # switches of the process
    with pytest.raises(SystemExit):
        main.main()
    result = blindbench.deblur(blurred, kernel_size=9)
    np.testing.assert_array_equal(result.image, Image.open(out))
    assert result.kernel.shape == (9, 9)
    assert result.verdict


def test_scores_name_the_variant_and_allow_for_the_protocol():
    sharp = data.camera()[150:246, 200:296]
    moved = np.roll(sharp, (2, -3), (0, 1))
    scores = blindbench.score(moved, sharp, metrics=["psnr", "ssim", "piqe"])
    assert list(scores) == ["psnr", "ssim", "piqe"]
    assert scores["psnr"] > 100
    assert blindbench.score(moved, sharp, "plain")["psnr"] < 20
    assert list(blindbench.score(sharp, sharp, "gopro", ["ssim"])) == ["ssim-3d"]


@pytest.mark.parametrize(
    ("protocol", "metric", "message"),
    [
        ("shift", "psnr", "unknown protocol 'shift'. Did you mean 'shift-rgb'?"),
        ("plain", "psrn", "unknown metric 'psrn'. Did you mean 'psnr'?"),
        ("plain", "kernel-similarity", "the true kernel is not known"),
    ],
)
def test_a_score_that_cannot_be_taken_is_refused(protocol, metric, message):
    image = np.zeros((64, 64))
    with pytest.raises(blindbench.InputError) as error:
        blindbench.score(image, image, protocol, [metric])
    assert message in str(error.value)


def test_methods_and_datasets_are_known_by_name():
    assert "robust-bid" in blindbench.methods()
    assert blindbench.datasets()["demo-uniform"].case_count == 2
