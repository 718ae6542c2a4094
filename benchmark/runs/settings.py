"""Turn a config's overrides into a method's settings."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmark.core.schema import did_you_mean
from benchmark.core.types import InputError
from methods.parts.settings import compose, flat, required_keys, types_of, without_effect


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
    known = types_of(settings)
    for key in overrides:
        if key not in known:
            raise InputError(f"{where}: unknown setting '{key}'. {did_you_mean(key, list(known))}")
    for key in required_keys(settings):
        if key not in overrides:
            raise InputError(f"{where}.{key}: this setting has no default; give it a value")
    values = {key: _checked(known[key], value, f"{where}.{key}") for key, value in overrides.items()}
    try:
        built: Any = compose(settings, **values)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    for key, reason in without_effect(built).items():
        if key in overrides:
            raise InputError(f"{where}: '{key}' has no effect with {reason}; change one of the two")
    return built


def kept_snapshots(settings: Any, asked: Collection[int]) -> list[int]:
    """Return those of the iterations `asked` that a method reaches: none without a setting `iterations`."""
    last: int = flat(settings).get("iterations", 0)
    return sorted(iteration for iteration in asked if iteration <= last)


def _checked(kind: Any, value: Any, where: str) -> Any:
    """Convert a value to the type of its setting. Raises InputError that names the place, also in a list."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([where, *map(str, first["loc"])])
        raise InputError(f"{place}: {first['msg']}") from error
