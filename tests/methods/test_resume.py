"""A killed run goes on from its checkpoint file and ends with the same bytes, wherever it was cut."""

from contextlib import suppress

import pytest

from benchmark.core.types import Status
from methods.parts import solver
from methods.parts.solver import solve
from tests.methods.tiny import (
    METHODS,
    defaults,
    observe,
    places,
    save_weights,
    settings_of,
    task,
    write_image,
)

LONG = 8  # iterations: every stage of every method has some


class KilledError(BaseException):
    """Not an Exception, which the solver would turn into a status."""


@pytest.fixture(autouse=True)
def read_after_every_iteration(monkeypatch):
    """So that runs end at once where they may, and a stage is seen where it begins."""
    monkeypatch.setattr(solver, "LOG_EVERY", 1)


def run(problem, checkpoint=None, report=lambda progress: None):
    given = {} if checkpoint is None else {"checkpoint": checkpoint, "key": "key"}
    ((_, restoration),) = solve([task(*problem, **given)], report)
    return restoration


def killed(problem, checkpoint, cut):
    """Solve with a checkpoint after `cut` iterations, and die in the next one."""

    def report(progress):
        if progress.iteration > cut:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "CHECKPOINT_EVERY", cut)
        with suppress(KilledError):  # not raised where `cut` is the end
            run(problem, checkpoint, report)
    assert checkpoint.exists()


def check_cuts(problem, whole, tmp_path, cuts):
    """A run that was killed at any of `cuts` ends as `whole`, an undisturbed one, to the byte."""
    assert whole.status is Status.OK, whole.reason
    for cut in cuts:
        checkpoint = tmp_path / f"{cut}.pt"
        killed(problem, checkpoint, cut)
        done = []
        resumed = run(problem, checkpoint, lambda progress: done.append(progress.iteration))  # noqa: B023
        assert done == list(range(cut, whole.iterations + 1)), "it starts again where it was cut"
        assert resumed.image.tobytes() == whole.image.tobytes(), f"cut after {cut}"
        assert (resumed.kernels is None) == (whole.kernels is None)
        if whole.kernels is not None:
            assert resumed.kernels.tobytes() == whole.kernels.tobytes(), f"cut after {cut}"
        assert resumed.trace == whole.trace
        assert (resumed.iterations, resumed.returned) == (whole.iterations, whole.returned)


def borders(restoration):
    """The iterations after which the objective changed."""
    stages = [row["stage"] for row in restoration.trace]
    return [number for number in range(1, len(stages)) if stages[number] != stages[number - 1]]


def problem_of(method, observation, weights, tmp_path, **changes):
    write_image(tmp_path / f"{observation.case}.png", observation.blurry)
    return method, observation, settings_of(method, **places(method, tmp_path, weights), **changes)


SETTINGS = {name: defaults(method.settings) for name, method in METHODS.items()}
ITERATED = [name for name in METHODS if "iterations" in SETTINGS[name]]


@pytest.mark.parametrize("name", sorted(METHODS.keys() - set(ITERATED)))
def test_a_method_without_iterations_gives_the_same_with_a_checkpoint(name, weights, tmp_path):
    problem = problem_of(METHODS[name], observe(), weights, tmp_path)
    first = run(problem, tmp_path / "checkpoint.pt")
    assert first.status is Status.OK, first.reason
    assert run(problem, tmp_path / "checkpoint.pt").image.tobytes() == first.image.tobytes()


@pytest.mark.parametrize("name", ITERATED)
def test_cut_in_every_stage_and_at_every_border(name, weights, tmp_path):
    long = {"iterations": LONG, "stop": "fixed", "pretraining_share": 0.25}
    problem = problem_of(METHODS[name], observe(), weights, tmp_path, **long)
    whole = run(problem)
    check_cuts(problem, whole, tmp_path, sorted({1, *borders(whole), LONG}))


@pytest.mark.parametrize("name", [name for name in ITERATED if "nonuniform" in METHODS[name].blur_models])
def test_nonuniform_blur_cut_in_the_middle(name, weights, tmp_path):
    observation = observe((1, 36, 40), grid=(2, 2))
    problem = problem_of(METHODS[name], observation, weights, tmp_path, iterations=4)
    check_cuts(problem, run(problem), tmp_path, [2])


@pytest.mark.parametrize("name", [name for name in ITERATED if "patience" in SETTINGS[name]])
@pytest.mark.parametrize("stop", ["wmv", "watched"])
def test_early_stopping_cut_before_and_after_what_it_remembers(name, stop, weights, tmp_path):
    early = {"iterations": 15, "stop": stop, "window": 3, "patience": 2, "objective": "residual"}
    problem = problem_of(METHODS[name], observe((1, 31, 34)), weights, tmp_path, **early)
    whole = run(problem)
    assert whole.returned < whole.iterations
    assert (whole.iterations < 15) == (stop == "wmv")
    # After 2 iterations the window is not full yet.
    cuts = {2, whole.returned - 1, whole.returned, whole.iterations}
    check_cuts(problem, whole, tmp_path, sorted(cuts))


@pytest.mark.parametrize("name", ["dip-glkm", "vdip-sparse-glkm"])
def test_a_large_kernel_cut_in_the_small_and_in_the_full_image(name, tmp_path):
    save_weights(tmp_path, generators=(75,))
    observation = observe((1, 79, 81), kernel_size=(77, 77))
    problem = problem_of(METHODS[name], observation, tmp_path, tmp_path, iterations=2, pretraining_share=0.5)
    whole = run(problem)
    in_small = sum(row["stage"].startswith("small") for row in whole.trace)
    check_cuts(problem, whole, tmp_path, [in_small, in_small + 1])
