"""Hostile files: results, images, weights, archives, states of downloads."""

import io
import json
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save as to_safetensors

from benchmark.core.kernel_files import read_kernel
from benchmark.core.photos import read_photo
from benchmark.data.archives import extract
from benchmark.data.download import download
from benchmark.data.sources import Archive, Source
from benchmark.data.transfer import TransferError
from benchmark.planning.config import make_plan
from methods.diffusion import prior
from methods.glkm import weights as glkm
from methods.parts.weight_files import SHIPPED, read_network
from methods.ufp import weights as ufp
from tests.fuzz.conftest import Content, altered, damaged, fuzz, one_line

CONFIG = {
    "profile": "r",
    "caption": "A test.",
    "device": "cpu",
    "datasets": ["demo-uniform"],
    "methods": {"blurry": {}, "oracle": {}},
    "cases": {"demo-uniform": ["camera"]},
    "metrics": ["psnr", "kernel-similarity", "error-ratio"],
}
HERE = ("--results", "results/r")


@pytest.fixture(autouse=True, scope="module")
def elsewhere(tmp_path_factory):
    """Work in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("fuzz"))
        yield


@pytest.fixture(scope="module")
def results(blindbench):
    """A finished profile; the content of its files."""
    make_plan(CONFIG, "config.yaml").write()
    assert blindbench("synthesize", "demo-uniform", *HERE)[0] == 0
    for method in CONFIG["methods"]:
        assert blindbench("restore", method, *HERE)[0] == 0
        assert blindbench("score", method, *HERE)[0] == 0
    for step in (("collect",), ("table", "uniform")):
        assert blindbench(*step, *HERE)[0] == 0
    return {path: Content(path.read_bytes()) for path in Path("results/r").rglob("*") if path.is_file()}


STEPS = {  # by the ending of a file's path: the steps that read it
    "camera.npz": [("restore", "oracle"), ("restore", "blurry")],
    "camera.truth.npz": [("restore", "oracle"), ("score", "oracle")],
    "oracle/seed0/camera/kernels.npz": [("score", "oracle")],
    "oracle/seed0/camera/image.png": [
        ("restore", "oracle"),
        ("score", "oracle"),
    ],
    "oracle/seed0/camera/run.json": [
        ("restore", "oracle"),
        ("score", "oracle"),
    ],
    "records/oracle/0.json": [("collect",)],
    "scores/oracle/0.csv": [("collect",)],
    "r/runs.csv": [("table", "uniform"), ("ship", "shipped.csv")],
    "r/plan.json": [("table", "uniform")],
}


@pytest.mark.parametrize("ending", STEPS)
@fuzz
@given(data=st.data())
def test_files_of_results(blindbench, results, ending, data):
    (path,) = [path for path in results if str(path).endswith(f"/{ending}") or str(path).endswith(ending)]
    content = results[path]
    kinds = [damaged(content)]
    if path.suffix == ".npz":
        kinds.append(other_arrays(content))
    for file, whole in results.items():
        file.write_bytes(whole)
    path.write_bytes(data.draw(st.one_of(kinds)))
    blindbench(*data.draw(st.sampled_from(STEPS[ending])), *HERE)


ARRAYS = st.sampled_from(
    [
        np.zeros(0),
        np.zeros((0, 3, 3), np.float32),
        np.zeros((1, 3, 3), np.float32),
        np.full((1, 3, 3), np.nan, np.float32),
        np.full((3, 9, 9), np.inf, np.float32),
        np.ones((1, 400, 400), np.float32),
        np.ones((2, 2, 2, 2), np.uint8),
        np.array("text"),
        np.array(["a", "b"]),
        np.array(-1),
        np.array([0, 0]),
        np.array([10**9, 10**9]),
        np.array([1.5, 2.5]),
        np.array(True),
        np.array([1j, 2j]),
    ]
)


@st.composite
def other_arrays(draw, content):
    """Draw versions of an .npz file in which an array is another one or gone."""
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    name = draw(st.sampled_from(sorted(arrays)))
    if draw(st.booleans()):
        arrays[name] = draw(ARRAYS)
    else:
        del arrays[name]
    written = io.BytesIO()
    np.savez(written, **arrays)
    return Content(written.getvalue())


def encoded(kind, mode="RGB", **options):
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 31, 3), np.uint8)).convert(mode)
    file = io.BytesIO()
    pixels.save(file, kind, **options)
    return file.getvalue()


def deep(write, kind):
    """What `write(file, pixels)` makes of pixels (24, 31, 3) of a kind of numbers beyond 8 bits."""
    pixels, file = np.random.default_rng(0).random((24, 31, 3)), io.BytesIO()
    largest = np.iinfo(kind).max if np.issubdtype(kind, np.integer) else 1
    write(file, (largest * pixels).astype(kind))
    return file.getvalue()


def by_opencv(suffix):
    return lambda file, pixels: file.write(cv2.imencode(suffix, pixels)[1].tobytes())


PICTURES = {
    "PNG": encoded("PNG"), "palette": encoded("PNG", "P"), "JPEG": encoded("JPEG"), "TIFF": encoded("TIFF"),
    "packed TIFF": encoded("TIFF", compression="tiff_lzw"), "BMP": encoded("BMP"), "WEBP": encoded("WEBP"),
    "PPM": encoded("PPM"), "CMYK": encoded("JPEG", "CMYK"), "grey": encoded("PNG", "L"),
    "AVIF": encoded("AVIF"), "GIF": encoded("GIF"), "PNG of 16 bits": deep(by_opencv(".png"), np.uint16),
    "PPM of 16 bits": deep(by_opencv(".ppm"), np.uint16),
    "TIFF of 16 bits": deep(tifffile.imwrite, np.uint16),
    "TIFF of floats": deep(tifffile.imwrite, np.float32),
    "packed TIFF of 16 bits": deep(by_opencv(".tiff"), np.uint16),
    "planar TIFF": deep(lambda file, pixels: tifffile.imwrite(
        file, pixels.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"), np.uint32),
}  # fmt: skip


@pytest.mark.parametrize("kind", PICTURES)
@fuzz
@given(data=st.data())
def test_images(kind, data):
    Path("photo.png").write_bytes(data.draw(damaged(PICTURES[kind])))
    photo = one_line(read_photo, Path("photo.png"))
    if photo is not None:
        assert photo.image.ndim == 3
        assert np.isfinite(photo.image).all()


def kernel_file(suffix):
    kernel, file = np.eye(5) / 5, io.BytesIO()
    if suffix == ".mat":
        scipy.io.savemat(file, {"kernel": kernel})
    elif suffix == ".npz":
        np.savez(file, kernel=kernel)
    elif suffix == ".npy":
        np.save(file, kernel)
    else:
        Image.fromarray((255 * kernel).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat", ".png"])
@fuzz
@given(data=st.data())
def test_kernels(suffix, data):
    path = Path(f"kernel{suffix}")
    path.write_bytes(data.draw(damaged(kernel_file(suffix))))
    kernel = one_line(read_kernel, path)
    if kernel is not None:
        assert kernel.ndim == 2 and kernel.min() >= 0
        assert kernel.sum() == pytest.approx(1)


def split(path):
    """The header of a file of weights, and its tensors."""
    content = path.read_bytes()
    size = 8 + int.from_bytes(content[:8], "little")
    return content[:size], content[size:]


@pytest.mark.parametrize(
    "name", ["generator-31", "initializer-31", "ufpnet-15", "nafnet", "diffusion-kernel-64"]
)
@fuzz
@given(data=st.data())
def test_weights(name, data):
    header, rest = split(SHIPPED / f"{name}.safetensors")
    folder = Path("weights")
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.safetensors"
    described = json.loads(header[8:])
    metadata = {"blindbench": json.loads(described["__metadata__"]["blindbench"])}
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(damaged(header)) + rest)
    else:
        changed = data.draw(altered(metadata))
        described["__metadata__"] = {
            "blindbench": json.dumps(changed.get("blindbench")) if isinstance(changed, dict) else "x"
        }
        text = json.dumps(described).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + rest)
    load = {
        "generator-31": lambda: glkm.load_generator(folder, 31),
        "initializer-31": lambda: glkm.load_initializer(folder, 31),
        "ufpnet-15": lambda: ufp.load_network(folder, "ufpnet"),
        "nafnet": lambda: ufp.load_network(folder, "nafnet"),
        "diffusion-kernel-64": lambda: prior.load(path, "diffusion-kernel"),
    }[name]
    one_line(load)


def torch_file():
    file = io.BytesIO()
    torch.save({"params": {"a.weight": torch.zeros(2, 3), "b": torch.ones(4)}}, file)
    return file.getvalue()


@fuzz
@given(
    st.one_of(damaged(torch_file()), damaged(to_safetensors({"a": torch.zeros(2)}))),
    st.sampled_from([".pth", ".safetensors"]),
)
def test_files_of_weights(content, suffix):
    path = Path(f"network{suffix}")
    path.write_bytes(content)
    one_line(read_network, path, "params")


def packed(kind):
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/b.png", b"b" * 500)
            archive.writestr("c.png", b"c")
    else:
        with tarfile.open(fileobj=file, mode=f"w:{kind}", format=tarfile.PAX_FORMAT) as archive:
            for name, size in (("a/b.png", 500), ("ü" * 120, 1)):
                info = tarfile.TarInfo(name)
                info.size = size
                archive.addfile(info, io.BytesIO(b"b" * size))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["zip", "", "gz", "bz2", "xz"])
@fuzz
@given(data=st.data())
def test_archives(kind, data):
    Path("archive").write_bytes(data.draw(damaged(packed(kind))))
    before = {path for path in Path().rglob("*") if "unpacked" not in path.parts}
    one_line(extract, Path("archive"), Path("unpacked"))
    assert {path for path in Path().rglob("*") if "unpacked" not in path.parts} <= before


SOURCE = Source(
    "s", "T", "L", "https://example.invalid", "open", (Archive("a.zip", None),), counts={"*.png": 3}
)


@pytest.mark.parametrize(
    "name", ["s/.unpacked.json", "s/.downloaded.json", ".downloads/s/a.zip.sha256", ".downloads/s/a.zip"]
)
@fuzz
@given(data=st.data())
def test_states_of_downloads(name, data):
    path = Path("downloads") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (Path("downloads") / ".downloads/s").mkdir(parents=True, exist_ok=True)
    (Path("downloads") / ".downloads/s/a.zip").write_bytes(packed("zip"))
    state = json.dumps({"a.zip": "0" * 64, "archives": {"a.zip": "0"}}).encode()
    path.write_bytes(
        data.draw(st.one_of(damaged(state), altered(json.loads(state)).map(lambda v: json.dumps(v).encode())))
    )
    with suppress(TransferError):
        one_line(lambda: download(SOURCE, lambda line: None, folder=Path("downloads")))
    path.unlink(missing_ok=True)
