"""The data that pass from one step to the next: observations, restorations, and the truth for scoring.

A case (`benchmark.data.cases`) becomes an `Observation`; a method turns that into a `Restoration`; scoring
compares the restoration with the `Truth`.

Images are float32 arrays (C, H, W), C = 1 or 3 (RGB), values in [0, 1] (8-bit file value / 255). Kernels are
float arrays (P, h, w) in true-convolution form, y = x * k, non-negative, sum 1 each; P = 1 if the blur is
uniform.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.core.errors import InputError

Array = NDArray[np.float32]
BlurModel = Literal["uniform", "nonuniform"]
Boundary = Literal["valid", "zero", "grey", "replicate", "circular"]


class Status(Enum):
    """How the restoration of one case ended. The value is the word in `runs.csv`."""

    OK = "ok"
    DIVERGED = "diverged"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    NOT_SUPPORTED = "not_supported"
    WEIGHTS_MISSING = "weights_missing"
    FAILED = "failed"

    @property
    def sentence(self) -> str:
        """One sentence on what happened and what to try."""
        return _SENTENCES[self]

    @property
    def final(self) -> bool:
        """Whether the same job would end so again. Lack of memory, crashes and missing weights may pass."""
        return self in (Status.OK, Status.DIVERGED, Status.TIMED_OUT, Status.NOT_SUPPORTED)


_SENTENCES = {
    Status.OK: "The method ran to its end.",
    Status.DIVERGED: "The loss became non-finite twice; lower the learning rates or raise the iterations.",
    Status.TIMED_OUT: "The case took longer than the config's minutes_per_case allows; raise it.",
    Status.OUT_OF_MEMORY: "The machine ran out of memory; use a smaller image or a narrower network.",
    Status.NOT_SUPPORTED: "The method does not treat this kind of case.",
    Status.WEIGHTS_MISSING: "The method needs the weights of a network that are not here; train or get them.",
    Status.FAILED: "The method stopped with an error; see the reason beside the status.",
}


@dataclass(frozen=True)
class Observation:
    """All that a method may know of a case.

    Raises InputError for an image of another shape, with pixels that are not finite, or smaller than the
    kernel.

    >>> Observation("mine", "street", np.zeros((3, 40, 50), np.float32), kernel_size=(9, 9)).name
    'mine/street'
    """

    dataset: str
    case: str
    blurry: Array  # (C, H, W)
    kernel_size: tuple[int, int] | None  # the declared size (h, w) of the kernels; None if it is not known
    blur_model: BlurModel = "uniform"
    boundary: Boundary = "valid"  # under which the image was blurred
    grid: tuple[int, int] = (1, 1)  # nodes (rows, columns) of the kernels of a non-uniform blur

    def __post_init__(self) -> None:
        if self.blurry.ndim != 3 or self.blurry.shape[0] not in (1, 3):
            raise InputError(f"{self.name}: an image is (1 or 3, H, W), not {self.blurry.shape}")
        if not np.isfinite(self.blurry).all():
            raise InputError(f"{self.name}: the image holds NaN or infinite pixels; replace them first")
        if min(self.grid) < 1:
            raise InputError(f"{self.name}: the grid must have nodes, not {self.grid[0]} x {self.grid[1]}")
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
        """The name for people: `dataset/case`."""
        return f"{self.dataset}/{self.case}"


@dataclass(frozen=True)
class KnownBlur(Observation):
    """An observation with its true kernels, for controls whose registration declares the need."""

    kernels: Array | None = None  # (P, h, w); None for real photographs


@dataclass(frozen=True)
class Truth:
    """What scoring may know and no method: images and kernels are None for real photographs."""

    group: str  # the group of cases over which means are taken: an image, a category
    sharp: Array | None = None  # (C, H, W), the frame of the blurry image
    kernels: Array | None = None  # (P, h, w)
    frames: tuple[Path, ...] = ()  # files of the sharp frames of a shake, where the truth is not one image


@dataclass(frozen=True)
class Snapshot:
    """The estimate of a method in the middle of a run."""

    iteration: int  # how many iterations are done
    seconds: float  # as in `Restoration`
    image: NDArray[np.uint8]  # (C, H, W), the 8-bit values that would be scored
    kernels: Array | None = None  # (P, h, w); None for methods that estimate none


@dataclass(frozen=True)
class Restoration:
    """The result of a method for one observation."""

    status: Status
    reason: str = ""  # why the status is not OK
    image: Array | None = None  # (C, H, W) in [0, 1]; None unless the status is OK
    kernels: Array | None = None  # (P, h, w); None for methods that estimate none
    # (R, C, h, w): a kernel of any sum for each of R x C equal patches, from methods that estimate so many.
    kernel_field: Array | None = None
    trace: tuple[Mapping[str, float | str], ...] = field(default=(), repr=False)  # a row per logged iteration
    iterations: int = 0
    returned: int = 0  # the iteration of the estimate: the last one, unless the method kept an earlier one
    # Wall clock from building the problem to reading the result, over all parts of a resumed run, without the
    # time for snapshots. What torch loads at its first use counts.
    seconds: float = 0.0
    # Processor time of the process over the same parts, all threads added up. To wait for a processor does
    # not count, but where two share a core, other work prolongs it, too.
    core_seconds: float = 0.0
    peak_memory_mib: float = 0.0  # of the device (GPU) or of the process (CPU)
    device: str = "cpu"
    snapshots: tuple[Snapshot, ...] = field(default=(), repr=False)  # those asked for, if the status is OK
    weights: str = ""  # label of the pre-trained weights, as in tables; empty for methods without any
    # What the method has to say of this run: numbers, texts, and lists and mappings of them.
    notes: Mapping[str, Any] = field(default_factory=dict, repr=False)
