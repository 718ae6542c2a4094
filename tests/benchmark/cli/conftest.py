"""What the tests of all verbs share."""

import sys
from pathlib import Path

import pytest

from benchmark.cli import main as cli
from benchmark.planning.config import make_plan


@pytest.fixture
def blindbench(monkeypatch, capfd, tmp_path):
    """`blindbench("methods")` returns (exit code, standard output, standard error); runs in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "benchmark.runs.machine.prepare", lambda threads: None
    )  # global switches of a process

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["blindbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


def assert_refused(outcome, message):
    code, _, error = outcome
    assert code == 2
    assert message in error
    complaints = [line for line in error.splitlines() if "/3 " not in line]  # other lines are progress
    assert len(complaints) == 1, error
    assert complaints[0].startswith("blindbench: ")


CONFIG = {
    "profile": "r",
    "caption": "A test.",
    "device": "cpu",
    "datasets": ["demo-uniform"],
    "methods": {
        "blurry": {},
        "selfdeblur": {"iterations": 4, "channels": 4, "skip_channels": 2, "scales": 2},
    },
}
RESULTS = Path("results/r")


def write_plan(**changes):
    """Write the plan of `CONFIG` with changes into results/r, for verbs that are called with `HERE`."""
    return make_plan({**CONFIG, **changes}, "config.yaml").write()


HERE = ("--results", RESULTS)
ONE_CASE = {"demo-uniform": ["camera"]}


@pytest.fixture
def synthesized(blindbench):
    """`blindbench` in a folder with the plan of `CONFIG` and its observations."""
    write_plan()
    assert blindbench("synthesize", "demo-uniform", *HERE)[0] == 0
    return blindbench
