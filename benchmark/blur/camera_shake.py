"""Camera shake: random poses during an exposure, their homographies, and the kernel of each pixel.

Pixel i of the blurry image is the mean over the poses of the sharp image x at H i: y(i) = mean_t x(H_t i).
Coordinates are (column, row, 1), 0-based. The principal point is the middle of the image, the focal length
its longer side, as in the released script of Lai et al.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from scipy.spatial.transform import Rotation

from benchmark.blur.convolution import rotate_180
from benchmark.blur.smooth_tracks import POINTS, smooth_profile, smooth_track
from benchmark.blur.svola import node_centres
from benchmark.blur.trajectory import ANXIETIES, Path, TrajectoryDraws, framed, splat, trace_path
from benchmark.core.errors import InputError

Floats = NDArray[np.float64]
Speed = Literal["constant", "varying"]

MINIMAL_POSES = 64
POSES_PER_PIXEL = 2  # of the longest path of a corner: dense enough for a blur instead of a row of copies
ROLL_LENGTH = 0.35  # correlation length of the roll, in exposures


@dataclass(frozen=True)
class CameraShake:
    """The poses of a camera during one exposure, all held equally long."""

    poses: Floats  # (T, 6): rotation vector in radians, then translation in scene depths; x = column, y = row
    shape: tuple[int, int]  # (H, W) of the image

    @property
    def homographies(self) -> Floats:
        """The homographies (T, 3, 3) that look up the sharp image: H = K (R + t e3^T) K^-1.

        K is the camera matrix, R the rotation and t the translation of a pose, e3 = (0, 0, 1).
        """
        motion = Rotation.from_rotvec(self.poses[:, :3]).as_matrix()
        motion[:, :, 2] += self.poses[:, 3:]
        focal, (height, width) = max(self.shape), self.shape
        camera = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
        inverse = np.array([[1, 0, -camera[0, 2]], [0, 1, -camera[1, 2]], [0, 0, focal]]) / focal
        mapped: Floats = np.einsum("ij,tjk,kl->til", camera, motion, inverse, optimize=False)
        return mapped

    def displacements(self, pixels: Floats) -> NDArray[np.complex128]:
        """Return H i - i for pixels i (P, 2), given as (row, column): (P, T), complex, column + row i."""
        rows, columns = np.asarray(pixels, np.float64).T
        places = np.stack([columns, rows, np.ones_like(rows)])
        mapped = np.einsum("tij,jp->tip", self.homographies, places)
        moved = (mapped[:, 0] + 1j * mapped[:, 1]) / mapped[:, 2] - (columns + 1j * rows)
        displaced: NDArray[np.complex128] = moved.T
        return displaced

    @property
    def reach(self) -> float:
        """The largest displacement of any pixel along an axis, in pixels. It occurs in a corner."""
        moved = self.displacements(corners(self.shape))
        return float(max(np.abs(moved.real).max(), np.abs(moved.imag).max()))

    @property
    def kernel_size(self) -> int:
        """The smallest odd size that holds the kernel of every pixel with a rim of zeros."""
        return 2 * math.ceil(self.reach) + 3

    def psfs(self, pixels: Floats, size: int) -> Floats:
        """Return the kernels of some pixels.

        Exact where the sharp image is looked up bilinearly: convolved with a pixel's kernel it gives that
        pixel of the blurry image.

        Args:
            pixels: (P, 2), as (row, column).
            size: side of the kernels, odd.

        Returns:
            (P, size, size), true-convolution form, sum 1 each.

        Raises:
            InputError: the size is even, or too small for one of the kernels.
        """
        moved = self.displacements(pixels)
        middle = (size - 1) // 2
        if size % 2 == 0 or max(np.abs(moved.real).max(), np.abs(moved.imag).max()) > middle:
            raise InputError(
                f"kernels of this camera shake need an odd size of at least {self.kernel_size}, not {size}"
            )
        count = len(self.poses)
        correlation_form = splat(moved + middle * (1 + 1j), np.full(count, 1 / count), (size, size))
        kernels: Floats = rotate_180(torch.from_numpy(correlation_form)).numpy()
        return kernels


def simulate_shake(
    shape: tuple[int, int],
    size: int,
    extent: tuple[float, float],
    rng: np.random.Generator,
    *,
    speed: Speed = "varying",
    largest_roll: float = 1.5,
) -> CameraShake:
    """Draw a random shake by rotation, all of whose kernels fit into a declared size.

    A planar track becomes yaw and pitch; a smooth roll is drawn independently of it. A roll moves the corners
    of a large image far: where a corner would leave the inner (size - 2, size - 2) pixels about its place,
    all poses are scaled down together.

    Args:
        shape: of the image, (H, W).
        size: side of the kernels, odd and at least 5; they have a rim of zeros.
        extent: range of the larger side of the track in pixels, from which it is drawn uniformly.
        rng: where all random numbers come from.
        speed: along the track: 'constant' (Boracchi and Foi) or 'varying' (Gaussian processes).
        largest_roll: in degrees; the roll reaches U(0, largest_roll).

    Raises:
        InputError: one of these arguments is out of its range.

    >>> shake = simulate_shake((60, 80), 15, (5, 9), np.random.default_rng(0))
    >>> shake.psfs(patch_centres((60, 80), (2, 3)), 15).shape
    (6, 15, 15)
    """
    _check(size, extent, largest_roll, speed)
    focal = max(shape)
    side = min(rng.uniform(*extent), size - 3)
    track = framed(_track(speed, size, rng), side) / focal
    poses = np.zeros((POINTS, 6))
    poses[:, 0], poses[:, 1] = -track.imag, track.real
    poses[:, 2] = _spanning(smooth_profile(ROLL_LENGTH, rng), np.deg2rad(rng.uniform(0, largest_roll)))
    paths = CameraShake(poses, shape).displacements(corners(shape))
    longest = np.abs(np.diff(paths, axis=1)).sum(1).max()
    count = max(MINIMAL_POSES, math.ceil(POSES_PER_PIXEL * longest))
    shake = CameraShake(_resampled(poses, count), shape)
    while shake.kernel_size > size:
        # Displacements are nearly, but not exactly, proportional to the poses.
        shrinking = 0.999 * (size - 3) / 2 / shake.reach
        shake = CameraShake(shrinking * shake.poses, shape)
    return shake


def corners(shape: tuple[int, int]) -> Floats:
    """Return the corner pixels (4, 2) of an image (H, W), as (row, column)."""
    return np.array([(row, column) for row in (0, shape[0] - 1) for column in (0, shape[1] - 1)], np.float64)


def patch_centres(shape: tuple[int, int], grid: tuple[int, int]) -> Floats:
    """Return the nodes (Gy * Gx, 2) of a SVOLA grid (Gy, Gx) over an image (H, W), as (row, column)."""
    rows, columns = (node_centres(length, nodes) for length, nodes in zip(shape, grid, strict=True))
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def _check(size: int, extent: tuple[float, float], roll: float, speed: str) -> None:
    if size < 5 or size % 2 == 0:
        raise InputError(f"camera shake needs an odd kernel size of at least 5 pixels, not {size}")
    if not 0 < extent[0] <= extent[1]:
        raise InputError(f"the extent of camera shake is a positive range in pixels, not {extent}")
    if not roll >= 0:
        raise InputError(f"the largest roll of camera shake is 0 or more degrees, not {roll}")
    if speed not in get_args(Speed):
        raise InputError(f"unknown speed of camera shake: '{speed}'; use one of {', '.join(get_args(Speed))}")


def _track(speed: Speed, size: int, rng: np.random.Generator) -> Path:
    """Draw a planar track (POINTS,) of any scale."""
    if speed == "varying":
        return smooth_track(rng)
    draws = TrajectoryDraws.draw(rng, anxiety=float(rng.choice(ANXIETIES)))
    path = trace_path(draws, length=size * rng.uniform(0.4, 1.6))
    columns, rows = _resampled(np.stack([path.real, path.imag], axis=1), POINTS).T
    track: Path = columns + 1j * rows
    return track


def _resampled(values: Floats, count: int) -> Floats:
    """Interpolate values (N, D), equidistant in time, linearly at `count` equidistant times."""
    resampled = make_interp_spline(np.linspace(0, 1, len(values)), values, k=1)(np.linspace(0, 1, count))
    return np.asarray(resampled, np.float64)


def _spanning(profile: Floats, largest: float) -> Floats:
    """Shift and scale a profile so that it reaches from -largest to largest."""
    middle = (profile.max() + profile.min()) / 2
    spanning: Floats = (profile - middle) * (2 * largest / np.ptp(profile))
    return spanning
