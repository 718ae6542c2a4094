"""Endings: the same deconvolution after every method that estimates one uniform kernel."""

import numpy as np
import pytest

from benchmark.blur.nonblind import hyper_laplacian_valid
from benchmark.core.errors import InputError
from benchmark.core.images import write_image
from benchmark.core.types import Observation, Status
from benchmark.runs.settings import effective
from benchmark.scoring.kernel_scores import kernel_similarity
from benchmark.tools.conformance import observe
from methods.parts.ending import OWN
from methods.parts.polish import complete, polish
from methods.parts.settings import keys_of
from methods.parts.solver import solve
from tests.benchmark.blur.test_kernel_energy import blurred, motion
from tests.methods.tiny import METHODS, places, save_weights, settings_of, task

ENDING = sorted(name for name, method in METHODS.items() if hasattr(method.settings, "ending"))
ITERATIVE = [name for name in ENDING if "iterations" in keys_of(METHODS[name].settings)]
CLASSICAL = sorted(set(ENDING) - set(ITERATIVE))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = save_weights(tmp_path_factory.mktemp("weights"))
    write_image(folder / "case.png", observe((3, 36, 40)).blurry)  # for the method `folder`
    return folder


def restore(name, observation, weights, finish, **more):
    method = METHODS[name]
    settings = settings_of(method, finish=finish, **places(method, weights, weights))
    ((_, restoration),) = solve([task(method, observation, settings, **more)])
    return restoration


def test_every_method_with_a_kernel_for_the_whole_image_has_the_setting(weights):
    for name, method in METHODS.items():
        if method.role != "method" or "finish" in keys_of(method.settings):
            continue
        if name == "choose":  # always ends by the deconvolution
            continue
        settings = settings_of(method, **places(method, weights, weights))
        ((_, restoration),) = solve([task(method, observe((3, 36, 40)), settings)])
        # UFPNet's and MIMO's kernels are those of pixels.
        assert restoration.kernels is None or restoration.kernel_field is not None, name


@pytest.mark.parametrize("name", ENDING)
def test_the_image_is_the_deconvolution_with_the_kernel_that_is_returned(name, weights):
    own, ended = (restore(name, observe(), weights, finish) for finish in (OWN, "hyper-laplacian"))
    assert ended.status is Status.OK, ended.reason
    np.testing.assert_allclose(ended.kernels, own.kernels, rtol=0, atol=1e-7)
    assert ended.trace == own.trace
    assert not np.array_equal(ended.image, own.image)
    assert ended.image.shape == own.image.shape


@pytest.mark.parametrize("name", ["selfdeblur", "l0-grad", "bird"])
def test_a_polished_kernel_is_another_one(name, weights):
    blurry = observe().blurry.astype(np.float64)[0]
    plain, ended = (restore(name, observe(), weights, finish) for finish in ("hyper-laplacian", "polished"))
    expected = complete(blurry, polish(blurry, plain.kernels[0].astype(np.float64)))
    np.testing.assert_allclose(ended.kernels[0], expected, rtol=0, atol=1e-4)
    assert not np.array_equal(plain.kernels, ended.kernels)


@pytest.mark.parametrize("name", CLASSICAL)
def test_settings_of_the_own_last_step_are_refused_with_another(name):
    method = METHODS[name]
    own = [key for key in keys_of(type(method.settings().ending)) if key != "finish"]
    assert own
    for key in own:
        value = getattr(method.settings().ending, key)
        effective(method.settings, {key: value}, "methods.x")
        with pytest.raises(InputError, match=f"methods\\.x: '{key}' has no effect with finish: polished"):
            effective(method.settings, {key: value, "finish": "polished"}, "methods.x")


def test_an_unknown_finish_gets_a_hint():
    with pytest.raises(
        InputError, match=r"methods\.x\.finish: unknown value 'polish'. Did you mean 'polished'"
    ):
        effective(METHODS["l0-grad"].settings, {"finish": "polish"}, "methods.x")


@pytest.mark.parametrize("name", ["selfdeblur", "vdip-std", "joint-fit"])
def test_other_blur_than_uniform_is_declined_in_one_line(name, weights):
    restoration = restore(name, observe((1, 36, 40), grid=(2, 2)), weights, "polished")
    assert restoration.status is Status.NOT_SUPPORTED
    assert restoration.reason == "finish: polished is for uniform blur; take finish: own"


@pytest.mark.parametrize(("grid", "same"), [(None, "polished"), ((2, 2), "own")])
def test_polished_if_uniform_is_polished_or_own_by_the_blur(grid, same, weights):
    observation = observe((1, 36, 40), grid=grid)
    ended, expected = (restore("selfdeblur", observation, weights, f) for f in ("polished-if-uniform", same))
    np.testing.assert_array_equal(ended.image, expected.image)
    np.testing.assert_array_equal(ended.kernels, expected.kernels)


def test_snapshots_keep_the_kernel_of_the_ending(weights):
    restoration = restore("selfdeblur", observe(), weights, "polished", snapshots=(1, 3))
    first, last = restoration.snapshots
    np.testing.assert_array_equal(last.kernels, restoration.kernels)
    np.testing.assert_array_equal(last.image, np.round(255 * restoration.image))
    assert not np.array_equal(first.image, last.image)


def test_a_polished_classical_method_comes_nearer_to_the_true_kernel(weights):
    true = motion(2)
    blurry = blurred("coins", true, 140)[None].astype(np.float32)
    plain, ended = (
        restore("l0-fast", Observation("test", "case", blurry, true.shape), weights, finish)
        for finish in ("hyper-laplacian", "polished")
    )
    assert kernel_similarity(ended.kernels[0], true) > kernel_similarity(plain.kernels[0], true)


def test_the_impulses_that_a_method_removes_stay_away_from_its_ending(weights):
    rng = np.random.default_rng(0)
    clean = blurred("coins", motion(2), 100)[None]
    noisy = np.where(rng.random(clean.shape) < 0.02, 1.0, clean).astype(np.float32)
    ended = restore("l0-robust", Observation("test", "case", noisy, (13, 13)), weights, "hyper-laplacian")
    raw = hyper_laplacian_valid(noisy, ended.kernels[0])
    assert np.abs(np.diff(ended.image[0])).mean() < 0.7 * np.abs(np.diff(raw[0].clip(0, 1))).mean()
