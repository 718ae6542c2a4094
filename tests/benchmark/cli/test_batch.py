"""Several cases of a job on their way at once, through the command itself."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from benchmark.core.stop import STOPPED
from tests.benchmark.cli.conftest import HERE, RESULTS, assert_refused, write_plan

# A plug-in whose estimate is a random walk. Where a file `kill` or `stop` lies here, that happens once in the
# middle of the astronaut's iteration 150. The file `steps` lists all iterations.
PLUGIN = """
import os, signal
from dataclasses import dataclass
from pathlib import Path
import torch
from methods.parts.registry import Method
from methods.parts.solver import Result, Step

@dataclass(frozen=True)
class Settings:
    iterations: int = 250

class Walk:
    device, weights = torch.device("cpu"), ""

    def __init__(self, observation, settings, rng):
        self.case, self.iterations, self.rng = observation.case, settings.iterations, rng
        self.x = torch.from_numpy(observation.blurry).clone()

    def step(self, iteration):
        with open("steps", "a") as steps:
            print(self.case, iteration, file=steps)
        self.x += 1e-3 * torch.randn(self.x.shape, generator=self.rng)
        if self.case == "astronaut" and iteration == 150:
            for name, number in (("kill", signal.SIGKILL), ("stop", signal.SIGTERM)):
                if Path(name).exists():
                    Path(name).unlink()
                    if name == "kill":
                        os.kill(os.getppid(), number)  # the watcher, which would start another worker
                    os.kill(os.getpid(), number)
        return Step("walk", self.x.mean())

    def slow_down(self):
        pass

    def estimate(self):
        return Result(self.x)

    def state_dict(self):
        return {"x": self.x, "rng": self.rng.get_state()}

    def load_state_dict(self, state):
        self.x.copy_(state["x"])
        self.rng.set_state(state["rng"])

METHOD = Method(
    name="walking", title="Walking", paper="none", licence="MIT", blur_models=("uniform",),
    settings=Settings, problem=lambda observation, settings, rng, device: Walk(observation, settings, rng),
)
"""
FOLDER = RESULTS / "restorations/demo-uniform/walking/seed0"


@pytest.fixture
def environment(installed):
    """The environment of a process that has the method `walking`."""
    return installed("walking", PLUGIN)


@pytest.fixture
def restore(warm, environment):
    """`restore(*arguments)` runs the verb for the method `walking`."""

    def run(*more):
        command = [warm, "-m", "benchmark", "restore", "walking", *map(str, (*HERE, *more))]
        Path("steps").unlink(missing_ok=True)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def images():
    files = {path.parent.name: path for path in FOLDER.glob("*/image.png")}
    assert set(files) == {"camera", "astronaut"}
    return {name: file.read_bytes() for name, file in files.items()}


def forget():
    for file in [*FOLDER.glob("*/*"), *RESULTS.glob("records/walking/*")]:
        file.unlink()


@pytest.mark.parametrize(("end", "first"), [("kill", 100), ("stop", 151)])
def test_a_batch_that_is_killed_or_stopped_goes_on_and_ends_with_the_bytes_of_cases_alone(
    synthesized, restore, end, first
):
    del synthesized
    write_plan(methods={"walking": {}}, batch=1)
    assert restore().returncode == 0
    alone = images()
    assert Path("steps").read_text().split()[::2] == ["camera"] * 250 + ["astronaut"] * 250
    forget()
    write_plan(methods={"walking": {}}, batch=2)
    Path(end).touch()
    done = restore()
    assert done.returncode == (-signal.SIGKILL if end == "kill" else STOPPED), done.stderr
    assert set(Path("steps").read_text().split()[::2]) == {"camera", "astronaut"}
    done = restore()
    assert done.returncode == 0, done.stderr
    steps = [line.split() for line in Path("steps").read_text().splitlines()]
    begun = {case: min(int(number) for name, number in steps if name == case) for case in alone}
    assert begun == {"camera": first, "astronaut": first}
    assert images() == alone
    records = json.loads((RESULTS / "records/walking/0.json").read_text())
    assert [(record["status"], record["batch"]) for record in records] == [("ok", 2)] * 2


def test_the_option_counts_before_the_config(synthesized):
    write_plan(batch=1)
    assert synthesized("restore", "selfdeblur", *HERE, "--batch", 2)[0] == 0
    records = json.loads((RESULTS / "records/selfdeblur/0.json").read_text())
    assert [record["batch"] for record in records] == [2, 2]


def test_a_cpu_takes_one_case_at_a_time_unless_told_otherwise(synthesized):
    assert synthesized("restore", "selfdeblur", *HERE)[0] == 0
    records = json.loads((RESULTS / "records/selfdeblur/0.json").read_text())
    assert [record["batch"] for record in records] == [1, 1]


@pytest.mark.parametrize("text", ["0", "-1", "2.5", "many"])
def test_other_numbers_are_refused(synthesized, text):
    refused = synthesized("restore", "selfdeblur", *HERE, f"--batch={text}")
    assert_refused(refused, f"--batch {text}: give a whole number from 1 on, or auto")


def test_too_little_memory_is_said_before_it_is_used(synthesized, monkeypatch):
    write_plan(batch=2)
    monkeypatch.setattr("benchmark.planning.batches._need", lambda *_: 5000.0)
    monkeypatch.setattr("benchmark.planning.batches.free_memory", lambda _: 7000.0)
    refused = synthesized("restore", "selfdeblur", *HERE)
    assert_refused(
        refused, "batch: 2 cases at once of selfdeblur need 9.8 GiB, 6.2 GiB are free on cpu: use batch 1"
    )
    assert not (RESULTS / "records/selfdeblur/0.json").exists()
