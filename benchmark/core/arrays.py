"""Files of arrays (.npz): written as a whole, and read so that whatever is wrong with one names the file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.core.errors import InputError
from benchmark.core.files import replacing


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays by name, as a whole or not at all. Raises MachineError when the file cannot be written."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


@contextmanager
def reading_arrays(path: Path, advice: str) -> Iterator[Mapping[str, Any]]:
    """Give the arrays of a file by name.

    Args:
        path: The file.
        advice: What to do when there is no such file.

    Raises:
        InputError: The file is missing or damaged, or the block fails on what it holds: an array is missing,
            or of another shape or type.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            yield dict(file)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {advice}") from error
    except KeyError as error:
        raise InputError(f"{path}: damaged (it has no {error}); delete it and run again") from error
    except Exception as error:  # NumPy raises nearly everything for damaged files
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: damaged ({reason}); delete it and run again") from error


def numbers(array: NDArray[Any], axes: int) -> NDArray[Any]:
    """Return an array unless it has another number of axes, is empty, or holds no finite real numbers.

    Raises ValueError saying which.
    """
    if array.ndim != axes or not array.size:
        raise ValueError(f"an array of the shape {array.shape}, where {axes} axes are needed")
    if array.dtype.kind not in "uif" or not np.isfinite(array).all():
        raise ValueError("an array with values that are no finite numbers")
    return array
