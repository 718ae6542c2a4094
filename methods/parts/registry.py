"""Which methods there are: every module of this package that defines `METHOD`; nothing else is needed.

Other packages add theirs through the entry-point group `blindbench.methods`, each entry a `Method`.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

import torch

import methods
from benchmark.core.types import BlurModel, InputError, Observation
from methods.parts.solver import Problem

Build = Callable[[Observation, Any, torch.Generator, torch.device], Problem]
Files = Callable[[str, Any], Sequence[Path]]
Uses = Callable[[Any], Sequence[str]]
Properties = Callable[[], Mapping[str, float]]


def no_files(case: str, settings: Any) -> Sequence[Path]:
    """The observation and the settings are all that a restoration is made from."""
    del case, settings
    return ()


def no_methods(settings: Any) -> Sequence[str]:
    """The method runs no other one."""
    del settings
    return ()


def no_properties() -> Mapping[str, float]:
    """Nothing of the method is worth a table's column beside its scores."""
    return {}


@dataclass(frozen=True)
class Method:
    """A method and where it comes from."""

    name: str
    title: str  # as it stands in tables
    paper: str  # authors, venue, year, and the equations or sections implemented
    licence: str  # of the paper's own code, when it has any
    blur_models: tuple[BlurModel, ...]
    settings: type  # a frozen dataclass, the paper's values as defaults
    problem: Build  # (observation, settings, generator on CPU, device) -> problem
    role: Literal["method", "floor", "ceiling"] = "method"  # the controls bound every table
    needs_true_kernels: bool = False  # if so, observations come as `KnownBlur`; only for controls
    files: Files = no_files  # (case, settings) -> what is read beside the observation, as far as it exists
    # Of the published network: 'parameters-M' in millions, 'macs-G' in billions for 256 x 256 pixels.
    properties: Properties = no_properties
    uses: Uses = no_methods  # settings -> names of the methods that it runs first, at their default settings


@cache
def built_in() -> dict[str, Method]:
    """The methods of this package by name, sorted."""
    found: dict[str, Method] = {}
    for info in pkgutil.iter_modules(methods.__path__):
        module = importlib.import_module(f"methods.{info.name}")
        several = getattr(module, "METHODS", ())
        found |= {method.name: method for method in (getattr(module, "METHOD", None), *several) if method}
    return dict(sorted(found.items()))


def find(name: str) -> Method:
    """The method called `name`, built in or of another package. Raises InputError with close names."""
    known = built_in()
    if name in known:
        return known[name]
    plugins = entry_points(group="blindbench.methods")
    if name in plugins.names:
        plugin = plugins[name].load()
        if not isinstance(plugin, Method):
            raise InputError(
                f"the entry point '{name}' of blindbench.methods is no methods.parts.registry.Method"
            )
        return plugin
    close = difflib.get_close_matches(name, [*known, *plugins.names], n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise InputError(f"unknown method '{name}'.{hint} See: blindbench methods")


def with_used(method: Method, settings: Any) -> list[tuple[Method, Any]]:
    """`method` and all that it runs on the way, each with its settings: what decides the method's results."""
    found = [(method, settings)]
    for name in method.uses(settings):
        other = find(name)
        found += with_used(other, other.settings())
    return found
