"""Where things lie in a results folder, and how they are written and read.

    observations/<dataset>/<case>.npz, <case>.truth.npz, manifest.json
    restorations/<dataset>/<method>/seed<k>/<case>/{image.png, kernels.npz, trace.csv, run.json}
        kernel_field.npz, of methods that estimate one; snapshots.npz, where the config asks for snapshots
    restorations/<dataset>/<method>/seed<k>/shard<n>.json
    scores/<dataset>/<method>/seed<k>.csv, convergence/<dataset>/<method>/seed<k>.csv
    scores.csv, convergence.csv, runs.csv: all of these together
    tables/<name>.{csv, md, tex}, figures/<name>.{png, pdf}

`run.json` is written last: a case without it, or whose provenance differs, is not finished.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.core.files import replacing, write_json
from benchmark.core.hashes import digest
from benchmark.core.types import (
    Array,
    InputError,
    KnownBlur,
    Observation,
    Restoration,
    Snapshot,
    Status,
    Truth,
)
from benchmark.data.images import read_image, write_image


def array_hash(array: Array) -> str:
    """Hash an array's shape, type and values."""
    return digest(list(array.shape), str(array.dtype), array.tobytes())


def observation_hash(observation: Observation) -> str:
    """Hash everything that a method may know of a case."""
    size = list(observation.kernel_size) if observation.kernel_size else None
    blur = [observation.blur_model, observation.boundary, list(observation.grid)]
    parts = [array_hash(observation.blurry), size, *blur]
    if isinstance(observation, KnownBlur) and observation.kernels is not None:
        parts.append(array_hash(observation.kernels))
    return digest(*parts)


SCORES_FILE = "scores.csv"
CONVERGENCE_FILE = "convergence.csv"
RUNS_FILE = "runs.csv"


@dataclass(frozen=True)
class Store:
    """A results folder, `results/<profile>`."""

    root: Path

    def write_observation(self, observation: Observation, truth: Truth) -> None:
        """Write a case's observation and truth, in separate files."""
        folder = self.root / "observations" / observation.dataset
        size = observation.kernel_size
        _write_arrays(
            folder / f"{observation.case}.npz",
            blurry=_packed(observation.blurry),
            kernel_size=np.array(size if size else (), dtype=np.int64),
            blur_model=np.array(observation.blur_model),
            boundary=np.array(observation.boundary),
            grid=np.array(observation.grid, dtype=np.int64),
        )
        known = {
            "sharp": None if truth.sharp is None else _packed(truth.sharp),
            "kernels": truth.kernels,
            "frames": np.array([str(frame) for frame in truth.frames]) if truth.frames else None,
        }
        arrays = {key: array for key, array in known.items() if array is not None}
        _write_arrays(folder / f"{observation.case}.truth.npz", group=np.array(truth.group), **arrays)

    def read_observation(self, dataset: str, case: str) -> Observation:
        """Read what methods see of a case. Raises InputError when it is missing or damaged."""
        arrays = _read_arrays(self.root / "observations" / dataset / f"{case}.npz")
        size = arrays["kernel_size"]
        return Observation(
            dataset=dataset,
            case=case,
            blurry=_unpacked(arrays["blurry"]),
            kernel_size=(int(size[0]), int(size[1])) if len(size) else None,
            blur_model=str(arrays["blur_model"]),  # type: ignore[arg-type]
            boundary=str(arrays["boundary"]),  # type: ignore[arg-type]
            grid=(int(arrays["grid"][0]), int(arrays["grid"][1])),
        )

    def read_known_blur(self, dataset: str, case: str) -> KnownBlur:
        """Read a case with its true kernels, for controls."""
        observation, truth = self.read_observation(dataset, case), self.read_truth(dataset, case)
        return KnownBlur(**vars(observation), kernels=truth.kernels)

    def read_truth(self, dataset: str, case: str) -> Truth:
        """Read what only scoring knows of a case. Raises InputError when it is missing or damaged."""
        arrays = _read_arrays(self.root / "observations" / dataset / f"{case}.truth.npz")
        return Truth(
            group=str(arrays["group"]),
            sharp=_unpacked(arrays["sharp"]) if "sharp" in arrays else None,
            kernels=arrays.get("kernels"),
            frames=tuple(Path(str(frame)) for frame in arrays.get("frames", ())),
        )

    def observations_manifest(self, dataset: str) -> Path:
        """Return the file that lists the dataset's cases with the hash of each observation."""
        return self.root / "observations" / dataset / "manifest.json"

    def method_folder(self, dataset: str, method: str, seed: int) -> Path:
        """Return the folder of one method's restorations of one dataset, for one repetition."""
        return self.root / "restorations" / dataset / method / f"seed{seed}"

    def case_folder(self, dataset: str, method: str, seed: int, case: str) -> Path:
        """Return the folder of one restoration."""
        return self.method_folder(dataset, method, seed) / case

    def shard_manifest(self, dataset: str, method: str, seed: int, shard: int) -> Path:
        """Return the file that lists the runs of one job; the job writes it last."""
        return self.method_folder(dataset, method, seed) / f"shard{shard}.json"

    def scores_of(self, dataset: str, method: str, seed: int) -> Path:
        """Return the file of one method's scores on one dataset, for one repetition."""
        return self.root / "scores" / dataset / method / f"seed{seed}.csv"

    def convergence_of(self, dataset: str, method: str, seed: int) -> Path:
        """Return the file of the scores of one method's snapshots, for one repetition."""
        return self.root / "convergence" / dataset / method / f"seed{seed}.csv"

    @property
    def scores(self) -> Path:
        """All scores."""
        return self.root / SCORES_FILE

    @property
    def convergence(self) -> Path:
        """All scores of snapshots."""
        return self.root / CONVERGENCE_FILE

    @property
    def runs(self) -> Path:
        """How each run ended and what it cost."""
        return self.root / RUNS_FILE

    def table_files(self, name: str) -> list[Path]:
        """Return the three files of a table: .csv, .md and .tex."""
        return [self.root / "tables" / f"{name}.{suffix}" for suffix in ("csv", "md", "tex")]

    def figure(self, name: str) -> Path:
        """Return the path of a figure, without the suffix of its files."""
        return self.root / "figures" / name

    def figure_files(self, name: str) -> list[Path]:
        """Return the two files of a figure: .png and .pdf."""
        return [self.root / "figures" / f"{name}.{suffix}" for suffix in ("png", "pdf")]

    def weights_behind(
        self, cases: Mapping[str, Sequence[str]], methods: Sequence[str], seed: int
    ) -> dict[str, str]:
        """Find the labels of the pre-trained weights behind some restorations.

        Args:
            cases: dataset to its cases.
            methods: the methods that restored them.
            seed: the repetition.

        Returns:
            Method to the labels, for methods with any; see `benchmark.runs.names.weights_behind`.
        """
        by_method = {}
        for method in methods:
            folders = [
                self.case_folder(dataset, method, seed, case)
                for dataset, names in cases.items()
                for case in names
            ]
            labels = {record["weights"] for record in map(read_record, folders) if record}
            by_method[method] = ", ".join(sorted(filter(None, labels)))
        return {method: label for method, label in by_method.items() if label}


def write_restoration(folder: Path, restoration: Restoration, record: dict[str, Any]) -> None:
    """Write a restoration and, last of all, its `run.json`: `record` with the numbers of the run."""
    for stale in ("run.json", "image.png", "kernels.npz", "kernel_field.npz", "trace.csv", "snapshots.npz"):
        (folder / stale).unlink(missing_ok=True)
    if restoration.image is not None:
        write_image(folder / "image.png", restoration.image)
        record = {**record, "image_sha256": _file_hash(folder / "image.png")}
    if restoration.kernels is not None:
        _write_arrays(folder / "kernels.npz", kernels=restoration.kernels)
    if restoration.kernel_field is not None:
        # Half precision: a relative error of 5e-4 at most, for half the size.
        _write_arrays(folder / "kernel_field.npz", kernels=restoration.kernel_field.astype(np.float16))
    if restoration.trace:
        with replacing(folder / "trace.csv") as temporary:
            pd.DataFrame(restoration.trace).to_csv(temporary, index=False)
    if restoration.snapshots:
        _write_arrays(
            folder / "snapshots.npz",
            iterations=np.array([snapshot.iteration for snapshot in restoration.snapshots]),
            seconds=np.array([snapshot.seconds for snapshot in restoration.snapshots]),
            images=np.stack([snapshot.image for snapshot in restoration.snapshots]),
        )
        record = {**record, "snapshots": [snapshot.iteration for snapshot in restoration.snapshots]}
    record = {
        **record,
        "status": restoration.status.value,
        "reason": restoration.reason,
        "iterations": restoration.iterations,
        "returned": restoration.returned,
        "seconds": round(restoration.seconds, 2),
        "peak_memory_mib": round(restoration.peak_memory_mib),
        "device": restoration.device,
        "weights": restoration.weights,
    }
    write_json(folder / "run.json", record)


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read `run.json`; None when the case is not finished or its image is not the one recorded."""
    path = folder / "run.json"
    if not path.exists():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        Status(record["status"])
    except (ValueError, KeyError):
        return None
    image = folder / "image.png"
    if "image_sha256" in record and not (image.exists() and _file_hash(image) == record["image_sha256"]):
        return None
    if "snapshots" in record and not (folder / "snapshots.npz").exists():
        return None
    return record


def forget_failed(root: Path) -> int:
    """Forget every run that ended without an image, so that it runs again; return how many there were."""
    forgotten = 0
    for manifest in sorted((root / "restorations").glob("*/*/seed*/shard*.json")):
        folders = [run.parent for run in manifest.parent.glob("*/run.json")]
        failed = [folder for folder in folders if not (folder / "image.png").exists()]
        for folder in failed:
            (folder / "run.json").unlink()
        if failed:
            manifest.unlink()
        forgotten += len(failed)
    return forgotten


def read_restored_image(folder: Path) -> Array:
    """Read the restored image (C, H, W), as written and scored: 8-bit values / 255."""
    return read_image(folder / "image.png")


def read_kernels(folder: Path) -> Array | None:
    """Read the estimated kernels (P, h, w); None where the method estimates none."""
    path = folder / "kernels.npz"
    return _read_arrays(path)["kernels"] if path.exists() else None


def read_kernel_field(folder: Path) -> Array | None:
    """Read the kernel field (R, C, h, w); None where the method estimates none."""
    path = folder / "kernel_field.npz"
    return _read_arrays(path)["kernels"].astype(np.float32) if path.exists() else None


def read_snapshots(folder: Path) -> tuple[Snapshot, ...]:
    """Read the snapshots, in order; none where the config asks for none."""
    path = folder / "snapshots.npz"
    if not path.exists():
        return ()
    arrays = _read_arrays(path)
    return tuple(
        Snapshot(int(iteration), float(seconds), image)
        for iteration, seconds, image in zip(
            arrays["iterations"], arrays["seconds"], arrays["images"], strict=True
        )
    )


def _packed(image: Array) -> NDArray[Any]:
    """Store images that are multiples of 1/255 as 8-bit values, a quarter of the size; others as they are."""
    values = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    return values if np.array_equal(_unpacked(values), image) else image


def _unpacked(image: NDArray[Any]) -> Array:
    return image.astype(np.float32) / np.float32(255) if image.dtype == np.uint8 else image


def _write_arrays(path: Path, **arrays: Any) -> None:
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def _read_arrays(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run `blindbench synthesize` first") from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged ({error}); delete it and run again") from error


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
