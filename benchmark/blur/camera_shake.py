"""Non-uniform blur by camera shake: poses, their homographies, and the kernel that each pixel sees.

Pixel i of the blurry image is the mean over the poses of the sharp image at H i, y(i) = mean_t x(H_t i).
Coordinates are (column, row, 1), 0-based; the principal point is the middle of the image and the focal
length its longer side, as in the released script of Lai et al.
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
from benchmark.core.types import InputError

Floats = NDArray[np.float64]
Speed = Literal["constant", "varying"]

MINIMAL_POSES = 64
POSES_PER_PIXEL = 2  # of the longest path of a corner: blur, not a row of copies
ROLL_LENGTH = 0.35  # correlation of the roll, in exposures


@dataclass(frozen=True)
class CameraShake:
    """The poses of a camera during one exposure, equally long each."""

    poses: Floats  # (T, 6): rotation vector in radians, then translation in scene depths; x = column, y = row
    shape: tuple[int, int]  # (H, W) of the image

    @property
    def homographies(self) -> Floats:
        """(T, 3, 3) in (column, row, 1): H = K (R + t e3^T) K^-1 looks up the sharp image."""
        motion = Rotation.from_rotvec(self.poses[:, :3]).as_matrix()
        motion[:, :, 2] += self.poses[:, 3:]
        focal, (height, width) = max(self.shape), self.shape
        camera = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
        mapped: Floats = camera @ motion @ np.linalg.inv(camera)
        return mapped

    def displacements(self, pixels: Floats) -> NDArray[np.complex128]:
        """H i - i (P, T) of `pixels` (P, 2) given as (row, column), as complex numbers column + row i."""
        rows, columns = np.asarray(pixels, np.float64).T
        mapped = self.homographies @ np.stack([columns, rows, np.ones_like(rows)])
        moved = (mapped[:, 0] + 1j * mapped[:, 1]) / mapped[:, 2] - (columns + 1j * rows)
        displaced: NDArray[np.complex128] = moved.T
        return displaced

    @property
    def reach(self) -> float:
        """The largest displacement of any pixel along an axis, in pixels; it occurs in a corner."""
        moved = self.displacements(corners(self.shape))
        return float(max(np.abs(moved.real).max(), np.abs(moved.imag).max()))

    @property
    def kernel_size(self) -> int:
        """The smallest odd size that holds the kernel of every pixel with a free rim."""
        return 2 * math.ceil(self.reach) + 3

    def psfs(self, pixels: Floats, size: int) -> Floats:
        """The kernels (P, size, size) of `pixels` (P, 2) given as (row, column), each of sum 1.

        True-convolution form. Exact for an image that is looked up bilinearly: x convolved with the kernel
        of a pixel is y there.
        Raises InputError when `size` is even or less than the kernels need.
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
    """A random shake for images of `shape` whose kernels all fit into (size, size) with a free rim.

    A planar track, its larger side U(extent) pixels, becomes yaw and pitch ('rotation'; 'six' adds
    translations) or translations ('in-plane'); a smooth roll of up to U(0, `largest_roll`) degrees is
    independent of it. The track's speed is 'constant' (Boracchi and Foi) or 'varying' (Gaussian processes).

    A roll moves the corners of a large image far. Where a corner would leave (size - 2, size - 2) about its
    pixel, all poses are scaled down together: the share of the roll stays as drawn, the extent shrinks.
    Raises InputError unless `size` is odd and at least 5, the extents are positive and in order, the roll
    is not negative, and speed and motion are known.
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
        # Displacements are nearly, not quite, proportional to the poses.
        shrinking = 0.999 * (size - 3) / 2 / shake.reach
        shake = CameraShake(shrinking * shake.poses, shape)
    return shake


def corners(shape: tuple[int, int]) -> Floats:
    """The four corner pixels (4, 2) of an image (H, W), as (row, column)."""
    return np.array([(row, column) for row in (0, shape[0] - 1) for column in (0, shape[1] - 1)], np.float64)


def patch_centres(shape: tuple[int, int], grid: tuple[int, int]) -> Floats:
    """The SVOLA nodes (Gy * Gx, 2) of a `grid` (Gy, Gx) over an image (H, W), as (row, column)."""
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
    """A planar track (POINTS,) of any scale."""
    if speed == "varying":
        return smooth_track(rng)
    draws = TrajectoryDraws.draw(rng, anxiety=float(rng.choice(ANXIETIES)))
    path = trace_path(draws, length=size * rng.uniform(0.4, 1.6))
    columns, rows = _resampled(np.stack([path.real, path.imag], axis=1), POINTS).T
    track: Path = columns + 1j * rows
    return track


def _resampled(values: Floats, count: int) -> Floats:
    """`values` (N, D) over the exposure at `count` equidistant times, by linear interpolation."""
    resampled = make_interp_spline(np.linspace(0, 1, len(values)), values, k=1)(np.linspace(0, 1, count))
    return np.asarray(resampled, np.float64)


def _spanning(profile: Floats, largest: float) -> Floats:
    """`profile` centred by its range and scaled to run from -largest to largest."""
    middle = (profile.max() + profile.min()) / 2
    spanning: Floats = (profile - middle) * (2 * largest / np.ptp(profile))
    return spanning
