"""Where things lie in a results folder, and how they are written and read.

    observations/<dataset>/<case>.npz, <case>.truth.npz, manifest.json
    restorations/<dataset>/<method>/seed<k>/<case>/{image.png, kernels.npz, trace.csv, run.json}
        kernel_field.npz, of methods that estimate one; snapshots.npz, where the config asks for snapshots
    records/<method>/<n>.json: the records of the restorations of job n
    scores/<method>/<n>.csv, convergence/<method>/<n>.csv: what scoring job n writes
    scores.csv, convergence.csv, runs.csv: all of these together
    tables/<name>.{csv, md, tex}, figures/<name>.{png, pdf}
    index.html: the page that shows all of it, with its pictures in report/

`run.json` is written last: a case without it, or whose provenance differs, is not finished. It holds the
hashes of the other files of its case. Files outside the folders of cases have seals (`benchmark.core.seals`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.core.arrays import numbers, reading_arrays, write_arrays
from benchmark.core.files import replacing, write_json
from benchmark.core.hashes import digest
from benchmark.core.images import read_image, write_image
from benchmark.core.seals import file_hash, sealed
from benchmark.core.types import (
    Array,
    BlurModel,
    Boundary,
    KnownBlur,
    Observation,
    Restoration,
    Snapshot,
    Status,
    Truth,
)


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


OTHER_FILES = ("kernels.npz", "kernel_field.npz", "trace.csv", "snapshots.npz")  # of a case, beside its image
SYNTHESIZE = "run `blindbench synthesize` first"  # what to do where no observation is here
RESTORE = "run `blindbench restore` first"
SCORES_FILE = "scores.csv"
CONVERGENCE_FILE = "convergence.csv"
RUNS_FILE = "runs.csv"


@dataclass(frozen=True)
class Store:
    """A results folder, `results/<profile>`."""

    root: Path

    def write_observation(self, observation: Observation, truth: Truth) -> None:
        """Write a case's observation and truth, in separate files."""
        seen, known_to_scoring = self.observation_files(observation.dataset, observation.case)
        size = observation.kernel_size
        write_arrays(
            seen,
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
        write_arrays(known_to_scoring, group=np.array(truth.group), **arrays)

    def read_observation(self, dataset: str, case: str) -> Observation:
        """Read what methods see of a case. Raises InputError when it is missing or damaged."""
        with reading_arrays(self.observation_files(dataset, case)[0], SYNTHESIZE) as arrays:
            size = arrays["kernel_size"]
            return Observation(
                dataset=dataset,
                case=case,
                blurry=_unpacked(numbers(arrays["blurry"], 3)),
                kernel_size=(int(size[0]), int(size[1])) if len(size) else None,
                blur_model=_one_of(BlurModel, arrays["blur_model"]),
                boundary=_one_of(Boundary, arrays["boundary"]),
                grid=(int(arrays["grid"][0]), int(arrays["grid"][1])),
            )

    def read_known_blur(self, dataset: str, case: str) -> KnownBlur:
        """Read a case with its true kernels, for controls."""
        observation, truth = self.read_observation(dataset, case), self.read_truth(dataset, case)
        return KnownBlur(**vars(observation), kernels=truth.kernels)

    def read_truth(self, dataset: str, case: str) -> Truth:
        """Read what only scoring knows of a case. Raises InputError when it is missing or damaged."""
        with reading_arrays(self.observation_files(dataset, case)[1], SYNTHESIZE) as arrays:
            return Truth(
                group=str(arrays["group"]),
                sharp=_unpacked(numbers(arrays["sharp"], 3)) if "sharp" in arrays else None,
                kernels=_true_kernels(arrays["kernels"]) if "kernels" in arrays else None,
                frames=tuple(Path(str(frame)) for frame in arrays.get("frames", ())),
            )

    def observation_files(self, dataset: str, case: str) -> tuple[Path, Path]:
        """Return the two files of a case: what methods see, and what only scoring knows."""
        folder = self.root / "observations" / dataset
        return folder / f"{case}.npz", folder / f"{case}.truth.npz"

    def observations_manifest(self, dataset: str) -> Path:
        """Return the file that lists the files of the dataset's observations, each with its hash."""
        return self.root / "observations" / dataset / "manifest.json"

    def write_observations_manifest(self, dataset: str, hashes: Mapping[str, str]) -> None:
        """Write the manifest of a dataset's observations: file name to hash."""
        manifest = self.observations_manifest(dataset)
        with sealed(manifest):
            write_json(manifest, hashes)

    def case_folder(self, dataset: str, method: str, seed: int, case: str) -> Path:
        """Return the folder of one restoration."""
        return self.root / "restorations" / dataset / method / f"seed{seed}" / case

    def records(self, method: str, shard: int) -> Path:
        """Return the file with the records of one job's restorations; the job writes it last."""
        return self.root / "records" / method / f"{shard}.json"

    def scores_of(self, method: str, shard: int) -> Path:
        """Return the file with the scores of one shard of a method's restorations."""
        return self.root / "scores" / method / f"{shard}.csv"

    def convergence_of(self, method: str, shard: int) -> Path:
        """Return the file with the scores of the snapshots of one shard of a method's restorations."""
        return self.root / "convergence" / method / f"{shard}.csv"

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

    @property
    def report(self) -> Path:
        """The page that shows a finished run."""
        return self.root / "index.html"

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
    """Write a restoration and, last of all, its `run.json`: `record` with the numbers of the run.

    Where the files are those of an earlier run by the same settings and code, as when one was lost, the
    earlier record stays: what was made from it need not be made again.
    """
    earlier = stored_record(folder)
    for stale in ("run.json", "image.png", *OTHER_FILES):
        (folder / stale).unlink(missing_ok=True)
    if restoration.image is not None:
        write_image(folder / "image.png", restoration.image)
        record = {**record, "image_sha256": file_hash(folder / "image.png")}
    if restoration.kernels is not None:
        write_arrays(folder / "kernels.npz", kernels=restoration.kernels)
    if restoration.kernel_field is not None:
        # Half precision: a relative error of 5e-4 at most, for half the size.
        write_arrays(folder / "kernel_field.npz", kernels=restoration.kernel_field.astype(np.float16))
    if restoration.trace:
        with replacing(folder / "trace.csv") as temporary:
            pd.DataFrame(restoration.trace).to_csv(temporary, index=False)
    if restoration.snapshots:
        _write_snapshots(folder / "snapshots.npz", restoration.snapshots)
        record = {**record, "snapshots": [snapshot.iteration for snapshot in restoration.snapshots]}
    record = {
        **record,
        "status": restoration.status.value,
        "reason": restoration.reason,
        "iterations": restoration.iterations,
        "returned": restoration.returned,
        "seconds": round(restoration.seconds, 2),
        "core_seconds": round(restoration.core_seconds, 2),
        "peak_memory_mib": round(restoration.peak_memory_mib),
        "device": restoration.device,
        "weights": restoration.weights,
    }
    if restoration.notes:
        record = {**record, "notes": restoration.notes}
    others = [name for name in OTHER_FILES if (folder / name).exists()]
    record["other_sha256"] = {name: file_hash(folder / name) for name in others}
    write_json(folder / "run.json", earlier if earlier and _same_result(earlier, record) else record)


def _same_result(earlier: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Tell whether two runs that ended well had the same provenance and wrote the same files."""
    keys = ("config_hash", "image_sha256", "other_sha256")
    return all(key in record and earlier.get(key) == record[key] for key in keys)


def stored_record(folder: Path) -> dict[str, Any] | None:
    """Read `run.json`, whatever became of the other files; None when the case is not finished."""
    path = folder / "run.json"
    if not path.exists():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        Status(record["status"])
    except (ValueError, KeyError, TypeError):
        return None
    return record


def recorded_hashes(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the files that a run wrote, each with its hash."""
    image = {"image.png": record["image_sha256"]} if "image_sha256" in record else {}
    return {**image, **record.get("other_sha256", {})}


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read `run.json`; None when the case is not finished or one of its files is not the recorded one."""
    record = stored_record(folder)
    if record is None:
        return None
    for name, recorded in recorded_hashes(record).items():
        if not (folder / name).exists() or file_hash(folder / name) != recorded:
            return None
    return record


def read_restored_image(folder: Path) -> Array:
    """Read the restored image (C, H, W), as written and scored: 8-bit values / 255."""
    return read_image(folder / "image.png")


def read_kernels(folder: Path) -> Array | None:
    """Read the estimated kernels (P, h, w); None where the method estimates none."""
    return _read_kernels(folder / "kernels.npz", 3)


def read_kernel_field(folder: Path) -> Array | None:
    """Read the kernel field (R, C, h, w); None where the method estimates none."""
    field = _read_kernels(folder / "kernel_field.npz", 4)
    return None if field is None else field.astype(np.float32)


def _read_kernels(path: Path, axes: int) -> Array | None:
    if not path.exists():
        return None
    with reading_arrays(path, RESTORE) as arrays:
        return numbers(arrays["kernels"], axes)


def read_snapshots(folder: Path) -> tuple[Snapshot, ...]:
    """Read the snapshots, in order; none where the config asks for none."""
    path = folder / "snapshots.npz"
    if not path.exists():
        return ()
    with reading_arrays(path, RESTORE) as arrays:
        images = numbers(arrays["images"], 4)
        kernels = numbers(arrays["kernels"], 4) if "kernels" in arrays else [None] * len(images)
        columns = (arrays["iterations"], arrays["seconds"], images, kernels)
        return tuple(
            Snapshot(int(iteration), float(seconds), image, estimate)
            for iteration, seconds, image, estimate in zip(*columns, strict=True)
        )


def _write_snapshots(path: Path, snapshots: Sequence[Snapshot]) -> None:
    kernels = [snapshot.kernels for snapshot in snapshots if snapshot.kernels is not None]
    write_arrays(
        path,
        iterations=np.array([snapshot.iteration for snapshot in snapshots]),
        seconds=np.array([snapshot.seconds for snapshot in snapshots]),
        images=np.stack([snapshot.image for snapshot in snapshots]),
        **({"kernels": np.stack(kernels)} if kernels else {}),  # of all snapshots of a method, or of none
    )


def _packed(image: Array) -> NDArray[Any]:
    """Store images that are multiples of 1/255 as 8-bit values, a quarter of the size; others as they are."""
    values = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    return values if np.array_equal(_unpacked(values), image) else image


def _unpacked(image: NDArray[Any]) -> Array:
    return image.astype(np.float32) / np.float32(255) if image.dtype == np.uint8 else image


def _one_of(names: Any, array: NDArray[Any]) -> Any:
    """Return the text of an array if it is one of a literal type's names, else raise ValueError."""
    if str(array) not in get_args(names):
        raise ValueError(f"'{array}' is none of {', '.join(get_args(names))}")
    return str(array)


def _true_kernels(array: NDArray[Any]) -> NDArray[Any]:
    """Return kernels (N, h, w). Raises ValueError where one does not sum to about 1, or has huge entries."""
    kernels = numbers(array, 3)
    sums = kernels.sum((1, 2))
    if abs(kernels).max() > 2 or not (abs(sums - 1) < 0.5).all():
        raise ValueError("kernels that do not sum to 1")
    return kernels
