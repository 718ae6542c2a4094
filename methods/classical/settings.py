"""The check that the settings of all classical methods share."""

from dataclasses import fields
from typing import Any


def require_positive(settings: Any) -> None:
    """Raise ValueError naming the first field of the dataclass instance `settings` that is not positive."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if not value > 0:
            raise ValueError(f"{field.name} must be positive, not {value}")
