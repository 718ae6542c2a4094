"""What a machine can lack: each command ends with a result or in one line, and goes on once it is there.

`make test` tries a few commands of each, the drill all of them.
"""

import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from benchmark.planning.config import make_plan
from tests.benchmark.cli.conftest import CONFIG, ONE_CASE
from tests.conftest import ROOT
from tests.drill.field import verb
from tests.fuzz import conftest as fuzz

IS_DRILL = "BLINDBENCH_DRILL" in os.environ
RESULTS = Path("results/r")
HERE = ("--results", RESULTS)
STEPS = {
    "synthesize": verb("synthesize", "demo-uniform", *HERE),
    "restore": verb("restore", "blurry", *HERE),
    "score": verb("score", "blurry", *HERE),
    "collect": verb("collect", *HERE),
    "table": verb("table", "uniform", *HERE),
    "figure": verb("figure", "uniform", *HERE),
}
PHOTO = RESULTS / "restorations/demo-uniform/blurry/seed0/camera/image.png"
TRAINING = ("--set", "kernels=8", "--set", "batch=4", "--set", "width=8", "--device", "cpu")
COMMANDS = {
    **STEPS,
    "deblur": verb("deblur", PHOTO, "--out", "results/sharp.png", "--method", "blurry"),
    "pretrain": verb(
        "pretrain", "decoder", "--out", "results/p", "--steps", 2, "--kernel-size", 13, *TRAINING
    ),
    "run": verb("run", "--configfile", "config.yaml", "--cores", 1),
}
MIB = 2**20


def some(*few):
    """The commands to try: all in the drill, else these."""
    return pytest.mark.parametrize("command", COMMANDS if IS_DRILL else few)


blindbench = fuzz.blindbench  # runs a verb in this process


@pytest.fixture(scope="module")
def finished(tmp_path_factory, blindbench):
    """A folder with a finished profile."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = {**CONFIG, "methods": {"blurry": {}}, "cases": ONE_CASE}
        make_plan(config, "config.yaml").write()
        Path("config.yaml").write_text(str(config))  # YAML reads what Python prints of it
        for command in STEPS.values():
            assert blindbench(*command[3:])[0] == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path, monkeypatch):
    """A copy of it, in which the test works."""
    shutil.copytree(finished, tmp_path / "work", copy_function=shutil.copy2)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def environment(**changes):
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **changes}


def call(command, limit=None, **changes):
    """Run a command in an environment with changes; return its exit code and what it has said."""
    done = subprocess.run(
        command,
        env=environment(**changes),
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return done.returncode, done.stderr


def in_namespace(script, command):
    """The command that runs another one where a shell script has changed the mounts for it alone."""
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mounts can be changed here: {tried.stderr.strip()}")
    return ["unshare", "--mount", "sh", "-e", "-c", f'{script}; exec "$@"', "sh", *command]


def assert_one_line(outcome, *words):
    """The command was refused in one line with these words."""
    code, said = outcome
    lines = [line for line in said.splitlines() if line.startswith("blindbench: ")]
    assert "Traceback" not in said, said
    assert (code, len(lines)) == (2, 1), said
    for word in words:
        assert word in lines[0], said


def assert_goes_on(command):
    """The same command ends well where nothing is lacking any more."""
    code, said = call(COMMANDS[command])
    assert code == 0, said


@some("score")
def test_results_that_are_read_only_are_one_line(folder, command):
    closed = "mount --bind results results; mount -o remount,bind,ro results"
    assert_one_line(call(in_namespace(closed, COMMANDS[command])), "results/", "Read-only file system")
    assert_goes_on(command)


@pytest.mark.parametrize("missing", [False, True] if IS_DRILL else [True], ids=str)
@some("run")
def test_a_home_folder_that_is_closed_or_missing_is_a_result_or_one_line(folder, command, missing):
    (folder / "closed").mkdir()
    home = folder / "closed" / ("home" if missing else "")
    closed = f"mount -t tmpfs -o ro tmpfs '{folder}/closed'"
    outcome = call(in_namespace(closed, COMMANDS[command]), HOME=str(home))
    if outcome[0]:
        assert_one_line(outcome, str(home), "Read-only file system")
    else:
        assert "Traceback" not in outcome[1]


@pytest.mark.parametrize("missing", [False, True] if IS_DRILL else [True], ids=str)
@some("restore")
def test_without_its_folder_for_temporary_files_a_command_takes_another(folder, command, missing):
    (folder / "closed").mkdir()
    chosen = folder / "closed" / ("folder" if missing else "")
    closed = f"mount -t tmpfs -o ro tmpfs '{folder}/closed'"
    code, said = call(in_namespace(closed, COMMANDS[command]), TMPDIR=str(chosen))
    assert code == 0, said


@some("restore")
def test_without_any_folder_for_temporary_files_a_command_ends_in_one_line(folder, command):
    closed = f"""
        mkdir '{folder}/kept'; mount --bind '{folder}/results' '{folder}/kept'
        for other in /tmp /var/tmp '{folder}'; do
            mount --rbind $other $other; mount -o remount,bind,ro $other
        done
        cd '{folder}'"""
    outcome = call(in_namespace(closed, COMMANDS[command]), TMPDIR="/tmp", HOME="/tmp")
    assert_one_line(outcome)
    assert "TMPDIR" in outcome[1] or "Read-only file system" in outcome[1]


@pytest.fixture(scope="session")
def quota(tmp_path_factory):
    """A library that makes writing fail as it does beyond a quota."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is here to make the fault")
    library = tmp_path_factory.mktemp("quota") / "quota.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, ROOT / "tests/drill/quota.c"], check=True)
    return library


@pytest.mark.parametrize("allowed", [0, 100])
@some("deblur")
def test_a_quota_that_is_used_up_is_one_line_and_no_result(folder, quota, command, allowed):
    shutil.rmtree(RESULTS / "tables")  # so that `run` has something to do
    beyond = {"LD_PRELOAD": str(quota), "QUOTA_FOLDER": str(folder / "results"), "QUOTA_BYTES": str(allowed)}
    code, said = call(COMMANDS[command], **beyond)
    assert "Traceback" not in said
    if code != 1 or command != "run":  # Snakemake ends with 1 where a job has ended in its line
        assert_one_line((code, said), "Disk quota exceeded", "free some of your quota, then give")
    assert not [path for path in Path("results").rglob("*") if ".tmp" in path.name]
    assert_goes_on(command)


@pytest.mark.parametrize("allowed", [12, 24] if IS_DRILL else [12])
@some("score")
def test_too_many_open_files_are_a_result_or_one_line(folder, command, allowed):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))

    outcome = call(COMMANDS[command], limit)
    if outcome[0]:
        assert_one_line(outcome, "Too many open files")
    assert_goes_on(command)


@pytest.mark.parametrize("mib", [400, 1600] if IS_DRILL else [800])
@some("restore")
def test_too_little_memory_is_one_line(folder, command, mib):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (mib * MIB, mib * MIB))

    outcome = call(COMMANDS[command], limit)
    if outcome[0]:
        assert_one_line(outcome, "too little memory")
    assert_goes_on(command)


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.25, 0.5] if IS_DRILL else [0.25])
def test_a_second_run_within_half_a_second_is_refused_in_one_line(folder, delay):
    shutil.rmtree(RESULTS / "tables")
    starts = [
        subprocess.Popen(COMMANDS["run"], env=environment(), stderr=subprocess.PIPE, text=True)
        for wait in (0.0, delay)
        if time.sleep(wait) is None
    ]
    said = [run.communicate(timeout=600)[1] for run in starts]
    codes = [run.returncode for run in starts]
    assert sorted(codes) == [0, 2], said
    refused = [line for line in said[codes.index(2)].splitlines() if line.startswith("blindbench: ")]
    assert refused == [f"blindbench: another run is working in {RESULTS}; wait for it or stop it"]
    assert "Traceback" not in "".join(said)
