"""What the tests of all verbs share."""

import sys

import pytest

from benchmark.cli import main as cli


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
