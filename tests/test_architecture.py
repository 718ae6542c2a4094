"""The walls of the house: who may import whom, and what must not be there."""

import ast
import re
from pathlib import Path

from methods import registry
from tests.conftest import ROOT

# Pillow comes with scikit-image; the released motion blur generator draws its strokes with it.
NUMERICAL = {"torch", "safetensors", "numpy", "scipy", "skimage", "PIL"}
OPTIONAL = {"methods/diffusion/hub.py": "diffusers"}


def imports(path):
    """Top-level module names imported anywhere in `path`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def is_standard(name):
    import sys  # noqa: PLC0415

    return name.split(".")[0] in sys.stdlib_module_names


def test_methods_and_blur_import_only_the_numerical_libraries_and_each_other():
    files = [
        *(ROOT / "methods").rglob("*.py"),
        *(ROOT / "benchmark" / "blur").rglob("*.py"),
        ROOT / "benchmark" / "types.py",
    ]
    assert len(files) > 10
    for path in files:
        for name in imports(path):
            allowed = (
                is_standard(name)
                or name.split(".")[0] in NUMERICAL
                or name.startswith(("methods", "benchmark.blur"))
                or name == "benchmark.types"
                or name == OPTIONAL.get(str(path.relative_to(ROOT)))
            )
            assert allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_benchmark_names_no_method():
    names = [method.name for method in registry.built_in().values() if method.role == "method"]
    names.remove("folder")  # an ordinary word, too
    words = re.compile("|".join(rf"['\"]{name}['\"]" for name in names))
    for path in (ROOT / "benchmark").rglob("*.py"):
        code = ast.unparse(ast.parse(path.read_text()))
        found = words.findall(code)
        if path.name == "cli.py":
            found.remove("'l0-robust'")  # the default of `deblur`
        assert not found, f"{path.relative_to(ROOT)} names {found}"


def test_datasets_is_no_package():
    assert not (ROOT / "datasets" / "__init__.py").exists()


def test_no_tracked_file_is_large():
    tracked = [path for path in ROOT.rglob("*") if path.is_file() and not is_ignored(path)]
    assert max(path.stat().st_size for path in tracked) < 9 * 2**20


def is_ignored(path: Path) -> bool:
    return bool({".venv", ".git", "results", ".snakemake"} & set(path.relative_to(ROOT).parts))
