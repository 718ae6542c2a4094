"""How many cases of a job are on their way at once."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError
from benchmark.core.types import Observation, Restoration, Status, Truth
from benchmark.planning import batches
from benchmark.planning.batches import SHARE, cases_at_once
from benchmark.planning.config import make_plan
from benchmark.planning.measuring import Measuring
from benchmark.planning.plan import AUTO
from benchmark.runs import machine
from benchmark.runs.watch import Watch
from tests.benchmark.cli.conftest import CONFIG
from tests.conftest import ROOT

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
TINY = CONFIG["methods"]["selfdeblur"]


def plan_of(**changes):
    methods = {"selfdeblur": TINY, "l0-fast": {}, "blinddps": {}}
    return make_plan({**CONFIG, "methods": methods, "seeds": [0, 1, 2], "shard_size": 6, **changes}, "x.yaml")


@pytest.fixture
def memory(monkeypatch):
    """Say how many MiB a case needs, and how many are free; None of either is not known."""

    def set_to(need, free):
        monkeypatch.setattr(batches, "_need", lambda *_: need)
        monkeypatch.setattr(batches, "free_memory", lambda _: free)

    return set_to


@pytest.mark.parametrize(
    ("asked", "device", "need", "free", "expected"),
    [
        (1, GPU, 100.0, 10.0, 1),  # the solver says when a case does not fit alone
        (4, CPU, 100.0, 1000.0, 4),
        (4, GPU, 100.0, 1000.0, 4),
        (9, GPU, 100.0, 1000.0, 6),  # there are six cases
        (AUTO, CPU, 100.0, 1000.0, 1),
        (AUTO, GPU, 100.0, 1000.0, 6),
        (AUTO, GPU, 300.0, 1000.0, 3),
        (AUTO, GPU, 3000.0, 1000.0, 1),
        (AUTO, GPU, None, 1000.0, 1),
        (4, GPU, None, 1000.0, 4),
        (4, CPU, 100.0, None, 4),
    ],
)
def test_as_many_as_asked_for_or_as_fit(memory, asked, device, need, free, expected):
    memory(need, free)
    assert cases_at_once(plan_of(), "selfdeblur", 0, device, asked) == expected


def test_a_method_that_computes_without_a_device_takes_one_at_a_time(memory):
    memory(1.0, 1000.0)
    assert cases_at_once(plan_of(), "l0-fast", 0, CPU, 4) == 1


@pytest.mark.parametrize(
    ("method", "advice"), [("selfdeblur", ""), ("blinddps", " or set checkpointing: true")]
)
def test_more_than_fits_is_refused_with_what_fits(memory, method, advice):
    memory(2000.0, 8000.0)
    with pytest.raises(InputError) as refused:
        cases_at_once(plan_of(), method, 0, GPU, 4)
    assert str(refused.value) == (
        f"batch: 4 cases at once of {method} need 7.8 GiB, 7.0 GiB are free on cuda:0: use batch 3{advice}"
    )
    assert 3 * 2000 <= SHARE * 8000 < 4 * 2000


def test_the_largest_case_of_a_shard_is_measured(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("benchmark.tools.calibration.SECONDS", 600.0)
    plan = plan_of()
    for case, side in (("camera", 40), ("astronaut", 56)):
        seen = Observation("demo-uniform", case, np.full((1, side, 40), 0.5, np.float32), (5, 5))
        plan.store.write_observation(seen, Truth(""))
    sizes = []
    cost = Measuring.cost

    def measured(self, seen, observation):
        sizes.append(seen["shape"])
        return cost(self, seen, observation)

    monkeypatch.setattr(Measuring, "cost", measured)
    assert cases_at_once(plan, "selfdeblur", 0, CPU, 2) == 2
    assert sizes == [[1, 56, 40]]
    assert list((tmp_path / "cache").rglob("calibration.json"))


def test_a_case_alone_on_a_cpu_is_not_measured(monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(batches, "_need", never)
    monkeypatch.setattr(batches, "free_memory", never)
    for asked in (1, AUTO):
        assert cases_at_once(plan_of(), "selfdeblur", 0, CPU, asked) == 1


def test_a_measurement_in_which_workers_died_is_not_tried_again(monkeypatch):
    monkeypatch.setattr(Measuring, "cost", lambda *_: pytest.fail("measured"))
    monkeypatch.setattr(batches, "free_memory", lambda _: 1000.0)
    lost = {"the memory of selfdeblur": Restoration(Status.FAILED)}
    assert cases_at_once(plan_of(), "selfdeblur", 0, GPU, AUTO, Watch(lost=lost)) == 1
    assert cases_at_once(plan_of(), "selfdeblur", 0, CPU, 4, Watch(lost=lost)) == 4


def test_a_job_has_at_least_as_many_cases_as_are_on_their_way():
    assert plan_of(batch=6).methods["selfdeblur"].shard_size == 6
    free = make_plan({**CONFIG, "batch": 16}, "x.yaml")
    assert {name: method.shard_size for name, method in free.methods.items()} == {
        "blurry": 100,
        "selfdeblur": 16,
    }
    with pytest.raises(
        InputError, match=r"batch: a job of 6 cases \(shard_size\) cannot have 7 on their way"
    ):
        plan_of(batch=7)


@pytest.mark.parametrize("batch", [0, 2.5, "many", None])
def test_a_config_names_a_number_or_auto(batch):
    with pytest.raises(InputError, match="batch: "):
        plan_of(batch=batch)


def test_the_system_tells_how_much_memory_is_free(monkeypatch, tmp_path):
    assert machine.free_memory(CPU) is None or machine.free_memory(CPU) > 0
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:       8000000 kB\nMemAvailable:    2097152 kB\n")
    monkeypatch.setattr(machine, "MEMORY_INFO", file)
    assert machine.free_memory(CPU) == 2048
    file.unlink()
    assert machine.free_memory(CPU) is None


def test_what_torch_keeps_of_a_gpu_counts_as_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100 * 2**20, 500 * 2**20))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 50 * 2**20)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 20 * 2**20)
    assert machine.free_memory(GPU) == 130


def test_a_job_loads_neither_what_draws_nor_what_compiles():
    code = (
        "import sys, torch, benchmark.planning.batches, benchmark.planning.plan, benchmark.runs.restore\n"
        "from benchmark.blur.warp import warp_average\n"
        "warp_average(torch.zeros(1, 4, 4), torch.eye(3)[None])\n"
        "print({'matplotlib', 'torch._dynamo'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
