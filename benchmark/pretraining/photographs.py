"""Photographs to train on, from folders: which files, under which terms, and which are held out."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.core.resources import data_folder
from benchmark.core.types import InputError
from benchmark.data.descriptors import MIRROR
from benchmark.data.images import read_image
from benchmark.data.sources import all_sources
from benchmark.runs import provenance

Photograph = NDArray[np.uint8]  # (C, H, W), C = 1 or 3

MOST = 4000  # photographs, evenly picked from more
LARGEST = 512  # pixels a side; of larger ones the middle is used
HELD_OUT_EVERY = 10  # the first and every tenth by name is never trained on


@dataclass(frozen=True)
class Collection:
    """Image files to train on."""

    files: tuple[Path, ...]
    terms: str  # under which they may be used

    @property
    def identity(self) -> str:
        """Changes with every name and every content."""
        contents = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in self.files]
        return provenance.digest(contents) if contents else ""

    def split(self) -> tuple[list[Path], list[Path]]:
        """What to train on, and what is held out."""
        held_out = self.files[::HELD_OUT_EVERY]
        return [path for index, path in enumerate(self.files) if index % HELD_OUT_EVERY], list(held_out)


def collected(folders: Sequence[str], terms: str = "") -> Collection:
    """The image files in `folders`, one after the other, sorted by name in each.

    A folder is a path, or `<source>` or `<source>/<folder>` of a known source (`datasets/sources.yaml`);
    `terms` default to those that the sources state.
    Raises InputError for a folder that is missing or holds no image, and when all hold fewer than two.
    """
    files: list[Path] = []
    stated: list[str] = []
    for name in folders:
        folder = _folder(name)
        found = [path for path in folder.iterdir() if path.suffix.lower() in Image.registered_extensions()]
        if not found:
            raise InputError(f"{name}: no images in this folder; give the one they lie in")
        files += sorted(found)
        source = all_sources().get(Path(name).parts[0])
        stated += [f"{source.title}: {source.licence}" if source else f"{name}: not stated"]
    if folders and len(files) < 2:
        raise InputError(f"{files[0]}: the only image; at least 2 are needed, one to train on, one held out")
    picked = np.linspace(0, len(files) - 1, min(len(files), MOST)).round().astype(int)
    return Collection(tuple(files[index] for index in picked), terms or "; ".join(dict.fromkeys(stated)))


def collected_pairs(folders: Sequence[str], terms: str = "") -> Collection:
    """The blurry photographs in `folders` and below that have a sharp one, sorted by path.

    Either `.../blur/<name>` beside `.../sharp/<name>`, as GoPro has it, or `.../blur/blur_<name>` beside
    `.../gt/gt_<name>`, as RealBlur has it. Folders and terms as of `collected`.
    Raises InputError for a folder that is missing or has no pair, and when all have fewer than two.
    """
    files: list[Path] = []
    stated: list[str] = []
    for name in folders:
        folder = _folder(name)
        found = [path for path in sorted(folder.rglob("blur/*")) if sharp_of(path).is_file()]
        if not found:
            raise InputError(f"{name}: no pairs in this folder: blur/ beside sharp/, or blur/ beside gt/")
        files += found
        source = all_sources().get(Path(name).parts[0])
        stated += [f"{source.title}: {source.licence}" if source else f"{name}: not stated"]
    if len(files) < 2:
        raise InputError(f"{files[0]}: the only pair; at least 2 are needed, one to train on, one held out")
    picked = np.linspace(0, len(files) - 1, min(len(files), MOST)).round().astype(int)
    return Collection(tuple(files[index] for index in picked), terms or "; ".join(dict.fromkeys(stated)))


def sharp_of(blurry: Path) -> Path:
    """Where the sharp photograph of a pair lies, see `collected_pairs`."""
    scene, name = blurry.parent.parent, blurry.name
    if name.startswith("blur_"):
        return scene / "gt" / f"gt_{name.removeprefix('blur_')}"
    return scene / "sharp" / name


def read_pairs(files: Sequence[Path]) -> list[tuple[Photograph, Photograph]]:
    """(blurry, sharp) of blurry photographs' files.

    Raises InputError naming the file that cannot be read, or whose sizes differ.
    """
    pairs = []
    for path in files:
        blurry, sharp = read([path, sharp_of(path)])
        if blurry.shape != sharp.shape:
            raise InputError(f"{path}: another size or number of channels than {sharp_of(path)}")
        pairs.append((blurry, sharp))
    return pairs


def read(files: Sequence[Path]) -> list[Photograph]:
    """Raises InputError naming the file that cannot be read."""
    return [_middle(np.round(255 * read_image(path)).astype(np.uint8)) for path in files]


def _middle(photograph: Photograph) -> Photograph:
    height, width = photograph.shape[1:]
    top, left = max(0, height - LARGEST) // 2, max(0, width - LARGEST) // 2
    return np.ascontiguousarray(photograph[:, top : top + LARGEST, left : left + LARGEST])


def _folder(name: str) -> Path:
    mirror = os.environ.get(MIRROR)
    roots = [Path(mirror) / "data"] if mirror else []
    candidates = [Path(name)]
    if Path(name).parts[:1] and Path(name).parts[0] in all_sources():
        candidates += [root / name for root in (*roots, data_folder())]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    looked = " nor ".join(str(candidate) for candidate in candidates)
    raise InputError(f"no folder {looked}; give one that holds photographs, or the name of a source")
