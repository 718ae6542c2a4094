"""What flows through the suite: observations, restorations, and the truth that scoring keeps.

One direction only: a case (`benchmark.data.cases`) is synthesised into an `Observation`, a method turns that
into a `Restoration`, and scoring compares the restoration with the `Truth`.

Images are float32 arrays of shape (C, H, W), values in [0, 1] (8-bit file value / 255), C = 1 or 3 (RGB).
Kernels are float arrays of shape (P, h, w) in true-convolution form, y = x * k, non-negative, sum 1 each;
P = 1 when the blur is uniform.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
BlurModel = Literal["uniform", "nonuniform"]
Boundary = Literal["valid", "zero", "grey", "replicate", "circular"]


class InputError(ValueError):
    """Something the user gave is wrong. The message is one line: what, where, and what to do instead."""


class NotSupportedError(Exception):
    """A method declines a case that it cannot treat; the message is the reason shown to the user."""


class WeightsMissingError(Exception):
    """A method needs the weights of a pre-trained network that are not here; the message says which."""


class Status(Enum):
    """How the restoration of one case ended. The value is the word in `runs.csv`."""

    OK = "ok"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    NOT_SUPPORTED = "not_supported"
    WEIGHTS_MISSING = "weights_missing"
    FAILED = "failed"

    @property
    def sentence(self) -> str:
        """What happened and what to try, as one sentence."""
        return _SENTENCES[self]

    @property
    def final(self) -> bool:
        """Whether the same job would end the same way again (memory, crashes, missing weights may pass)."""
        return self in (Status.OK, Status.DIVERGED, Status.NOT_SUPPORTED)


_SENTENCES = {
    Status.OK: "The method ran to its end.",
    Status.DIVERGED: "The loss became non-finite twice; lower the learning rates or raise the iterations.",
    Status.OUT_OF_MEMORY: "The machine ran out of memory; use a smaller image or a narrower network.",
    Status.NOT_SUPPORTED: "The method does not treat this kind of case.",
    Status.WEIGHTS_MISSING: "The method needs the weights of a network that are not here; train or get them.",
    Status.FAILED: "The method stopped with an error; the reason stands beside the status.",
}


@dataclass(frozen=True)
class Observation:
    """All that a method may know of a case."""

    dataset: str
    case: str
    blurry: Array  # (C, H, W)
    kernel_size: tuple[int, int] | None  # declared support (h, w); None when unknown
    blur_model: BlurModel = "uniform"
    boundary: Boundary = "valid"
    grid: tuple[int, int] = (1, 1)  # SVOLA nodes (rows, columns) of a non-uniform blur

    def __post_init__(self) -> None:
        if self.blurry.ndim != 3 or self.blurry.shape[0] not in (1, 3):
            raise InputError(f"{self.name}: an image is (1 or 3, H, W), not {self.blurry.shape}")
        if not np.isfinite(self.blurry).all():
            raise InputError(f"{self.name}: the image holds NaN or infinite pixels; replace them first")
        if self.kernel_size is None:
            return
        height, width = self.blurry.shape[1:]
        if min(self.kernel_size) < 1:
            raise InputError(f"{self.name}: the kernel size must be positive, not {min(self.kernel_size)}")
        if self.kernel_size[0] > height or self.kernel_size[1] > width:
            raise InputError(
                f"{self.name}: the kernel ({self.kernel_size[0]} x {self.kernel_size[1]}) is larger than the "
                f"image ({height} x {width}); declare a smaller kernel size"
            )

    @property
    def name(self) -> str:
        """`dataset/case`, as shown to people."""
        return f"{self.dataset}/{self.case}"


@dataclass(frozen=True)
class KnownBlur(Observation):
    """An observation with its true kernels: only for controls whose registration declares the need."""

    kernels: Array | None = None  # (P, h, w); None for real photographs


@dataclass(frozen=True)
class Truth:
    """What scoring knows and methods do not. Empty for real photographs."""

    group: str
    sharp: Array | None = None  # (C, H, W), the frame of the blurry image
    kernels: Array | None = None  # (P, h, w)
    frames: tuple[Path, ...] = ()  # files: the sharp frames of a shake, where the truth is not one image


@dataclass(frozen=True)
class Snapshot:
    """The estimate of a method on its way."""

    iteration: int  # done so far
    seconds: float  # as of `Restoration`, without what snapshots took
    image: NDArray[np.uint8]  # (C, H, W), the 8-bit values that would be scored


@dataclass(frozen=True)
class Restoration:
    """What a method returns for one observation."""

    status: Status
    reason: str = ""  # empty when `status` is OK
    image: Array | None = None  # (C, H, W) in [0, 1]; None unless `status` is OK
    kernels: Array | None = None  # (P, h, w); None for methods that estimate none
    # (R, C, h, w): a kernel for each of R x C equal patches, for methods that see so finely. Sums are the
    # method's.
    kernel_field: Array | None = None
    trace: tuple[Mapping[str, float | str], ...] = field(default=(), repr=False)  # a row per logged iteration
    iterations: int = 0
    returned: int = 0  # the iteration whose estimate it is; the last one unless something else was remembered
    # Wall clock from build to read-out, over all resumed parts, without what snapshots took. Whatever torch
    # loads at its first use counts.
    seconds: float = 0.0
    peak_memory_mib: float = 0.0  # of the device (GPU) or of the process (CPU)
    device: str = "cpu"
    snapshots: tuple[Snapshot, ...] = field(default=(), repr=False)  # those asked for; none unless OK
    weights: str = ""  # of pre-trained networks, as tables name them; empty for methods without any
