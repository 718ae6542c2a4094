"""Turn a config's overrides into a method's settings."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmark.core.schema import did_you_mean
from benchmark.core.types import InputError
from methods.parts.settings import default_part, flat, is_part, keys_of, without_effect


def effective(settings: type, overrides: Mapping[str, Any], where: str) -> Any:
    """Build the settings of a method: what a user gave, and defaults for the rest.

    Args:
        settings: The method's settings class (see `methods.parts.settings`).
        overrides: Settings by their keys, as a config or a command line has them.
        where: Names the place for error messages, such as 'methods.selfdeblur'.

    Raises:
        InputError: A key is unknown, has no effect beside the others, or its value is of the wrong type or
            out of range. The message names `where` and the key.
    """
    known = keys_of(settings)
    for key in overrides:
        if key not in known:
            raise InputError(f"{where}: unknown setting '{key}'. {did_you_mean(key, known)}")
    try:
        built: Any = TypeAdapter(settings).validate_python(_by_part(settings, overrides))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([where, *_key(settings, first["loc"])])
        if first["type"] == "missing":
            raise InputError(f"{place}: this setting has no default; give it a value") from error
        raise InputError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error
    for key, reason in without_effect(built).items():
        if key in overrides:
            raise InputError(f"{where}: '{key}' has no effect with {reason}; change one of the two")
    return built


def kept_snapshots(settings: Any, asked: Collection[int]) -> list[int]:
    """Return those of the iterations `asked` that a method reaches: none without a setting `iterations`."""
    last: int = flat(settings).get("iterations", 0)
    return sorted(iteration for iteration in asked if iteration <= last)


def _by_part(settings: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Sort flat values into the arguments of `settings`; a part that gets any is a dict of all its fields."""
    arguments: dict[str, Any] = {}
    for field in fields(settings):
        part = default_part(field)
        if part is None:
            arguments |= {field.name: values[field.name]} if field.name in values else {}
        elif any(key in values for key in flat(part)):
            arguments[field.name] = _overridden(part, values)
    return arguments


def _overridden(part: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return all fields of `part`, those in `values` replaced."""
    arguments: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if is_part(value):
            arguments[field.name] = _overridden(value, values)
        else:
            arguments[field.name] = values.get(field.name, value)
    return arguments


def _key(settings: type, location: tuple[int | str, ...]) -> list[str]:
    """Find the setting's key in pydantic's `location`, and an index in its value: parts are no keys."""
    known = keys_of(settings)
    start = next((place for place, name in enumerate(location) if name in known), len(location))
    return [str(name) for name in location[start:]]
