"""Dataset descriptors: `datasets/<name>.yaml` to cases."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import skimage.util

from benchmark.blur.trajectory import trajectory_kernel
from benchmark.images import read_image
from benchmark.schema import ROOT, checked, did_you_mean, read_yaml
from benchmark.seeds import generator
from benchmark.types import Array, Case, InputError

FOLDER = ROOT / "datasets"
MIRROR = "BLINDBENCH_MIRROR"  # environment variable: a folder whose data/ and weights/ come first


@dataclass(frozen=True)
class Dataset:
    """A checked descriptor."""

    name: str
    path: Path
    content: Mapping[str, Any]  # as `workflow/schemas/dataset.schema.yaml` has it

    @property
    def case_ids(self) -> list[str]:
        """The names of all cases, in the descriptor's order."""
        if "grid" in self.content:
            grid = self.content["grid"]
            return [f"im{image}_kernel{kernel}" for image in grid["images"] for kernel in grid["kernels"]]
        return [case["id"] for case in self.content["cases"]]

    @property
    def recipe(self) -> dict[str, Any]:
        """All of the descriptor that decides the observations."""
        keys = ("cases", "grid", "noise_sigma")
        return {**{key: self.content.get(key) for key in keys}, "sha256": self.checksums}

    @cached_property
    def checksums(self) -> dict[str, str]:
        """File name to SHA-256, from `<name>.sha256` beside the descriptor; empty when there is none."""
        path = self.path.with_suffix(".sha256")
        if not path.exists():
            return {}
        lines = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
        return {name: digest for digest, name in lines}

    def file(self, name: str) -> Path:
        """A data file that is there and has the right checksum. Raises InputError naming it otherwise."""
        folder = self.content["grid"]["folder"]
        places = [self.path.parent / folder]
        if mirror := os.environ.get(MIRROR):
            places.insert(0, Path(mirror) / "data" / folder)
        found: list[Path] = [place / name for place in places if (place / name).is_file()]
        if not found:
            looked = " nor ".join(str(place) for place in places)
            raise InputError(
                f"{self.name}: {name} is not in {looked}; put the files there, or set {MIRROR} to a folder "
                f"that has data/{folder} (source: {self.content['source']})"
            )
        actual = hashlib.sha256(found[0].read_bytes()).hexdigest()
        expected = self.checksums.get(name, actual)
        if actual != expected:
            raise InputError(
                f"{found[0]}: damaged or another file (sha256 {actual[:12]}..., not {expected[:12]}...); "
                "get it again"
            )
        return found[0]


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
    """The case with its pixels; synthetic kernels are drawn from a generator of their own."""
    if "grid" in dataset.content:
        return _grid_case(dataset, case_id)
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


def _grid_case(dataset: Dataset, case_id: str) -> Case:
    """A photograph of a grid, with its sharp image and its measured kernel."""
    grid = dataset.content["grid"]
    image, _, kernel = case_id.removeprefix("im").partition("_kernel")
    entry = grid["kernels"][kernel]
    weights = read_image(dataset.file(entry["file"]))[:1]
    if entry["form"] == "correlation":
        weights = np.ascontiguousarray(weights[:, ::-1, ::-1])
    photograph = read_image(dataset.file(grid["blurry"].format(image=image, kernel=kernel)))
    sharp = read_image(dataset.file(grid["sharp"].format(image=image)))
    if sharp.shape != photograph.shape:
        raise InputError(
            f"{dataset.name}/{case_id}: the photograph is {photograph.shape}, its sharp image {sharp.shape}"
        )
    return Case(
        dataset=dataset.name,
        group=f"im{image}",
        id=case_id,
        kernel_size=(entry["declared_size"], entry["declared_size"]),
        kernels=weights / weights.sum(),
        photograph=photograph,
        sharp=sharp,
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
