"""A failing machine ends every verb that writes with one line and no result; the same command continues."""

import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.benchmark.cli.conftest import HERE, RESULTS, write_plan
from tests.conftest import ROOT

CAMERA = RESULTS / "restorations/demo-uniform/selfdeblur/seed0/camera"
RESTORE = ("restore", "selfdeblur", *HERE)

MIB = 2**20


class Disk:
    """A file system of 8 MiB that a test can fill."""

    def __init__(self, root):
        self.root, self.filler = root, root / "filler"

    def fill(self, free=0):
        """Leave `free` bytes."""
        with self.filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        os.truncate(self.filler, max(0, self.filler.stat().st_size - free))

    def free(self):
        self.filler.unlink()


@pytest.fixture
def disk(tmp_path, monkeypatch):
    root = tmp_path / "disk"
    root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", root], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield Disk(root)
    monkeypatch.undo()  # leaves the folder
    subprocess.run(["umount", "--lazy", root], check=True)


def assert_full(outcome, file=""):
    code, _, error = outcome
    lines = [line for line in error.splitlines() if line.startswith("blindbench: ")]
    assert code == 2, error
    assert len(lines) == 1, error
    assert file in lines[0]
    assert "No space left on device); free some space, then give the same command again" in lines[0]
    assert "Traceback" not in error


def test_a_full_disk_is_no_result_of_any_step(blindbench, disk, monkeypatch):
    monkeypatch.chdir(disk.root)
    write_plan(cases={"demo-uniform": ["camera"]})
    steps = [
        (("synthesize", "demo-uniform"), "observations/demo-uniform/manifest.json"),
        (("restore", "selfdeblur"), str(CAMERA / "run.json")),
        (("restore", "blurry"), "restorations/demo-uniform/blurry/seed0/camera/run.json"),
        (("score", "selfdeblur"), "scores/selfdeblur/0.csv"),
        (("score", "blurry"), "scores/blurry/0.csv"),
        (("collect",), "scores.csv"),
        (("table", "uniform"), "tables/uniform.md"),
        (("figure", "uniform"), "figures/uniform.png"),
    ]
    for step, written in steps:
        for free in (0, 4096, 16384):
            disk.fill(free)
            outcome = blindbench(*step, *HERE)
            if outcome[0]:  # with some space left, a step may end well
                assert_full(outcome)
                assert not list(RESULTS.rglob("*.tmp*")), "half a file was left"
            assert outcome[0] or free
            disk.free()
        assert blindbench(*step, *HERE)[0] == 0
        assert list(RESULTS.glob(f"**/{Path(written).name}")), written
    assert '"status": "ok"' in (CAMERA / "run.json").read_text()


def test_a_checkpoint_that_does_not_fit_is_no_failure_of_the_method(blindbench, disk, monkeypatch):
    monkeypatch.chdir(disk.root)
    monkeypatch.setattr("methods.parts.solver.CHECKPOINT_EVERY", 2)
    write_plan()
    assert blindbench("synthesize", "demo-uniform", *HERE)[0] == 0
    disk.fill(free=49152)
    assert_full(blindbench(*RESTORE), "camera/checkpoint.pt")
    assert not (CAMERA / "run.json").exists()
    disk.free()
    assert blindbench(*RESTORE)[0] == 0
    assert '"status": "ok"' in (CAMERA / "run.json").read_text()


def test_a_training_stops_on_a_full_disk_and_continues(blindbench, disk, monkeypatch):
    monkeypatch.chdir(disk.root)
    order = ("pretrain", "decoder", "--out", "weights", "--steps", 2, "--device", "cpu", "--threads", 1)
    sizes = [("--set", f"{key}") for key in ("kernels=8", "batch=4", "width=8")]
    order = (*order, "--kernel-size", 13, *(part for size in sizes for part in size))
    disk.fill()
    assert_full(blindbench(*order))
    disk.fill(free=8192)
    assert_full(blindbench(*order))
    assert not Path("weights/decoder-13.json").exists()
    disk.free()
    assert blindbench(*order)[0] == 0
    assert Path("weights/decoder-13.json").exists()


def test_a_photo_is_deblurred_once_there_is_space(blindbench, disk, monkeypatch, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    order = ("deblur", tmp_path / "photo.png", "--out", disk.root / "sharp.png", "--method", "blurry")
    disk.fill()
    assert_full(blindbench(*order), "sharp.png")
    disk.free()
    assert blindbench(*order)[0] == 0


def test_a_file_beyond_the_limit_is_no_result(synthesized):
    stopped = subprocess.run(
        [sys.executable, "-m", "benchmark", *map(str, RESTORE)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert stopped.returncode == 2
    last = stopped.stderr.splitlines()[-1]
    assert "checkpoint.pt: cannot be written (File too large); allow larger files (ulimit -f)" in last
    assert "Traceback" not in stopped.stderr
    assert not (CAMERA / "run.json").exists()
    assert synthesized(*RESTORE)[0] == 0


@pytest.mark.parametrize("mib", [400, 420])  # with 400, some libraries never end to load
def test_too_little_memory_to_load_the_libraries_is_one_line(mib):
    stopped = subprocess.run(
        [sys.executable, "-m", "benchmark", *map(str, RESTORE)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mib * MIB, mib * MIB)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert stopped.returncode == 2
    assert stopped.stderr == (
        f"blindbench: too little memory to load the libraries (the limit is {mib} MiB); allow more "
        "(ulimit -v), then give the same command again\n"
    )


def test_a_run_that_may_open_too_few_files_is_one_line():
    stopped = subprocess.run(
        [sys.executable, "-m", "benchmark", "run", "--configfile", str(ROOT / "tests/workflow/tiny.yaml")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert stopped.returncode == 2
    assert stopped.stderr == (
        "blindbench: Too many open files: a run needs 64, and 40 are allowed; allow more open files "
        "(ulimit -n), then give the same command again\n"
    )


def test_too_many_open_files_are_no_result(synthesized):
    """With ever more files allowed: each step of the work is the first that may open none."""
    write_plan(methods={"ufpnet": {}})
    restore = ("restore", "ufpnet", *HERE)
    folder = RESULTS / "restorations/demo-uniform/ufpnet/seed0"
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    refused = 0
    for more in range(7):
        free = os.dup(0)  # the lowest number that no open file has
        os.close(free)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, most))
            outcome = synthesized(*restore)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
        if outcome[0]:
            assert "Too many open files" in outcome[2], outcome[2]
            assert "allow more open files (ulimit -n), then give the same command again" in outcome[2]
            refused += 1
        assert outcome[0] in (0, 2)
        assert all('"status": "ok"' in path.read_text() for path in folder.glob("*/run.json"))
    assert refused
    assert synthesized(*restore)[0] == 0
