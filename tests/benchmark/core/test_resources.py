"""Where shipped files and downloaded data lie; tests/blindbench/test_wheel.py tries an installed copy."""

import subprocess
from importlib import metadata
from pathlib import Path

from benchmark.core import resources
from benchmark.core.resources import data_folder, here_or_shipped, shipped, version
from tests.conftest import ROOT


def test_a_checkout_has_its_files_at_the_top():
    assert shipped("config/demo.yaml") == ROOT / "config" / "demo.yaml"
    assert data_folder() == ROOT / "datasets"


def test_a_file_here_comes_before_one_that_ships(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    demo = Path("config/demo.yaml")
    assert here_or_shipped(demo) == ROOT / demo
    demo.parent.mkdir()
    demo.write_text("profile: mine\n")
    assert here_or_shipped(demo) == demo
    assert here_or_shipped(Path("nowhere.yaml")) == Path("nowhere.yaml")


def test_an_installed_copy_keeps_data_below_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resources, "_INSTALLED", tmp_path)
    assert shipped("workflow") == tmp_path / "workflow"
    assert data_folder() == tmp_path / "datasets"


def test_the_version_is_the_tag_and_what_came_after_it(tmp_path, monkeypatch):
    def git(*words):
        command = ["git", "-c", "user.name=x", "-c", "user.email=x", *words]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    git("tag", "v1.2.3")
    assert version() == "v1.2.3"
    (tmp_path / "file").write_text("2")
    assert version() == "v1.2.3-dirty"


def test_without_version_control_the_package_says_its_version(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(metadata, "version", lambda name: f"{name} 4.5")
    assert version() == "blindbench 4.5"

    def missing(name):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", missing)
    assert version() == "unknown"
