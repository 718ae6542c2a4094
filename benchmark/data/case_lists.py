"""The list of a dataset's cases, from any of the four forms in which a descriptor gives it.

No image is read here. Paths of files are relative to a folder of data: `datasets/` or `<mirror>/data/`.
"""

import codecs
import csv
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from os.path import isfile, join
from pathlib import Path
from typing import Any

from benchmark.core.errors import InputError
from benchmark.core.names import require_inside, require_safe

# Of spreadsheets: the bytes with which a file begins to the encoding that it may have, tried in turn. Excel
# writes Windows' Western European characters where it is not asked for UTF-8.
ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"", "utf-8"),
    (b"", "cp1252"),
)


@dataclass(frozen=True)
class Entry:
    """One case: its names, and the paths of its files; a path is empty where there is no such file."""

    id: str
    group: str  # averages are taken by group, such as an image or a category
    blurry: str = ""
    sharp: str = ""
    frames: tuple[str, ...] = ()  # sharp frames along a camera shake
    kernel_file: str = ""
    kernel_form: str = ""  # of the kernel file: convolution or correlation
    kernel: Mapping[str, Any] | None = None  # how the kernel is synthesised
    declared_size: int | None = None  # kernel size that methods are told, px
    declares_half: bool = False  # methods are told half of the image instead
    photograph: str = ""  # name in skimage.data
    crop: Mapping[str, int] | None = None  # top, left, height and width in the photograph, px
    side: int | None = None  # the crop is resized to a square of this side, px

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all files of the case."""
        return tuple(name for name in (self.blurry, self.sharp, *self.frames, self.kernel_file) if name)


@dataclass(frozen=True)
class Folders:
    """The folders in which the files of a dataset are looked for."""

    source: str  # the folder below each root
    roots: Sequence[Path]  # searched in this order
    lists: Path  # the folder of lists of ids, beside the descriptors
    frozen: str  # a file in the source's folder: the paths of all cases, listed when the data were complete
    is_whole: bool = False  # whether fewer files than a descriptor expects are refused

    def find(self, name: str) -> Path | None:
        """Return the file with this path in the first root that has it; None where no root has."""
        # os.path: lists may have 10,000 files, and pathlib takes four times as long to look for one.
        return next((root / name for root in self.roots if isfile(join(root, name))), None)  # noqa: PTH113, PTH118

    @property
    def folder(self) -> Path | None:
        """The source's folder in the first root that has it; None where no root has."""
        return next((root / self.source for root in self.roots if (root / self.source).is_dir()), None)


def count_of(content: Mapping[str, Any], folders: Folders) -> int:
    """Count the cases of a descriptor, whether its files are here or not."""
    if "files" in content and "find" in content["files"]:
        count: int = content["files"].get("first") or content["files"]["count"]
        return count
    if "manifest" in content:
        return int(content["manifest"]["count"])
    return len(entries_of(content, folders))


def entries_of(content: Mapping[str, Any], folders: Folders) -> list[Entry]:
    """List all cases, in the descriptor's order.

    Args:
        content: The descriptor; one of the keys `cases`, `grid`, `files` and `manifest` holds the cases.
        folders: Where to look for the files.

    Raises:
        InputError: The cases depend on files that are missing or wrong.
    """
    form = next(form for form in _FORMS if form in content)
    entries = _FORMS[form](content[form], folders)
    if "kernel" in content:
        entries = [_with_kernel(entry, content["kernel"], index) for index, entry in enumerate(entries)]
    return entries


def _with_kernel(entry: Entry, recipes: Mapping[str, Any] | Sequence[Mapping[str, Any]], index: int) -> Entry:
    """Add the recipe of the kernel. Cases take several recipes, and the values of a list, in turn."""
    recipe = recipes if isinstance(recipes, Mapping) else recipes[index % len(recipes)]
    chosen = {
        key: value[index % len(value)] if isinstance(value, list) and key != "extent" else value
        for key, value in recipe.items()
    }
    return replace(entry, kernel=chosen)


def _photographs(cases: Sequence[Mapping[str, Any]], folders: Folders) -> list[Entry]:
    """List photographs of scikit-image."""
    del folders
    return [Entry(**{"group": case["id"], **case}) for case in cases]


def _grid(grid: Mapping[str, Any], folders: Folders) -> list[Entry]:
    """Combine every image with every kernel."""
    return [
        _grid_entry(grid, group, image, kernel, folders)
        for group, images in grid["images"].items()
        for image in images
        for kernel in grid["kernels"]
    ]


def _grid_entry(grid: Mapping[str, Any], group: str, image: str, kernel: str, folders: Folders) -> Entry:
    """Make the case of one image and one kernel; templates such as `gt/{image}.png` give the paths."""
    case_id = grid["id"].format(image=image, kernel=kernel)

    def path(template: str, **names: Any) -> str:
        name = template.format(image=image, kernel=kernel, **names)
        return name and f"{folders.source}/{name}"

    frames = grid.get("frames", {"file": "", "count": 0})
    count = frames.get("except", {}).get(case_id, frames["count"])
    skipped = frames.get("skip", {}).get(case_id, [])
    properties = grid["kernels"][kernel]
    return Entry(
        id=case_id,
        group=group,
        blurry=path(grid.get("blurry", "")),
        sharp=path(grid.get("sharp", "")),
        frames=tuple(
            path(frames["file"], frame=frame) for frame in range(1, count + 1) if frame not in skipped
        ),
        kernel_file=path(properties.get("file", "")),
        kernel_form=properties.get("form", ""),
        declared_size=properties["declared_size"],
    )


def _files(files: Mapping[str, Any], folders: Folders) -> list[Entry]:
    """List the files that a list names or a pattern matches."""
    sizes: Mapping[str, Sequence[str]] = files.get("declared_sizes", {})
    size_of = {name: int(size) for size, names in sizes.items() for name in names}
    if "ids" in files:
        matches = [{"id": line} for line in (folders.lists / files["ids"]).read_text().split()]
    elif sizes:
        matches = [{"id": name} for name in sorted(size_of)]
    else:
        matches = _matching_files(files, folders)
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


def _matching_files(files: Mapping[str, Any], folders: Folders) -> list[dict[str, str]]:
    """Return the named groups of the pattern for each file that it matches, ordered by the case's id.

    Raises InputError where too many files match, or none; or too few where the data shall be whole.
    """
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
        matches = _listed(matches, folder / files["listed_in"], folders.is_whole)
    count, expected = len(matches), files.get("first") or files["count"]
    too_few = count < expected and (folders.is_whole or not count)
    if too_few or ("first" not in files and count > expected):
        raise InputError(
            f"{folder}: {count} files match {files['find']}, not {expected}; "
            + ("some are missing" if count < expected else "some are too many")
        )
    # Not by path: folders may sort differently.
    names = sorted((match.groupdict() for match in matches.values()), key=lambda n: files["id"].format(**n))
    return names[:expected]


def _listed(matches: Mapping[str, re.Match[str]], path: Path, is_whole: bool) -> dict[str, re.Match[str]]:
    """Keep the matches that the list at `path` names.

    Raises InputError where there is no list, or a listed file is missing and the data shall be whole.
    """
    try:
        names = path.read_text(encoding="utf-8").split()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; it lists the test pairs and lies in the archive") from error
    listed = {name: matches[name] for name in names if name in matches}
    missing = [name for name in names if is_whole and not (path.parent / name).is_file()]
    if missing:
        raise InputError(
            f"{path.parent}: {len(missing)} of {len(names)} files are missing, such as {missing[0]}"
        )
    return dict(sorted(listed.items()))


def _manifest(manifest: Mapping[str, Any], folders: Folders) -> list[Entry]:
    """List the pairs of images in a CSV file of the user."""
    path = folders.find(f"{folders.source}/{manifest['file']}")
    if path is None:
        expected = folders.roots[-1] / folders.source / manifest["file"]
        raise InputError(f"{expected}: no such file; {manifest['help']}")
    rows = _rows(path)
    for key in ("group", "id", "blurry", "sharp"):
        if not rows or key not in rows[0]:
            raise InputError(f"{path}: the column '{key}' is missing; {manifest['help']}")
        for line, row in enumerate(rows, 2):
            if row[key] is None or None in row:
                raise InputError(f"{path}: line {line}: has another number of cells than the first line")
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, 2):
        require_safe(row["id"], f"{path}: line {line}: id")
        for key in ("blurry", "sharp"):
            require_inside(row[key], f"{path}: line {line}: {key}")
        if (before := seen.setdefault(row["id"], line)) != line:
            raise InputError(f"{path}: line {line}: the id '{row['id']}' stands in line {before}, too")
    size = manifest.get("declared_size")
    half = size == "half"
    declared = None if half else size
    return [
        Entry(
            row["id"], row["group"], row["blurry"], row["sharp"], declared_size=declared, declares_half=half
        )
        for row in rows
    ]


def _rows(path: Path) -> list[dict[str, Any]]:
    """Read a table as spreadsheets write it: with commas, semicolons or tabs, in one of `ENCODINGS`.

    Raises InputError when it cannot be read.
    """
    lines = _text_of_spreadsheet(path).splitlines(keepends=True)
    named = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None  # Excel's first line may name it
    lines = lines[1:] if named else lines
    head = lines[0] if lines else ""
    separator = named[1] if named else max(",;\t", key=head.count)
    try:
        rows = list(csv.DictReader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV table ({error}); save it as CSV with commas") from error
    return [row for row in rows if any(row.values())]  # spreadsheets write empty rows, too


def _text_of_spreadsheet(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    for mark, encoding in ENCODINGS:
        with suppress(UnicodeDecodeError):
            if content.startswith(mark):
                return content.decode(encoding)
    raise InputError(f"{path}: cannot be read as text; save it as CSV UTF-8")


_FORMS: dict[str, Callable[[Any, Folders], list[Entry]]] = {
    "cases": _photographs,
    "grid": _grid,
    "files": _files,
    "manifest": _manifest,
}
