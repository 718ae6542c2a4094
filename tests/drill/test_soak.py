"""Many cases in one process: memory and open files stay as they are.

`make test` takes 24 cases, the drill as many as BLINDBENCH_SOAK says.
"""

import gc
import os
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.runs.restore import Shard, restore_shard
from benchmark.runs.shards import Part
from benchmark.runs.store import Store
from benchmark.scoring.scores import score_method

CASES = int(os.environ.get("BLINDBENCH_SOAK", "24"))
WARM_UP = 0.4  # of the cases: caches fill, and the allocator keeps what it has
SETTINGS = {
    "selfdeblur": {"iterations": 3, "channels": 4, "skip_channels": 2, "scales": 2},
    "l0-grad": {},
    "ufpnet": {},
    "blurry": {},
}
# MiB by which the process may grow after the warm-up: an eighth of an observation (0.2 MiB) per case, and
# what the allocator may take on top.
PER_CASE, ON_TOP = 0.025, 8.0


def soak(folder, cases):
    """Restore and score cases one after the other; return MiB of memory and open files after each."""
    store, dataset = Store(folder), find_dataset("demo-uniform")
    observed = observe(make_case(dataset, "camera", 0), 0)
    store.write_observation(*observed)
    process, memory, files = psutil.Process(), [], []
    names = list(SETTINGS)
    for number in range(cases):
        method = names[number % len(names)]
        shard = Shard(method, [Part("demo-uniform", number, ["camera"])], overrides=SETTINGS[method])
        restore_shard(store, shard, torch.device("cpu"), lambda *arguments: None)
        score_method(
            store,
            "demo-uniform",
            method,
            ["camera"],
            seed=number,
            protocol="shift-rgb",
            metrics=["psnr", "ssim"],
        )
        gc.collect()
        memory.append(process.memory_info().rss / 2**20)
        files.append(process.num_fds())
    return np.array(memory), np.array(files)


def growth(memory):
    """Return by how many MiB the process grows after the warm-up, and over how many cases.

    It is the median of the later half of the cases against that of the earlier one.
    """
    later = memory[int(WARM_UP * len(memory)) :]
    half = len(later) // 2
    return float(np.median(later[half:]) - np.median(later[:half])), half


def test_memory_and_open_files_stay_flat(tmp_path, record_property):
    memory, files = soak(Path(tmp_path), CASES)
    grown, between = growth(memory)
    record_property("cases in one process", CASES)
    warm = int(WARM_UP * CASES)
    record_property("memory after the warm-up, MiB", f"{memory[warm]:.0f}")
    record_property("memory at the end, MiB", f"{memory[-1]:.0f}")
    record_property("open files after the warm-up and at the end", f"{files[warm]}, {files[-1]}")
    assert grown <= PER_CASE * between + ON_TOP
    assert files[-1] == files[warm]


def test_a_leak_is_noticed():
    """Of one observation (128 x 128 pixels, three channels) per case."""
    leaking = 700 + 0.1875 * np.arange(500)
    grown, between = growth(leaking)
    assert grown > PER_CASE * between + ON_TOP
    assert growth(np.full(500, 700.0))[0] == pytest.approx(0)
