"""Score restorations: one row per case and metric."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.faults import fault_behind
from benchmark.core.images import read_image
from benchmark.core.types import Array, Status, Truth
from benchmark.runs.store import (
    Store,
    read_kernel_field,
    read_kernels,
    read_record,
    read_restored_image,
    read_snapshots,
)
from benchmark.scoring.alignment import Aligned, Image
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, SCORE_COLUMNS
from benchmark.scoring.metrics import Inputs, Metric
from benchmark.scoring.protocols import Protocol, find_protocol

CONVERGENCE_METRICS = ("psnr", "ssim", "kernel-psnr")  # as in configs; of every config's snapshots


def score_method(
    store: Store,
    dataset: str,
    method: str,
    cases: Sequence[str],
    *,
    seed: int,
    protocol: str,
    metrics: Sequence[str],
) -> pd.DataFrame:
    """Score the restorations of a dataset by a method.

    Args:
        store: The results folder.
        dataset: A dataset, or <dataset>@<condition>.
        method: A method, or <method>@<setting>.
        cases: Names of cases.
        seed: Which repetition.
        protocol: A name of `PROTOCOLS`.
        metrics: Named as in configs.

    Returns:
        `SCORE_COLUMNS`, a row per case and metric. Where there is no value, `note` says why.

    Raises:
        InputError: The protocol or a metric is unknown, or a case was not restored.
    """
    rules = find_protocol(protocol)
    chosen = [rules.metric(name) for name in metrics]
    rows = []
    for case in cases:
        group = store.read_truth(dataset, case).group
        scored = score_case(store, dataset, method, case, seed=seed, protocol=rules, metrics=chosen)
        for metric, (value, note) in scored.items():
            rows.append((dataset, group, case, method, seed, protocol, metric, value, note))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def score_case(
    store: Store,
    dataset: str,
    method: str,
    case: str,
    *,
    seed: int,
    protocol: Protocol,
    metrics: Sequence[Metric],
) -> dict[str, tuple[float, str]]:
    """Score one restoration.

    Returns:
        Metric to its value and an empty text, or to NaN and the reason why there is no value.

    Raises:
        InputError: The case was not restored.
    """
    ((_, truth, folder, record),) = _restorations(store, dataset, method, [case], seed)
    if Status(record["status"]) is not Status.OK:
        return {metric.name: (np.nan, f"{record['status']}: {record['reason']}") for metric in metrics}
    restored = Restored(
        read_restored_image(folder),
        truth,
        protocol,
        store.read_observation(dataset, case).blurry,
        read_kernels(folder),
        read_kernel_field(folder),
    )
    return {metric.name: restored.score(metric) for metric in metrics}


def score_snapshots(
    store: Store,
    dataset: str,
    method: str,
    cases: Sequence[str],
    *,
    seed: int,
    protocol: str,
    metrics: Sequence[str],
    snapshots: Collection[int],
) -> pd.DataFrame:
    """Score the snapshots, and the result, by `CONVERGENCE_METRICS` and by full-reference metrics.

    Args:
        store: The results folder.
        dataset: A dataset, or <dataset>@<condition>.
        method: A method, or <method>@<setting>.
        cases: Names of cases.
        seed: Which repetition.
        protocol: A name of `PROTOCOLS`.
        metrics: Named as in configs. Those that compare no images are left out.
        snapshots: The iterations to score.

    Returns:
        `CONVERGENCE_COLUMNS`, a row per case, iteration and metric that has a value there. The restored image
        has the iteration that it was taken from, and `is_result`. Cases that failed have no rows.

    Raises:
        InputError: The protocol or a metric is unknown, or a case was not restored.
    """
    rules = find_protocol(protocol)
    asked = [name for name in metrics if rules.metric(name).is_full_reference]
    chosen = [rules.metric(name) for name in dict.fromkeys([*CONVERGENCE_METRICS, *asked])]
    rows = []
    for case, truth, folder, record in _restorations(store, dataset, method, cases, seed):
        if Status(record["status"]) is not Status.OK:
            continue
        for iteration, seconds, image, kernels in _estimates(folder, record, snapshots):
            is_result = iteration == record["returned"]
            restored = Restored(image, truth, rules, kernels=kernels)
            for metric in chosen:
                value, _ = restored.score(metric)
                names = (dataset, truth.group, case, method, seed)
                rows.append((*names, iteration, is_result, seconds, protocol, metric.name, value))
    return pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS)).dropna(subset="value")


def score_image(image: Array, truth: Truth, protocol: Protocol, metrics: Sequence[Metric]) -> list[float]:
    """Compute full-reference metrics of an image (C, H, W); NaN where there is nothing to compare it with."""
    restored = Restored(image, truth, protocol)
    return [restored.score(metric)[0] for metric in metrics]


@dataclass(frozen=True)
class Restored:
    """A restored image and all that metrics compare."""

    image: Array  # (C, H, W)
    truth: Truth
    protocol: Protocol
    blurry: Array | None = None  # (C, H, W)
    kernels: Array | None = None  # (P, h, w), the estimated ones
    field: Array | None = None  # (R, C', h, w), the estimated kernel field

    def score(self, metric: Metric) -> tuple[float, str]:
        """Return the metric's value, or NaN and a note on why there is none."""
        try:
            return metric.function(*self.arguments(metric.inputs)), ""
        except InputError as error:
            if fault := fault_behind(error):
                raise fault from error
            return np.nan, str(error)

    def arguments(self, inputs: Inputs) -> tuple[Any, ...]:
        """Return the arguments of metrics of these inputs. Raises InputError where one is missing."""
        match inputs:
            case "pair" | "masked":
                pair = self.aligned.estimate, self.aligned.reference
                return pair if inputs == "pair" else (*pair, self.aligned.mask)
            case "image":
                return (self.image.astype(np.float64),)
            case "kernels":
                return self._kernels()
            case "kernel":
                return self.blurry, self._kernel()
            case "blur":
                return self.blurry, self._sharp(), *self._kernels()
            case "field":
                sharp = self._sharp()
                if self.field is None:
                    raise InputError("the method estimates no kernel field")
                if not np.isfinite(self.field).all() or not self.field.size:
                    raise InputError("the estimated kernel field is not finite, or empty")
                return self.blurry, sharp, self.field

    @cached_property
    def aligned(self) -> Aligned:
        """The image and the sharp one, as the protocol compares them."""
        if not self.truth.frames:
            self._sharp()
        return self.protocol.align(self.image.astype(np.float64), self._references())

    def _references(self) -> Iterator[Image]:
        """Yield the sharp image or the sharp frames, one in memory at a time."""
        if self.truth.sharp is not None:
            yield self.truth.sharp.astype(np.float64)
        for path in self.truth.frames:
            yield read_image(path).astype(np.float64)

    def _sharp(self) -> Array:
        if self.truth.sharp is None:
            raise InputError("no sharp image exists")
        return self.truth.sharp

    def _kernels(self) -> tuple[Array, Array]:
        if self.truth.kernels is None:
            raise InputError("the true kernel is not known")
        estimate = self._kernel()
        if len(self.truth.kernels) != 1:
            raise InputError("kernels are compared for uniform blur only")
        return estimate, self.truth.kernels[0]

    def _kernel(self) -> Array:
        if self.kernels is None:
            raise InputError("the method estimates no kernel")
        if len(self.kernels) != 1:
            raise InputError("kernels are compared for uniform blur only")
        if not np.isfinite(self.kernels).all() or not self.kernels.any():
            raise InputError("the estimated kernel is not finite, or zero everywhere")
        kernel: Array = self.kernels[0]
        return kernel


def _restorations(
    store: Store, dataset: str, method: str, cases: Sequence[str], seed: int
) -> Iterator[tuple[str, Truth, Path, Mapping[str, Any]]]:
    """Yield each case with its truth, the folder of its restoration, and the record of how that ended.

    Raises:
        InputError: A case was not restored.
    """
    for case in cases:
        truth = store.read_truth(dataset, case)
        folder = store.case_folder(dataset, method, seed, case)
        record = read_record(folder)
        if record is None:
            raise InputError(f"{folder}: not restored, or altered since; run `blindbench restore` first")
        yield case, truth, folder, record


def _estimates(
    folder: Path, record: Mapping[str, Any], snapshots: Collection[int]
) -> list[tuple[int, float, Array, Array | None]]:
    """List iteration, seconds, image and kernels of the snapshots to score and of the result, in order."""
    estimates = [
        (
            snapshot.iteration,
            snapshot.seconds,
            snapshot.image.astype(np.float32) / np.float32(255),
            snapshot.kernels,
        )
        for snapshot in read_snapshots(folder)
        # After the last iteration the estimate is the result, whichever iteration that was taken from.
        if snapshot.iteration in snapshots
        and snapshot.iteration < record["iterations"]
        and snapshot.iteration != record["returned"]
    ]
    result = (record["returned"], record["seconds"], read_restored_image(folder), read_kernels(folder))
    estimates.append(result)
    return sorted(estimates, key=lambda estimate: estimate[0])
