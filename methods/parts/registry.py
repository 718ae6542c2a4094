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
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Any, Literal

import torch

import methods
from benchmark.core.errors import InputError
from benchmark.core.types import BlurModel, Observation
from methods.parts.presets import Preset
from methods.parts.solver import Problem

Build = Callable[[Observation, Any, torch.Generator, torch.device], Problem]
Files = Callable[[str, Any], Sequence[Path]]
Uses = Callable[[Any], Sequence[str]]
Properties = Callable[[], Mapping[str, float]]
Cost = Literal["seconds", "minutes", "long"]


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
    # Rough time for a megapixel at the default settings, on a GPU if it uses one: up to ten seconds, up to
    # ten minutes, or longer. It decides how many cases a job takes.
    cost: Cost = "long"
    kernels_per_pixel: bool = False  # whether it gives each pixel a kernel of its own
    gpu: bool = True  # whether it computes on the given device; if not, its jobs ask for no GPU
    files: Files = no_files  # (name of the case, settings) -> the existing files that a restoration reads
    # Of the published network: 'parameters-M' in millions, 'macs-G' in billions for 256 x 256 pixels.
    properties: Properties = no_properties
    uses: Uses = no_methods  # settings -> names of methods that it runs first, with their default settings
    presets: Mapping[str, Preset] = field(default_factory=dict)  # by name, such as 'quick'


@cache
def _scanned() -> tuple[dict[str, Method], list[str]]:
    """Return the methods of this package by name, sorted, and a sentence for each file that gives none."""
    registered: list[Method] = []
    broken: list[str] = []
    for info in pkgutil.iter_modules(methods.__path__):
        name = f"methods.{info.name}"
        try:
            module = _imported(name, partial(importlib.import_module, name))
        except InputError as error:  # the others go on
            broken.append(str(error))
            continue
        found = [*getattr(module, "METHODS", ()), *([module.METHOD] if hasattr(module, "METHOD") else [])]
        registered += [method for method in found if isinstance(method, Method)]
        if not all(isinstance(method, Method) for method in found):
            broken.append(f"{name}: METHOD is no {Method.__module__}.Method")
    return {method.name: method for method in sorted(registered, key=lambda method: method.name)}, broken


def built_in() -> dict[str, Method]:
    """Return the methods of this package by name, sorted; files that cannot be loaded are left out."""
    return _scanned()[0]


def offered() -> tuple[list[Method], list[str]]:
    """Return all methods, of this package and of others, and a sentence for each that cannot be loaded."""
    found, broken = list(built_in().values()), list(_scanned()[1])
    for name in sorted(_plugins().names):
        try:
            found.append(find(name))
        except InputError as error:
            broken.append(str(error))
    return found, broken


@cache  # it reads the metadata of every installed package, which takes as long as planning several jobs
def _plugins() -> EntryPoints:
    """Return the entry points of methods of other packages."""
    return entry_points(group="blindbench.methods")


def is_taken(name: str) -> bool:
    """Tell whether a method of this package or of another has this name."""
    return name in built_in() or name in _plugins().names


def find(name: str) -> Method:
    """Return the method called `name`, of this package or of another.

    Raises:
        InputError: There is none, and the message offers a similar name and names files that cannot be
            loaded; or a plug-in of this name cannot be loaded, is no method or one of another name, or takes
            the name of a method of this package.
    """
    known, plugins = built_in(), _plugins()
    if name in known and name in plugins.names:
        raise InputError(
            f"the entry point '{name}' of blindbench.methods takes the name of a method of this package; "
            "rename it, or uninstall its package"
        )
    if name in known:
        return known[name]
    if name in plugins.names:
        plugin = _imported(f"the entry point '{name}' of blindbench.methods", plugins[name].load)
        if not isinstance(plugin, Method):
            raise InputError(
                f"the entry point '{name}' of blindbench.methods is no methods.parts.registry.Method"
            )
        if plugin.name != name:
            raise InputError(
                f"the entry point '{name}' of blindbench.methods is the method '{plugin.name}'; give "
                "both one name"
            )
        return plugin
    close = difflib.get_close_matches(name, [*known, *plugins.names], n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    broken = "".join(f"; {sentence}" for sentence in _scanned()[1])
    raise InputError(f"unknown method '{name}'.{hint} See: blindbench methods{broken}")


def _imported(what: str, load: Callable[[], Any]) -> Any:
    """Import what may be somebody else's. Raises InputError that begins with `what` when that fails."""
    try:
        return load()
    except (Exception, SystemExit) as error:  # whatever its code does
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{what} cannot be loaded ({reason}); repair or remove it") from error


def with_used(method: Method, settings: Any) -> list[tuple[Method, Any]]:
    """Return `method` and the methods that it runs first, each with its settings: all decide its results."""
    used = [(method, settings)]
    for name in method.uses(settings):
        other = find(name)
        used += with_used(other, other.settings())
    return used
