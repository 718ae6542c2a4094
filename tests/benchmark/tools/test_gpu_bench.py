"""What a step takes at least is counted without a GPU, and shares of it are of the right device."""

import math
from pathlib import Path

import pytest
import torch

from benchmark.core.errors import InputError
from benchmark.core.progress import silent
from benchmark.tools import gpu_bench
from benchmark.tools.bench import Workload
from benchmark.tools.gpu_bench import DEVICES, REHEARSAL, SIZES, Count, Size, count, measure
from methods.parts.capture import EAGER

ROOT = Path(__file__).resolve().parents[3]
TINY = REHEARSAL[0].work


def test_a_larger_image_takes_more_of_both():
    small, large = count(TINY), count(Workload("selfdeblur", TINY.settings, size=64, kernel_size=5))
    pixels = (64 + 4) ** 2 / (32 + 4) ** 2
    assert large.flop / small.flop == pytest.approx(pixels, rel=0.2)
    assert large.bytes / small.bytes == pytest.approx(pixels, rel=0.4)  # weights have one size
    assert small.bytes > 4 * sum(2 * 36**2 for _ in range(4))  # each of many maps passes at least once


def test_the_roofline_is_the_longer_of_both_times():
    h200 = DEVICES[0]
    assert Count(67e12, 4.8e12).least_seconds(h200, "float32") == 1.0
    assert Count(67e12, 9.6e12).least_seconds(h200, "float32") == 2.0
    assert Count(2 * 494e12, 4.8e12).least_seconds(h200, "tf32") == 2.0


def test_the_page_has_the_count():
    done = count(SIZES[0].work)
    page = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    assert f"| `selfdeblur` | 128 | {done.flop / 1e9:.2f} | {done.bytes / 1e9:.2f} |" in page


def test_shares_are_of_the_device_that_ran(monkeypatch):
    monkeypatch.setattr(gpu_bench, "count", lambda work: Count(67e9, 0.0))
    monkeypatch.setattr(gpu_bench, "device_name", lambda device: "NVIDIA H100 80GB HBM3")
    assert gpu_bench._share(TINY, "float32", torch.device("cpu"), 4e-3) == pytest.approx(25)
    monkeypatch.setattr(gpu_bench, "device_name", lambda device: "cpu")
    assert gpu_bench._share(TINY, "float32", torch.device("cpu"), 4e-3) is None


def test_ways_of_one_size_are_beside_its_plain_loop(monkeypatch):
    times = iter([8.0, 4.0, 2.0, 1.0, InputError("no tf32 here"), torch.OutOfMemoryError("full"), 1.0, 0.5])

    def time(*way):
        if isinstance(taken := next(times), Exception):
            raise taken
        return taken

    monkeypatch.setattr(gpu_bench, "_time", time)
    size = Size(Workload("selfdeblur@quick", {}, size=255), 4)
    frame = measure(torch.device("cpu"), 1.0, silent, [size])
    assert list(frame["cases"]) == [1, 1, 1, 4, 1, 4, 1, 4]
    faster = list(frame["times the plain loop"])
    assert faster[:4] == [1, 2, 4, 8]
    assert all(math.isnan(value) for value in faster[4:6])
    assert frame["images an hour"].iloc[0] == 3600 / (8 * 600)  # `quick` has 600 iterations


def test_eager_steps_leave_no_variable_behind(monkeypatch):
    monkeypatch.delenv(EAGER, raising=False)
    with gpu_bench._eager():
        assert gpu_bench.os.environ[EAGER]
    assert EAGER not in gpu_bench.os.environ
