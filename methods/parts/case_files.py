"""Find the file of a case among those that another program wrote, in whatever folders it wrote them."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from glob import escape, glob
from pathlib import Path

from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.image_files import PHOTOGRAPHS
from benchmark.core.kernel_files import READERS

PLACE = re.compile(r"\{(\w*)\}")
WORD = re.compile(r"[^\W_]+")  # names are compared word by word: im1_kernel2 is im1, kernel2
KERNELS = ("kernel", "kernels", "psf")  # words by which programs call them
# By these words programs call what they write beside their results. The second ones count behind the name of
# a case only: folders of results are often called so, too.
OTHERS = frozenset(("gt", "sharp", "truth", "groundtruth", "target", "input", "lq", "sheet", *KERNELS))
INPUTS = frozenset({"blur", "blurry", "blurred"})
BETWEEN = r"((?:[/_][^\W\d_]+)*[/_])"  # words without digits may stand between those of a case


@dataclass(frozen=True)
class CaseFiles:
    """Files of which each may belong to a case.

    In a folder, a file is found at any depth by the words of the case's name. They stand in its path in their
    order, the first at the start of a folder's or the file's name, the last in the file's name, and between
    them only words without digits: scene1/blur/blur_2.png is of the case scene1-2. What follows them, such as
    the name of a run, holds no digit or ends another file's name, too. Of several files the one directly in
    the folder counts whose name is the case's, or else those below it, or else those with the least behind
    the name. Hidden files are left out.
    """

    # A folder, from the working directory on; or a pattern of files, in which {case} is the name of the case,
    # {1} the first number in that name, {2} the second, * any text, and $NAME an environment variable.
    path: str
    suffixes: frozenset[str]  # in lower case
    others: frozenset[str] = frozenset()  # words in the paths of files that are something else
    inputs: frozenset[str] = frozenset()  # the same, for words behind the name of the case
    # Of several files that may be the case's, those with one of these words in their name count alone, and of
    # those that differ in the suffix the first of these suffixes.
    wanted: frozenset[str] = frozenset()
    first: tuple[str, ...] = ()

    @cached_property
    def whole(self) -> str:
        """The path with the values of environment variables."""
        return os.path.expandvars(self.path)

    @property
    def is_pattern(self) -> bool:
        """Whether the path is a pattern of files."""
        return bool(PLACE.search(self.path)) or "*" in self.whole

    def __post_init__(self) -> None:
        """Raise InputError for a place in the pattern that means nothing."""
        for name in PLACE.findall(self.path):
            if name != "case" and not name.isdigit():
                raise InputError(f"path: '{{{name}}}' has no meaning; there are {{case}}, {{1}}, {{2}}, ...")

    def of(self, case: str) -> list[Path]:
        """List the files that may be the case's: there should be one.

        Raises:
            NotSupportedError: The name of the case lacks a number that the pattern asks for.
        """
        if self.is_pattern:
            return self._one_of_a_name(self._matching(_filled(self.whole, case)))
        words = WORD.findall(case)
        named = re.compile(r"(.*/|)" + BETWEEN.join(map(re.escape, words)) + r"((?:_[^/_]+)*)")
        ranked: dict[Path, int] = {}
        for path in self._with_word[words[-1]] if words else self._names:
            name = self._names[path]
            folders = name.rpartition("/")[0]
            if path.stem == case and self.others.isdisjoint(WORD.findall(folders.lower())):
                ranked[path] = -1 if folders else -2
            elif words and (match := named.fullmatch(name)) and self._is_result(match):
                ranked[path] = match[match.lastindex or 0].count("_")
        wanted = {path: r for path, r in ranked.items() if self._is_wanted(path, words)}
        ranked = wanted or ranked
        best = min(ranked.values(), default=None)
        return self._one_of_a_name(sorted(path for path, rank in ranked.items() if rank == best))

    def only_one(self, case: str) -> Path:
        """Return the case's file.

        Raises:
            NotSupportedError: There is none.
            InputError: Several may be the case's.
        """
        matches = self.of(case)
        if not matches:
            raise NotSupportedError(f"{self.path}: no file of {case}; `blindbench match` shows what there is")
        if len(matches) > 1:
            folder = os.path.commonpath([match.parent for match in matches])
            names = " and ".join(str(match.relative_to(folder)) for match in matches)
            raise InputError(f"{folder}: {names} may both be {case}; remove one, or give a pattern as path")
        return matches[0]

    def all(self) -> list[Path]:
        """List all files that may belong to some case."""
        return self._matching(PLACE.sub("*", self.whole)) if self.is_pattern else sorted(self._names)

    def _is_wanted(self, path: Path, words: Sequence[str]) -> bool:
        """Tell whether a file's name has one of the wanted words beside those of the case."""
        own = WORD.findall(path.stem)
        beside = own[len(words) :] if own[: len(words)] == words else own
        return not self.wanted.isdisjoint(word.lower() for word in beside)

    def _one_of_a_name(self, paths: list[Path]) -> list[Path]:
        """Keep of files that differ in their suffix alone the one with the first suffix."""
        places = {suffix: place for place, suffix in enumerate(self.first)}
        by_name: dict[Path, Path] = {}
        for path in sorted(paths, key=lambda each: places.get(each.suffix.lower(), len(places))):
            by_name.setdefault(path.with_suffix("") if self.first else path, path)
        return sorted(by_name.values())

    def _is_result(self, match: re.Match[str]) -> bool:
        """Tell whether the words beside those of a case allow that a file is the case's."""
        *beside, ending = (set(WORD.findall(group.lower())) for group in match.groups())
        known = self._endings[match[match.lastindex or 0]] > 1 or not re.search(r"\d", "".join(ending))
        return known and self.others.isdisjoint(ending.union(*beside)) and self.inputs.isdisjoint(ending)

    def _matching(self, pattern: str) -> list[Path]:
        files = map(Path, glob(pattern))  # noqa: PTH207 (Path.glob takes no absolute pattern)
        return sorted(file for file in files if file.suffix.lower() in self.suffixes and file.is_file())

    @cached_property
    def _names(self) -> dict[Path, str]:
        """Files at any depth, each with its path below the folder: words joined by _, folders by /."""
        names = {}
        for parent, folders, files in os.walk(self.whole):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for file in (Path(parent, name) for name in files if not name.startswith(".")):
                if file.suffix.lower() in self.suffixes:
                    parts = file.relative_to(self.whole).with_suffix("").parts
                    names[file] = "/".join("_".join(WORD.findall(part)) for part in parts)
        return names

    @cached_property
    def _with_word(self) -> Mapping[str, list[Path]]:
        """The files whose names have a word: there may be thousands of files and of cases."""
        index = defaultdict(list)
        for path in self._names:
            for word in set(WORD.findall(path.stem)):
                index[word].append(path)
        return index

    @cached_property
    def _endings(self) -> Counter[str]:
        """How many files' names end with each sequence of words."""
        words = (name.rpartition("/")[2].split("_") for name in self._names.values())
        return Counter(f"_{'_'.join(each[start:])}" for each in words for start in range(len(each)))


def restored_images(path: str) -> CaseFiles:
    """Return the images in a folder or of a pattern, without the sharp ones, inputs and kernels there."""
    return CaseFiles(path, PHOTOGRAPHS, OTHERS, INPUTS)


def kernel_files(path: str) -> CaseFiles:
    """Return the files of kernels in a folder or of a pattern: arrays before their pictures."""
    suffixes = (*READERS, ".png", ".tif", ".tiff", ".bmp", ".pgm")
    return CaseFiles(path, frozenset(suffixes), wanted=frozenset(KERNELS), first=suffixes)


def _filled(pattern: str, case: str) -> str:
    """Return the shell pattern of a case's file.

    Raises NotSupportedError when the case's name lacks a number that the pattern asks for.

    >>> _filled("theirs/k_{2}_im_{1}_*.png", "im2_kernel7")
    'theirs/k_7_im_2_*.png'
    """
    numbers = re.findall(r"\d+", case)

    def value(place: re.Match[str]) -> str:
        if place[1] == "case":
            return escape(case)
        if not 0 < int(place[1]) <= len(numbers):
            raise NotSupportedError(f"path: the name of the case has no number {{{place[1]}}}")
        return str(numbers[int(place[1]) - 1])

    return PLACE.sub(value, pattern)
