"""The examples in the docstrings of tools and data run."""

import doctest
import importlib
import pkgutil

import pytest

import benchmark.data
import benchmark.tools

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (benchmark.data, benchmark.tools)
    for module in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
