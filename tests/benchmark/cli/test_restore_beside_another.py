"""Two processes that restore the same cases, as when only Snakemake was killed and is started again."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmark.cli.conftest import RESULTS, write_plan

# A plug-in that writes down in `begun` which case it begins, and waits until the file `go` is there.
PLUGIN = """
import time
from dataclasses import dataclass
from pathlib import Path
import torch
from methods.parts.direct import Direct
from methods.parts.registry import Method
from methods.parts.solver import Result

@dataclass(frozen=True)
class Settings:
    pass

def problem(observation, settings, rng, device):
    def restore():
        with open("begun", "a") as begun:
            print(observation.case, file=begun)
        while not Path("go").exists():
            time.sleep(0.01)
        return Result(torch.from_numpy(observation.blurry))
    return Direct(restore)

METHOD = Method(
    name="waiting", title="Waiting", paper="none", licence="MIT",
    blur_models=("uniform",), settings=Settings, problem=problem,
)
"""


def wait_for(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_waiting_for_a_lock(process):
    """Tell whether the process or its worker waits for a lock, by what Linux says of all locks."""
    family = {str(process.pid), *Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()}
    waiting = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return any(family.intersection(words) for words in waiting)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux says who waits for a lock")
def test_no_two_processes_work_on_one_case_though_their_shards_differ(synthesized, installed):
    del synthesized
    environment = installed("waiting", PLUGIN)
    restore = [sys.executable, "-m", "benchmark", "restore", "waiting"]
    restore += ["--results", str(RESULTS), "--shard"]

    def started(shard, shard_size):
        write_plan(methods={"waiting": {}}, shard_size=shard_size)
        return subprocess.Popen([*restore, str(shard)], env=environment)

    first = started(0, shard_size=2)  # both cases
    wait_for(Path("begun").exists)
    assert Path("begun").read_text().split() == ["camera"]
    second = started(0, shard_size=1)
    wait_for(lambda: is_waiting_for_a_lock(second))
    third = started(1, shard_size=1)  # the astronaut, which nobody works on yet
    wait_for(lambda: len(Path("begun").read_text().split()) > 1)
    Path("go").touch()
    assert [process.wait(120) for process in (first, second, third)] == [0, 0, 0]
    assert Counter(Path("begun").read_text().split()) == {"camera": 1, "astronaut": 1}
    for number, case in enumerate(["camera", "astronaut"]):
        (record,) = json.loads((RESULTS / f"records/waiting/{number}.json").read_text())
        assert (record["case"], record["status"]) == (case, "ok")
