"""The examples in docstrings run and give what they say; documented arguments exist."""

import ast
import doctest
import importlib
import re

import pytest

from tests.conftest import ROOT

MODULES = [path for room in ("benchmark", "methods") for path in sorted((ROOT / room).rglob("*.py"))]
WITH_EXAMPLES = [path for path in MODULES if ">>> " in path.read_text()]


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=module_of)
def test_examples_in_docstrings_are_true(path):
    failed, attempted = doctest.testmod(importlib.import_module(module_of(path)))
    assert attempted > 0
    assert failed == 0


def test_every_blur_has_an_example():
    blurs = {path for path in (ROOT / "benchmark" / "blur").glob("*.py") if path.name != "__init__.py"}
    assert blurs <= set(WITH_EXAMPLES)


# The parts that a user composes into a method.
PARTS = [
    "direct", "fit", "image_priors/skip", "kernel_priors/convolutional", "kernel_priors/dirac",
    "kernel_priors/fcn", "kernel_priors/logits", "kernel_priors/protocol", "kernel_priors/siren",
    "localisation", "objectives", "registry", "settings", "solver", "stages", "stopping",
]  # fmt: skip


def test_every_part_that_a_user_composes_has_an_example():
    parts = {ROOT / "methods" / "parts" / f"{part}.py" for part in PARTS}
    assert parts <= set(WITH_EXAMPLES)


def documented_arguments(docstring):
    """The names in the section `Args` of a docstring."""
    section = docstring.partition("Args:\n")[2].partition("\n\n")[0]
    return re.findall(r"^    (\w+): ", section, flags=re.MULTILINE)


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_documented_arguments_are_those_of_the_function(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            own = node.args
            arguments = [*own.posonlyargs, *own.args, own.vararg, *own.kwonlyargs, own.kwarg]
            names = [argument.arg for argument in arguments if argument is not None]
            documented = documented_arguments(ast.get_docstring(node) or "")
            assert documented == [name for name in names if name in documented], node.name
