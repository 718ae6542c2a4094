"""A method's effective settings: its dataclass, with what the config overrides."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmark.core.schema import did_you_mean
from benchmark.core.types import InputError


def effective(settings: type, overrides: Mapping[str, Any], where: str) -> Any:
    """An instance of the dataclass `settings`. Raises InputError naming `where` and the key."""
    known = [field.name for field in fields(settings)]
    for key in overrides:
        if key not in known:
            raise InputError(f"{where}: unknown setting '{key}'. {did_you_mean(key, known)}")
    try:
        return TypeAdapter(settings).validate_python(dict(overrides))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([where, *map(str, first["loc"])])
        raise InputError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error


def kept_snapshots(settings: Any, asked: Collection[int]) -> list[int]:
    """Those of the iterations `asked` that a method reaches: none without the setting `iterations`."""
    last: int = getattr(settings, "iterations", 0)
    return sorted(iteration for iteration in asked if iteration <= last)
