"""Cases that end their process, through the command itself."""

import json
import subprocess

import pytest

from tests.benchmark.cli.conftest import HERE, RESULTS, write_plan

# A plug-in that dies on the astronaut, and copies the camera.
PLUGIN = """
import os, signal, time
from dataclasses import dataclass
import torch
from methods.parts.direct import Direct
from methods.parts.registry import Method
from methods.parts.solver import Result

@dataclass(frozen=True)
class Settings:
    how: str = "abort"

def problem(observation, settings, rng, device):
    def restore():
        if observation.case == "camera":
            return Result(torch.from_numpy(observation.blurry))
        if settings.how == "abort":
            os.abort()
        time.sleep(600)
    return Direct(restore)

METHOD = Method(
    name="dying", title="Dying", paper="none", licence="MIT",
    blur_models=("uniform",), settings=Settings, problem=problem,
)
"""


@pytest.fixture
def environment(installed):
    """The environment of a process that has the method `dying`."""
    return installed("dying", PLUGIN)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("how", "limit", "status", "reason"),
    [
        ("abort", {}, "failed", "the process died (signal 6: Aborted)"),
        ("sleep", {"minutes_per_case": 0.001}, "timed_out", "not finished within 0.001 minutes; raise"),
    ],
)
def test_the_other_cases_are_restored_and_the_dying_one_has_its_status(
    synthesized, environment, warm, how, limit, status, reason, batch
):
    del synthesized
    write_plan(methods={"dying": {"how": how}}, batch=batch, **limit)
    restore = [*(warm, "-m", "benchmark", "restore", "dying"), *map(str, HERE)]
    done = subprocess.run(restore, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    camera, astronaut = json.loads((RESULTS / "records/dying/0.json").read_text())
    assert (camera["status"], camera["case"]) == ("ok", "camera")
    assert (astronaut["status"], astronaut["case"]) == (status, "astronaut")
    assert astronaut["reason"].startswith(reason)
