"""Collect photographs to train on: which files, under which terms, and which are held out."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.core.errors import InputError
from benchmark.core.hashes import digest
from benchmark.core.image_files import is_photograph
from benchmark.core.images import read_image
from benchmark.core.resources import data_folder, mirror
from benchmark.data.sources import all_sources

Photograph = NDArray[np.uint8]  # (C, H, W), C = 1 (grey) or 3 (RGB)

MOST = 4000  # photographs; of more, evenly spread ones are taken
LARGEST = 512  # px a side; larger photographs are cut to their middle
HELD_OUT_EVERY = 10  # the first photograph and every tenth after it, by name, are never trained on


@dataclass(frozen=True)
class Collection:
    """Image files to train on."""

    files: tuple[Path, ...]
    terms: str  # under which they may be used

    @property
    def identity(self) -> str:
        """A hash of all names and contents."""
        contents = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in self.files]
        return digest(contents) if contents else ""

    def split(self) -> tuple[list[Path], list[Path]]:
        """Split the files into those to train on and those held out."""
        held_out = self.files[::HELD_OUT_EVERY]
        return [path for index, path in enumerate(self.files) if index % HELD_OUT_EVERY], list(held_out)


def collect(folders: Sequence[str], terms: str = "") -> Collection:
    """Collect the images of folders, one folder after the other, sorted by name in each.

    Args:
        folders: Paths, or `<source>` or `<source>/<folder>` of a source in `datasets/sources.yaml`.
        terms: Of use; those that the sources state if empty.

    Raises:
        InputError: A folder is missing or has no image, or all together have fewer than two.
    """

    def images(folder: Path) -> Iterable[Path]:
        return filter(is_photograph, folder.iterdir())

    return _collection(folders, terms, images, "image", "no images in this folder; give the one they lie in")


def collect_pairs(folders: Sequence[str], terms: str = "") -> Collection:
    """Collect the blurry photographs in and below folders that have a sharp counterpart, sorted by path.

    The pairs are `.../blur/<name>` and `.../sharp/<name>`, as GoPro has them, or `.../blur/blur_<name>` and
    `.../gt/gt_<name>`, as RealBlur has them.

    Args:
        folders: As for `collect`.
        terms: As for `collect`.

    Raises:
        InputError: A folder is missing or has no pair, or all together have fewer than two.
    """

    def blurry(folder: Path) -> Iterable[Path]:
        return (path for path in folder.rglob("blur/*") if sharp_of(path).is_file())

    no_pairs = "no pairs in this folder: blur/ beside sharp/, or blur/ beside gt/"
    return _collection(folders, terms, blurry, "pair", no_pairs)


def _collection(
    folders: Sequence[str],
    terms: str,
    list_files: Callable[[Path], Iterable[Path]],
    item: str,
    nothing_here: str,
) -> Collection:
    """Collect the files that `list_files` lists in each folder; `nothing_here` is the message for none."""
    files: list[Path] = []
    stated: list[str] = []
    for name in folders:
        in_folder = sorted(list_files(_folder(name)))
        if not in_folder:
            raise InputError(f"{name}: {nothing_here}")
        files += in_folder
        source = all_sources().get(Path(name).parts[0])
        stated.append(f"{source.title}: {source.licence}" if source else f"{name}: not stated")
    if folders and len(files) < 2:
        raise InputError(f"{files[0]}: the only {item}; at least 2 are needed, one to train on, one held out")
    chosen = np.linspace(0, len(files) - 1, min(len(files), MOST)).round().astype(int)
    return Collection(tuple(files[index] for index in chosen), terms or "; ".join(dict.fromkeys(stated)))


def sharp_of(blurry: Path) -> Path:
    """Return where the sharp photograph of a pair lies, see `collect_pairs`."""
    scene, name = blurry.parent.parent, blurry.name
    if name.startswith("blur_"):
        return scene / "gt" / f"gt_{name.removeprefix('blur_')}"
    return scene / "sharp" / name


def read_pairs(files: Sequence[Path]) -> list[tuple[Photograph, Photograph]]:
    """Read the pairs (blurry, sharp) of blurry photographs' files.

    Raises:
        InputError: A file cannot be read, or the sizes of a pair differ; the message names the file.
    """
    pairs = []
    for path in files:
        blurry, sharp = read([path, sharp_of(path)])
        if blurry.shape != sharp.shape:
            raise InputError(f"{path}: another size or number of channels than {sharp_of(path)}")
        pairs.append((blurry, sharp))
    return pairs


def read(files: Sequence[Path]) -> list[Photograph]:
    """Read photographs, the middle of large ones. Raises InputError naming a file that cannot be read."""
    return [_middle(np.round(255 * read_image(path)).astype(np.uint8)) for path in files]


def _middle(photograph: Photograph) -> Photograph:
    height, width = photograph.shape[1:]
    top, left = max(0, height - LARGEST) // 2, max(0, width - LARGEST) // 2
    return np.ascontiguousarray(photograph[:, top : top + LARGEST, left : left + LARGEST])


def _folder(name: str) -> Path:
    """Find a folder by its path, or by its source in the mirror and beside the descriptors."""
    first = mirror()
    roots = [first / "data"] if first else []
    candidates = [Path(name)]
    if Path(name).parts[:1] and Path(name).parts[0] in all_sources():
        candidates += [root / name for root in (*roots, data_folder())]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    looked_in = " nor ".join(str(candidate) for candidate in candidates)
    raise InputError(f"no folder {looked_in}; give one that holds photographs, or the name of a source")
