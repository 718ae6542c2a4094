"""Descriptors of datasets, `datasets/<name>.yaml`: read and check them, and find the files they name."""

import fnmatch
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark.core.errors import InputError
from benchmark.core.files import write_text
from benchmark.core.names import require_inside, require_safe
from benchmark.core.resources import MIRROR, data_folder, mirror, shipped
from benchmark.core.schema import checked, did_you_mean, read_yaml
from benchmark.data.case_lists import Entry, Folders, count_of, entries_of

FOLDER = shipped("datasets")
OTHERS = ("sources", "conditions")  # YAML files beside the descriptors
CHANGED = ("noise", "stretch", "declared_size", "reduce")  # keys of a descriptor that a condition replaces


@dataclass(frozen=True)
class Dataset:
    """A checked descriptor, changed by its conditions."""

    name: str  # <dataset>, or <dataset>@<condition>
    path: Path  # of the descriptor; lists of cases and checksums lie beside it
    data: Path  # holds a folder of data per source; searched after the mirror
    content: Mapping[str, Any]  # see `workflow/schemas/dataset.schema.yaml`
    size_level: int = 1  # 1 declares the true kernel size, 5 half the image; see `declared_kernel_size`

    @property
    def base(self) -> str:
        """The name without conditions. It seeds kernels and noise, so that conditions can be compared."""
        return self.name.partition("@")[0]

    @property
    def case_count(self) -> int:
        """The number of cases, whether their files are here or not."""
        return count_of(self.content, self._folders)

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """Id to case, in the descriptor's order.

        Where the list of cases depends on files, those are listed that are here; `require_all` tells whether
        it is whole. Raises InputError where none is here, and for an id that is not safe or a file outside
        the folder of data.
        """
        entries: dict[str, Entry] = {}
        for index, entry in enumerate(entries_of(self.content, self._folders)):
            require_safe(entry.id, f"{self.path}: cases[{index}].id")
            for file in entry.files:
                require_inside(file, f"{self.path}: {entry.id}")
            if entry.id in entries:
                raise InputError(f"{self.path}: cases[{index}].id: '{entry.id}' is there twice")
            entries[entry.id] = entry
        return entries

    @property
    def case_ids(self) -> list[str]:
        """The ids of all cases."""
        return list(self.entries)

    def require_all(self) -> None:
        """Check that all cases are listed. Raises InputError where files that tell the cases are missing."""
        entries_of(self.content, replace(self._folders, is_whole=True))

    def complete(self, cases: Sequence[str]) -> list[str]:
        """List those of `cases` of which every file is here."""
        missing = set(self.missing(cases))
        return [case for case in cases if missing.isdisjoint(self.entries[case].files)]

    @property
    def synthesised(self) -> bool:
        """Whether its blurry images are made here from sharp ones."""
        if "cases" in self.content:
            return all("kernel" in case for case in self.content["cases"])
        form = self.content.get("grid") or self.content.get("files") or {}
        return "sharp" in form and "blurry" not in form

    @property
    def recipe(self) -> dict[str, Any]:
        """All that the blurry images depend on: the descriptor without texts and scoring, and checksums."""
        irrelevant = ("title", "caption", "table", "protocol")
        content = {key: value for key, value in self.content.items() if key not in irrelevant}
        return {**content, "size_level": self.size_level, "sha256": self.checksums}

    @cached_property
    def checksums(self) -> dict[str, str]:
        """Path to SHA-256, from `<source>.sha256` beside the descriptor; empty without such a list."""
        path = self.path.with_name(f"{self.content['source']}.sha256")
        if not path.exists():
            return {}
        lines = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
        return {f"{self.content['source']}/{name}": digest for digest, name in lines}

    def file(self, name: str) -> Path:
        """Find a file of data and verify its checksum, if one is listed.

        Raises InputError when the file is missing or its checksum differs.
        """
        path = self._folders.find(name)
        if path is None:
            places = " nor ".join(str(root) for root in self._folders.roots)
            raise InputError(
                f"{self.name}: {name} is not in {places}; put it there, or set {MIRROR} to a folder that has "
                f"data/{name}, or see `blindbench datasets {self.base}`"
            )
        if name in self.checksums:
            actual = hashlib.sha256(path.read_bytes()).hexdigest()
            if actual != self.checksums[name]:
                raise InputError(
                    f"{path}: damaged or another file (sha256 {actual[:12]}..., not "
                    f"{self.checksums[name][:12]}...); get it again"
                )
        return path

    def selected(self, patterns: Sequence[str]) -> list[str]:
        """List the cases that match any of the shell patterns.

        Raises InputError for a pattern that matches no case.
        """
        for pattern in patterns:
            if not fnmatch.filter(self.case_ids, pattern):
                raise InputError(
                    f"{self.name}: no case matches '{pattern}'; its first case is {self.case_ids[0]}"
                )
        return [case for case in self.case_ids if any(fnmatch.fnmatchcase(case, p) for p in patterns)]

    def files(self, cases: Sequence[str]) -> list[str]:
        """List the files of `cases`, each once."""
        return list(dict.fromkeys(name for case in cases for name in self.entries[case].files))

    def missing(self, cases: Sequence[str]) -> list[str]:
        """List the files of `cases` that are missing."""
        folders = self._folders
        return [name for name in self.files(cases) if folders.find(name) is None]

    def freeze(self) -> None:
        """Write the list of all cases' files beside them, so that a file that is lost later is noticed."""
        folder = self.data / self.content["source"]
        if "find" in self.content.get("files", {}) and folder.is_dir():
            self.require_all()
            below = len(self.content["source"]) + 1
            key = "blurry" if "blurry" in self.content["files"] else "sharp"
            paths = [getattr(entry, key)[below:] for entry in self.entries.values()]
            write_text(folder / self._folders.frozen, "\n".join(paths) + "\n")

    @property
    def _folders(self) -> Folders:
        first = mirror()
        roots = ([first / "data"] if first else []) + [self.data]
        return Folders(self.content["source"], roots, self.path.parent / "lists", f"{self.base}.list")


def dataset_names(folder: Path = FOLDER) -> list[str]:
    """List the names of all descriptors."""
    return sorted(path.stem for path in folder.glob("*.yaml") if path.stem not in OTHERS)


def find_dataset(name: str, folder: Path = FOLDER) -> Dataset:
    """Read a dataset's descriptor.

    Args:
        name: `<dataset>`, or `<dataset>@<condition>` with one or more conditions.
        folder: Holds the descriptors; another one than the shipped also holds the data.

    Raises:
        InputError: There is no such dataset or condition, or the descriptor is wrong.

    >>> find_dataset("levin-synth@size-level-5").size_level
    5
    """
    require_safe(name, "dataset")
    base, *conditions = name.split("@")
    path, data = folder / f"{base}.yaml", data_folder() if folder == FOLDER else folder
    if base in OTHERS or not path.is_file():
        raise InputError(f"unknown dataset '{base}'. {did_you_mean(base, dataset_names(folder))}")
    content = checked(read_yaml(path), "dataset", str(path))
    dataset = _with_conditions(Dataset(name, path, data, content), conditions)
    if "cases" in content or "grid" in content:
        _ = dataset.entries  # raises for an id that is there twice
    return dataset


def freeze_lists(source: str, folder: Path = FOLDER) -> None:
    """Call `Dataset.freeze` for each dataset of `source`. Raises InputError for a wrong number of files."""
    for name in dataset_names(folder):
        dataset = find_dataset(name, folder)
        if dataset.content["source"] == source:
            dataset.freeze()


def presence(dataset: Dataset) -> str:
    """Tell which cases have all their files: 'yes' for all, 'no' for none, else how many."""
    try:
        cases = dataset.case_ids
    except InputError:
        return "no"
    complete, count = len(dataset.complete(cases)), max(len(cases), dataset.case_count)
    if complete == count:
        return "yes"
    return f"{complete} of {count} cases" if complete else "no"


def _with_conditions(dataset: Dataset, conditions: Sequence[str]) -> Dataset:
    if not conditions:
        return dataset
    path = FOLDER / "conditions.yaml"
    known = checked(read_yaml(path), "conditions", str(path))
    content, level = dict(dataset.content), dataset.size_level
    for name in conditions:
        if name not in known:
            raise InputError(f"{dataset.name}: unknown condition '{name}'. {did_you_mean(name, list(known))}")
        condition = known[name]
        if not dataset.synthesised and condition.keys() - {"caption", "declared_size", "only_size"}:
            raise InputError(
                f"{dataset.name}: its blurry images are files, so conditions change the declared size alone"
            )
        level = condition.get("size_level", level)
        content["caption"] = f"{content['caption']} {condition['caption']}"
        content |= {key: condition[key] for key in CHANGED if key in condition}
        if "only_size" in condition:
            content["grid"] = _of_size(dataset, content, condition["only_size"])
        if "reduce" in condition and "photograph" in next(iter(content.get("cases", [{}]))):
            raise InputError(
                f"{dataset.name}: its photographs are cropped as the descriptor says; only images from files "
                f"are reduced, so leave out @{name}"
            )
    return replace(dataset, content=content, size_level=level)


def _of_size(dataset: Dataset, content: Mapping[str, Any], size: int) -> Mapping[str, Any]:
    """Return the grid of a descriptor with the kernels of one declared size alone."""
    grid = content.get("grid", {"kernels": {}})
    kernels = {name: kernel for name, kernel in grid["kernels"].items() if kernel["declared_size"] == size}
    if not kernels:
        raise InputError(f"{dataset.name}: no kernel of its grid has a declared size of {size} px")
    return {**grid, "kernels": kernels}
