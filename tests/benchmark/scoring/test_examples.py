"""The examples in docstrings run and print what they say."""

import doctest
import importlib

import pytest

MODULES = ("scoring.alignment", "scoring.kernel_scores", "scoring.metrics", "tables.summary")


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name):
    failed, attempted = doctest.testmod(importlib.import_module(f"benchmark.{name}"))
    assert attempted > 0
    assert failed == 0
