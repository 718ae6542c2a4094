"""Checks of settings that a config may get wrong."""


def at_least(least: int, settings: object, *names: str) -> None:
    """Raises ValueError naming the first of the settings that is below `least`."""
    for name in names:
        value = getattr(settings, name)
        if not value >= least:
            raise ValueError(
                f"{name} must {f'be at least {least}' if least else 'not be negative'}, not {value}"
            )
