"""A killed run goes on from its checkpoint file and ends with the same bytes, wherever it was cut."""

import pytest

from benchmark.core.images import write_image
from benchmark.tools.conformance import LONG, check_cuts, observe
from tests.methods.tiny import METHODS, defaults, places, save_weights, settings_of, task


def task_of(method, observation, weights, tmp_path, **changes):
    write_image(tmp_path / f"{observation.case}.png", observation.blurry)
    return task(method, observation, settings_of(method, **places(method, tmp_path, weights), **changes))


SETTINGS = {name: defaults(method.settings) for name, method in METHODS.items()}
ITERATED = [name for name in METHODS if "iterations" in SETTINGS[name]]


@pytest.mark.parametrize("name", [name for name in ITERATED if "nonuniform" in METHODS[name].blur_models])
def test_nonuniform_blur_cut_in_the_middle(name, weights, tmp_path):
    observation = observe((1, 36, 40), grid=(2, 2))
    check_cuts(task_of(METHODS[name], observation, weights, tmp_path, iterations=4), tmp_path, [2])


@pytest.mark.parametrize("name", [name for name in ITERATED if "patience" in SETTINGS[name]])
@pytest.mark.parametrize("stop", ["wmv", "watched"])
def test_early_stopping_cut_before_and_after_what_it_remembers(name, stop, weights, tmp_path):
    early = {"iterations": 15, "stop": stop, "window": 3, "patience": 2, "objective": "residual"}
    run = task_of(METHODS[name], observe((1, 31, 34)), weights, tmp_path, **early)
    whole = check_cuts(run, tmp_path, [])
    assert whole.returned < whole.iterations
    assert (whole.iterations < 15) == (stop == "wmv")
    # After 2 iterations the window is not full yet.
    cuts = {2, whole.returned - 1, whole.returned, whole.iterations}
    check_cuts(run, tmp_path, sorted(cuts))


def test_an_ending_that_is_not_the_methods_own(weights, tmp_path):
    run = task_of(METHODS["selfdeblur"], observe(), weights, tmp_path, iterations=LONG, finish="polished")
    check_cuts(run, tmp_path, [2, LONG])


@pytest.mark.parametrize("name", ["dip-glkm", "vdip-sparse-glkm"])
def test_a_large_kernel_cut_in_the_small_and_in_the_full_image(name, tmp_path):
    save_weights(tmp_path, generators=(75,))
    observation = observe((1, 79, 81), kernel_size=(77, 77))
    run = task_of(METHODS[name], observation, tmp_path, tmp_path, iterations=2, pretraining_share=0.5)
    in_small = sum(row["stage"].startswith("small") for row in check_cuts(run, tmp_path, []).trace)
    check_cuts(run, tmp_path, [in_small, in_small + 1])
