"""What a restoration takes, measured on a part of an image and counted for the whole."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from benchmark.runs.settings import effective
from benchmark.tools import pilot
from benchmark.tools.pilot import Pilot, UnknownError, Work, count_work, measure, middle
from methods.parts.direct import Direct
from methods.parts.registry import Method, built_in
from methods.parts.solver import Result
from tests.conftest import ROOT

CPU = torch.device("cpu")
TINY = {"iterations": 40, "channels": 4, "skip_channels": 2, "scales": 2}


def observe(side, kernel_size=(7, 7)):
    image = np.random.default_rng(0).random((1, side, side), np.float32)
    return Observation("test", "case", image, kernel_size)


def tiny(name):
    window = {"window": 20} if name == "robust-bid" else {}
    return effective(built_in()[name].settings, {**TINY, **window}, "test")


@pytest.mark.parametrize("name", ["selfdeblur", "dip-glkm", "vdip-sparse", "robust-bid"])
def test_operations_are_counted_without_computing_as_when_computing(name):
    method, settings = built_in()[name], tiny(name)
    counted = count_work(method, observe(48), settings)
    measured = measure(method, observe(48), settings, CPU)
    assert replace(counted, tensors=measured.work.tensors) == measured.work
    # Adam goes through all weights at once on a CPU, and makes copies of them where nothing is computed.
    assert counted.tensors == pytest.approx(measured.work.tensors, abs=2)
    assert counted.operations > 1e6
    assert counted.iterations >= 40
    assert counted.tensors > 0.1


def test_what_the_counter_loads_at_first_is_no_time_of_a_method(monkeypatch):
    done = []
    monkeypatch.setattr(pilot, "_load_counter", lambda: done.append("loaded"))
    monkeypatch.setattr(pilot, "_measured", lambda *_: done.append("measured"))
    measure(built_in()["selfdeblur"], observe(48), tiny("selfdeblur"), CPU)
    assert done == ["loaded", "measured"]


def test_four_times_the_pixels_are_about_four_times_the_operations():
    method, settings = built_in()["selfdeblur"], tiny("selfdeblur")
    small, large = (count_work(method, observe(side), settings) for side in (96, 192))
    assert 3 < large.operations / small.operations < 4.2  # the kernel's network does not grow


@pytest.mark.parametrize("name", ["nafnet", "ufpnet"])
def test_the_operations_of_a_trained_network_are_counted(name):
    method = built_in()[name]
    work = count_work(method, observe(32), method.settings())
    assert (work.iterations, work.pixels) == (0, 32 * 32)
    assert work.operations > 1e6


def test_the_operations_of_a_guided_diffusion_are_counted():
    method = built_in()["blinddps"]
    assert count_work(method, observe(64), method.settings()).operations > 1e6


def test_a_classical_method_is_neither_counted_nor_run_to_count():
    method = replace(built_in()["l0-grad"], problem=lambda *_: Direct(lambda: 1 / 0))
    assert count_work(method, observe(32), method.settings()) == Work(0, 0.0, 32 * 32, 32 * 32)


def test_more_operations_take_more_time_for_iterations_and_more_pixels_for_the_end():
    known = Pilot(Work(100, 1e9, 1000, 1000), start=1.0, iteration=0.01, end=2.0, once=9.0, memory=50.0)
    assert known.seconds(known.work) == pytest.approx(1 + 1 + 2)
    assert known.seconds(Work(200, 3e9, 2000, 2000)) == pytest.approx(1 + 200 * 0.03 + 4)
    uncounted = replace(known, work=Work(0, 0.0, 1000, 1000), iteration=0.0)
    assert uncounted.seconds(Work(0, 0.0, 3000, 3000)) == pytest.approx(1 + 6)


def test_more_tensors_take_more_memory_and_libraries_do_not_grow():
    known = Pilot(Work(0, 1e9, 1000, 1000, 10.0), start=0.0, iteration=0.0, end=1.0, once=0.0, memory=150.0)
    tiled = Work(0, 9e9, 9000, 9000, tensors=30.0)  # a network that goes over an image by tiles
    assert known.mebibytes(known.work) == 150
    assert known.mebibytes(tiled) == pytest.approx(150 + 2 * 20)
    on_gpu = replace(known, memory=15.0, factor=1.5)  # has no libraries in its memory
    assert on_gpu.mebibytes(tiled) == pytest.approx(1.5 * 30)


def test_a_larger_image_takes_a_network_with_tiles_little_more_memory_for_its_kernels():
    method = built_in()["ufpnet"]
    small, large = (count_work(method, observe(side), method.settings()) for side in (512, 1024))
    assert large.operations / small.operations > 4
    assert large.tensors / small.tensors < 3


def test_where_iterations_see_a_window_these_grow_no_further():
    known = Pilot(Work(10, 0.0, 1000, 1000), start=1.0, iteration=0.5, end=2.0, once=0.0, memory=50.0)
    assert known.seconds(Work(10, 0.0, 8000, 2000)) == pytest.approx(1 + 10 * 0.5 * 2 + 2 * 8)
    assert known.mebibytes(Work(10, 0.0, 8000, 2000)) == pytest.approx(400)
    method, settings = built_in()["choose"], effective(built_in()["choose"].settings, {"window": 40}, "test")
    work = count_work(method, observe(64), settings)
    assert (work.pixels, work.seen) == (64 * 64, 40 * 40)


class Growing(Direct):
    """Each iteration is longer than the one before."""

    def __init__(self, iterations):
        super().__init__(lambda: Result(torch.ones(1, 16, 16)))
        self.iterations, self.seconds = iterations, 0.0

    def step(self, iteration):
        self.seconds += 0.1 * (1 + iteration)


def test_of_few_iterations_all_are_measured(monkeypatch):
    problem = Growing(7)
    monkeypatch.setattr(pilot, "_built", lambda *_: problem)
    monkeypatch.setattr(pilot, "_clock", lambda _: lambda: problem.seconds)
    measured = pilot._measure(odd(None), observe(16), Settings(), CPU)
    assert measured.iteration == pytest.approx(np.mean([0.2, 0.3, 0.4, 0.5, 0.6, 0.7]))
    problem = Growing(pilot.ITERATIONS + 1)
    measured = pilot._measure(odd(None), observe(16), Settings(), CPU)
    assert measured.iteration == pytest.approx(0.3)  # until SECONDS are over


def test_of_a_large_image_the_middle_is_measured(monkeypatch):
    observation = observe(300, (99, 9))
    part = middle(observation)
    assert part.blurry.shape == (1, 198, 128)  # twice the kernel at least
    np.testing.assert_array_equal(part.blurry, observation.blurry[:, 51:249, 86:214])
    assert middle(part) is part
    method, settings = built_in()["selfdeblur"], tiny("selfdeblur")
    monkeypatch.setattr(pilot, "WHOLE", 0.0)
    assert measure(method, observe(160), settings, CPU).work.pixels == 128 * 128
    monkeypatch.setattr(pilot, "WHOLE", 1e9)
    assert measure(method, observe(160), settings, CPU).work.pixels == 160 * 160


@dataclass(frozen=True)
class Settings:
    """No setting."""


def odd(restore):
    """A method that does something odd instead of restoring."""
    return Method(
        name="odd", title="Odd", paper="none", licence="MIT", blur_models=("uniform",), settings=Settings,
        problem=lambda *_: Direct(restore), gpu=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("restore", "message"),
    [(lambda: 1 / 0, "ZeroDivisionError: division by zero"), (os.abort, "its process died")],
)
def test_a_method_that_fails_is_unknown(restore, message):
    with pytest.raises(UnknownError, match=message):
        measure(odd(restore), observe(16), Settings(), CPU)


def test_a_method_that_declines_the_blur_is_not_measured():
    declined = replace(observe(16), blur_model="nonuniform", grid=(2, 2))
    for ask in (count_work, lambda *arguments: measure(*arguments, CPU)):
        with pytest.raises(NotSupportedError, match="odd does not treat nonuniform blur"):
            ask(odd(os.abort), declined, Settings())


def memory_of_a_large_one():
    def large():
        return Result(torch.ones(100 * 2**18)[: 16 * 16].reshape(1, 16, 16))

    pilot._measure(
        odd(lambda: Result(torch.ones(1, 16, 16))), observe(16), Settings(), CPU
    )  # loads libraries
    return measure(odd(large), observe(16), Settings(), CPU).memory


def test_memory_is_what_the_restoration_adds():
    # In a process of its own: one that has freed much memory takes no more from the system.
    code = f"from {__name__} import memory_of_a_large_one; print(memory_of_a_large_one())"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    taken = float(run.stdout)
    assert 95 < taken < 150


def test_a_measurement_that_never_ends_is_given_up():
    with pytest.raises(UnknownError, match=r"it took longer than 0.2 s"):
        pilot.in_a_process(time.sleep, 600, seconds=0.2)
