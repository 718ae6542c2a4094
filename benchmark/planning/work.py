"""How much work a plan is on this machine: time of CPU cores and GPUs, and memory, by small measurements."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.core.errors import InputError, NotSupportedError, WeightsMissingError
from benchmark.core.files import write_json
from benchmark.core.types import KnownBlur, Observation, Truth
from benchmark.data.case_lists import Entry
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.planning.config import make_plan
from benchmark.planning.measuring import LATER, Cost, Measuring, described
from benchmark.planning.plan import AUTO, FILE, Plan
from benchmark.runs.machine import prepare
from benchmark.runs.names import base_method
from benchmark.runs.settings import method_settings
from benchmark.runs.store import Store
from benchmark.scoring.protocols import find_protocol
from benchmark.scoring.scores import Restored
from benchmark.tools import pilot
from benchmark.tools.calibration import Calibration
from benchmark.tools.pilot import UnknownError
from methods.parts.registry import Method

SAMPLED = 3  # cases of a dataset that stand for all
# What the job that measures the start of jobs does: nothing, with one image.
NOTHING = {
    "profile": "start",
    "caption": "Measures the start of a job.",
    "device": "cpu",
    "datasets": ["demo-uniform"],
    "cases": {"demo-uniform": ["camera"]},
    "methods": {"blurry": {}},
}
UNREADABLE = "its images cannot be read"


class Sample:
    """A case that stands for others of its dataset. Its images are made only where they are needed."""

    def __init__(self, plan: Plan, dataset: str, case: str, calibration: Calibration) -> None:
        self.dataset, self.case, self.seed = dataset, case, plan.config["experiment_seed"]
        recipe = {"recipe": plan.datasets[dataset].recipe, "case": case, "seed": self.seed}
        # What is known of the images; None before they were looked at, empty where they cannot be read.
        self.described: dict[str, Any] | None
        try:
            self.described = calibration.recall(recipe, self._describe)
        except (InputError, OSError):
            self.described = {}

    @cached_property
    def images(self) -> tuple[KnownBlur, Truth]:
        """The observation and its truth. Raises InputError where an image cannot be read."""
        observation, truth = observe(make_case(find_dataset(self.dataset), self.case, self.seed), self.seed)
        return KnownBlur(**vars(observation), kernels=truth.kernels), truth

    def _describe(self) -> dict[str, Any]:
        """Describe the images without their values."""
        began = time.process_time()
        observation, truth = self.images
        return {
            "seconds": time.process_time() - began,
            "truth": [truth.sharp is not None, truth.kernels is not None, len(truth.frames)],
            "seen": described(observation),
        }


class Estimates:
    """What the work of a plan takes on this machine.

    Args:
        plan: The plan.
        calibration: What is known of this machine.
    """

    def __init__(self, plan: Plan, calibration: Calibration) -> None:
        self.plan, self.calibration = plan, calibration
        started = calibration.recall({"what": "start"}, _start)
        self.start = Cost(*started) if started else Cost()  # of a job, before it does anything
        self.samples = {name: self._sampled(name) for name in plan.running}
        self.observations = {name: self._observing(name) for name in plan.running}
        self.scores = {name: self._scoring(name) for name in plan.running}
        self.restorations = {
            (method, dataset): self._restoring(method, dataset)
            for method in plan.methods
            for dataset in plan.running
            if dataset in plan.methods[method].datasets
        }

    def _sampled(self, dataset: str) -> list[Sample]:
        """Choose some cases of a dataset."""
        cases = list(self.plan.datasets[dataset].cases)
        try:
            entries = find_dataset(dataset).entries
            sizes = {case: _kernel_size(entries[case]) for case in cases}
        except InputError:  # the data are not here
            sizes = dict.fromkeys(cases, 0)
        return [Sample(self.plan, dataset, case, self.calibration) for case in representatives(sizes)]

    def _unknown(self, dataset: str) -> Cost | None:
        """Say why nothing is known of a dataset; None where it is known."""
        described = [sample.described for sample in self.samples[dataset]]
        if None in described:
            return Cost(remark=LATER, is_known=False)
        return None if all(described) else Cost(remark=UNREADABLE, is_known=False)

    def _observing(self, dataset: str) -> Cost:
        """Estimate what one observation takes."""
        described = [sample.described for sample in self.samples[dataset] if sample.described]
        seconds = float(np.mean([sample["seconds"] for sample in described] or [0.0]))
        return self._unknown(dataset) or Cost(seconds)

    def _scoring(self, dataset: str) -> Cost:
        """Estimate what the scores of one restoration take."""
        if unknown := self._unknown(dataset):
            return unknown
        sample, protocol = self.samples[dataset][0], self.plan.datasets[dataset].protocol
        assert sample.described is not None
        metrics = self.plan.config["metrics"]
        taken = self.calibration.recall(
            {**sample.described, "seconds": 0, "metrics": metrics, "protocol": protocol},
            lambda: pilot.in_a_process(_score, sample, protocol, metrics),
        )
        return Cost(*taken) if taken else Cost(remark=LATER, is_known=False)

    def _restoring(self, method: str, dataset: str) -> Cost:
        """Estimate what one restoration takes."""
        spec, device = base_method(method), self.plan.methods[method].device
        settings = method_settings(method, self.plan.methods[method].given, f"methods.{method}")
        if unknown := self._unknown(dataset):
            return unknown
        if device == "cuda" and not torch.cuda.is_available():
            return Cost(remark="there is no GPU here to measure it on", is_known=False)
        on_gpu = device != "cpu" and torch.cuda.is_available()
        measuring = Measuring(spec, settings, torch.device("cuda" if on_gpu else "cpu"), self.calibration)
        try:
            costs = [
                measuring.cost(sample.described["seen"], partial(_seen, spec, sample))
                for sample in self.samples[dataset]
                if sample.described
            ]
        except (NotSupportedError, WeightsMissingError) as error:
            return Cost(remark=str(error))
        except UnknownError as error:
            return Cost(remark=str(error), is_known=False)
        # How many cases are on their way with batch: auto on a GPU, the memory says when it comes to that.
        batch = self.plan.config["batch"] if spec.gpu and self.plan.config["batch"] != AUTO else 1
        memory = batch * max(cost.memory for cost in costs) + (0.0 if on_gpu else self.start.memory)
        seconds = float(np.mean([cost.seconds for cost in costs]))
        return Cost(seconds, memory, max(cost.once for cost in costs), on_gpu)


def representatives(sizes: Mapping[str, int]) -> list[str]:
    """Choose SAMPLED cases, of small, middle and large kernels, by case to kernel size in px.

    Cases stand in the order of their sizes, in SAMPLED equal parts; the middle one of each is taken.

    >>> representatives({"a": 27, "b": 11, "c": 13, "d": 21, "e": 15, "f": 19})
    ['c', 'f', 'a']
    """
    ordered = sorted(sizes, key=lambda case: sizes[case])
    count = min(SAMPLED, len(ordered))
    return [ordered[(2 * part + 1) * len(ordered) // (2 * count)] for part in range(count)]


def _kernel_size(entry: Entry) -> int:
    """Return the kernel size in px that a descriptor has for a case; 0 where it has none."""
    recipes = (entry.kernel or {}).values()
    drawn = [recipe.get("size", 0) if isinstance(recipe, Mapping) else recipe for recipe in recipes]
    return entry.declared_size or max(drawn, default=0)


def _seen(method: Method, sample: Sample) -> Observation:
    """Return what the method may see of a case."""
    observation, _ = sample.images
    if method.needs_true_kernels:
        return observation
    return Observation(**{key: value for key, value in vars(observation).items() if key != "kernels"})


def _start() -> tuple[float, float]:
    """Measure a job that does nothing: seconds of a CPU core, and MiB."""
    plan = make_plan(NOTHING, "the start of a job")
    ((dataset, _, (case,)),) = plan.shards["blurry"][0]
    grey = np.zeros((1, 8, 8), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.write_observation(Observation(dataset, case, grey, None), Truth(""))
        write_json(store.root / FILE, asdict(plan))
        command = [sys.executable, "-m", "benchmark", "restore", "blurry", "--results", folder]
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, used = os.wait4(job.pid, 0)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 2**10


def _score(sample: Sample, protocol: str, metrics: Sequence[str]) -> tuple[float, float, float]:
    """Measure the scores of a restoration: seconds of a CPU core, MiB, and seconds once for all of a job."""
    prepare(threads=1)
    rules, (observation, truth), times = find_protocol(protocol), sample.images, list[float]()
    image = observation.blurry
    for _ in range(2):  # the first time loads networks
        began = time.process_time()
        restored = Restored(image, truth, rules, image, observation.kernels)
        for name in metrics:
            restored.score(rules.metric(name))
        times.append(time.process_time() - began)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return times[1], memory, max(0.0, times[0] - times[1])
