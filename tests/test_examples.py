"""The examples in docstrings run and give what they say."""

import doctest
import importlib

import pytest

from tests.conftest import ROOT

WITH_EXAMPLES = [
    path
    for room in ("benchmark", "methods")
    for path in sorted((ROOT / room).rglob("*.py"))
    if ">>> " in path.read_text()
]


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
