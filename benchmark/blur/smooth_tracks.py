"""Smooth camera tracks of varying speed, and kernels from them that resemble those of Lai et al.

The generator of Lai et al. (random 3-D camera tracks) is not public. Its kernels have bright knots, where the
camera lingers, which trajectories of constant speed do not have. Tracks drawn from Gaussian processes do.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from benchmark.blur.convolution import rotate_180
from benchmark.blur.trajectory import Path, centred_in_box, framed
from benchmark.core.errors import InputError
from benchmark.core.types import Array

Floats = NDArray[np.float64]

POINTS = 1000  # of a track
KNOTS = 200  # at which the processes are drawn; cubic splines fill in the other points
LENGTHS = (0.2, 0.5)  # range of the correlation length, in exposures
TURNING = 0.3  # share of tracks with one abrupt change of direction
EXTENTS = (0.45, 0.85)  # range of the larger side of a kernel's bounding box, in kernel sizes
JITTER = 1e-10  # variance that keeps the covariances positive definite; tracks have variance 1


def lai_like_kernel(size: int, rng: np.random.Generator) -> Array:
    """Draw a random motion kernel.

    Args:
        size: its side, odd and at least 7.
        rng: where all random numbers come from.

    Returns:
        The kernel (size, size), float32, true-convolution form, sum 1, its bounding box in the middle.

    Raises:
        InputError: the size is even or below 7.

    >>> kernel = lai_like_kernel(15, np.random.default_rng(0))
    >>> kernel.shape, round(float(kernel.sum()), 4)
    ((15, 15), 1.0)
    """
    if size < 7 or size % 2 == 0:
        raise InputError(f"a Lai-like kernel needs an odd size of at least 7 pixels, not {size}")
    while True:
        # A free rim of one pixel costs three: a stroke of e pixels touches up to e + 1.
        extent = rng.uniform(EXTENTS[0] * size, min(EXTENTS[1] * size, size - 3))
        kernel = centred_in_box(framed(smooth_track(rng), extent), size)
        if kernel is not None:
            correlation_form = torch.from_numpy(kernel)
            return rotate_180(correlation_form).numpy().astype(np.float32)


def smooth_track(rng: np.random.Generator) -> Path:
    """Draw a planar track (POINTS,) from two Gaussian processes of unit variance and Matern-5/2 covariance.

    A share TURNING of the tracks changes direction abruptly once: two tracks in a row.
    """
    distances = np.sqrt(5) / rng.uniform(*LENGTHS) * _distances()
    covariance = (1 + distances + distances**2 / 3) * np.exp(-distances)
    columns, rows, other_columns, other_rows = gaussian_processes(covariance, 4, rng)
    track: Path = columns + 1j * rows
    if rng.random() < TURNING:
        other = other_columns + 1j * other_rows
        turn = int(rng.uniform(0.2, 0.8) * POINTS)
        track[turn:] = track[turn] + other[turn:] - other[turn]
    return track


def smooth_profile(length: float, rng: np.random.Generator) -> Floats:
    """Draw a Gaussian process (POINTS,), unit variance, squared-exponential covariance of a `length`."""
    profile: Floats = gaussian_processes(np.exp(-((_distances() / length) ** 2) / 2), 1, rng)[0]
    return profile


def gaussian_processes(covariance: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Draw Gaussian processes (count, POINTS) that have `covariance` (KNOTS, KNOTS) at the knots."""
    factor = _cholesky(covariance + JITTER * np.eye(KNOTS))
    knots = np.einsum("ck,nk->cn", rng.standard_normal((count, KNOTS)), factor)
    drawn: Floats = CubicSpline(np.linspace(0, 1, KNOTS), knots, axis=1)(np.linspace(0, 1, POINTS))
    return drawn


def _distances() -> Floats:
    """Return the distances in time (KNOTS, KNOTS) between the knots; the exposure lasts from 0 to 1."""
    times = np.linspace(0, 1, KNOTS)
    return np.abs(times[:, None] - times)


def _cholesky(matrix: Floats) -> Floats:
    """Return the lower Cholesky factor of a matrix (N, N), the same on every CPU.

    The covariances here are nearly singular: NumPy's factor, whose rounding depends on the CPU, would move
    the tracks by 1e-6.
    """
    factor = np.zeros_like(matrix)
    for column in range(len(matrix)):
        rest = matrix[column:, column] - (factor[column:, :column] * factor[column, :column]).sum(1)
        factor[column:, column] = rest / np.sqrt(rest[0])
    return factor
