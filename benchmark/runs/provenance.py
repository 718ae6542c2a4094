"""Hashes of what decides a result: settings, observation, weights, and the source code of the method."""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.core.hashes import digest
from methods.parts.registry import Method, with_used

# The packages whose source code decides what a method or an observation is.
OWN = (
    "methods",
    "benchmark.blur",
    "benchmark.data.synthesis",
    "benchmark.core.seeds",
    "benchmark.core.colour",
)


def code_of(method: Method, settings: Any) -> str:
    """Hash the code of a method, and of the methods that its settings make it run."""
    used = [other for other, _ in with_used(method, settings)]
    # A shared function may build the problem: the settings stand in the method's own module.
    return code_hash(*(part.__module__ for other in used for part in (other.problem, other.settings)))


def files_of(method: Method, settings: Any, case: str) -> list[Path]:
    """List the files that a method, and the methods it runs, read for a case beside the observation."""
    return [file for used, own in with_used(method, settings) for file in used.files(case, own)]


@cache
def code_hash(*modules: str) -> str:
    """Hash the sources of modules and of all that they import, as `closure` finds them."""
    sources = closure(*modules)
    return digest(*(part for name in sorted(sources) for part in (name, sources[name])))


def closure(*modules: str) -> dict[str, bytes]:
    """Collect the sources of modules and of all modules in `OWN` that they import, directly or not.

    The registry is left out: it names the methods but computes nothing.

    Returns:
        Module name to source.
    """
    sources: dict[str, bytes] = {}
    pending = list(modules)
    while pending:
        name = pending.pop()
        source = None if name in sources or name == "methods.parts.registry" else _source(name)
        if source is not None:
            sources[name] = source
            pending += [imported for imported in _imports(source) if imported.startswith(OWN)]
    return sources


@cache
def _source(module: str) -> bytes | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin).read_bytes()


@cache  # methods share most of their modules
def _imports(source: bytes) -> list[str]:
    """List every dotted name by which `source` may import a module."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
