"""`blindbench new-method`: what it writes is a complete method, and nothing is overwritten."""

import importlib.util
import shlex
import subprocess
import sys

import pytest
import yaml

from benchmark.core.errors import InputError
from benchmark.planning.config import make_plan
from benchmark.tools import new_method as writer
from benchmark.tools.conformance import check_method
from benchmark.tools.new_method import LONGEST, new_method
from tests.conftest import ROOT

LONG_NAME = "x" * LONGEST


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty repository that the verb takes for the checkout."""
    for folder in ("methods/glkm", "tests/methods", "config"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(writer, "checkout", lambda: tmp_path)
    return tmp_path


def loaded(path):
    """The method that a file defines."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look there for their types
    spec.loader.exec_module(module)
    return module.METHOD


@pytest.mark.parametrize("name", ["wiener-tv", LONG_NAME])
def test_what_it_writes_passes_linters_types_and_the_checks_of_every_method(name, repository):
    written = new_method(name, repository)
    module = name.replace("-", "_")
    assert [str(path.relative_to(repository)) for path in written.files] == [
        f"methods/{module}.py", f"tests/methods/test_{module}.py", "config/mine.yaml"
    ]  # fmt: skip
    config = ["--config", ROOT / "pyproject.toml"]
    for command in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, *config, repository], check=True)
    method = loaded(written.files[0])
    outcomes = list(check_method(method))
    assert len(outcomes) > 10
    assert {(outcome.word, outcome.reason) for outcome in outcomes} == {("pass", "")}


def test_what_it_writes_has_strict_types(repository):
    (path, *_) = new_method("wiener-tv", repository).files
    cache = ROOT / ".mypy_cache"
    config = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", cache]
    command = [sys.executable, "-m", "mypy", *config, path]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_its_config_plans(repository, monkeypatch):
    (method, _, config) = new_method("wiener-tv", repository).files
    monkeypatch.setattr("methods.parts.registry._plugins", dict_of_plugins({"wiener-tv": loaded(method)}))
    plan = make_plan(yaml.safe_load(config.read_text()), str(config))
    assert list(plan.methods) == ["blurry", "wiener-tv"]


def dict_of_plugins(methods):
    """What the registry reads of other packages."""

    class Entry:
        def __init__(self, method):
            self.load = lambda: method

    class Plugins(dict):
        names = property(set)

    return lambda: Plugins({name: Entry(method) for name, method in methods.items()})


def test_its_own_test_passes(repository, monkeypatch):
    (method, test, _) = new_method("wiener-tv", repository).files
    monkeypatch.setattr("methods.parts.registry._plugins", dict_of_plugins({"wiener-tv": loaded(method)}))
    module = {}
    exec(compile(test.read_text(), str(test), "exec"), module)
    ran = [check() for name, check in module.items() if name.startswith("test_")]
    assert len(ran) == 3


def test_an_installed_copy_gets_a_package_with_an_entry_point(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "checkout", lambda: None)
    written = new_method("wiener-tv", tmp_path)
    names = [str(path.relative_to(tmp_path)) for path in written.files]
    folder = "blindbench-wiener-tv"
    assert names == [
        f"{folder}/blindbench_wiener_tv.py", f"{folder}/test_blindbench_wiener_tv.py",
        f"{folder}/pyproject.toml", f"{folder}/config.yaml",
    ]  # fmt: skip
    build = "from hatchling.builders.wheel import WheelBuilder; print(*WheelBuilder('.').build())"
    python, installed = sys.executable, tmp_path / "installed"
    built = subprocess.run([python, "-c", build], cwd=tmp_path / folder, check=True, capture_output=True)
    wheel = built.stdout.decode().strip()
    subprocess.run([python, "-m", "zipfile", "-e", tmp_path / folder / wheel, installed], check=True)
    (entry_points,) = installed.glob("*/entry_points.txt")
    assert "wiener-tv = blindbench_wiener_tv:METHOD" in entry_points.read_text()
    assert loaded(installed / "blindbench_wiener_tv.py").name == "wiener-tv"


def test_the_next_steps_are_commands_with_a_remark(repository):
    for step in new_method("wiener-tv", repository).steps:
        command, remark = step.split("  # ")
        assert shlex.split(command)[0] in ("blindbench", "pytest", "snakemake", "make")
        assert remark


def test_a_config_that_is_there_stays_and_the_line_is_named(repository):
    (repository / "config/mine.yaml").write_text("mine")
    written = new_method("wiener-tv", repository)
    assert (repository / "config/mine.yaml").read_text() == "mine"
    assert len(written.files) == 2
    assert any("first add 'wiener-tv: {}' below `methods`" in step for step in written.steps)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../x", "is not allowed as the name of a method"),
        ("a/b", "is not allowed as the name of a method"),
        ("Wiener", "is not allowed as the name of a method"),
        ("a@b", "is not allowed as the name of a method"),
        ("", "is not allowed as the name of a method"),
        ("2x", "is not allowed as the name of a method"),
        ("a\nb", "is not allowed as the name of a method"),
        (LONG_NAME + "x", "is not allowed as the name of a method"),
        ("lambda", "is a word of Python"),
        ("l0-grad", "there is a method 'l0-grad' already"),
        ("glkm", "methods/glkm is a folder of the suite"),
        ("there", "there.py is there already"),
    ],
)
def test_names_that_cannot_be_are_refused_in_one_line_and_nothing_is_written(name, message, repository):
    (repository / "methods/there.py").write_text("mine")
    before = sorted(repository.rglob("*"))
    with pytest.raises(InputError, match=message) as caught:
        new_method(name, repository)
    assert "\n" not in str(caught.value)
    assert sorted(repository.rglob("*")) == before
    assert (repository / "methods/there.py").read_text() == "mine"
