"""Verbs about methods: list, train, measure, investigate."""

import dataclasses
import json
import re
import shutil
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

import methods
from benchmark.core.errors import InputError
from benchmark.tools.method_pages import list_settings
from methods.parts import registry
from methods.parts.registry import built_in, no_files
from methods.parts.weight_files import SHIPPED
from methods.training import registry as trainings
from tests.benchmark.blur.test_kernel_energy import blurred, motion
from tests.benchmark.cli.conftest import assert_refused

OF_THE_USER = ("folder", "given-kernel")  # their files are no weights


def test_methods_are_listed(blindbench):
    assert "CVPR 2020" in blindbench("methods")[1]


@pytest.mark.parametrize("name", sorted(built_in()))
def test_every_method_is_described_with_all_of_its_settings(blindbench, name):
    code, output, _ = blindbench("methods", name)
    assert code == 0
    assert built_in()[name].title in output
    head, _, settings = output.partition("\n\n")
    assert ("weights here" in head) == (built_in()[name].files is not no_files and name not in OF_THE_USER)
    rows = [line.split()[0] for line in settings.splitlines()[2:] if line[0] not in " I"]
    assert rows == [row["setting"] for row in list_settings(name)]


def test_settings_are_shown_with_default_and_meaning(blindbench):
    rows = {row["setting"]: row for row in list_settings("selfdeblur")}
    assert rows["iterations"]["default"] == "5000"
    assert rows["milestones"]["default"] == "[0.4, 0.6, 0.8]"
    assert rows["start"]["default"] == "null"
    assert rows["iterations"]["meaning"]
    assert {row["default"] for row in list_settings("folder")} == {"(required)"}


def test_parts_of_settings_are_shown_by_their_keys(monkeypatch):
    @dataclass(frozen=True)
    class Part:
        rate: float = 1.0  # of the part

    @dataclass(frozen=True)
    class Settings:
        steps: int = 3
        part: Part = Part(rate=2.0)

    blurry = dataclasses.replace(built_in()["blurry"], settings=Settings)
    monkeypatch.setattr("benchmark.tools.method_pages.base_method", lambda name: blurry)
    shown = [(row["setting"], row["default"], row["meaning"]) for row in list_settings("blurry")]
    assert shown == [("steps", "3", ""), ("rate", "2.0", "of the part")]


def test_presets_are_shown_with_their_settings(blindbench):
    for name in ("selfdeblur", "selfdeblur@quick"):
        assert re.search(
            r"^selfdeblur@quick +starts from channels: 32, iterations: 600, finish: polished-if-uniform",
            blindbench("methods", name)[1],
            re.M,
        )
    assert_refused(
        blindbench("methods", "selfdeblur@quik"), "selfdeblur has no preset 'quik'; its presets: quick"
    )
    assert_refused(blindbench("bench", "bird@quick"), "bird has no preset 'quick'; it has none")


def test_a_mistyped_method_is_one_line(blindbench):
    assert_refused(
        blindbench("methods", "selfdebur"), "unknown method 'selfdebur'. Did you mean 'selfdeblur'?"
    )


def test_a_method_is_written_checked_and_listed_with_what_comes_next(blindbench, monkeypatch, tmp_path):
    monkeypatch.setattr("benchmark.tools.new_method.checkout", lambda: None)
    code, out, _ = blindbench("new-method", "wiener-tv")
    assert code == 0
    (folder,) = tmp_path.glob("blindbench-*")
    assert [line for line in out.splitlines() if line.startswith("wrote ")] == [
        f"wrote {folder.name}/{name}"
        for name in (
            "blindbench_wiener_tv.py",
            "test_blindbench_wiener_tv.py",
            "pyproject.toml",
            "config.yaml",
        )
    ]
    assert "blindbench check-method wiener-tv  # does it keep" in out
    assert_refused(blindbench("new-method", "../x"), "'../x' is not allowed as the name of a method; write")
    assert_refused(blindbench("new-method", "wiener-tv"), "is there already")


def test_every_promise_of_a_method_has_a_line(blindbench):
    code, out, _ = blindbench("check-method", "blurry")
    assert code == 0
    assert "pass  gives the same bytes twice" in out.splitlines()
    assert out.splitlines()[-1] == "blurry: 17 kept, 0 broken, 0 not checked"
    assert_refused(blindbench("check-method", "blury"), "unknown method 'blury'. Did you mean 'blurry'?")
    assert_refused(blindbench("check-method", "l0-grad", "--set", "sigma"), "--set sigma: write KEY=VALUE")


BROKEN = """
from dataclasses import dataclass
import torch
from methods.parts.direct import Direct
from methods.parts.registry import Method
from methods.parts.solver import Result

@dataclass(frozen=True)
class Settings:
    pass

def problem(observation, settings, rng, device):
    return Direct(lambda: Result(torch.rand(observation.blurry.shape)))

METHOD = Method("mine", "Mine", "none", "MIT", ("uniform",), Settings, problem, gpu=False)
"""


def test_plug_ins_are_listed_and_a_broken_one_is_named_alone(blindbench, installed, tmp_path):
    installed("mine", BROKEN)
    about = tmp_path / "plugin" / "mine-1.dist-info" / "entry_points.txt"
    about.write_text(
        f"{about.read_text()}gone = no_such_module:METHOD\nother = mine:METHOD\nnone = mine:torch\n"
    )
    code, output, error = blindbench("methods")
    assert code == 0
    assert [line for line in output.splitlines() if line.startswith("mine ")]
    assert [line for line in output.splitlines() if line.startswith("selfdeblur ")]
    lines = [line for line in error.splitlines() if line.startswith("blindbench: ")]
    assert [line.split("'")[1] for line in lines] == ["gone", "none", "other"]
    assert "cannot be loaded (ModuleNotFoundError: No module named 'no_such_module')" in lines[0]
    assert "is no methods.parts.registry.Method" in lines[1]
    assert "is the method 'mine'; give both one name" in lines[2]


def test_a_file_in_methods_that_cannot_be_loaded_leaves_the_others(monkeypatch, tmp_path):
    (tmp_path / "broken_one.py").write_text("import a_library_that_is_not_here\n")
    (tmp_path / "wrong_one.py").write_text("METHOD = 'unsharp'\n")
    monkeypatch.setattr("methods.__path__", [*methods.__path__, str(tmp_path)])
    registry._scanned.cache_clear()
    try:
        assert registry.find("selfdeblur").title == "SelfDeblur"
        with pytest.raises(InputError) as caught:
            registry.find("unsharp")
        message = str(caught.value)
        assert "methods.broken_one cannot be loaded (ModuleNotFoundError: No module named" in message
        assert "methods.wrong_one: METHOD is no methods.parts.registry.Method" in message
    finally:
        registry._scanned.cache_clear()


def test_a_plug_in_that_breaks_a_promise_ends_with_code_1(blindbench, installed):
    installed("mine", BROKEN)
    code, out, _ = blindbench("check-method", "mine")
    assert code == 1
    assert "FAIL  gives the same bytes twice: two runs differ: draw all random numbers from the given" in out
    assert re.search(r"^mine: \d+ kept, \d broken, 0 not checked$", out, re.MULTILINE)


def test_only_a_method_with_iterations_has_a_step_to_time(blindbench):
    assert_refused(blindbench("bench", "oracle"), "oracle takes no iterations")


def smooth_picture(path, rng, shift=0):
    """A grey picture with structure at all scales, and its 8-bit file."""
    rows = np.cumsum(rng.standard_normal((60, 64)), axis=0)
    image = np.cumsum(rows, axis=1)
    image = (image - image.min()) / np.ptp(image)
    Image.fromarray(np.round(255 * np.roll(image, shift, axis=1)).astype(np.uint8)).save(path)
    return image


def test_detective_names_the_protocol_and_what_has_no_partner(blindbench, tmp_path):
    for folder in ("sharp", "restored"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        smooth_picture(tmp_path / f"sharp/{name}.png", np.random.default_rng(ord(name)))
        smooth_picture(tmp_path / f"restored/{name}_kernel_01.png", np.random.default_rng(ord(name)), shift=3)
    shutil.copy(tmp_path / "restored/a_kernel_01.png", tmp_path / "restored/c.png")
    arguments = ("detective", "--restored", "restored", "--sharp", "sharp", "--published")
    code, out, error = blindbench(*arguments, "99.99", "--rows", 4)
    assert code == 0
    assert "left out, without a sharp partner (1): c.png" in error
    assert len(out.splitlines()) == 2 + 4 + 1
    assert "No protocol reproduces 99.99" in out
    assert_refused(blindbench(*arguments, "24,97"), "--published 24,97: a number as printed is needed")


def test_doctor_reports_orientation_and_boundary(blindbench, tmp_path):
    sharp = smooth_picture(tmp_path / "sharp.png", np.random.default_rng(0))
    sharp = np.round(255 * sharp) / 255
    kernel = np.array([[0, 0, 1], [0, 0, 2], [4, 3, 2]])
    blurry = ndimage.convolve(sharp, kernel / kernel.sum(), mode="wrap")
    Image.fromarray(np.round(255 * blurry).astype(np.uint8)).save(tmp_path / "blurry.png")
    Image.fromarray((60 * kernel[::-1, ::-1]).astype(np.uint8)).save(tmp_path / "kernel.png")
    files = ("--sharp", "sharp.png", "--kernel", "kernel.png", "--blurry", "blurry.png")
    code, out, _ = blindbench("doctor", *files)
    assert code == 0
    assert "The kernel file is in the form: correlation." in out
    assert "Boundary: circular." in out
    assert_refused(blindbench("doctor", *files, "--blurry", "blurry.png"), "1 sharp and 2 blurry images")


def test_doctor_finds_the_orientation_without_sharp_images(blindbench, tmp_path):
    kernel = motion(1)
    blurry = blurred("camera", kernel)
    Image.fromarray(np.round(255 * blurry).astype(np.uint8)).save(tmp_path / "blurry.png")
    np.save(tmp_path / "kernel.npy", kernel[::-1, ::-1])
    files = ("--kernel", "kernel.npy", "--blurry", "blurry.png")
    code, out, _ = blindbench("doctor", *files)
    assert code == 0
    assert out.splitlines()[2].startswith("correlation")
    assert "The kernel file is in the form: correlation (energy " in out
    again = ("--blurry", "blurry.png")
    assert_refused(
        blindbench("doctor", *files, *files, *again),
        "2 kernels for 3 images: give one for all, or one for each",
    )
    np.save(tmp_path / "kernel.npy", np.ones((5, 5)))
    code, out, _ = blindbench("doctor", *files)
    assert "The kernel's orientation cannot be decided: convolution and correlation and" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "pretrain: give the name of a training; --list shows all"),
        (["decodr"], "unknown training 'decodr'. Did you mean 'decoder'?"),
        (["decoder", "--kernel-size", 12], "odd kernel size of at least 13, not 12"),
        (
            ["decoder", "--kernel-size", "all"],
            "decoder.kernel_size: a whole number or 'any' is needed, not 'all'",
        ),
        (["decoder", "--set", "kernel_size=any", "--set", "supports=[77]"], "odd, from 7 to 75, not 77"),
        (["decoder", "--max-minutes", 0], "max-minutes must be positive, not 0"),
        (["decoder", "--steps", 0], "steps must be positive"),
        (["decoder", "--seed", -1], "the seed must lie between 0 and"),
        (["decoder", "--set", "foo=1"], "decoder: unknown setting 'foo'"),
        (["decoder", "--set", "kernels=x"], "decoder.kernels: a whole number is needed, not 'x'"),
        (["decoder", "--images", "folder"], "learns from no photographs"),
        (["initializer"], "give --images a folder"),
        (["initializer", "--images", "nowhere"], "no folder nowhere"),
        (["initializer", "--images", "empty"], "empty: no images in this folder"),
        (["initializer", "--images", "one"], "the only image; at least 2 are needed"),
        (["initializer", "--images", "damaged"], "damaged/a.png: not a photograph that can be read"),
        (["initializer", "--images", "folder"], "no generator for kernels of 31 x 31"),
        (
            ["initializer", "--images", "folder", "--kernel-size", "any"],
            "no generator for kernels of any size; looked for generator-any.safetensors",
        ),
        (
            ["initializer", "--images", "folder", "--kernel-size", "any", "--set", "crop=64"],
            "crop must be at least the kernel size 75, not 64",
        ),
    ],
)
def test_pretrain_says_what_is_wrong(blindbench, tmp_path, arguments, message):
    image = np.zeros((40, 40), dtype=np.uint8)
    for name, count in (("empty", 0), ("one", 1), ("folder", 2), ("damaged", 2)):
        (tmp_path / name).mkdir()
        for index in range(count):
            Image.fromarray(image).save(tmp_path / name / f"{index}.png")
    (tmp_path / "damaged" / "a.png").write_text("no image")
    assert_refused(blindbench("pretrain", *arguments, "--out", "out", "--device", "cpu"), message)


def test_pretrain_lists_what_trainings_cost_and_are_worth(blindbench):
    code, output, _ = blindbench("pretrain", "--list")
    assert code == 0
    rows = {line.split()[0]: line for line in output.splitlines()[2:]}
    assert set(rows) == set(trainings.built_in())
    record = json.loads((SHIPPED / "diffusion-kernel.json").read_text())
    for said in (
        record["label"],
        str(record["steps"]),
        f"{record['minutes']:g} min, cpu, 1 thread ",
        f"noise loss: prior {record['quality']['prior']['noise loss']:.3g}, yardstick ",
    ):
        assert said in rows["diffusion-kernel"]
    assert rows["mimo"].split()[-1] == "-"  # none ships


def test_pretrain_trains_once(blindbench, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.pretraining.job.HELD_OUT", 5)
    monkeypatch.setattr("methods.training.generator.INVERSION_STEPS", 1)
    command = ["pretrain", "decoder", "--kernel-size", 13, "--steps", 2, "--threads", 1, "--device", "cpu"]
    command += ["--set", "kernels=8", "--set", "batch=4", "--set", "width=4", "--out", "out"]
    assert "decoder-13.md: trained" in blindbench(*command)[1]
    assert (tmp_path / "out" / "generator-13.safetensors").exists()
    code, output, _ = blindbench(*command)
    assert code == 0
    assert "was trained before" in output


def test_verdicts_are_counted_and_each_case_is_a_row(blindbench, tmp_path):
    code, output, _ = blindbench("verdicts", "demo-uniform", "--cases", "cam*", "--out", "rows.csv")
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()] == [
        "verdict", "trusted", "doubted", "nothing", "rows.csv:",
    ]  # fmt: skip
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert rows["case"].tolist() == ["camera"]
    assert {"blurry_psnr", "restored_psnr", "trusted", "sentence"} <= set(rows)


def test_verdicts_need_cases_and_a_folder(blindbench, tmp_path):
    assert_refused(
        blindbench("verdicts", "demo-uniform", "--cases", "x", "--out", "r.csv"), "no case matches 'x'"
    )
    (tmp_path / "no").write_text("a file")
    assert_refused(blindbench("verdicts", "demo-uniform", "--out", "no/r.csv"), "no: cannot be written")
    assert_refused(blindbench("verdicts", "demo-real", "--out", "r.csv"), "blurred here")


def test_match_shows_which_file_belongs_to_which_case(blindbench, tmp_path):
    folder = tmp_path / "theirs/visualization/demo-uniform"
    folder.mkdir(parents=True)
    (folder / "camera_NAFNet.PNG").touch()
    code, output, _ = blindbench("match", "demo-uniform", "theirs")
    assert code == 1
    assert re.search(r"^camera +theirs/visualization/demo-uniform/camera_NAFNet.PNG$", output, re.MULTILINE)
    assert "1 of 2 cases have one file.\nWithout a file (1): astronaut\n" in output
    (folder / "astronaut_NAFNet.PNG").touch()
    assert blindbench("match", "demo-uniform", "theirs")[0] == 0
    assert blindbench("match", "demo-uniform", "theirs", "--cases", "camera")[0] == 0
    assert_refused(blindbench("match", "demo-uniform", "x/{image}.png"), "path: '{image}' has no meaning")
