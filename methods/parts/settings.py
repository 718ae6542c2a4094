"""Settings of a method: a frozen dataclass whose fields are plain values or parts.

A part is a frozen dataclass of settings that belong together, such as the sizes of the image network. Methods
share parts, each with defaults of its own. Every part checks its values in `__post_init__`. Users see none of
this: for them each setting is one key of a flat list, and keys are unique within a method.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Network:
...     channels: int = 128
>>> @dataclass(frozen=True)
... class Settings:
...     network: Network = Network(channels=64)  # this method's default
...     iterations: int = 5000
>>> flat(compose(Settings, iterations=10))
{'channels': 64, 'iterations': 10}
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints


class IsDataclass(Protocol):
    """An instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Settings = TypeVar("Settings", bound=IsDataclass)


def is_part(value: object) -> bool:
    """Say whether a field's value is a part, and not a plain value."""
    return is_dataclass(value) and not isinstance(value, type)


def flat(settings: Any) -> dict[str, Any]:
    """Return all settings, those of the parts included, by their keys."""
    values: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        values |= flat(value) if is_part(value) else {field.name: value}
    return values


def keys_of(settings: type) -> list[str]:
    """Return the keys of a settings class: its plain fields and those of its parts."""
    return list(types_of(settings))


def types_of(settings: Any) -> dict[str, Any]:
    """Return the type of each setting by its key, those of the parts included.

    Args:
        settings: A settings class, or a part.
    """
    hints = get_type_hints(settings if isinstance(settings, type) else type(settings))
    types: dict[str, Any] = {}
    for field in fields(settings):
        part = default_part(field) if isinstance(settings, type) else getattr(settings, field.name)
        types |= types_of(part) if is_part(part) else {field.name: hints[field.name]}
    return types


def required_keys(settings: type) -> list[str]:
    """Return the keys without a default. Only plain fields of the method itself can be such."""
    return [field.name for field in fields(settings) if field.default is field.default_factory is MISSING]


def default_part(field: Field[Any]) -> Any:
    """Return the part that a field holds by default; None if the field is a plain value."""
    value = field.default if field.default_factory is MISSING else field.default_factory()
    return value if is_part(value) else None


def compose(settings: type[Settings], **values: Any) -> Settings:
    """Build settings from flat values; all others have their defaults.

    Args:
        settings: The method's settings class.
        values: Settings by their keys.

    Raises:
        TypeError: A key is unknown, or one without a default is missing.
        ValueError: A value is out of its range; the message names the key.
    """
    _refuse_unknown(values, keys_of(settings))
    arguments: dict[str, Any] = {}
    for field in fields(settings):
        part = default_part(field)
        if part is not None:
            arguments[field.name] = change(part, **_own(part, values))
        elif field.name in values:
            arguments[field.name] = values[field.name]
    return settings(**arguments)


def change(settings: Settings, **values: Any) -> Settings:
    """Return a copy of `settings` with other values, given by their keys. Raises as `compose`."""
    _refuse_unknown(values, flat(settings))
    changes: dict[str, Any] = {}
    for field in fields(settings):
        part: Any = getattr(settings, field.name)
        if not is_part(part):
            changes |= {field.name: values[field.name]} if field.name in values else {}
        elif own := _own(part, values):
            changes[field.name] = change(part, **own)
    return replace(settings, **changes)


def without_effect(settings: Any) -> dict[str, str]:
    """Find the keys that change nothing, because of another setting.

    Settings and parts may define a method `without_effect` of the same form; this collects their answers.

    Returns:
        Key to the setting that makes it useless, such as {'delta': 'data_term: mse'}.
    """
    own = settings.without_effect() if hasattr(settings, "without_effect") else {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_part(value):
            own = without_effect(value) | own
    return own


def memory_advice(settings: Any) -> list[str]:
    """Say what to set to need less memory, such as ['set checkpointing: true'].

    Settings and parts may define a property `advice`, one such sentence; this collects them.
    """
    own = [settings.advice] if hasattr(settings, "advice") else []
    parts = [
        value for value in (getattr(settings, field.name) for field in fields(settings)) if is_part(value)
    ]
    return own + [advice for part in parts for advice in memory_advice(part)]


def _own(part: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are settings of `part`."""
    return {key: values[key] for key in flat(part) if key in values}


def _refuse_unknown(values: Mapping[str, Any], known: Mapping[str, Any] | list[str]) -> None:
    for key in values:
        if key not in known:
            raise TypeError(f"unknown setting '{key}'; there are {', '.join(known)}")
