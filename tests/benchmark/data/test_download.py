"""Downloads from a server of the test: good ones, every way to fail, and what is left for the next try."""

import dataclasses
import functools
import hashlib
import http.server
import io
import json
import os
import shutil
import sys
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
import requests
import yaml

from benchmark.cli import main as cli
from benchmark.core.errors import InputError
from benchmark.core.faults import MachineError
from benchmark.core.schema import read_yaml
from benchmark.data import transfer
from benchmark.data.descriptors import FOLDER, MIRROR, dataset_names, find_dataset
from benchmark.data.download import download, download_again, downloaded_hashes
from benchmark.data.sources import Archive, Source, all_sources
from benchmark.data.transfer import TransferError

RNG = np.random.default_rng(0)


def packed(tree, kind="zip"):
    """An archive with the files of `tree`, as bytes."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            for name, content in tree.items():
                file.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as file:
            for name, content in tree.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


TREE = {"set/a/1.png": RNG.bytes(30_000), "set/a/2.png": RNG.bytes(30_000)}
GOOD = packed(TREE)
OTHER = packed({**TREE, "set/a/1.png": RNG.bytes(30_000)})  # as long as the good one
LANDED = {name.removeprefix("set/"): content for name, content in TREE.items()}


@dataclass
class Site:
    """A server: path to content, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    address: str = ""
    cuts: list[int] = field(default_factory=list)  # the next answers break off after so many bytes
    ranges: bool = True  # whether it can send parts
    tags: bool = True  # whether it sends validators
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path, range
    gate: threading.Event | None = None  # answers wait for it

    def answer(self, handler):
        path, wanted = handler.path.lstrip("/"), handler.headers["Range"]
        self.requests.append((path, wanted))
        if self.gate is not None:
            assert self.gate.wait(10)
        if path not in self.files:
            handler.send_error(404)
            return
        content = self.files[path]
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        start = 0
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                handler.send_error(416)
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            handler.send_response(200)
        if self.tags:
            handler.send_header("ETag", tag)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:][: self.cuts.pop(0) if self.cuts else None])


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            site.answer(self)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture
def source(site):
    """A source whose one archive the server has; its checksum is known."""
    site.files["x.zip"] = GOOD
    checksum = f"sha256:{hashlib.sha256(GOOD).hexdigest()}"
    archive = Archive("x.zip", f"{site.address}/x.zip", checksum, strip=("set",))
    return Source("x", "A title", "CC BY 4.0", "https://x.org", "open", (archive,), counts={"a/*.png": 2})


def change(source, access=None, counts=None, **archive):
    """The source with another access, counts, or keys of its archive."""
    archives = (dataclasses.replace(source.archives[0], **archive),)
    access, counts = access or source.access, source.counts if counts is None else counts
    return dataclasses.replace(source, access=access, counts=counts, archives=archives)


def unverified(source):
    return change(source, checksum=None)


@pytest.fixture
def get(tmp_path):
    """`get(source)` downloads to `tmp_path` and returns what was said."""

    def call(source, **options):
        said = []
        download(source, said.append, folder=tmp_path, **options)
        return "\n".join(said)

    return call


def files(folder):
    """Relative name to content of what is no book-keeping."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if not p.name.startswith(".")}


@contextmanager
def failing(kind, message, tmp_path, name="x"):
    """One line, that is also kept beside the data."""
    with pytest.raises(kind, match=message) as error:
        yield
    assert "\n" not in str(error.value)
    assert (tmp_path / name / ".download-failed").read_text() == f"{error.value}\n"


def place(tmp_path, content=GOOD, name="x.zip", source="x"):
    """Put an archive into the cache, as a person would."""
    cache = tmp_path / ".downloads" / source
    cache.mkdir(parents=True, exist_ok=True)
    (cache / name).write_bytes(content)


def test_a_download_lands_once_and_says_under_which_licence(site, source, get, tmp_path):
    said = get(source)
    assert "A title; licence: CC BY 4.0; https://x.org" in said
    assert "unverified" not in said
    assert files(tmp_path / "x") == LANDED
    assert set(files(tmp_path / ".downloads/x")) == {"x.zip"}
    marker = json.loads((tmp_path / "x/.downloaded.json").read_text())
    assert marker == {"archives": {"x.zip": hashlib.sha256(GOOD).hexdigest()}}
    get(source)
    assert len(site.requests) == 1


def image():
    return RNG.bytes(64)


REALBLUR = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"
LAYOUTS = {
    "levin": {
        "SelfDeblur-e1c79ee528eb333416b032e4bc002337c2d5c0f3.zip": {
            f"SelfDeblur-e1c79ee528eb333416b032e4bc002337c2d5c0f3/{name}": image()
            for name in ("README.md", "datasets/levin/gt/im1.png", "datasets/levin/im1_kernel1_img.png")
        },
    },
    "kohler": {
        "BlurryImages.zip": {"Blurry1_1.png": image()},
        **{
            f"GroundTruth_pngs_Image{i}.zip": {f"Image{i}/Kernel1/GroundTruth{i}_1_1.png": image()}
            for i in (1, 2, 3, 4)
        },
    },
    "coco_val2017": {"val2017.zip": {"val2017/000000000139.jpg": image()}},
    "realblur": {
        "RealBlur.tar.gz": {
            f"RealBlur/{REALBLUR}/scene001/gt/gt_1.png": image(),
            f"RealBlur/{REALBLUR}/scene001/blur/blur_1.png": image(),
            "RealBlur/RealBlur_J_test_list.txt": b"gt blur\n",
        }
    },
    "gopro": {
        "GOPRO_Large.zip": {
            f"test/GOPR0384_11_00/{kind}/000001.png": image() for kind in ("blur", "blur_gamma", "sharp")
        }
    },
    "lai": {
        "cvpr16_deblur_study_real_dataset.zip": {
            "cvpr16_deblur_study_real_dataset/real_dataset/bird.jpg": image()
        },
        "cvpr16_deblur_study_synthetic_dataset.zip": {
            "synthetic_dataset/ground_truth/text_01.png": image(),
            "synthetic_dataset/gyro/gyro_01/gyro.txt": b"0 0 0\n",
            "__MACOSX/synthetic_dataset/ground_truth/._text_01.png": b"",
        },
    },
    "bsds500": {
        "BSDS500-master.zip": {
            "BSDS500-master/BSDS500/data/images/train/100075.jpg": image(),
            "BSDS500-master/BSDS500/data/images/test/100099.jpg": image(),
            "BSDS500-master/BSDS500/data/groundTruth/train/100075.mat": image(),
        }
    },
}
EXPECTED = {
    "levin": {"gt/im1.png", "im1_kernel1_img.png"},
    "kohler": {"BlurryImages/Blurry1_1.png"}
    | {f"Image{i}/Kernel1/GroundTruth{i}_1_1.png" for i in (1, 2, 3, 4)},
    "coco_val2017": {"000000000139.jpg"},
    "realblur": {
        f"{REALBLUR}/scene001/gt/gt_1.png",
        f"{REALBLUR}/scene001/blur/blur_1.png",
        "RealBlur_J_test_list.txt",
    },
    "gopro": {f"test/GOPR0384_11_00/{kind}/000001.png" for kind in ("blur", "blur_gamma", "sharp")},
    "lai": {"real/bird.jpg", "ground_truth/text_01.png", "gyro/gyro_01/gyro.txt"},
    "bsds500": {"train/100075.jpg", "test/100099.jpg"},
}


# Their part of the archive would be more of the same.
NOT_IN_THE_TINY_ONES = ("realblur-r", "lai-nonuniform", "choose-fresh", "verdict-fresh", "verdict-tuning")


def tiny(name, site, tmp_path):
    """The shipped source with tiny archives in the owners' layout, on the server or put there by hand."""
    shipped, archives = all_sources()[name], []
    for archive in shipped.archives:
        content = packed(LAYOUTS[name][archive.file], "tar" if ".tar" in archive.file else "zip")
        url = None
        if archive.url:
            url, site.files[archive.file] = f"{site.address}/{archive.file}", content
        else:
            place(tmp_path, content, archive.file, name)
        checksum = f"md5:{hashlib.md5(content).hexdigest()}" if archive.checksum else None
        archives.append(dataclasses.replace(archive, url=url, checksum=checksum))
    return dataclasses.replace(shipped, archives=tuple(archives), counts={})


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_owners_layout_lands_where_the_descriptors_look(site, get, tmp_path, name):
    get(tiny(name, site, tmp_path), accept_terms=True)
    assert set(files(tmp_path / name)) == EXPECTED[name]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_descriptor_of_a_source_finds_files_that_landed(site, get, tmp_path, monkeypatch, name):
    get(tiny(name, site, tmp_path), accept_terms=True)
    monkeypatch.delenv(MIRROR, raising=False)
    shutil.copytree(FOLDER / "lists", tmp_path / "lists")
    for dataset in dataset_names():
        content = read_yaml(FOLDER / f"{dataset}.yaml")
        if content["source"] != name or dataset in NOT_IN_THE_TINY_ONES:
            continue
        if "find" in content.get("files", {}):
            content["files"] = {**content["files"], "count": 1}
            content["files"].pop("listed_in", None)
        (tmp_path / f"{dataset}.yaml").write_text(yaml.safe_dump(content))
        found = find_dataset(dataset, tmp_path)
        assert any(set(found.files([case])) - set(found.missing([case])) for case in found.case_ids), dataset


@pytest.mark.parametrize("tags", [True, False])
def test_a_transfer_that_breaks_off_continues_there(site, source, get, tmp_path, tags):
    site.tags = tags
    site.cuts = [20_000, 10_000]
    for _ in range(2):
        with failing(TransferError, "the connection broke after .*: it continues there", tmp_path):
            get(source)
        assert files(tmp_path / "x") == {}
    get(source)
    assert [wanted for _, wanted in site.requests] == [None, "bytes=20000-", "bytes=30000-"]
    assert files(tmp_path / "x") == LANDED
    assert not (tmp_path / "x/.download-failed").exists()
    assert set(files(tmp_path / ".downloads/x")) == {"x.zip"}


def test_without_parts_from_the_server_it_starts_again(site, source, get, tmp_path):
    site.cuts, site.ranges = [20_000], False
    with failing(TransferError, "the connection broke", tmp_path):
        get(source)
    get(source)
    assert files(tmp_path / "x") == LANDED


@pytest.mark.parametrize(("old", "tags"), [(OTHER, True), (OTHER + b"longer", False)])
def test_a_file_that_changed_in_between_is_not_pieced_together(site, source, get, tmp_path, old, tags):
    site.files["x.zip"], site.cuts, site.tags = old, [20_000], tags
    with failing(TransferError, "the connection broke", tmp_path):
        get(source)
    site.files["x.zip"] = GOOD
    get(source)
    assert files(tmp_path / "x") == LANDED


def test_a_file_that_became_shorter_starts_again(site, source, get, tmp_path):
    site.files["x.zip"], site.cuts = GOOD * 2, [len(GOOD) + 9]
    with failing(TransferError, "the connection broke", tmp_path):
        get(source)
    site.files["x.zip"] = GOOD
    get(source)
    assert files(tmp_path / "x") == LANDED


def test_killed_after_the_last_byte_needs_no_server(site, source, get, tmp_path):
    site.cuts = [20_000]
    with failing(TransferError, "the connection broke", tmp_path):
        get(source)
    (tmp_path / ".downloads/x/x.zip.part").write_bytes(GOOD)
    get(source)
    assert len(site.requests) == 1
    assert files(tmp_path / "x") == LANDED


def test_killed_while_it_is_checked_leaves_nothing_behind(site, source, get, tmp_path):
    def die(*_, **__):
        os._exit(9)

    if not (child := os.fork()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pooch.file_hash", die)
            patch.setattr("pooch.core.hash_matches", die)
            get(source)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    get(source)
    assert len(site.requests) == 1
    assert files(tmp_path / "x") == LANDED
    assert set(files(tmp_path / ".downloads/x")) == {"x.zip"}


def test_a_partial_file_of_unknown_origin_is_not_continued(site, source, get, tmp_path):
    place(tmp_path, b"?" * 100, "x.zip.part")
    get(source)
    assert files(tmp_path / "x") == LANDED


def test_a_flipped_bit_is_named_and_the_file_is_gone(site, source, get, tmp_path):
    flipped = bytearray(GOOD)
    flipped[20_000] ^= 1
    site.files["x.zip"] = bytes(flipped)
    expected, found = (hashlib.sha256(content).hexdigest() for content in (GOOD, flipped))
    with failing(TransferError, f"expected sha256:{expected} but got {found}", tmp_path):
        get(source)
    assert files(tmp_path / "x") == files(tmp_path / ".downloads/x") == {}
    site.files["x.zip"] = GOOD
    get(source)
    assert files(tmp_path / "x") == LANDED


def test_without_a_published_checksum_the_first_good_file_is_the_reference(site, source, get, tmp_path):
    sha256 = hashlib.sha256(GOOD).hexdigest()
    assert f"unverified, as no checksum is published; sha256 {sha256} is expected" in get(unverified(source))
    shutil.rmtree(tmp_path / "x")
    (tmp_path / ".downloads/x/x.zip").unlink()
    site.files["x.zip"] = OTHER
    with failing(TransferError, f"expected sha256:{sha256} but got", tmp_path):
        get(unverified(source))
    site.files["x.zip"] = GOOD
    assert "unverified" not in get(unverified(source))


def test_a_damaged_file_never_becomes_the_reference(site, source, get, tmp_path):
    site.files["x.zip"] = GOOD[:-100]
    with failing(InputError, "x.zip: damaged or truncated .* delete it and get it again", tmp_path):
        get(unverified(source))
    (tmp_path / ".downloads/x/x.zip").unlink()
    site.files["x.zip"] = GOOD
    get(unverified(source))
    assert files(tmp_path / "x") == LANDED


@pytest.mark.parametrize(
    ("page", "headers"),
    [
        (b"Please sign in", {"Content-Type": "text/html; charset=utf-8"}),
        (b"\n<!DOCTYPE HTML><html>Please sign in</html>", {}),
    ],
)
def test_a_web_page_instead_of_the_file_is_refused(site, source, get, tmp_path, page, headers):
    site.files["x.zip"], site.headers = page, headers
    advice = (
        f"leads to a web page.*get x.zip from https://x.org by hand and put it into {tmp_path}/.downloads/x"
    )
    with failing(InputError, advice, tmp_path):
        get(unverified(source))
    assert not (tmp_path / ".downloads/x/x.zip").exists()
    site.files["x.zip"], site.headers = GOOD, {}
    get(unverified(source))
    assert files(tmp_path / "x") == LANDED


def test_a_passing_web_page_does_not_cost_what_arrived(site, source, get, tmp_path):
    site.cuts = [20_000]
    with failing(TransferError, "the connection broke", tmp_path):
        get(source)
    site.files["x.zip"], site.ranges = b"<html>Buy time in this network</html>", False
    with failing(InputError, "leads to a web page", tmp_path):
        get(source)
    site.files["x.zip"], site.ranges = GOOD, True
    get(source)
    assert site.requests[-1] == ("x.zip", "bytes=20000-")
    assert files(tmp_path / "x") == LANDED


def test_a_compressed_encoding_is_left_as_it_is(site, source, get, tmp_path):
    content = packed(TREE, "tar")
    site.files["x.tar.gz"], site.headers = content, {"Content-Encoding": "x-gzip"}
    checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
    get(change(source, file="x.tar.gz", url=f"{site.address}/x.tar.gz", checksum=checksum))
    assert files(tmp_path / "x") == LANDED


def test_a_dead_link_is_named_in_the_message(site, source, get, tmp_path):
    del site.files["x.zip"]
    with failing(TransferError, "answers 404 Not Found; try again later, or get x.zip from", tmp_path):
        get(source)


def test_without_a_network_there_is_one_line(source, get, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with failing(TransferError, "no connection to 127.0.0.1; check the network", tmp_path):
        get(change(source, url="http://127.0.0.1:1/x.zip"))


def test_a_certificate_that_cannot_be_verified_is_called_so(source, get, tmp_path, monkeypatch):
    def refuse(*address, **options):
        raise requests.exceptions.SSLError("certificate verify failed: certificate has expired")

    monkeypatch.setattr("requests.get", refuse)
    with failing(TransferError, "the certificate of data.example cannot be verified", tmp_path):
        get(change(source, url="https://data.example/x.zip"))


def test_terms_are_shown_and_must_be_accepted(site, source, get, tmp_path):
    source = change(source, access="terms")
    how = r"x: its terms: CC BY 4.0 .*add --accept-terms, or accept_terms: \[x\] to the config"
    with failing(InputError, how, tmp_path):
        get(source)
    assert site.requests == []
    get(source, accept_terms=True)
    assert files(tmp_path / "x") == LANDED


@pytest.mark.parametrize(("access", "account"), [("manual", ""), ("login", r" \(an account is needed\)")])
def test_what_a_person_must_get_is_named_and_then_taken(source, get, tmp_path, access, account):
    source = change(source, access=access, url=None, checksum=None)
    advice = f"get x.zip from https://x.org by hand{account} and put it into {tmp_path}/.downloads/x; then"
    with failing(InputError, advice, tmp_path):
        get(source)
    place(tmp_path)
    assert "unverified" in get(source)
    assert files(tmp_path / "x") == LANDED
    shutil.rmtree(tmp_path / "x")
    place(tmp_path, OTHER)
    with failing(InputError, "x.zip: damaged or another file .*correct .*x.zip.sha256", tmp_path):
        get(source)


def test_a_file_put_there_by_hand_is_checked(site, source, get, tmp_path):
    place(tmp_path, OTHER)
    with failing(InputError, "x.zip: damaged or another file .*correct .*sources.yaml", tmp_path):
        get(source)
    place(tmp_path)
    get(source)
    assert site.requests == []
    assert files(tmp_path / "x") == LANDED


def test_what_can_be_fetched_does_not_wait_for_what_a_person_must_get(site, get, tmp_path):
    lai = tiny("lai", site, tmp_path)
    by_hand = tmp_path / ".downloads/lai/cvpr16_deblur_study_synthetic_dataset.zip"
    content = by_hand.read_bytes()
    by_hand.unlink()
    with failing(InputError, "get cvpr16_deblur_study_synthetic_dataset.zip from", tmp_path, "lai"):
        get(lai)
    assert set(files(tmp_path / "lai")) == {"real/bird.jpg"}
    assert not (tmp_path / "lai/.downloaded.json").exists()
    by_hand.write_bytes(content)
    get(lai)
    assert set(files(tmp_path / "lai")) == EXPECTED["lai"]
    assert len(site.requests) == 1


def test_missing_and_extra_files_are_counted(source, get, tmp_path):
    get(source)
    (tmp_path / "x/a/1.png").rename(tmp_path / "x/a/1.PNG")
    with failing(InputError, r"x: 1 files match a/\*.png in .*, but 2 belong there", tmp_path):
        get(source)
    shutil.rmtree(tmp_path / "x")
    get(source)
    assert files(tmp_path / "x") == LANDED
    (tmp_path / "x/a/3.png").write_bytes(b"3")
    with failing(InputError, r"x: 3 files match", tmp_path):
        get(source)


def test_a_file_that_is_wanted_as_it_is_stays_packed(source, get, tmp_path):
    whole = change(source, counts={"x.zip": 1}, unpack=False)
    assert "all there" in get(whole)
    assert (tmp_path / "x" / "x.zip").read_bytes() == GOOD


def test_files_that_a_person_unpacked_are_counted_and_taken(site, source, get, tmp_path):
    (tmp_path / "x/a").mkdir(parents=True)
    (tmp_path / "x/a/1.png").write_bytes(b"1")
    (tmp_path / "x/a/2.png").write_bytes(b"2")
    get(source)
    assert site.requests == []
    assert json.loads((tmp_path / "x/.downloaded.json").read_text()) == {"archives": {}}


def test_a_full_disk_keeps_what_arrived(site, source, get, tmp_path, monkeypatch):
    @contextmanager
    def full(name, done, size):
        def show(bytes_):
            raise OSError(28, "No space left on device")

        yield show

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "_progress", full)
        patch.setattr(transfer, "CHUNK", 10_000)
        message = "x.zip.part: cannot be written .No space left on device.*it continues there"
        with pytest.raises(InputError, match=message):
            get(source)
    assert not (tmp_path / "x" / ".download-failed").exists()  # says nothing about the download
    get(source)
    assert [wanted for _, wanted in site.requests] == [None, "bytes=10000-"]
    assert files(tmp_path / "x") == LANDED


def test_two_at_once_download_once(site, source, tmp_path):
    site.gate, said, asked = threading.Event(), [], threading.Event()

    def say(line):
        said.append(line)
        if "waiting" in line:
            asked.set()

    work = functools.partial(download, source, say, folder=tmp_path)
    threads = [threading.Thread(target=work), threading.Thread(target=work)]
    for thread in threads:
        thread.start()
    assert asked.wait(10)
    site.gate.set()
    for thread in threads:
        thread.join(10)
    assert len(site.requests) == 1
    assert sum("all there" in line for line in said) == 2
    assert files(tmp_path / "x") == LANDED


def test_a_folder_that_cannot_be_written_is_named(source, get, tmp_path):
    (tmp_path / ".downloads").write_text("a file")
    with pytest.raises(MachineError, match=r"\.downloads/x/\.lock: cannot be written"):
        get(source)


@pytest.fixture
def blindbench(monkeypatch, capfd, source, tmp_path):
    """`blindbench("x")` is the verb `download` for sources x, dead (a broken link) and manual."""
    known = {
        "x": source,
        "dead": dataclasses.replace(change(source, url="http://127.0.0.1:1/x.zip"), name="dead"),
        "manual": dataclasses.replace(change(source, access="manual", url=None), name="manual"),
    }
    real = all_sources()
    monkeypatch.setattr("benchmark.data.sources.all_sources", lambda *path: {**real, **known})
    monkeypatch.setattr("benchmark.data.download.download", functools.partial(download, folder=tmp_path))

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["blindbench", "download", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code or 0, capfd.readouterr().err

    return call


def test_the_verb_goes_on_after_a_failure_and_tells_whose_turn_it_is(blindbench, tmp_path):
    assert blindbench("dead")[0] == 1
    code, error = blindbench("dead", "manual", "x")
    assert code == 2
    complaints = [line for line in error.splitlines() if line.startswith("blindbench: ")]
    assert len(complaints) == 2
    assert files(tmp_path / "x") == LANDED
    assert blindbench("x")[0] == 0
    code, error = blindbench("x", "imagnet")
    assert code == 2
    assert error == "blindbench: unknown source 'imagnet'. Did you mean 'imagenet'?\n"


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("x/.unpacked.json", b"[1"), ("x/.unpacked.json", b"[1]"), ("x/.unpacked.json", b"\xff\xfe"),
        ("x/.unpacked.json", b"[" * 100_000), ("x/.unpacked.json", b'{"x.zip": 3}'),
    ],
)  # fmt: skip
def test_a_damaged_state_is_forgotten_and_the_archive_unpacked_again(source, get, tmp_path, name, state):
    (tmp_path / "x").mkdir()
    (tmp_path / name).write_bytes(state)
    get(source)
    assert files(tmp_path / "x") == LANDED


@pytest.mark.parametrize("state", [b"", b"\xff", b"sha of x", b"0" * 63])
def test_a_damaged_checksum_is_named(source, get, tmp_path, state):
    record = tmp_path / ".downloads" / "x" / "x.zip.sha256"
    record.parent.mkdir(parents=True)
    record.write_bytes(state)
    with failing(InputError, r"x\.zip\.sha256: (holds no SHA-256|cannot be read as text)", tmp_path):
        get(change(source, checksum=None))


def test_the_hashes_of_all_files_are_kept(source, get, tmp_path):
    assert downloaded_hashes("x", tmp_path) == {}
    get(source)
    hashes = downloaded_hashes("x", tmp_path)
    named = {str(path.relative_to(tmp_path)): sha256 for path, sha256 in hashes.items()}
    assert named.pop("x/.downloaded.json")
    contents = {f"x/{name}": content for name, content in LANDED.items()} | {".downloads/x/x.zip": GOOD}
    assert named == {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    (tmp_path / ".downloads/x/x.zip").unlink()  # to have its room
    assert len(downloaded_hashes("x", tmp_path)) == 3


@pytest.mark.parametrize("counts", [{}, {"a/1.png": 1}])
def test_altered_files_are_unpacked_again_and_an_altered_archive_is_fetched(
    site, source, get, tmp_path, counts
):
    source = change(source, counts=counts)
    get(source)
    archive = tmp_path / ".downloads/x/x.zip"
    (tmp_path / "x/a/2.png").write_bytes(b"other")
    archive.write_bytes(OTHER)
    download_again(source, [archive], lambda line: None, folder=tmp_path)
    assert files(tmp_path / "x") == LANDED
    assert archive.read_bytes() == GOOD
    assert len(site.requests) == 2


def test_a_lost_file_that_no_archive_holds_is_named_until_it_is_put_back(source, get, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/mine.txt").write_text("mine")
    get(source)
    (tmp_path / "x/mine.txt").unlink()
    for again in (lambda: download_again(source, [], print, folder=tmp_path), lambda: get(source)):
        with failing(InputError, "x: no archive holds .*mine.txt, which is lost", tmp_path):
            again()
    assert tmp_path / "x/mine.txt" in downloaded_hashes("x", tmp_path)
    (tmp_path / "x/mine.txt").write_text("mine")
    get(source)
    assert (tmp_path / "x/.downloaded.json").exists()


def test_a_download_that_ended_before_its_hashes_were_kept_is_finished_by_the_next(source, get, tmp_path):
    get(source)
    for name in (".downloaded.sha256", ".downloaded.json"):
        (tmp_path / "x" / name).unlink()
    get(source)
    assert {tmp_path / "x" / name for name in LANDED} < downloaded_hashes("x", tmp_path).keys()
