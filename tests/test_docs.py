"""What the documents promise is there: commands, options, targets, files, rooms, and examples that run."""

import re
import types

import numpy as np
import pytest
import torch
import typer.main
import yaml

from benchmark.cli.main import app
from benchmark.core.types import Observation, Status
from methods.parts import registry
from methods.parts.registry import Method
from methods.parts.solver import Task, solve
from tests.conftest import ROOT
from tests.test_architecture import FLOORS

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs").glob("*.md"),
    ROOT / "config" / "README.md",
    ROOT / "datasets" / "README.md",
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


WORKFLOW_COMMAND = re.compile(r"snakemake (-[^`\n]*?)(?:\s*#.*)?(?=[`\n])")
COMMENTED = [*(ROOT / "config").glob("*.yaml"), *(ROOT / "workflow").rglob("config.yaml")]
SHOWN = [*TEXT.values(), *(file.read_text() for file in COMMENTED)]
WORKFLOW = sorted({match for text in SHOWN for match in WORKFLOW_COMMAND.findall(text)})


def named(file, key):
    """The names that a YAML file of the papers defines."""
    return set(yaml.safe_load((ROOT / "benchmark" / file).read_text())[key])


FIGURES = named("figures/papers.yaml", "figures")
TABLES = named("tables/papers/tables.yaml", "tables")
RULES = set()
for file in (ROOT / "workflow").rglob("*"):
    if file.name == "Snakefile" or file.suffix == ".smk":
        RULES |= set(re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE))


def parsed(line):
    """The targets and the configs of a snakemake command."""
    targets, configs, option = [], [], None
    for word in line.split():
        if word.startswith("-"):
            option = word
        elif option == "--configfile":
            configs.append(word)
        elif option in ("--cores", "--profile"):
            assert option == "--profile" or word.isdigit()
            option = None
        else:
            targets.append(word)
    return targets, configs


@pytest.mark.parametrize("line", WORKFLOW)
def test_every_target_shown_exists_with_its_configs(line):
    targets, configs = parsed(line)
    assert targets, line
    grids = {"robustness"} if "config/mine.yaml" in configs else set()  # the page shows that config
    for config in set(configs) - {"config/mine.yaml"}:
        assert (ROOT / config).exists(), config
        grids |= set(yaml.safe_load((ROOT / config).read_text()).get("grids", {}))
    for target in targets:
        assert target in RULES | FIGURES | TABLES | grids or target.startswith("results/"), target


def test_targets_were_found():
    assert len(WORKFLOW) >= 20


def test_every_table_and_figure_of_a_paper_that_is_named_exists():
    for page, text in TEXT.items():
        for name in re.findall(r"\b(?:glkm|ufpnet|bid)-(?:table|fig)\d+", text):
            assert name in TABLES | FIGURES, f"{page.name}: {name}"


def test_every_config_has_a_row_and_every_row_a_config():
    rows = set(re.findall(r"^\| (.*?) \|", TEXT[ROOT / "config" / "README.md"], re.MULTILINE))
    listed = {name for row in rows for name in re.findall(r"`([\w-]+\.yaml)`", row)}
    assert listed == {path.name for path in (ROOT / "config").glob("*.yaml")} - {
        "mine.yaml"
    }  # the user's own


def test_every_method_has_a_row():
    text = TEXT[ROOT / "docs" / "methods.md"]
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    listed = {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
    assert set(registry.built_in()) <= listed


def test_the_map_names_every_room_from_the_ground_up():
    cells = re.findall(r"^\| (`.*?) \| .*\?", TEXT[ROOT / "CONTRIBUTING.md"], re.MULTILINE)
    order = [name.replace("/", ".") for cell in cells for name in re.findall(r"`([\w/]+?)`", cell)]
    rooms = [room for rooms in FLOORS for room in sorted(rooms)]
    assert {room for room in rooms if "." in room} <= set(order)
    floor = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    floors = [floor[room] for room in order if room in floor]
    assert floors == sorted(floors)


def test_every_file_named_in_the_contributing_page_exists():
    for name in re.findall(r"`((?:\w+/)+[\w.]+)`", TEXT[ROOT / "CONTRIBUTING.md"]):
        assert (ROOT / name).exists(), name


def test_the_example_in_python_runs():
    source = re.search(r"```python\n(.*?)```", TEXT[ROOT / "docs" / "python.md"], re.DOTALL).group(1)
    exec(compile(source, "python.md", "exec"), {})


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
