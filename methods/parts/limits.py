"""Check what a method needs: settings within their range, and a declared kernel size."""

from collections.abc import Callable, Iterable
from math import inf

from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation


def declared_size(observation: Observation, who: str) -> tuple[int, int]:
    """Return the declared kernel size (h, w); raise NotSupportedError that tells how to declare one."""
    if observation.kernel_size is None:
        raise NotSupportedError(
            f"{who} needs a declared kernel size: give the dataset's descriptor a declared_size, or a photo "
            "--kernel-size"
        )
    return observation.kernel_size


def at_least(least: int, settings: object, *names: str) -> None:
    """Raise ValueError naming the first of the settings that is below `least`, infinite or not a number."""
    _check(settings, names, lambda value: value >= least, f"be at least {least}")


def positive(settings: object, *names: str) -> None:
    """Raise ValueError naming the first of the settings that is not above 0, infinite or not a number."""
    _check(settings, names, lambda value: value > 0, "be positive")


def shares(settings: object, *names: str) -> None:
    """Raise ValueError naming the first of the settings that does not lie within [0, 1]."""
    _check(settings, names, lambda value: 0 <= value <= 1, "lie in [0, 1]")


def _check(
    settings: object, names: Iterable[str], is_allowed: Callable[[float], bool], requirement: str
) -> None:
    for name in names:
        value = getattr(settings, name)
        if not is_allowed(value):
            raise ValueError(f"{name} must {requirement}, not {value}")
        if value == inf:
            raise ValueError(f"{name} must be finite, not {value}")
