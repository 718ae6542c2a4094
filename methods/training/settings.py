"""What the settings of all trainings on kernels have to fulfil."""

from dataclasses import fields
from typing import Any

from methods.glkm.generator import layers_for
from methods.training.kernels import SMALLEST


def check(settings: Any) -> None:
    """Raise ValueError naming the first field of the dataclass instance `settings` that cannot be.

    Whole numbers must be positive, others not negative; there are such layers, kernels of such sizes, and a
    batch of them.
    """
    for field in fields(settings):
        value = getattr(settings, field.name)
        least = 1 if field.type is int else 0
        if field.type in (int, float) and not value >= least:
            raise ValueError(f"{field.name} must be at least {least}, not {value}")
    layers_for(settings.kernel_size)
    for support in settings.supports:
        if support % 2 == 0 or not SMALLEST <= support <= settings.kernel_size:
            raise ValueError(
                f"supports must be odd, from {SMALLEST} to {settings.kernel_size}, not {support}"
            )
    if not 2 <= settings.batch <= settings.kernels:
        raise ValueError(f"batch must lie between 2 and the {settings.kernels} kernels, not {settings.batch}")
