"""The examples in the docstrings of the parts run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import methods.parts

MODULES = [info.name for info in pkgutil.walk_packages(methods.parts.__path__, "methods.parts.")]
# What a user composes: each has an example.
COMPOSED = [
    "direct", "fit", "image_priors.skip", "kernel_priors.convolutional", "kernel_priors.dirac",
    "kernel_priors.fcn", "kernel_priors.logits", "kernel_priors.protocol", "kernel_priors.siren",
    "localisation", "objectives", "registry", "settings", "solver", "stages", "stopping",
]  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", COMPOSED)
def test_what_a_user_composes_has_an_example(name):
    module = importlib.import_module(f"methods.parts.{name}")
    assert any(test.examples for test in doctest.DocTestFinder().find(module))
