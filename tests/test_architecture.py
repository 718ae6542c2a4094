"""The walls of the house: which room may import which, and what must not be there."""

import ast
import re
import sys
from pathlib import Path

import pytest

from methods.parts import registry
from tests.conftest import ROOT

# The rooms, from the ground up. A room imports from itself and from lower floors, never upwards or sideways
# unless a line of its own says so.
FLOORS = [
    {"benchmark.core"},
    {"benchmark.blur"},
    {"methods.parts"},
    {"methods.classical", "methods.ufp"},
    {"methods.glkm"},
    {"methods.vdip", "methods.diffusion"},
    {"methods", "methods.training"},
    {"benchmark.data"},
    {"benchmark.runs"},
    {"benchmark.scoring"},
    {"benchmark.tables"},
    {"benchmark.pretraining"},
    {"benchmark.figures", "benchmark.tools"},
    {"benchmark.app"},
    {"benchmark.planning"},
    {"benchmark.report"},
    {"benchmark.cli"},
    {"blindbench"},
    {"blindbench.adapters"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# What of `methods` the rooms of `benchmark` may know: no method, no family.
DOORS = ("methods.parts", "methods.training.registry", "methods.training.loop", "methods.training.evidence")
# Pillow comes with scikit-image; the released motion blur generator draws its strokes with it.
NUMERICAL = {"torch", "safetensors", "numpy", "scipy", "skimage", "PIL"}
OPTIONAL = {"methods/diffusion/hub.py": "diffusers"}
FILES = [path for name in ("benchmark", "blindbench", "methods") for path in (ROOT / name).rglob("*.py")]


def module_of(path):
    """The dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path):
    """The modules that `path` imports anywhere, also inside functions and for types alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                file = ROOT / below.replace(".", "/")
                yield below if file.is_dir() or file.with_suffix(".py").exists() else node.module


def room_of(module):
    """The room of a module; the registered methods at the top of `methods` share one."""
    first, *rest = module.split(".")
    return f"{first}.{rest[0]}" if rest and (ROOT / first / rest[0]).is_dir() else first


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_lead_downwards(path):
    room = room_of(module_of(path))
    for name in imports(path):
        other = room_of(name)
        if name == "methods":  # the package itself, which the registry scans
            continue
        if other == room or other not in FLOOR or room not in FLOOR:
            continue
        assert FLOOR[other] < FLOOR[room], f"{module_of(path)} imports {name}, which is not below it"
        if room.startswith("benchmark") and other.startswith("methods"):
            assert name.startswith(DOORS), f"{module_of(path)} imports {name}: use the registry"


def test_every_folder_is_a_room():
    folders = {room_of(module_of(path)) for path in FILES if path.name != "__main__.py"}
    assert folders - {"benchmark"} == set(FLOOR)


def test_methods_and_blur_import_only_the_numerical_libraries():
    below = [
        path for path in FILES if room_of(module_of(path)) == "benchmark.blur" or "methods" in path.parts
    ]
    assert len(below) > 10
    for path in below:
        for name in imports(path):
            first = name.split(".")[0]
            allowed = (
                first in sys.stdlib_module_names
                or first in NUMERICAL
                or name.startswith(("methods", "benchmark.blur", "benchmark.core"))
                or name == OPTIONAL.get(str(path.relative_to(ROOT)))
            )
            assert allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_benchmark_names_no_method():
    names = [method.name for method in registry.built_in().values() if method.role == "method"]
    names.remove("folder")  # an ordinary word, too
    words = re.compile("|".join(rf"['\"]{name}['\"]" for name in names))
    for path in (ROOT / "benchmark").rglob("*.py"):
        code = ast.unparse(ast.parse(path.read_text()))
        named = words.findall(code)
        if path.match("benchmark/tools/deblur.py"):
            named.remove("'l0-robust'")  # estimates the kernel of a photo
        assert not named, f"{path.relative_to(ROOT)} names {named}"


def test_datasets_is_no_package():
    assert not (ROOT / "datasets" / "__init__.py").exists()


def test_no_tracked_file_is_large():
    tracked = [path for path in ROOT.rglob("*") if path.is_file() and not is_ignored(path)]
    assert max(path.stat().st_size for path in tracked) < 9 * 2**20


def is_ignored(path: Path) -> bool:
    return bool({".venv", ".git", "results", ".snakemake"} & set(path.relative_to(ROOT).parts))
