"""Programs that start warm see what they would see when they start cold."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import json, os, sys
print(json.dumps([__name__, sys.argv[1:], os.getcwd(), os.environ["MINE"], sys.path[:2], sys.stdin.read()]))
sys.exit(7)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "dies.py").write_text("import os; os.abort()")
    (tmp_path / "waits.py").write_text("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    return tmp_path


@pytest.mark.parametrize("start", ["cold", "warm"])
def test_a_program_has_its_own_arguments_folder_variables_and_files(warm, folder, start):
    ended = subprocess.run(
        [warm if start == "warm" else sys.executable, "-m", "program", "one", "two words"],
        cwd=folder,
        env={**os.environ, "MINE": "é", "PYTHONPATH": "/elsewhere"},
        input="given",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 7, ended.stderr
    expected = ["__main__", ["one", "two words"], str(folder), "é", [str(folder), "/elsewhere"], "given"]
    assert json.loads(ended.stdout) == expected


def test_the_stand_in_ends_by_the_signal_of_its_program(warm, folder):
    assert subprocess.run([warm, "-m", "dies"], cwd=folder, check=False).returncode == -signal.SIGABRT


def test_who_kills_the_stand_in_kills_the_program(warm, folder):
    with subprocess.Popen([warm, "-m", "waits"], cwd=folder, stdout=subprocess.PIPE, text=True) as started:
        program = int(started.stdout.readline())
        started.kill()
    deadline = time.monotonic() + 60
    with pytest.raises(ProcessLookupError):  # nobody is there
        while time.monotonic() < deadline:
            os.kill(program, 0)  # asks whether it lives
            time.sleep(0.01)


def test_what_is_no_module_goes_to_the_interpreter(warm):
    shown = subprocess.run([warm, "-c", "print(1 + 1)"], capture_output=True, text=True, check=True)
    assert shown.stdout == "2\n"
