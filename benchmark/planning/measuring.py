"""Estimate what the restoration of a case takes, by a measurement on this machine that is kept."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from benchmark.core.types import Observation
from benchmark.runs import provenance
from benchmark.tools import pilot
from benchmark.tools.calibration import Calibration
from benchmark.tools.pilot import Pilot, UnknownError, Work
from methods.parts.registry import Method
from methods.parts.settings import flat

LATER = "not measured yet; the same command goes on measuring"


@dataclass(frozen=True)
class Cost:
    """What something takes."""

    seconds: float = 0.0  # of a CPU core, or of a GPU
    memory: float = 0.0  # MiB
    once: float = 0.0  # seconds, besides, for all that a job does of it
    on_gpu: bool = False
    remark: str = ""  # why it takes nothing, or why that is not known
    is_known: bool = True


@dataclass(frozen=True)
class Measuring:
    """Estimates what a method takes with its settings, by measurements that are kept."""

    method: Method
    settings: Any
    device: torch.device
    calibration: Calibration
    seconds: float | None = None  # that a measurement may take on a CPU; None: as long as it wants

    def cost(self, seen: Mapping[str, Any], observation: Callable[[], Observation]) -> Cost:
        """Estimate what the restoration of a case takes.

        Args:
            seen: As `described` describes the observation.
            observation: Makes it, where something must be measured.

        Raises:
            NotSupportedError: The method does not treat it.
            WeightsMissingError: The weights that the method starts from are not here.
            UnknownError: What it takes is not measured.
        """
        decides = {
            "method": self.method.name,
            "settings": flat(self.settings),
            "code": provenance.code_of(self.method, self.settings),
            "device": str(self.device),
            "form": [[entry.name for entry in fields(kind)] for kind in (Pilot, Work)],  # as it is kept
        }
        # Counted work tells how sizes differ; where none can be counted, each size is measured.
        like = seen
        if self.method.gpu:
            like = {"channels": seen["shape"][0], "blur_model": seen["blur_model"]}
        measured = self.calibration.recall(
            {**decides, **like},
            lambda: asdict(
                pilot.measure(self.method, observation(), self.settings, self.device, self.seconds)
            ),
        )
        counted = self.calibration.recall(
            {**decides, **seen, "what": "work"},
            lambda: asdict(pilot.count_work(self.method, observation(), self.settings)),
        )
        if measured is None or counted is None:
            raise UnknownError(LATER)
        known, work = Pilot(**{**measured, "work": Work(**measured["work"])}), Work(**counted)
        return Cost(known.seconds(work), known.mebibytes(work), known.once)


def described(observation: Observation) -> dict[str, Any]:
    """Describe an observation without its values."""
    return {
        "shape": list(observation.blurry.shape),
        "kernel_size": observation.kernel_size,
        "blur_model": observation.blur_model,
        "boundary": observation.boundary,
        "grid": observation.grid,
    }
