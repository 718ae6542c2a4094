"""What the tests of all verbs share."""

import os
import sys
from pathlib import Path

import pytest

from benchmark.cli import main as cli
from benchmark.planning.config import make_plan
from methods.parts import registry
from tests.conftest import ROOT


@pytest.fixture
def blindbench(monkeypatch, capfd, tmp_path):
    """`blindbench("methods")` returns (exit code, standard output, standard error); runs in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["blindbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    # Global switches of a process. Apart from `monkeypatch`, which a test may undo.
    with pytest.MonkeyPatch.context() as always:
        always.setattr("benchmark.runs.machine.prepare", lambda threads: None)
        yield call


def assert_refused(outcome, message):
    code, _, error = outcome
    assert code == 2
    assert message in error
    complaints = [line for line in error.splitlines() if " · " not in line]  # other lines are progress
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


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """`installed(name, source)` installs a plug-in with one method, here and for a process.

    It returns the environment of the process.
    """

    def install(name, source):
        folder = tmp_path / "plugin"
        about = folder / f"{name}-1.dist-info"
        about.mkdir(parents=True)
        (folder / f"{name}.py").write_text(source)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[blindbench.methods]\n{name} = {name}:METHOD\n")
        monkeypatch.syspath_prepend(folder)
        registry._plugins.cache_clear()  # a process reads the installed packages once
        return {**os.environ, "PYTHONPATH": f"{ROOT}:{folder}"}

    yield install
    registry._plugins.cache_clear()
