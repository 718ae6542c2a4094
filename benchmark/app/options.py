"""What a person may choose on the page beside the photo."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from benchmark.core.errors import InputError

# As in benchmark/tools/search.py, which takes seconds to import; a test compares them.
Blur = Literal["motion", "defocus"]
Effort = Literal["low", "normal", "high"]
FRAME = re.compile(r"\d{1,9}(,\d{1,9}){3}")
KERNEL_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


@dataclass(frozen=True)
class Options:
    """How the kernel of a photo is found."""

    blur: Blur = "motion"
    effort: Effort = "normal"
    part: str = ""  # X,Y,WIDTH,HEIGHT in px: where the kernel is found; empty for a textured part
    streak: str = ""  # the same: of a lamp whose streak is the kernel
    kernel: str = ""  # the name of a kernel's file

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Options":
        """Read the options that a page sends.

        Raises:
            InputError: One of them is not what the page offers.
        """
        blur, effort = query.get("blur", "motion"), query.get("effort", "normal")
        for name, value, known in (("blur", blur, Blur), ("effort", effort, Effort)):
            if value not in get_args(known):
                raise InputError(f"{name}: there are {' and '.join(get_args(known))}, not '{value}'")
        frames = {name: query.get(name, "") for name in ("part", "streak")}
        for name, value in frames.items():
            if value and not FRAME.fullmatch(value):
                raise InputError(f"{name}: X,Y,WIDTH,HEIGHT in whole pixels is needed, not '{value}'")
        return cls(cast("Blur", blur), cast("Effort", effort), **frames, kernel=query.get("kernel", ""))

    @property
    def kernel_file(self) -> str:
        """The name under which the kernel's file is kept: its suffix says how it is read."""
        suffix = f".{self.kernel.lower().rpartition('.')[2]}"
        return "kernel" + (suffix if KERNEL_SUFFIX.fullmatch(suffix) else "")
