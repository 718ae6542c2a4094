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
