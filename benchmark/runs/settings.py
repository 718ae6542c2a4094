"""Turn a config's overrides into a method's settings."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from benchmark.core.errors import InputError
from benchmark.core.schema import did_you_mean
from benchmark.runs.names import base_method, preset_of
from methods.parts.presets import Preset
from methods.parts.settings import compose, flat, required_keys, types_of, without_effect

NO_PRESET: Preset = {}


def method_settings(name: str, overrides: Mapping[str, Any], where: str) -> Any:
    """Build the settings of a method: what a user gave, the preset's if its name has one, and defaults.

    Args:
        name: <method> or <method>@<setting>.
        overrides: Settings by their keys, as a config or a command line has them.
        where: Names the place for error messages, such as 'methods.selfdeblur'.

    Raises:
        InputError: As `effective`.
    """
    return effective(base_method(name).settings, overrides, where, preset_of(name))


def effective(settings: type, overrides: Mapping[str, Any], where: str, preset: Preset = NO_PRESET) -> Any:
    """Build settings: what a user gave, then a preset, and defaults for the rest.

    Args:
        settings: The settings class of a method (see `methods.parts.settings`) or of a training.
        overrides: Settings by their keys, as a config or a command line has them.
        where: Names the place for error messages, such as 'methods.selfdeblur'.
        preset: Settings to start from. Those that `overrides` make useless change nothing.

    Raises:
        InputError: A key is unknown, has no effect beside the others, or its value is of the wrong type or
            out of range. The message names `where` and the key.
    """
    known = types_of(settings)
    for key in overrides:
        if key not in known:
            raise InputError(f"{where}: unknown setting '{key}'. {did_you_mean(key, list(known))}")
    for key in required_keys(settings):
        if key not in overrides:
            raise InputError(f"{where}.{key}: this setting has no default; give it a value")
    given = {**preset, **overrides}
    values = {key: _checked(known[key], value, f"{where}.{key}") for key, value in given.items()}
    try:
        built: Any = compose(settings, **values)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    for key, reason in without_effect(built).items():
        if key in overrides:
            raise InputError(f"{where}: '{key}' has no effect with {reason}; change one of the two")
    return built


def changed(settings: type, values: Mapping[str, Any], preset: Preset = NO_PRESET) -> dict[str, Any]:
    """Return what a config would have to name: the settings without a default or with another value.

    Args:
        settings: The method's settings class.
        values: All settings as they took effect, as JSON has them.
        preset: What the config starts from in place of the defaults.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Settings:
    ...     path: str
    ...     rates: tuple[float, ...] = (0.1, 0.01)
    ...     iterations: int = 5000
    >>> changed(Settings, {"path": "here", "rates": [0.1, 0.01], "iterations": 10})
    {'path': 'here', 'iterations': 10}
    """
    required = {key: values[key] for key in required_keys(settings) if key in values}
    start: Any = compose(settings, **required, **preset)
    defaults = json.loads(json.dumps(flat(start)))  # lists for tuples
    same = {key for key, value in values.items() if key in defaults and defaults[key] == value}
    return {key: value for key, value in values.items() if key in required or key not in same}


def kept_snapshots(settings: Any, asked: Collection[int]) -> list[int]:
    """Return those of the iterations `asked` that a method reaches: none without a setting `iterations`."""
    last: int = flat(settings).get("iterations", 0)
    return sorted(iteration for iteration in asked if iteration <= last)


def _checked(kind: Any, value: Any, where: str) -> Any:
    """Convert a value to the type of its setting. Raises InputError that names the place, also in a list."""
    try:
        converted = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first, *others = error.errors()
        # A place is a number in a list; a name is that of an alternative type.
        place = where + "".join(f"[{step}]" for step in first["loc"] if isinstance(step, int))
        words = [other["ctx"]["expected"] for other in others if other["type"] == "literal_error"]
        raise InputError(f"{place}: {_sentence(first, *words)}") from error
    _require_no_truth_for_numbers(value, converted, where)
    return converted


def _require_no_truth_for_numbers(value: Any, converted: Any, where: str) -> None:
    """Raise InputError where true or false became a number or the reverse, which pydantic lets pass.

    YAML reads yes, no, on and off as true and false.
    """
    if isinstance(value, list | tuple) and isinstance(converted, list | tuple):
        for number, entries in enumerate(zip(value, converted, strict=False)):
            _require_no_truth_for_numbers(*entries, f"{where}[{number}]")
    elif isinstance(value, bool | int | float) and isinstance(value, bool) != isinstance(converted, bool):
        given = str(value).lower() if isinstance(value, bool) else value
        raise InputError(f"{where}: {NEEDED[type(converted).__name__]} is needed, not {given}")


# The start of pydantic's name of an error, to what is needed in its place.
NEEDED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping of keys to values",
}


def _sentence(error: ErrorDetails, *words: str) -> str:
    """Say in plain words what pydantic found wrong, for the errors that settings can have.

    `words` are the texts, in quotes, that would do in place of what is needed.
    """
    given = error["input"]
    if error["type"] == "literal_error":
        known = re.findall("'([^']*)'", error["ctx"]["expected"])
        return f"unknown value '{given}'. {did_you_mean(str(given), known)}"
    if error["type"] == "missing":
        return f"one more entry is needed, not {given!r} alone"
    if error["type"] == "too_long":
        return f"{error['ctx']['max_length']} entries are needed, not {error['ctx']['actual_length']}"
    needed = NEEDED.get(error["type"].partition("_")[0])
    if needed is None:
        return error["msg"]
    return f"{' or '.join((needed, *words))} is needed, not {'nothing' if given is None else repr(given)}"
