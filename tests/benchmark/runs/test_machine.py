import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import threading

import pytest
import torch

from benchmark.core.errors import InputError
from benchmark.runs import machine
from benchmark.runs.gpus import require_memory
from benchmark.runs.machine import claimed_device


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    """A machine that says it has two GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(machine, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**30))


def test_jobs_spread_over_the_devices_then_share_them(two_gpus):
    with (
        claimed_device("auto", 2) as first,
        claimed_device("cuda", 2) as second,
        claimed_device("auto", 2) as third,
        claimed_device("cpu", 2) as none,
    ):
        assert [device.index for device in (first, second, third)] == [0, 1, 0]
        assert none.type == "cpu"


def test_a_job_waits_until_a_device_is_free(two_gpus):
    got = []

    def wait_for_one():
        with claimed_device("cuda") as device:
            got.append(device.index)

    with claimed_device("cuda"):
        with claimed_device("cuda") as second:
            waiting = threading.Thread(target=wait_for_one)
            waiting.start()
            waiting.join(0.1)
            assert got == []
            freed = second.index
        waiting.join(30)
    assert got == [freed]


def test_a_job_of_another_profile_is_refused_and_one_of_the_same_waits(two_gpus):
    with claimed_device("cuda", 1, "levin"), claimed_device("cuda", 1, "levin"):
        sentence = r"^every GPU is taken by another run \(levin\); wait for its end, or use cpu$"
        with pytest.raises(InputError, match=sentence), claimed_device("cuda", 1, "paper"):
            pass
        with pytest.raises(InputError, match=sentence), claimed_device("auto"):
            pass
    with claimed_device("cuda", 1, "paper") as device:
        assert device.index == 0


def _die_holding(folder, ready):
    tempfile.tempdir = str(folder)
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: 1
    torch.cuda.mem_get_info = lambda device: (2**30, 2**30)
    with claimed_device("cuda"):
        ready.set()
        threading.Event().wait(60)


def test_the_place_of_a_killed_job_is_free_again(two_gpus, tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    owner = context.Process(target=_die_holding, args=(tmp_path, ready))
    owner.start()
    assert ready.wait(60)
    owner.kill()
    owner.join()
    with claimed_device("cuda") as device:
        assert device.index == 0


def claim_one():
    with claimed_device("cuda"):
        pass


def test_places_on_gpus_are_files_that_only_their_user_can_reach(two_gpus, tmp_path):
    claim_one()
    (folder,) = tmp_path.iterdir()
    assert folder.name == f"blindbench-gpus-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trap", ["link", "open to all", "file"])
def test_a_folder_of_locks_that_another_user_can_change_is_refused(two_gpus, tmp_path, trap):
    folder, elsewhere = tmp_path / f"blindbench-gpus-{os.getuid()}", tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if trap == "link":
        folder.symlink_to(elsewhere)
    elif trap == "file":
        folder.write_text("")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(InputError, match=f"{folder.name}: (is no private folder|cannot be made)"):
        claim_one()
    assert list(elsewhere.iterdir()) == []


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA device"), claimed_device("cuda"):
        pass
    with pytest.raises(InputError, match="unknown device 'gpu'"), claimed_device("gpu"):
        pass
    with claimed_device("auto") as device:
        assert device.type == "cpu"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
            "there is no NVIDIA driver; install one, or use cpu",
        ),
        (
            "The NVIDIA driver on your system is too old (found version 12040). Please update",
            f"the NVIDIA driver is for CUDA 12.4, this PyTorch for {torch.version.cuda}; update",
        ),
        ("No CUDA GPUs are available", r"the driver shows no GPU \(CUDA_VISIBLE_DEVICES is '7'\); look"),
        (
            "Torch not compiled with CUDA enabled",
            "this PyTorch was built without CUDA; install one that has it",
        ),
        (
            "CUDA unknown error - this may be due to\nsomething. More.",
            "CUDA unknown error - this may be due to so",
        ),
    ],
)
def test_why_there_is_no_gpu_is_one_line(said, told, monkeypatch):
    def init():
        raise RuntimeError(said)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with pytest.raises(InputError, match=f"^no CUDA device is available here: {told}") as caught:
        claim_one()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "CUDA error: CUDA-capable device(s) is/are busy or unavailable\nCompile with more",
            "^GPU 0 is taken by a program that shares it with none; end that, or choose another",
        ),
        (
            "CUDA error: unspecified launch failure\nMore",
            r"^GPU 0 does not answer \(CUDA error: unspecified la",
        ),
    ],
)
def test_a_gpu_that_is_taken_or_broken_is_refused(said, told, two_gpus, monkeypatch):
    def ask(device):
        raise RuntimeError(said)

    monkeypatch.setattr(torch.cuda, "mem_get_info", ask)
    with pytest.raises(InputError, match=told) as caught:
        claim_one()
    assert "\n" not in str(caught.value)


def test_too_little_memory_is_said_before_it_is_used(two_gpus):
    with claimed_device("cuda") as device:
        require_memory(device, 1.0)
        with pytest.raises(InputError, match=r"^needs 9.4 GiB of GPU 0, 1.0 free: end the other programs"):
            require_memory(device, 9.4)


def test_float32_is_not_tf32_while_a_gpu_is_claimed(two_gpus):
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    before = [switch.fp32_precision for switch in switches]
    assert before[1] == "tf32"  # what PyTorch has by default
    with claimed_device("cuda"):
        assert [switch.fp32_precision for switch in switches] == ["ieee", "ieee"]
    assert [switch.fp32_precision for switch in switches] == before


def test_the_description_names_the_code_that_the_libraries_run(monkeypatch):
    described = machine.describe()
    assert described["cpu"]
    assert described["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert described["threads"] == torch.get_num_threads()
    assert described["convolutions"].startswith("oneDNN ")
    assert described["linear_algebra"]
    assert len(described["numpy_linear_algebra"]) >= 1
    assert machine.describe() == described


def test_the_description_shows_the_code_of_another_cpu():
    """NumPy's linear algebra as on another CPU, which a variable chooses when a process starts."""
    show = (
        "from benchmark.runs.machine import describe; told = describe();"
        "print(told['numpy_linear_algebra'], told['switches'])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", show],
        env={**os.environ, "OPENBLAS_CORETYPE": "Sandybridge"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "openblas" not in shown:
        pytest.skip("NumPy computes with another library here")
    assert "Sandybridge" in shown.partition("{")[0]
    assert "'OPENBLAS_CORETYPE': 'Sandybridge'" in shown


def test_libraries_that_other_packages_load_are_left_out(monkeypatch):
    """Else the description would change as soon as a metric is computed, which loads OpenCV's library."""
    before = machine.describe()["numpy_linear_algebra"]
    loaded = [
        {"user_api": "blas", "prefix": prefix, "version": "1", "filepath": f"/site-packages/{folder}/lib.so"}
        for prefix, folder in (("cv", "opencv_python.libs"), ("np", "numpy.libs"), ("mkl", "lib"))
    ]
    monkeypatch.setattr(machine, "threadpool_info", lambda: loaded)
    assert machine.describe()["numpy_linear_algebra"] == ["mkl 1", "np 1"]
    assert before


def test_the_cpu_is_named_where_linux_tells_its_model(monkeypatch, tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    monkeypatch.setattr(machine, "CPU_INFO", info)
    assert machine.describe()["cpu"] == "Some CPU @ 2 GHz"
    monkeypatch.setattr(machine, "CPU_INFO", tmp_path / "nothing")
    assert machine.describe()["cpu"] == platform.machine()
