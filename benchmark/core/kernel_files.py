"""Read a blur kernel from a file of any common format, and write one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy  # loads its parts when they are used
from numpy.typing import NDArray

from benchmark.core.arrays import numbers
from benchmark.core.errors import InputError
from benchmark.core.files import replacing
from benchmark.core.forks import in_a_fork
from benchmark.core.images import read_kernel_image

NAMES = ("kernel", "kernels")  # of the array, where a file holds several
LONGEST = 30.0  # seconds to read a MATLAB file; one of a kernel takes milliseconds


def read_kernel(path: Path) -> NDArray[np.float64]:
    """Read a kernel (h, w) of sum 1, turned as the file has it.

    An .npz or .mat file holds one array, or calls it `kernel` or `kernels`. Arrays are (h, w) or (1, h, w);
    all other files are images, whose channels are averaged. A picture that `write_kernel_image` enlarged gets
    its own size back. The kernel is divided by its sum, unless that is 1.

    Raises:
        InputError: the file is missing, damaged or no kernel: it has a negative entry or is zero everywhere.
    """
    kernel = _of_array(path) if path.suffix.lower() in READERS else read_kernel_image(path)
    if kernel.min() < 0:
        raise InputError(f"{path}: a kernel has no negative entry, but this one has {kernel.min():.3g}")
    total = kernel.sum()
    if total == 0:
        raise InputError(f"{path}: zero everywhere, so it is no kernel; get the file again")
    return kernel if np.isclose(total, 1, rtol=0, atol=1e-6) else kernel / total


def _of_array(path: Path) -> NDArray[np.float64]:
    try:
        array = READERS[path.suffix.lower()](path)
        flat = array[0] if array.ndim == 3 and len(array) == 1 else array
        return numbers(flat, 2).astype(np.float64)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except NotImplementedError as error:
        raise InputError(f"{path}: a MATLAB file of version 7.3; save it by save(..., '-v7')") from error
    except Exception as error:  # NumPy and SciPy raise nearly everything for damaged files
        raise InputError(f"{path}: not a kernel that can be read ({' '.join(str(error).split())})") from error


def _npy(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def _npz(path: Path) -> NDArray[Any]:
    with np.load(path, allow_pickle=False) as arrays:
        return _chosen(path, arrays)


def _mat(path: Path) -> NDArray[Any]:
    # One altered byte of a file can make SciPy's reader end its process by a wild read.
    arrays = in_a_fork(_arrays_of_mat, path, seconds=LONGEST)
    return _chosen(path, arrays)


def _arrays_of_mat(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file:  # SciPy tries other names where it opens the file
        arrays = scipy.io.loadmat(file)  # type: ignore[arg-type]  # the stubs know no open files
    return {name: array for name, array in arrays.items() if not name.startswith("__")}


def _chosen(path: Path, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return the only array, or the one that is called as a kernel."""
    names = list(arrays)
    known = names if len(names) == 1 else [name for name in names if name in NAMES]
    if len(known) != 1:
        raise InputError(f"{path}: which array is the kernel? It has {', '.join(names)}; call it kernel")
    return arrays[known[0]]


def write_kernel(path: Path, kernel: NDArray[np.floating[Any]]) -> None:
    """Write a kernel (h, w), true-convolution form, as the array `kernel` of an .npz file."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, kernel=kernel)


READERS: Mapping[str, Callable[[Path], NDArray[Any]]] = {".npy": _npy, ".npz": _npz, ".mat": _mat}
