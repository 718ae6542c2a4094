"""The day with a GPU, rehearsed on the CPU: a hundredth of everything, in the process of the tests."""

import json
import runpy
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from PIL import Image
from skimage import data

from benchmark.core.errors import InputError
from benchmark.core.files import write_json
from benchmark.tools import gpu_day
from benchmark.tools.gpu_day import DAY, MINUTES, MOST_BYTES, MOST_FILES, TRAININGS, Wish, parts, run
from methods.training.registry import built_in


@pytest.fixture
def in_process(monkeypatch):
    """Run a part here instead of by another Python: `import torch` alone takes longer than most parts."""
    limits = []

    def stand_in(command, timeout, **rest):
        assert command[:2] == [sys.executable, "-m"]
        limits.append(timeout)
        if command[2] == "pytest":  # not within these tests
            return SimpleNamespace(returncode=0, stdout=b"27 skipped")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", command[2:])
            try:
                runpy.run_module(command[2], run_name="__main__", alter_sys=False)
            except SystemExit as end:
                return SimpleNamespace(returncode=end.code or 0, stdout=b"")
        return SimpleNamespace(returncode=0, stdout=b"")

    monkeypatch.setattr(gpu_day, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": stand_in}))
    monkeypatch.setattr("benchmark.pretraining.job.HELD_OUT", 8)
    monkeypatch.setattr("benchmark.core.stop.listen", lambda: None)  # signals stay those of the tests
    threads = torch.get_num_threads()
    yield limits
    torch.set_num_threads(threads)


def test_the_day_rehearsed(in_process, tmp_path):
    assert run(tmp_path, "cpu") == 0
    files = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert files == {DAY, *(name for part in parts(tmp_path, "cpu") for name in part.outputs)}
    assert len(files) <= MOST_FILES
    assert all((tmp_path / name).stat().st_size < MOST_BYTES for name in files)
    times, cases = pd.read_csv(tmp_path / "gpu.csv"), pd.read_csv(tmp_path / "cases.csv")
    assert set(times["way"]) == {"plain loop", "eager", "captured"}
    assert times.loc[times["precision"] == "float32", "ms"].gt(0).all()
    assert times.loc[times["precision"] == "tf32", "ms"].isna().all()  # a CPU does not have it
    assert list(cases["method"]) == ["selfdeblur", "dip-glkm"]
    assert (cases["iterations"] == 50).all()
    assert (cases["status"] == "ok").all()
    record = json.loads((tmp_path / DAY).read_text())
    assert {part["code"] for part in record["parts"].values()} == {0}
    assert len(in_process) == 5
    assert run(tmp_path, "cpu") == 0
    assert len(in_process) == 5  # what is done is not done again
    assert len(pd.read_csv(tmp_path / "cases.csv")) == 2


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in ("astronaut", "coffee"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")
    return str(folder)


# Each after what it needs.
@pytest.mark.parametrize(
    "chain",
    [
        ("generator-any",),
        ("decoder-31", "initializer-31"),
        ("decoder-any", "initializer-any"),
        ("diffusion-image",),
        ("diffusion-kernel",),
        ("ufpnet-flow", "ufpnet-kernels", "ufpnet"),
        ("nafnet",),
        ("mimo",),
        ("mimo-ufp",),
    ],
)
def test_other_trainings_take_the_place_of_the_first(in_process, tmp_path, chain, photographs, monkeypatch):
    monkeypatch.setattr("methods.training.generator.INVERSION_STEPS", 1)
    monkeypatch.setattr("methods.training.held_out.YARDSTICK", 2)
    monkeypatch.setattr("methods.training.diffusion.SAMPLING_STRIDE", 500)
    monkeypatch.setattr("methods.training.diffusion.PICTURED", 1)
    monkeypatch.setattr("methods.training.restorer.EXAMINED", 1)
    out = tmp_path / "day"
    for training in chain:
        wish = Wish(training, (photographs,) if "images" in TRAININGS[training] else ())
        day = parts(out, "cpu", wish)
        done = {part.name: {"code": 0} for part in day[:-1]}
        write_json(out / DAY, {"parts": done})
        assert run(out, "cpu", wish=wish) == 0
        assert {DAY, *day[-1].outputs} <= {path.name for path in out.iterdir()}
        assert len({DAY, *(name for part in day for name in part.outputs)}) <= MOST_FILES


def test_every_training_can_be_wished_for(tmp_path):
    assert {recipe["training"] for recipe in TRAININGS.values()} == set(built_in())
    for name in TRAININGS:
        assert "--half" in parts(tmp_path, wish=Wish(name))[-1].command
    begun = parts(tmp_path, wish=Wish("ufpnet-flow", start="earlier"))[-1].command
    assert begun[begun.index("--start") + 1] == "earlier"


def test_what_a_wish_lacks_is_named_before_the_day_begins(tmp_path, photographs):
    with pytest.raises(InputError, match=r"generator-any\.safetensors is missing, which initializer"):
        run(tmp_path, "cpu", wish=Wish("initializer-any", (photographs,)))
    with pytest.raises(InputError, match=r"unknown training of a GPU day 'decoder'"):
        parts(tmp_path, "cpu", Wish("decoder"))
    with pytest.raises(InputError, match="nowhere"):
        run(tmp_path, "cpu", wish=Wish("nafnet", (str(tmp_path / "nowhere"),)))
    assert not (tmp_path / DAY).exists()


def test_all_limits_together_keep_the_day_within_nine_minutes(tmp_path):
    assert sum(part.seconds for part in parts(tmp_path)) < 60 * MINUTES


class Clock:
    """A part that takes as long as it may, by a clock that jumps."""

    def __init__(self, monkeypatch):
        self.now, self.limits = 0.0, []
        monkeypatch.setattr(gpu_day, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": self.run}))

    def __call__(self):
        return self.now

    def run(self, command, timeout, **rest):
        self.limits.append(timeout)
        self.now += timeout
        raise subprocess.TimeoutExpired(command, timeout, output=b"so far")


def test_a_part_that_takes_too_long_is_stopped_and_tried_again(monkeypatch, tmp_path, capsys):
    clock = Clock(monkeypatch)
    assert run(tmp_path, "cpu", clock) == 5
    assert clock.limits == [120, 120, 60, 60, 175]
    assert (tmp_path / "tests.txt").read_text() == "so far"
    assert "selfdeblur: stopped at its limit of 60 s" in capsys.readouterr().out
    run(tmp_path, "cpu", clock)
    assert len(clock.limits) == 10


def test_without_time_left_a_part_waits_for_the_next_call(monkeypatch, tmp_path, capsys):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(gpu_day, "MINUTES", 4.0)
    assert run(tmp_path, "cpu", clock) == 5
    assert clock.limits == [120, 115]
    assert "generator-31: no time is left; the same call goes on" in capsys.readouterr().out


def ending(monkeypatch, code, said):
    """Let each part end with an exit code, having printed something."""

    def ended(command, **rest):
        return SimpleNamespace(returncode=code, stdout=said)

    monkeypatch.setattr(gpu_day, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": ended}))


def test_a_part_that_fails_leaves_the_others_alone(monkeypatch, tmp_path):
    ending(monkeypatch, 3, b"")
    assert run(tmp_path, "cpu") == 5
    assert json.loads((tmp_path / DAY).read_text())["parts"]["times"]["end"] == "failed with exit code 3"


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_day, "find_spec", lambda name: None if name in ("typer", "pandas") else name)
    with pytest.raises(
        InputError, match=r"^missing here: pandas, typer; bring their wheels in a folder: make"
    ):
        run(tmp_path, "cpu")


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / DAY).write_text("{")
    with pytest.raises(InputError, match=rf"{DAY}: is no JSON .*; delete it to begin anew"):
        run(tmp_path, "cpu")


def test_an_output_that_is_too_large_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_day, "MOST_BYTES", 2)
    ending(monkeypatch, 0, b"long")
    with pytest.raises(InputError, match=r"larger than 0 MiB; it cannot be taken home"):
        run(tmp_path, "cpu")


def test_no_gpu_is_one_line_and_exit_code_2(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu_day", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as caught:
        gpu_day.main()
    assert caught.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("blindbench: no CUDA device is available here:")
