"""The wheel: built, installed into a folder, and used away from the repository."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data

from tests.conftest import ROOT


def run(*command, cwd, **environment):
    """The finished process, with its standard output and error as texts."""
    words = [str(word) for word in command]
    return subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The path of the wheel, built by the tools that are here."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    built = run(sys.executable, "-m", "pip", "wheel", *options, ROOT, cwd=folder)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("blindbench-*.whl")
    return path


class Copy:
    """An installed copy and a folder to work in."""

    def __init__(self, packages, folder):
        self.packages, self.folder = packages, folder

    def python(self, code):
        """What `code` prints."""
        done = run(sys.executable, "-c", code, cwd=self.folder, PYTHONPATH=str(self.packages))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def blindbench(self, *words):
        """(exit code, standard output, standard error) of the command."""
        program = self.packages / "bin" / "blindbench"
        done = run(sys.executable, program, *words, cwd=self.folder, PYTHONPATH=str(self.packages))
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def copy(wheel, tmp_path_factory):
    packages = tmp_path_factory.mktemp("packages")
    options = ("--no-deps", "--no-index", "--no-compile", "--target", packages)
    done = run(sys.executable, "-m", "pip", "install", *options, wheel, cwd=packages)
    assert done.returncode == 0, done.stderr
    return Copy(packages, tmp_path_factory.mktemp("elsewhere"))


def test_the_wheel_holds_three_packages_and_all_that_they_read(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"benchmark", "blindbench", "methods"}
    assert {f"{package}/py.typed" for package in ("benchmark", "blindbench", "methods")} <= set(names)
    listed = run(
        "git", "ls-files", "benchmark", "blindbench", "methods", "config", "datasets", "workflow", cwd=ROOT
    )
    inside = {name.removeprefix("benchmark/shipped/") for name in names}
    assert listed.returncode == 0
    assert set(listed.stdout.split()) <= inside
    assert not [name for name in inside if re.match(r"datasets/(?!lists/).*/", name)]  # downloaded data


def test_the_copy_is_used_and_hides_no_library(copy):
    assert (
        Path(copy.python("import benchmark; print(benchmark.__file__)")).parent == copy.packages / "benchmark"
    )
    found = copy.python("import importlib.util as i; print(i.find_spec('datasets').origin)")
    assert Path(found).name == "__init__.py"  # of the library, where the repository has a folder without one
    assert copy.packages not in Path(found).parents


def test_the_version_is_that_of_the_wheel(copy, wheel):
    assert copy.blindbench("--version") == (0, f"blindbench {wheel.name.split('-')[1]}\n", "")


def test_methods_and_datasets_are_listed(copy):
    code, output, error = copy.blindbench("methods", "dip-glkm")
    assert (code, error) == (0, "")
    assert str(copy.packages / "methods/weights/generator-31.safetensors") in output.replace(
        "\n", ""
    ).replace(" ", "")
    code, output, error = copy.blindbench("datasets")
    assert (code, error) == (0, "")
    assert re.search(r"^demo-uniform +2 .* yes ", output, re.MULTILINE)


def test_data_go_below_the_current_folder(copy):
    code, _, error = copy.blindbench("download", "scikit-image", "imagenet")
    assert code == 2
    assert "scikit-image: nothing to download" in error
    assert f"put it into {copy.folder / 'datasets/.downloads/imagenet'}" in error
    assert (copy.folder / "datasets/imagenet/.download-failed").exists()
    assert str(copy.folder / "datasets/levin") in copy.blindbench("datasets", "levin")[1]


def test_a_photo_is_deblurred(copy):
    sharp = data.astronaut()[60:136, 180:246].astype(float)
    Image.fromarray(ndimage.uniform_filter1d(sharp, 5, axis=0).astype(np.uint8)).save(
        copy.folder / "photo.png"
    )
    code, output, _ = copy.blindbench("deblur", "photo.png", "--kernel-size", "9", "--out", "sharp.png")
    assert code == 0
    assert "kernel size 9 px" in output
    assert Image.open(copy.folder / "sharp.png").size == (66, 76)


def test_a_config_is_planned_and_its_jobs_are_listed(copy):
    code, output, error = copy.blindbench("plan", "config/figures.yaml")  # one that ships
    assert (code, error) == (0, "")
    assert re.search(r"^\w+ +demo-\S+ +\d+ +\d+", output, re.MULTILINE)
    shutil.copy(ROOT / "config/demo.yaml", copy.folder / "mine.yaml")
    code, output, error = copy.blindbench("run", "--dry-run", "--cores", "1", "--configfile", "mine.yaml")
    assert code == 0, error
    assert re.search(r"^restore +\d+$", output, re.MULTILINE)
    assert not (copy.packages / "results").exists()


def test_the_python_api_scores(copy):
    code = "import blindbench, numpy; x = numpy.eye(64); print(blindbench.score(x, x, 'plain', ['ssim']))"
    assert copy.python(code) == "{'ssim': 1.0}"
