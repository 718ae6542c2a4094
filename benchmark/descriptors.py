"""Dataset descriptors: `datasets/<name>.yaml` to cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import skimage.data
import skimage.util

from benchmark.blur.trajectory import trajectory_kernel
from benchmark.schema import ROOT, checked, did_you_mean, read_yaml
from benchmark.seeds import generator
from benchmark.types import Array, Case, InputError

FOLDER = ROOT / "datasets"


@dataclass(frozen=True)
class Dataset:
    """A checked descriptor."""

    name: str
    path: Path
    content: Mapping[str, Any]  # as `workflow/schemas/dataset.schema.yaml` has it

    @property
    def case_ids(self) -> list[str]:
        """The names of all cases, in the descriptor's order."""
        return [case["id"] for case in self.content["cases"]]


def find_dataset(name: str, folder: Path = FOLDER) -> Dataset:
    """The dataset called `name`. Raises InputError when there is none or its descriptor is wrong."""
    path = folder / f"{name}.yaml"
    if not path.exists():
        known = sorted(descriptor.stem for descriptor in folder.glob("*.yaml"))
        raise InputError(f"unknown dataset '{name}'. {did_you_mean(name, known)}")
    content = checked(read_yaml(path), "dataset", str(path))
    dataset = Dataset(name, path, content)
    for index, case_id in enumerate(dataset.case_ids):
        if case_id in dataset.case_ids[:index]:
            raise InputError(f"{path}: cases[{index}].id: '{case_id}' is there twice")
    return dataset


def make_case(dataset: Dataset, case_id: str, experiment_seed: int) -> Case:
    """The case with its pixels; kernels are drawn from a generator of their own."""
    entry = next(case for case in dataset.content["cases"] if case["id"] == case_id)
    where = f"{dataset.path}: {case_id}"
    photograph = _photograph(entry["photograph"])
    if "kernel" not in entry:
        size = entry["declared_kernel_size"]
        return Case(
            dataset=dataset.name,
            group=case_id,
            id=case_id,
            kernel_size=(size, size),
            photograph=_cropped(photograph, entry["crop"], (1, 1), where),
        )
    rng = generator(experiment_seed, dataset.name, case_id, "kernel")
    kernel = trajectory_kernel(entry["kernel"]["trajectory"], rng)
    size = (kernel.shape[0], kernel.shape[1])
    return Case(
        dataset=dataset.name,
        group=case_id,
        id=case_id,
        kernel_size=size,
        scene=_cropped(photograph, entry["crop"], size, where),
        kernels=kernel[None],
        noise_sigma=dataset.content.get("noise_sigma", 0.0),
    )


def _photograph(name: str) -> Array:
    pixels = skimage.util.img_as_float32(getattr(skimage.data, name)())
    image: Array = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return image


def _cropped(photograph: Array, crop: Mapping[str, int], kernel_size: tuple[int, int], where: str) -> Array:
    """The observed frame with the margin that a 'valid' blur by `kernel_size` consumes."""
    h, w = kernel_size
    top, left = crop["top"] - (h - 1) // 2, crop["left"] - (w - 1) // 2
    bottom, right = top + crop["height"] + h - 1, left + crop["width"] + w - 1
    if min(top, left) < 0 or bottom > photograph.shape[1] or right > photograph.shape[2]:
        raise InputError(
            f"{where}: the crop with its blur margin of {h - 1} x {w - 1} px leaves the photograph "
            f"({photograph.shape[1]} x {photograph.shape[2]}); move or shrink it"
        )
    return photograph[:, top:bottom, left:right].copy()
