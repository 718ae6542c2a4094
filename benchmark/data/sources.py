"""Sources of data: `datasets/sources.yaml` has one entry per folder of data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark.core.errors import InputError
from benchmark.core.resources import shipped
from benchmark.core.schema import checked, look_up, read_yaml
from benchmark.data.descriptors import dataset_names, find_dataset

FILE = shipped("datasets/sources.yaml")


@dataclass(frozen=True)
class Archive:
    """One file to download, and where its members go."""

    file: str  # its name in the cache
    url: str | None = None  # None: only a person can get it
    checksum: str | None = None  # "md5:..." or "sha256:..."
    strip: tuple[str, ...] = ()  # folders to leave out where a member's path begins with them
    include: tuple[str, ...] = ("*",)  # shell patterns of the members to unpack
    into: str = ""  # a folder below the source's
    unpack: bool = True  # False: the file is no archive, such as a network's weights
    note: str = ""  # for a person who gets it by hand


@dataclass(frozen=True)
class Source:
    """One folder of data: what it is, its terms, and the files to download."""

    name: str  # also of the folder, below datasets/ and below data/ of a mirror
    title: str
    licence: str
    page: str
    access: Literal["packaged", "open", "terms", "manual", "login"]
    archives: tuple[Archive, ...]
    size: str = "not stated"  # of the archives
    verified: str = "never"  # when the links were last seen to work
    counts: Mapping[str, int] | None = None  # pattern to number of files, when all are there

    @property
    def downloadable(self) -> bool:
        """Whether all files can be downloaded without a person."""
        return bool(self.archives) and all(archive.url for archive in self.archives)

    @property
    def how_to_get(self) -> str:
        """The command that downloads it, and what to do by hand; empty if nothing can be downloaded."""
        if not self.archives:
            return ""
        command = f"blindbench download {self.name}" + " --accept-terms" * (self.access == "terms")
        if self.downloadable:
            return command
        return f"{command} (it says what to get by hand from {self.page})"

    def by_hand(self, archive: Archive, cache: Path) -> str:
        """Tell a person how to get `archive` and where to put it."""
        account = " (an account is needed)" if self.access == "login" else ""
        note = f" ({archive.note.rstrip('.')})" if archive.note else ""
        return f"get {archive.file} from {self.page} by hand{account} and put it into {cache}{note}"


def all_sources(path: Path = FILE) -> dict[str, Source]:
    """Read all sources, by name. Raises InputError, naming file and key, when the file is wrong."""
    document = checked(read_yaml(path), "sources", str(path))
    return {name: _source(name, entry) for name, entry in document["sources"].items()}


def find_source(name: str, path: Path = FILE) -> Source:
    """Find a source by name. Raises InputError when there is none, and names the source of a dataset."""
    sources = all_sources(path)
    if name not in sources and name in dataset_names():
        source = find_dataset(name).content["source"]
        raise InputError(f"'{name}' is a dataset; its files come from: blindbench download {source}")
    return look_up(sources, name, "source")


def _source(name: str, entry: Mapping[str, Any]) -> Source:
    return Source(
        name=name, **{**entry, "archives": tuple(_archive(archive) for archive in entry["archives"])}
    )


def _archive(entry: Mapping[str, Any]) -> Archive:
    lists = {key: tuple(entry[key]) for key in ("strip", "include") if key in entry}
    return Archive(**{**entry, **lists})
