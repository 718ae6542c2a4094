"""What the documents promise is there: commands, options, files, and the example method."""

import re
import types

import numpy as np
import pytest
import torch
import typer.main

from benchmark.cli.main import app
from benchmark.core.types import Observation, Status
from methods.parts.registry import Method
from methods.parts.solver import Task, solve
from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs").glob("*.md"),
    ROOT / "config" / "README.md",
]
TEXT = {page: page.read_text() for page in PAGES}
COMMANDS = sorted(
    {match for text in TEXT.values() for match in re.findall(r"blindbench ([a-z][^`\n]*)", text)}
)


def find_command(words):
    """The verb of a command line and what follows it."""
    command = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        command = command.commands.get(words[0])
        assert command is not None, words
        words = words[1:]
    return command, words


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_shown_exists_with_its_options(line):
    command, rest = find_command(line.split())
    known = {option for parameter in command.params for option in parameter.opts}
    for word in rest:
        if word.startswith("--"):
            assert word in known, f"{word} is no option of {command.name}"


def test_commands_were_found():
    assert len(COMMANDS) >= 6


def test_every_link_to_a_file_leads_somewhere():
    for page, text in TEXT.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_make_targets_shown_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", TEXT[ROOT / "README.md"], re.MULTILINE):
        assert re.search(rf"^[\w ]*\b{target}\b[\w ]*:", makefile, re.MULTILINE), target


def test_the_example_method_of_the_contributing_page_runs():
    source = re.search(r"```python\n(.*?)```", TEXT[ROOT / "CONTRIBUTING.md"], re.DOTALL).group(1)
    module = types.ModuleType("unsharp")
    exec(compile(source, "CONTRIBUTING.md", "exec"), module.__dict__)
    assert isinstance(module.METHOD, Method)
    blurry = np.random.default_rng(0).random((3, 9, 11), dtype=np.float32)
    build = lambda: module.problem(  # noqa: E731
        Observation("docs", "example", blurry, None),
        module.Settings(),
        torch.Generator(),
        torch.device("cpu"),
    )
    ((_, restoration),) = solve([Task("example", build)])
    assert restoration.status is Status.OK
    assert restoration.image.shape == blurry.shape
    assert restoration.image.std() > blurry.std()
