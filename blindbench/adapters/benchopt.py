"""Every method as a benchopt solver, every case as a benchopt dataset, and the suite's scores as objective.

Install the extra: pip install 'blindbench[benchopt]'. A benchmark of benchopt is a folder with objective.py,
datasets/*.py and solvers/*.py; in each file a class derives from one of these. docs/other-programs.md shows
them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from benchopt import BaseDataset, BaseObjective, BaseSolver

from benchmark.core.seeds import seed_from
from benchmark.core.types import KnownBlur, Observation, Restoration, Status, Truth
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.runs.machine import claimed_device
from benchmark.runs.names import base_method
from benchmark.scoring.protocols import find_protocol
from benchmark.scoring.scores import Restored
from benchmark.tools.one_image import OneImage

EXPERIMENT_SEED = 0  # of kernels and noise, as in the shipped configs


class CaseDataset(BaseDataset):  # type: ignore[misc]  # benchopt has no types
    """Cases of datasets, each named <dataset>/<case>; a dataset may have conditions."""

    parameters = {"case": ["demo-uniform/camera"]}  # noqa: RUF012  (benchopt reads it from the class)
    case: str

    def get_data(self) -> dict[str, Any]:
        """Make the case. Raises InputError where it is unknown or its files are not here."""
        name, _, case = self.case.partition("/")
        dataset = find_dataset(name)
        (selected,) = dataset.selected([case])
        observation, truth = observe(make_case(dataset, selected, EXPERIMENT_SEED), EXPERIMENT_SEED)
        return {"observation": observation, "truth": truth, "protocol": dataset.content["protocol"]}


class Scores(BaseObjective):  # type: ignore[misc]  # benchopt has no types
    """The scores of a restored image by the dataset's protocol; benchopt's `value` is the negative PSNR."""

    metrics: tuple[str, ...] = ("psnr", "ssim")  # named as in configs
    sampling_strategy = "run_once"

    def set_data(self, observation: Observation, truth: Truth, protocol: str) -> None:
        """Keep the case."""
        self.observation, self.truth, self.protocol = observation, truth, protocol

    def get_objective(self) -> dict[str, Any]:
        """Return the observation, with its true kernels for the controls."""
        return {"observation": KnownBlur(**vars(self.observation), kernels=self.truth.kernels)}

    def evaluate_result(self, restoration: Restoration) -> dict[str, float]:
        """Score a restoration. Raises RuntimeError where the method gave no image."""
        if restoration.image is None:
            raise RuntimeError(f"{restoration.status.value}: {restoration.reason}")
        rules = find_protocol(self.protocol)
        pair = Restored(restoration.image, self.truth, rules, self.observation.blurry, restoration.kernels)
        values = {
            name: pair.score(rules.metric(name))[0] for name in {"psnr": None, **dict.fromkeys(self.metrics)}
        }
        return {"value": -values["psnr"], **values}

    def get_one_result(self) -> dict[str, Any]:
        """Return the blurry image as a result, for benchopt's tests."""
        return {"restoration": Restoration(Status.OK, image=self.observation.blurry)}


class MethodSolver(BaseSolver):  # type: ignore[misc]  # benchopt has no types
    """Methods of the suite; with the same seed they give what `blindbench restore` gives."""

    parameters = {"method": ["blurry"], "seed": [0]}  # noqa: RUF012  (benchopt reads it from the class)
    method: str
    seed: int
    settings: Mapping[str, Any] = MappingProxyType({})  # that differ from the methods' defaults
    sampling_strategy = "run_once"

    def skip(self, observation: KnownBlur) -> tuple[bool, str | None]:
        """Skip cases whose blur the method does not treat."""
        model, treated = observation.blur_model, base_method(self.method).blur_models
        return (False, None) if model in treated else (True, f"{self.method} does not treat {model} blur")

    def set_objective(self, observation: KnownBlur) -> None:
        """Keep the observation."""
        self.observation = observation

    def run(self, stop_value: Any) -> None:
        """Restore the image."""
        del stop_value
        seen = self.observation
        start = seed_from(EXPERIMENT_SEED, seen.dataset, seen.case, self.method, self.seed)
        with claimed_device("auto") as device:
            self.restoration = OneImage(self.method, self.settings, seen.name, self.seed, device).restore(
                seen, start
            )

    def get_result(self) -> dict[str, Any]:
        """Return the restoration."""
        return {"restoration": self.restoration}
