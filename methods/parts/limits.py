"""Check settings that a config may get wrong."""

from math import inf


def at_least(least: int, settings: object, *names: str) -> None:
    """Raise ValueError naming the first of the settings that is below `least`, infinite or not a number."""
    for name in names:
        value = getattr(settings, name)
        if not value >= least:
            raise ValueError(f"{name} must be at least {least}, not {value}")
        if value == inf:
            raise ValueError(f"{name} must be finite, not {value}")


def positive(settings: object, *names: str) -> None:
    """Raise ValueError naming the first of the settings that is not above 0, infinite or not a number."""
    for name in names:
        value = getattr(settings, name)
        if not value > 0:
            raise ValueError(f"{name} must be positive, not {value}")
        if value == inf:
            raise ValueError(f"{name} must be finite, not {value}")


def shares(settings: object, *names: str) -> None:
    """Raise ValueError naming the first of the settings that does not lie within [0, 1]."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], not {value}")
