"""Kernels from files of other programs."""

import os

import numpy as np
import pytest
import scipy.io
import tifffile
from PIL import Image

from benchmark.core.errors import InputError
from benchmark.core.images import write_kernel_image
from benchmark.core.kernel_files import read_kernel, write_kernel

KERNEL = np.array([[0.0, 0.25], [0.25, 0.5], [0.0, 0.0]])


def write(path, array):
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, kernel=array)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"k": array})
    else:
        Image.fromarray(np.asarray(array).astype(np.uint8)).save(path)
    return path


def test_tiff_files_of_any_numbers_are_kernels(tmp_path):
    for kind in ("float32", "float64", "uint16", "uint32"):
        tifffile.imwrite(tmp_path / "k.tif", (1000 * KERNEL).astype(kind))
        np.testing.assert_allclose(read_kernel(tmp_path / "k.tif"), KERNEL, atol=1e-6)
    tifffile.imwrite(tmp_path / "k.tif", KERNEL - 0.1)
    with pytest.raises(InputError, match="a kernel has no negative entry"):
        read_kernel(tmp_path / "k.tif")


def test_a_matlab_file_of_version_7_3_is_named(tmp_path):
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (tmp_path / "k.mat").write_bytes(header.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputError, match=r"k\.mat: a MATLAB file of version 7\.3; save it by save"):
        read_kernel(tmp_path / "k.mat")


@pytest.mark.parametrize("name", ["k.npy", "k.npz", "k.mat", "k.png"])
def test_every_format_gives_a_kernel_of_sum_one(tmp_path, name):
    np.testing.assert_allclose(read_kernel(write(tmp_path / name, 200 * KERNEL)), KERNEL, rtol=0, atol=1e-12)


def test_a_kernel_of_sum_one_keeps_its_bits(tmp_path):
    kernel = np.random.default_rng(0).random((1, 5, 7)).astype(np.float32)
    kernel /= kernel.sum()
    np.testing.assert_array_equal(read_kernel(write(tmp_path / "k.npz", kernel)), kernel[0])


def test_a_file_of_several_arrays_names_its_kernel(tmp_path):
    np.savez(tmp_path / "k.npz", kernels=KERNEL[None], energies=np.ones(3))
    np.testing.assert_array_equal(read_kernel(tmp_path / "k.npz"), KERNEL)
    scipy.io.savemat(tmp_path / "k.mat", {"a": KERNEL, "b": KERNEL})
    with pytest.raises(InputError, match=r"k\.mat: which array is the kernel\? It has a, b; call it kernel"):
        read_kernel(tmp_path / "k.mat")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("k.npy", KERNEL - 0.1, r"no negative entry, but this one has -0\.1"),
        ("k.npy", 0 * KERNEL, "zero everywhere"),
        ("k.png", 0 * KERNEL, "zero everywhere"),
        ("k.npy", KERNEL * np.nan, "no finite numbers"),
        ("k.npz", np.ones((2, 3, 3)), "2 axes are needed"),
        ("k.mat", np.ones((2, 3, 3)), "2 axes are needed"),
        ("k.npy", np.zeros((0, 3)), "2 axes are needed"),
    ],
)
def test_what_is_no_kernel_is_refused_in_one_line(tmp_path, name, array, message):
    with pytest.raises(InputError, match=message) as error:
        read_kernel(write(tmp_path / name, array))
    assert str(error.value).startswith(str(tmp_path / name)) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["k.npy", "k.npz", "k.mat", "k.png"])
@pytest.mark.parametrize("content", [b"", b"hello\n", b"PK\x03\x04" + bytes(40)])
def test_damaged_and_missing_files_are_refused_in_one_line(tmp_path, name, content):
    with pytest.raises(InputError, match="no such file"):
        read_kernel(tmp_path / name)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        read_kernel(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name)) and "\n" not in str(error.value)


def test_what_is_written_is_read_back(tmp_path):
    kernel = np.random.default_rng(0).random((15, 9))
    kernel /= kernel.sum()
    write_kernel(tmp_path / "k.npz", kernel)
    np.testing.assert_array_equal(read_kernel(tmp_path / "k.npz"), kernel)
    write_kernel_image(tmp_path / "k.png", kernel)
    np.testing.assert_allclose(read_kernel(tmp_path / "k.png"), kernel, rtol=0, atol=kernel.max() / 255)


def test_a_matlab_file_that_ends_its_reader_is_one_line(tmp_path):
    scipy.io.savemat(tmp_path / "k.mat", {"kernel": np.eye(5) / 5})
    content = bytearray((tmp_path / "k.mat").read_bytes())
    content[184] = 0  # the type of the numbers: SciPy 1.17 reads at a wild address then
    (tmp_path / "k.mat").write_bytes(content)
    with pytest.raises(InputError, match=r"k\.mat: not a kernel that can be read"):
        read_kernel(tmp_path / "k.mat")


def test_a_reader_that_dies_is_one_line(tmp_path, monkeypatch):
    scipy.io.savemat(tmp_path / "k.mat", {"kernel": KERNEL})
    monkeypatch.setattr("scipy.io.loadmat", lambda _: os.abort())
    with pytest.raises(InputError, match=r"k\.mat: not a kernel that can be read \(its process died\)"):
        read_kernel(tmp_path / "k.mat")
