"""Archives from elsewhere: unpacked whole or not at all, and never outside their folder."""

import io
import shutil
import stat
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from benchmark.core.errors import InputError
from benchmark.data import archives
from benchmark.data.archives import Limits, extract

PIXELS = np.random.default_rng(0).bytes(3000)  # as hard to pack as a picture
TREE = {"set/a/1.png": PIXELS, "set/a/2.png": PIXELS[::-1], "set/list.txt": b"1 2"}
needs_bsdtar = pytest.mark.skipif(shutil.which("bsdtar") is None, reason="no bsdtar here (libarchive-tools)")


def write_zip(path, tree):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in tree.items():
            file.writestr(name, content)


def write_tar(path, tree, mode="w"):
    with tarfile.open(path, mode) as file:
        for name, content in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


def write_gz(path, tree):
    write_tar(path, tree, "w:gz")


def write_xz(path, tree):
    write_tar(path, tree, "w:xz")


def write_bz2(path, tree):
    write_tar(path, tree, "w:bz2")


def write_7z(path, tree):
    staged = path.with_name("staged")
    for name, content in tree.items():
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).write_bytes(content)
    subprocess.run(["bsdtar", "--format", "7zip", "-cf", path, "-C", staged, "."], check=True)


def write_rar(path, tree):
    """RAR 4, stored: no free program writes rar."""

    def block(kind, flags, body):
        head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    parts = [b"Rar!\x1a\x07\x00", block(0x73, 0, bytes(6))]
    for name, content in tree.items():
        sizes = struct.pack("<II", len(content), len(content))
        kind = struct.pack("<BIIBB", 3, zlib.crc32(content), 0, 20, 0x30)
        body = sizes + kind + struct.pack("<HI", len(name), stat.S_IFREG | 0o644) + name.encode()
        parts += [block(0x74, 0x8000, body), content]
    path.write_bytes(b"".join([*parts, block(0x7B, 0x4000, b"")]))


WRITERS = [
    write_zip,
    write_tar,
    write_gz,
    write_xz,
    write_bz2,
    pytest.param(write_7z, marks=needs_bsdtar),
    pytest.param(write_rar, marks=needs_bsdtar),
]


def files(folder):
    """Relative name to content, hidden ones too; empty when there is no folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_refused(tmp_path, message, archive="x", **options):
    before = files(tmp_path)
    with pytest.raises(InputError, match=message) as refusal:
        extract(tmp_path / archive, tmp_path / "data", **options)
    assert "\n" not in str(refusal.value)
    assert files(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("write", WRITERS)
def test_every_kind_is_unpacked_whatever_its_name(tmp_path, write):
    write(tmp_path / "x", TREE)
    assert extract(tmp_path / "x", tmp_path / "data") == 3
    assert files(tmp_path / "data") == TREE


@pytest.mark.parametrize("write", WRITERS)
def test_leading_folders_are_dropped_and_members_chosen(tmp_path, write):
    write(tmp_path / "x", {**TREE, "set/__MACOSX/a/._1.png": b"", "set/a/a/3.png": b"3"})
    extract(tmp_path / "x", tmp_path / "data", strip=["set"], include=["*.png"])
    assert files(tmp_path / "data") == {
        "a/1.png": TREE["set/a/1.png"], "a/2.png": TREE["set/a/2.png"], "a/a/3.png": b"3"
    }  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.97])
def test_a_truncated_archive_leaves_nothing(tmp_path, write, part):
    write(tmp_path / "whole", TREE)
    whole = (tmp_path / "whole").read_bytes()
    if write is write_tar:  # the padding after the end mark is no part of it
        whole = whole[: len(whole) - tarfile.RECORDSIZE + 2 * tarfile.BLOCKSIZE]
    (tmp_path / "x").write_bytes(whole[: int(part * len(whole))])
    assert_refused(tmp_path, "x: damaged or truncated|x: not a zip")


# A plain tar has no checksum, and that of a stored rar member is not looked at by libarchive.
@pytest.mark.parametrize("write", [write_zip, write_gz, write_xz, write_bz2, WRITERS[5]])
def test_a_flipped_bit_leaves_nothing(tmp_path, write):
    write(tmp_path / "x", TREE)
    content = bytearray((tmp_path / "x").read_bytes())
    content[1500] ^= 4  # amid the pixels
    (tmp_path / "x").write_bytes(content)
    assert_refused(tmp_path, "x: damaged or truncated|x: not a zip, tar, rar or 7z file, or damaged")


def test_a_damaged_header_inside_a_tar_is_no_end(tmp_path):
    write_tar(tmp_path / "x", TREE)
    content = bytearray((tmp_path / "x").read_bytes())
    second = content.index(b"set/a/2.png")
    content[second : second + 100] = b"?" * 100
    (tmp_path / "x").write_bytes(content)
    assert_refused(tmp_path, "x: damaged or truncated")


@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html><html>Sign in</html>", b"PK\x03\x04", b"Rar!\x1a\x07"]
)
def test_what_is_no_archive_is_named(tmp_path, content):
    if content.startswith(b"Rar") and shutil.which("bsdtar") is None:
        pytest.skip("no bsdtar here (libarchive-tools)")
    (tmp_path / "x").write_bytes(content)
    assert_refused(tmp_path, "x: not a zip, tar, rar or 7z file|x: damaged or truncated")


@pytest.mark.parametrize("write", [write_zip, write_tar, pytest.param(write_rar, marks=needs_bsdtar)])
@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/tmp/x.png", "C:/x.png", "..\\x.png"])
def test_members_that_point_outside_are_refused_by_name(tmp_path, write, name):
    write(tmp_path / "x", {**TREE, name: b"evil"})
    assert_refused(tmp_path, f"x: '.*{name[-5:]}' leads outside")


@pytest.mark.parametrize("target", ["/etc", "../..", "1.png"])
def test_links_in_a_zip_are_refused_by_name(tmp_path, target):
    info = zipfile.ZipInfo("set/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    write_zip(tmp_path / "x", {**TREE, info: target.encode()})
    assert_refused(tmp_path, "'set/link' is a link or a device")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
@pytest.mark.parametrize("convert", [False, pytest.param(True, marks=needs_bsdtar)])
def test_links_and_devices_in_a_tar_are_refused_by_name(tmp_path, kind, convert, monkeypatch):
    write_tar(tmp_path / "x", TREE)
    info = tarfile.TarInfo("set/link")
    info.type, info.linkname = kind, "../../etc"
    with tarfile.open(tmp_path / "x", "a") as file:
        file.addfile(info)
    if convert:  # bsdtar reads a tar, too
        monkeypatch.setattr(archives, "_members", archives._converted_members)
    assert_refused(tmp_path, "'set/link' is a link or a device")


def test_an_encrypted_zip_is_refused(tmp_path):
    write_zip(tmp_path / "x", {"a.png": PIXELS})
    content = bytearray((tmp_path / "x").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x").write_bytes(content)
    assert_refused(tmp_path, "'a.png' is encrypted")


@pytest.mark.parametrize("write", WRITERS)
def test_a_bomb_is_refused(tmp_path, write):
    write(tmp_path / "x", TREE)
    assert_refused(tmp_path, "more than 5000 bytes", limits=Limits(bytes=5000))
    assert_refused(tmp_path, "more than 2 files", limits=Limits(files=2))


@pytest.mark.parametrize("write", [write_zip, write_gz, pytest.param(write_7z, marks=needs_bsdtar)])
def test_what_unpacks_to_far_more_than_a_picture_would_is_a_bomb(tmp_path, write):
    write(tmp_path / "x", {"a.png": bytes(10**6)})
    assert_refused(tmp_path, r"unpacks to more than \d+ bytes")


def test_nothing_that_matches_is_an_error(tmp_path):
    write_zip(tmp_path / "x", TREE)
    assert_refused(tmp_path, r"no member matches \*.mat", include=["*.mat"])


def test_two_members_of_one_name_are_refused(tmp_path):
    write_tar(tmp_path / "x", {"a/1.png": b"1", "b/1.png": b"2"})
    assert_refused(tmp_path, "File exists", strip=["a", "b"])


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def full(packed, unpacked, length):
        unpacked.write(packed.read(10))
        raise OSError(28, "No space left on device")

    write_zip(tmp_path / "x", TREE)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    assert_refused(tmp_path, "data: the disk is full")


def test_old_files_are_replaced_and_others_stay(tmp_path):
    (tmp_path / "data/set/a").mkdir(parents=True)
    (tmp_path / "data/set/a/1.png").write_bytes(b"old")
    (tmp_path / "data/set/a/mine.png").write_bytes(b"mine")
    write_zip(tmp_path / "x", TREE)
    extract(tmp_path / "x", tmp_path / "data")
    assert files(tmp_path / "data") == {**TREE, "set/a/mine.png": b"mine"}


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".data.unpacking/set").mkdir(parents=True)
    (tmp_path / ".data.unpacking/set/half.png").write_bytes(b"half")
    write_zip(tmp_path / "x", TREE)
    extract(tmp_path / "x", tmp_path / "data")
    assert files(tmp_path / "data") == TREE
    assert not list(tmp_path.glob(".*"))


def test_a_folder_may_be_a_link_to_another_disk(tmp_path, monkeypatch):
    (tmp_path / "disk/data").mkdir(parents=True)
    (tmp_path / "data").symlink_to(tmp_path / "disk/data")
    write_zip(tmp_path / "x", TREE)
    unpack, fresh = archives._unpack, []
    monkeypatch.setattr(archives, "_unpack", lambda x, to, *rest: fresh.append(to) or unpack(x, to, *rest))
    extract(tmp_path / "x", tmp_path / "data")
    assert fresh[0].parent == tmp_path / "disk"  # files cannot be moved from one disk to another
    assert files(tmp_path / "disk/data") == TREE
    assert (tmp_path / "data").is_symlink()


def test_the_missing_program_is_named(tmp_path, monkeypatch):
    write_rar(tmp_path / "x", TREE)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert_refused(tmp_path, "need the program bsdtar; install libarchive-tools")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_huge_header_of_a_tar_file_is_refused_before_it_is_read(tmp_path, kind):
    """tarfile would take 600 MiB of memory for it, before a member is known and any limit applies."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 600 * 2**20
    with (tmp_path / "x").open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(601 * 2**20)  # of zeros, which take no space on the disk
    tracemalloc.start()
    with pytest.raises(InputError, match="a header of 629145600 bytes"):
        extract(tmp_path / "x", tmp_path / "unpacked")
    assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    tracemalloc.stop()
