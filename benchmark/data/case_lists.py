"""Which cases a dataset has: the four ways in which a descriptor says it, all turned into `Entry`s.

No pixels are read here. File names are relative to a folder of data: `datasets/` or `<mirror>/data/`.
"""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.core.types import InputError


@dataclass(frozen=True)
class Entry:
    """One case by its names; empty where it has no such file."""

    id: str
    group: str
    blurry: str = ""
    sharp: str = ""
    frames: tuple[str, ...] = ()  # sharp frames along a shake
    kernel_file: str = ""
    kernel_form: str = ""  # of that file: convolution or correlation
    kernel: Mapping[str, Any] | None = None  # the recipe of a synthesised one
    declared_size: int | None = None
    photograph: str = ""  # of skimage.data
    crop: Mapping[str, int] | None = None
    side: int | None = None  # that the crop is resized to

    @property
    def files(self) -> tuple[str, ...]:
        """All files that the case is read from."""
        return tuple(name for name in (self.blurry, self.sharp, *self.frames, self.kernel_file) if name)


@dataclass(frozen=True)
class Folders:
    """Where a dataset's files may lie."""

    source: str  # the folder below each root
    roots: Sequence[Path]  # the first that has a file wins
    lists: Path  # of ids, beside the descriptors
    frozen: str  # a file of the source's folder: the paths that were found when the data were complete

    def find(self, name: str) -> Path | None:
        """The first root's file called `name`."""
        return next((root / name for root in self.roots if (root / name).is_file()), None)

    @property
    def folder(self) -> Path | None:
        """The first root's folder of the source."""
        return next((root / self.source for root in self.roots if (root / self.source).is_dir()), None)


def count_of(content: Mapping[str, Any], folders: Folders) -> int:
    """How many cases the descriptor promises, whether its files are here or not."""
    if "files" in content and "find" in content["files"]:
        count: int = content["files"].get("first") or content["files"]["count"]
        return count
    if "manifest" in content:
        return int(content["manifest"]["count"])
    return len(entries_of(content, folders))


def entries_of(content: Mapping[str, Any], folders: Folders) -> list[Entry]:
    """All cases, in the descriptor's order. Raises InputError where the files decide and are not there."""
    form = next(form for form in _FORMS if form in content)
    entries = _FORMS[form](content[form], folders)
    if "kernel" in content:
        entries = [_with_kernel(entry, content["kernel"], index) for index, entry in enumerate(entries)]
    return entries


def _with_kernel(entry: Entry, recipe: Mapping[str, Any], index: int) -> Entry:
    """The entry with its part of the recipe: sizes are dealt out in turn, each comes equally often."""
    dealt = {
        key: value[index % len(value)] if isinstance(value, list) and key != "extent" else value
        for key, value in recipe.items()
    }
    return replace(entry, kernel=dealt)


def _photographs(cases: Sequence[Mapping[str, Any]], folders: Folders) -> list[Entry]:
    del folders
    return [Entry(group=case["id"], **case) for case in cases]


def _grid(grid: Mapping[str, Any], folders: Folders) -> list[Entry]:
    """Every image through every kernel."""
    entries = []
    for group, images in grid["images"].items():
        for image in images:
            for name, kernel in grid["kernels"].items():

                def filled(template: str, below: str = f"{folders.source}/", **names: Any) -> str:
                    return below * bool(template) + template.format(**names)

                names = {"image": image, "kernel": name}
                case_id = filled(grid["id"], "", **names)
                frames = grid.get("frames", {"file": "", "count": 0})
                count = frames.get("except", {}).get(case_id, frames["count"])
                entries.append(
                    Entry(
                        id=case_id,
                        group=group,
                        blurry=filled(grid.get("blurry", ""), **names),
                        sharp=filled(grid.get("sharp", ""), **names),
                        frames=tuple(
                            filled(frames["file"], frame=frame, **names)
                            for frame in range(1, count + 1)
                            if frame not in frames.get("skip", {}).get(case_id, [])
                        ),
                        kernel_file=filled(kernel.get("file", ""), **names),
                        kernel_form=kernel.get("form", ""),
                        declared_size=kernel["declared_size"],
                    )
                )
    return entries


def _files(files: Mapping[str, Any], folders: Folders) -> list[Entry]:
    """Listed or found files."""
    sizes: Mapping[str, Sequence[str]] = files.get("declared_sizes", {})
    size_of = {name: int(size) for size, names in sizes.items() for name in names}
    if "ids" in files:
        matches = [{"id": line} for line in (folders.lists / files["ids"]).read_text().split()]
    elif sizes:
        matches = [{"id": name} for name in sorted(size_of)]
    else:
        matches = _found(files, folders)
    entries = []
    for names in matches:
        blurry, sharp = (
            f"{folders.source}/{files[key].format(**names)}" if key in files else ""
            for key in ("blurry", "sharp")
        )
        case_id = files["id"].format(**names)
        group = files.get("group", files["id"]).format(**names)
        size = size_of.get(names.get("id", ""), files.get("declared_size"))
        entries.append(Entry(case_id, group, blurry, sharp, declared_size=size))
    return entries


def _found(files: Mapping[str, Any], folders: Folders) -> list[dict[str, str]]:
    """The named groups of each path that matches. Raises InputError for a wrong count."""
    folder = folders.folder
    if folder is None:
        raise InputError(f"there is no folder {folders.source} in {' or '.join(map(str, folders.roots))}")
    pattern, frozen = re.compile(files["find"]), folder / folders.frozen
    if frozen.is_file():
        paths = frozen.read_text(encoding="utf-8").splitlines()
    else:
        paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    matches = {path: match for path in paths if (match := pattern.fullmatch(path))}
    if "listed_in" in files:
        matches = _listed(matches, folder / files["listed_in"])
    count, wanted = len(matches), files.get("first") or files["count"]
    if count < wanted or ("first" not in files and count > wanted):
        raise InputError(
            f"{folder}: {count} files match {files['find']}, not {wanted}; "
            + ("some are missing" if count < wanted else "some are too many")
        )
    # By id, for the folders above a file may sort otherwise.
    names = sorted((match.groupdict() for match in matches.values()), key=lambda n: files["id"].format(**n))
    return names[:wanted]


def _listed(matches: Mapping[str, re.Match[str]], path: Path) -> dict[str, re.Match[str]]:
    """Those whose path a list names. Raises InputError naming listed files that are not there."""
    try:
        names = path.read_text(encoding="utf-8").split()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; it lists the test pairs and lies in the archive") from error
    wanted = {name: matches[name] for name in names if name in matches}
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        raise InputError(f"{path.parent}: {len(missing)} of {len(names)} files are missing, as {missing[0]}")
    return dict(sorted(wanted.items()))


def _manifest(manifest: Mapping[str, Any], folders: Folders) -> list[Entry]:
    """Pairs that a CSV file of the user lists."""
    path = folders.find(f"{folders.source}/{manifest['file']}")
    if path is None:
        expected = folders.roots[-1] / folders.source / manifest["file"]
        raise InputError(f"{expected}: no such file; {manifest['help']}")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for key in ("group", "id", "blurry", "sharp"):
        if not rows or key not in rows[0]:
            raise InputError(f"{path}: the column '{key}' is missing; {manifest['help']}")
    size = manifest.get("declared_size")
    return [Entry(row["id"], row["group"], row["blurry"], row["sharp"], declared_size=size) for row in rows]


_FORMS: dict[str, Callable[[Any, Folders], list[Entry]]] = {
    "cases": _photographs,
    "grid": _grid,
    "files": _files,
    "manifest": _manifest,
}
