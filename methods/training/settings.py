"""Check the settings of trainings."""

from dataclasses import fields
from typing import Any

from methods.glkm.generator import layers_for
from methods.parts.limits import at_least
from methods.training.kernels import SMALLEST


def check_numbers(settings: Any) -> None:
    """Raise ValueError naming the first number of a settings dataclass that is out of range.

    Whole numbers must be at least 1, other numbers at least 0.
    """
    for field in fields(settings):
        if field.type in (int, float):
            at_least(1 if field.type is int else 0, settings, field.name)


def check_kernels(settings: Any) -> None:
    """Raise ValueError or InputError for wrong settings of a training of GLKM's networks.

    Numbers must be in range, there must be layers for the kernel size, kernels of the sizes `supports`, and
    enough of these for a batch.
    """
    check_numbers(settings)
    layers_for(settings.kernel_size)
    for support in settings.supports:
        if support % 2 == 0 or not SMALLEST <= support <= settings.kernel_size:
            raise ValueError(
                f"supports must be odd, from {SMALLEST} to {settings.kernel_size}, not {support}"
            )
    if not 2 <= settings.batch <= settings.kernels:
        raise ValueError(f"batch must lie between 2 and the {settings.kernels} kernels, not {settings.batch}")
