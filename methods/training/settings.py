"""What the settings of trainings share: their checks, and the kernels that GLKM's networks are trained on."""

from dataclasses import fields
from typing import Any

from torch import Tensor

from benchmark.core.progress import Report
from methods.glkm.generator import layers_for, served_by, side
from methods.parts.limits import at_least
from methods.training.kernels import MOTION_BLUR_AT, SMALLEST, training_kernels


def check_numbers(settings: Any) -> None:
    """Raise ValueError naming the first number of a settings dataclass that is out of range.

    Whole numbers must be at least 1, other numbers at least 0.
    """
    for field in fields(settings):
        if field.type in (int, float):
            at_least(1 if field.type is int else 0, settings, field.name)


def check_kernels(settings: Any) -> None:
    """Raise ValueError or InputError for wrong settings of a training of GLKM's networks.

    Numbers must be in range, there must be layers for the kernel size, kernels of the sizes `supports` and
    with such intensities, and enough of these for a batch.
    """
    check_numbers(settings)
    size = side(settings.kernel_size)
    layers_for(size)
    for support in settings.supports:
        if support % 2 == 0 or not SMALLEST <= support <= size:
            raise ValueError(f"supports must be odd, from {SMALLEST} to {size}, not {support}")
    least, largest = settings.intensities
    if not 0 <= least <= largest <= 1:
        raise ValueError(f"intensities must rise from 0 to 1 at most, not {list(settings.intensities)}")
    if not 2 <= settings.batch <= settings.kernels:
        raise ValueError(f"batch must lie between 2 and the {settings.kernels} kernels, not {settings.batch}")


def kernels_for(settings: Any, seed: int, processes: int, report: Report) -> Tensor:
    """Draw the kernels that the settings of such a training ask for: see `training_kernels`."""
    return training_kernels(
        side(settings.kernel_size),
        supports_of(settings),
        settings.kernels,
        seed,
        processes,
        report,
        settings.intensities,
    )


def supports_of(settings: Any) -> tuple[int, ...]:
    """Return the sizes that such a training draws kernels for."""
    return settings.supports or served_by(settings.kernel_size)


def intensities_without_effect(settings: Any) -> dict[str, str]:
    """Find out whether `intensities` changes nothing: see `methods.parts.settings.without_effect`."""
    used = settings.kernel_size == MOTION_BLUR_AT
    return {} if used else {"intensities": f"kernel_size: {settings.kernel_size}"}
