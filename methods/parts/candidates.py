"""Candidates: methods whose kernels are compared, each with settings, a kernel size and a seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmark.core.types import Observation
from methods.parts import registry
from methods.parts.settings import compose, flat

PARTS = 10  # into which the iterations of a candidate are divided: a killed run repeats one of them
SMALLEST = 3  # px, side of the smallest kernel that a candidate is asked for
# px: the sizes that are tried where none is declared, as far as they are at most half of the image.
UNDECLARED = (13, 21, 31, 45)
KEYS = ("method", "settings", "size", "seed")


@dataclass(frozen=True)
class Candidate:
    """A method that estimates a kernel, and how it is run."""

    method: str  # <method>, or <method>@<preset>
    settings: Mapping[str, Any] = field(default_factory=dict)  # that differ from those of the preset
    size: float = 1.0  # times the declared size of the kernel: what the method is told
    seed: int = 0  # of its random draws; candidates with the same seed draw the same numbers

    def __post_init__(self) -> None:
        """Raise InputError or ValueError unless there is such a method with such settings."""
        if not isinstance(self.method, str):
            raise ValueError(f"method must be a name, not {self.method!r}")
        if not isinstance(self.settings, Mapping):
            raise ValueError(f"settings must be a mapping, not {self.settings!r}")
        if not isinstance(self.size, int | float) or not 0 < self.size < np.inf:
            raise ValueError(f"size must be a positive number, not {self.size!r}")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed must be a whole number of at least 0, not {self.seed!r}")
        if self.base.role != "method":
            raise ValueError(f"'{self.method}' is a control and estimates no kernel")
        _, at, preset = self.method.partition("@")
        if at and preset not in self.base.presets:
            raise ValueError(f"{self.base.name} has no preset '{preset}'")
        try:
            self.effective()
        except TypeError as error:  # an unknown key, or a value of a type that has no order
            raise ValueError(f"settings of {self.method}: {error}") from error

    @classmethod
    def read(cls, description: Mapping[str, Any]) -> "Candidate":
        """Read a candidate as configs have it. Raises ValueError for an unknown or a missing key."""
        for key in description:
            if key not in KEYS:
                raise ValueError(f"unknown key '{key}'; there are {', '.join(KEYS)}")
        if "method" not in description:
            raise ValueError("the key 'method' is missing")
        return cls(**description)

    @property
    def base(self) -> registry.Method:
        """The method behind the name."""
        return registry.find(self.method.partition("@")[0])

    def effective(self) -> Any:
        """Return all settings of the method."""
        preset = self.base.presets.get(self.method.partition("@")[2], {})
        return compose(self.base.settings, **{**preset, **self.settings})

    @property
    def label(self) -> str:
        """Its name in progress and records."""
        changes = [f"{key} {value}" for key, value in self.settings.items()]
        changes += [f"size x {self.size:g}"] if self.size != 1 else []
        changes += [f"seed {self.seed}"] if self.seed else []
        return ", ".join([self.method, *changes])

    @property
    def parts(self) -> int:
        """In how many steps it runs."""
        return PARTS if flat(self.effective()).get("iterations", 0) > 0 else 1


def with_sizes(
    candidates: Sequence[Candidate], observation: Observation
) -> list[tuple[Candidate, tuple[int, int]]]:
    """Give each candidate the kernel size (h, w) that its method is told.

    Where no size is declared, the sizes UNDECLARED take the place of multiples of the declared one, and of
    candidates with iterations, which take long: those without run with each size. If there are none, all do.
    """
    frame = observation.blurry.shape[1:]
    if observation.kernel_size is not None:
        bases = [observation.kernel_size]
    else:
        bases = [(side, side) for side in UNDECLARED if 2 * side <= min(frame)] or [(SMALLEST, SMALLEST)]
        quick = [candidate for candidate in candidates if candidate.parts == 1 and candidate.size == 1]
        candidates = quick or candidates
    return [
        (candidate, (_side(base[0] * candidate.size, frame[0]), _side(base[1] * candidate.size, frame[1])))
        for base in bases
        for candidate in candidates
    ]


def _side(side: float, longest: int) -> int:
    return min(max(round(side), SMALLEST), longest)
