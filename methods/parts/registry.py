"""Find the methods.

A module or package directly under `methods/` registers a method by defining `METHOD`, or several by defining
`METHODS`; no list elsewhere names it. Other packages add theirs through the entry-point group
`blindbench.methods`, where each entry is a `Method`.

>>> find("selfdeblur").title
'SelfDeblur'
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
    """Return no files: the method reads none beside the observation."""
    del case, settings
    return ()


def no_methods(settings: Any) -> Sequence[str]:
    """Return no names: the method runs no other method."""
    del settings
    return ()


def no_properties() -> Mapping[str, float]:
    """Return no properties: no table shows any beside the method's scores."""
    return {}


@dataclass(frozen=True)
class Method:
    """A method, where it comes from, and how it turns an observation into a problem."""

    name: str  # in configs and paths, lower case
    title: str  # in tables and figures
    paper: str  # authors, venue, year, and the equations or sections implemented
    licence: str  # of the paper's own code, if there is any
    blur_models: tuple[BlurModel, ...]
    settings: type  # a frozen dataclass with the paper's values as defaults: see `methods.parts.settings`
    problem: Build  # (observation, settings, random generator on the CPU, device) -> problem
    role: Literal["method", "floor", "ceiling"] = "method"  # floor and ceiling are the tables' controls
    needs_true_kernels: bool = False  # whether observations must be `KnownBlur`; only for controls
    files: Files = no_files  # (name of the case, settings) -> the existing files that a restoration reads
    # Of the published network: 'parameters-M' in millions, 'macs-G' in billions for 256 x 256 pixels.
    properties: Properties = no_properties
    uses: Uses = no_methods  # settings -> names of methods that it runs first, with their default settings


@cache
def built_in() -> dict[str, Method]:
    """Return the methods of this package by name, sorted."""
    registered: list[Method] = []
    for info in pkgutil.iter_modules(methods.__path__):
        module = importlib.import_module(f"methods.{info.name}")
        registered += getattr(module, "METHODS", ())
        registered += [module.METHOD] if hasattr(module, "METHOD") else []
    return {method.name: method for method in sorted(registered, key=lambda method: method.name)}


def find(name: str) -> Method:
    """Return the method called `name`, of this package or of another.

    Raises:
        InputError: There is none; the message offers a similar name.
    """
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
    """Return `method` and the methods that it runs first, each with its settings: all decide its results."""
    used = [(method, settings)]
    for name in method.uses(settings):
        other = find(name)
        used += with_used(other, other.settings())
    return used
