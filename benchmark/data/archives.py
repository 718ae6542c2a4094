"""Unpack archives that others made: zip, tar (also compressed), rar and 7z.

Every kind is read member by member. Only plain files are written, and their names are checked first. So an
archive cannot write outside its folder, make links or devices, or fill the disk.
"""

import errno
import lzma
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from benchmark.core.errors import InputError

# The libraries raise these for damaged archives; NotImplementedError stands for an unknown compression.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
)
_JUNK = ("__MACOSX", ".DS_Store")  # what macOS adds to its archives


@dataclass(frozen=True)
class Limits:
    """The largest archive that is unpacked; a larger one may have been made to fill the disk."""

    bytes: int = 500 * 10**9  # unpacked; the largest source has about 20 GB
    files: int = 1_000_000  # the largest source has about 50 000
    ratio: int = 100  # of unpacked to packed size; images hardly shrink when they are packed


LONGEST_HEADER = 2**20  # bytes: of what a tar file says of a member beside its content, such as a long name


class _TarInfo(tarfile.TarInfo):
    """A member of a tar file whose headers are short: tarfile reads a header into memory as a whole."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)

_Kind = Literal["file", "folder", "other"]


@dataclass(frozen=True)
class _Member:
    name: str
    size: int  # unpacked, in bytes
    kind: _Kind
    open: Callable[[], IO[bytes]]  # works until the next member is read


def extract(
    archive: Path,
    folder: Path,
    *,
    strip: Sequence[str] = (),
    include: Sequence[str] = ("*",),
    limits: Limits = Limits(),
) -> int:
    """Unpack an archive. Files are unpacked beside `folder` first and moved in when all are there.

    Files of the same name are replaced, others stay. Two calls for one folder at the same time disturb each
    other: the caller must hold a lock.

    Args:
        archive: The file to unpack.
        folder: Where its files go.
        strip: Names of folders to leave out where a member's path begins with them.
        include: Shell patterns of the members to unpack, by their names in the archive.
        limits: The largest archive that is unpacked.

    Returns:
        The number of files.

    Raises:
        InputError: The archive is damaged or beyond a limit, a member is a link or a device or leads outside
            the folder, no member matches, or the disk is full. Nothing is left behind.
    """
    folder = folder.resolve()  # a link to a larger disk is common, and files are moved within one disk only
    fresh = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(fresh, ignore_errors=True)  # of a killed process
    try:
        fresh.mkdir(parents=True)
        count = _unpack(archive, fresh, strip, include, limits)
        if count == 0:
            raise InputError(f"{archive}: no member matches {', '.join(include)}; is it the right file?")
        _move_into(fresh, folder)
    except (*_DAMAGE, OSError) as error:
        raise InputError(_sentence(error, archive, folder)) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return count


def _unpack(archive: Path, fresh: Path, strip: Sequence[str], include: Sequence[str], limits: Limits) -> int:
    most = min(limits.bytes, limits.ratio * archive.stat().st_size)
    size = count = 0
    with closing(_members(archive)) as members:
        for member in members:
            name = member.name.replace("\\", "/")  # as some Windows programs write it
            place = _place(archive, name, strip)
            included = any(fnmatchcase(name, pattern) for pattern in include)
            if member.kind == "folder" or not included or any(junk in name.split("/") for junk in _JUNK):
                continue
            if member.kind == "other":
                raise InputError(f"{archive}: '{name}' is a link or a device; nothing was unpacked")
            size, count = size + member.size, count + 1
            if size > most:
                raise InputError(f"{archive}: unpacks to more than {most} bytes; nothing was unpacked")
            if count > limits.files:
                raise InputError(f"{archive}: holds more than {limits.files} files; nothing was unpacked")
            target = fresh / place
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as packed, target.open("xb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 2**20)
    return count


def _place(archive: Path, name: str, strip: Sequence[str]) -> PurePosixPath:
    """Return the path of a member below the folder, without the folders in `strip`."""
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/") or re.match("[A-Za-z]:", name):
        raise InputError(f"{archive}: '{name}' leads outside the folder; nothing was unpacked")
    while len(parts) > 1 and parts[0] in strip:
        parts = parts[1:]
    return PurePosixPath(*parts)


def _sentence(error: Exception, archive: Path, folder: Path) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number is None:  # gzip and bz2 raise an OSError without one
        return f"{archive}: damaged or truncated ({error}); delete it and get it again"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"{folder}: the disk is full; free some space, {archive.name} takes more when unpacked"
    return f"{archive}: cannot be unpacked into {folder} ({error})"


def _move_into(fresh: Path, folder: Path) -> None:
    """Move the content of `fresh` to `folder`; folders that exist in both are merged."""
    if not folder.is_dir():
        fresh.replace(folder)
        return
    for path in list(fresh.iterdir()):
        target = folder / path.name
        if path.is_dir() and target.is_dir():
            _move_into(path, target)
        else:
            path.replace(target)


def _members(archive: Path) -> Generator[_Member]:
    with archive.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"PK"):
        return _zip_members(archive)
    if start in (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c"):
        return _converted_members(archive)
    try:
        return _tar_members(tarfile.open(archive, tarinfo=_TarInfo))
    except tarfile.TarError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{archive}: not a zip, tar, rar or 7z file, or damaged ({reason}); delete it and get it again"
        ) from error


def _zip_members(archive: Path) -> Generator[_Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            if info.flag_bits & 1:
                raise zipfile.BadZipFile(f"'{info.filename}' is encrypted")
            plain = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)  # 0: written on Windows
            kind: _Kind = "folder" if info.is_dir() else "file" if plain else "other"
            yield _Member(info.filename, info.file_size, kind, partial(file.open, info))


def _tar_members(file: tarfile.TarFile) -> Generator[_Member]:
    with file:
        for info in file:
            kind: _Kind = "folder" if info.isdir() else "file" if info.isreg() else "other"
            yield _Member(info.name, info.size, kind, partial(_open, file, info))
        # tarfile also stops at a damaged header. The real end is two blocks of zeros, one read before.
        assert file.fileobj is not None
        if file.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no end mark after the last member")
        while file.fileobj.read(2**20):  # up to the checksum at the end of a compressed file
            pass


def _open(file: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = file.extractfile(info)
    assert content is not None  # a plain file
    return content


def _converted_members(archive: Path) -> Generator[_Member]:
    """Yield the members of a rar or 7z file, which bsdtar converts to a tar stream.

    libarchive 3.6 does not verify the checksum of rar members that are stored without compression.
    """
    bsdtar = shutil.which("bsdtar")
    if bsdtar is None:
        raise InputError(
            f"{archive}: rar and 7z need the program bsdtar; install libarchive-tools (Debian, Ubuntu), "
            "bsdtar (Fedora) or libarchive (Homebrew, conda)"
        )
    command = [bsdtar, "-cf", "-", "--format", "pax", f"@{archive.resolve()}"]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints) as process,
    ):
        try:
            yield from _tar_members(tarfile.open(fileobj=process.stdout, mode="r|", tarinfo=_TarInfo))  # noqa: SIM115
            failed = process.wait() != 0
        except tarfile.TarError:
            failed = True
        finally:
            process.kill()
        if failed:
            complaints.seek(0)
            complaint = " ".join(complaints.read().decode(errors="replace").split())
            raise tarfile.ReadError(complaint or "bsdtar cannot read it")
