"""Every free kernel prior can start at another method's kernel, and rest there for a while."""

import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError, NotSupportedError
from benchmark.runs.settings import effective
from benchmark.tools.conformance import CPU, observe
from methods.parts import registry
from methods.parts.settings import keys_of
from methods.parts.warm_start import ERROR, estimated_kernel
from tests.methods.tiny import METHODS, build, places, save_weights, settings_of

STARTING = sorted(
    name for name, method in METHODS.items() if {"start", "frozen"} <= set(keys_of(method.settings))
)
SAMPLED = "blinddps-glkm"  # its latent_schedule says when the kernel rests
# Wide enough to reach a kernel that differs from their own.
WIDE = {"kernel_hidden": 64, "siren_width": 64, "iterations": 4, "result": "middle"}
RANDOM = ["selfdeblur", "vdip-std", "vdip-sparse", "vdip-extreme", "robust-bid", "bird", "joint-fit"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_weights(tmp_path_factory.mktemp("weights"))


def problem(name, weights, **changes):
    method = METHODS[name]
    given = {key: value for key, value in {**WIDE, **changes}.items() if key in keys_of(method.settings)}
    return build(method, observe(), settings_of(method, **places(method, weights, weights), **given))


def kernels_over(started, steps):
    """The kernels before the first step and after each."""
    kernels = [started.estimate().kernels.clone()]
    for iteration in range(steps):
        started.step(iteration)
        kernels.append(started.estimate().kernels.clone())
    return kernels


def test_all_of_them_are_tried():
    glkm = [name for name in METHODS if name.endswith("-glkm") and name != SAMPLED]
    assert set(STARTING) == {*RANDOM, *glkm, SAMPLED}


@pytest.mark.parametrize("name", RANDOM)
def test_a_free_kernel_starts_at_the_estimate_and_rests_there(name, weights):
    expected = estimated_kernel("l0-grad", observe(), torch.Generator(), CPU)
    started = problem(name, weights, start="l0-grad", frozen=0.5)
    rest = started.iterations - 2  # two of four iterations, after a pre-training
    kernels = kernels_over(started, started.iterations)
    assert (kernels[0] - expected).norm() <= 1.01 * ERROR * expected.norm()
    for later in kernels[1 : rest + 1]:
        torch.testing.assert_close(later, kernels[0], rtol=0, atol=1e-7)
    assert (kernels[-1] - kernels[0]).abs().max() > 1e-7


@pytest.mark.parametrize("name", [name for name in STARTING if name.endswith("-glkm") and name != SAMPLED])
def test_a_latent_kernel_rests_at_its_start(name, weights):
    started = problem(name, weights, frozen=0.5)
    kernels = kernels_over(started, started.iterations)
    torch.testing.assert_close(kernels[started.iterations - 2], kernels[0], rtol=0, atol=1e-7)
    assert (kernels[-1] - kernels[0]).abs().max() > 1e-9


@pytest.mark.parametrize("name", RANDOM)
def test_the_other_method_decides_whether_a_result_is_stale(name):
    method = METHODS[name]
    settings = effective(method.settings, {"start": "l0-grad"}, "methods.x")
    assert method.uses(settings) == ("l0-grad",)
    assert registry.with_used(method, settings)[1][0].name == "l0-grad"


def test_nothing_rests_without_a_start():
    with pytest.raises(InputError, match=r"methods\.x: 'frozen' has no effect with start: null"):
        effective(METHODS["selfdeblur"].settings, {"frozen": 0.25}, "methods.x")
    with pytest.raises(InputError, match=r"methods\.x: 'frozen' has no effect with latent_schedule: growing"):
        effective(METHODS[SAMPLED].settings, {"frozen": 0.25}, "methods.x")


def test_a_share_beyond_all_is_refused():
    with pytest.raises(InputError, match=r"frozen must lie in \[0, 1\], not 1\.5"):
        effective(METHODS["selfdeblur"].settings, {"start": "l0-grad", "frozen": 1.5}, "methods.x")


def test_resting_and_sharing_exclude_each_other():
    with pytest.raises(InputError, match="frozen and global_steps are both about the first iterations"):
        effective(METHODS["dip-glkm"].settings, {"frozen": 0.5, "global_steps": 3}, "methods.x")


@pytest.mark.parametrize("name", ["selfdeblur", "vdip-std"])
def test_there_is_no_start_for_non_uniform_blur(name):
    method = METHODS[name]
    settings = settings_of(method, start="l0-grad")
    with pytest.raises(NotSupportedError, match="no start at another method's kernel for non-uniform blur"):
        build(method, observe((1, 36, 40), grid=(2, 2)), settings)


def test_a_start_changes_nothing_else():
    method = METHODS["selfdeblur"]
    cold, warm = (
        build(method, observe(), settings_of(method, kernel_hidden=64, **start))
        for start in ({}, {"start": "l0-grad"})
    )
    np.testing.assert_array_equal(cold.estimate().image, warm.estimate().image)
