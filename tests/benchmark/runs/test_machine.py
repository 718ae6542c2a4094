import multiprocessing
import threading

import pytest
import torch

from benchmark.core.types import InputError
from benchmark.runs import machine
from benchmark.runs.machine import claimed_device


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    """A machine that says it has two GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(machine, "GPU_LOCKS", tmp_path)
    monkeypatch.setattr(machine, "WAIT_SECONDS", 0.01)


def test_jobs_spread_over_the_devices_then_share_them(two_gpus):
    with (
        claimed_device("auto", 2) as first,
        claimed_device("cuda", 2) as second,
        claimed_device("auto", 2) as third,
        claimed_device("cpu", 2) as none,
    ):
        assert [device.index for device in (first, second, third)] == [0, 1, 0]
        assert none.type == "cpu"


def test_a_job_waits_until_a_device_is_free(two_gpus):
    got = []

    def wait_for_one():
        with claimed_device("cuda") as device:
            got.append(device.index)

    with claimed_device("cuda"):
        with claimed_device("cuda") as second:
            waiting = threading.Thread(target=wait_for_one)
            waiting.start()
            waiting.join(0.1)
            assert got == []
            freed = second.index
        waiting.join(30)
    assert got == [freed]


def _die_holding(folder, ready):
    machine.GPU_LOCKS = folder
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: 1
    with claimed_device("cuda"):
        ready.set()
        threading.Event().wait(60)


def test_the_place_of_a_killed_job_is_free_again(two_gpus, tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    owner = context.Process(target=_die_holding, args=(tmp_path, ready))
    owner.start()
    assert ready.wait(60)
    owner.kill()
    owner.join()
    with claimed_device("cuda") as device:
        assert device.index == 0


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA device"), claimed_device("cuda"):
        pass
    with pytest.raises(InputError, match="unknown device 'gpu'"), claimed_device("gpu"):
        pass
    with claimed_device("auto") as device:
        assert device.type == "cpu"
