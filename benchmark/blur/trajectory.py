"""Motion kernels from random camera trajectories: the Boracchi-Foi model in DeblurGAN's parametrisation.

G. Boracchi, A. Foi, "Modeling the Performance of Image Restoration from Motion Blur", IEEE TIP 2012; O. Kupyn
et al., "DeblurGAN", CVPR 2018. A particle moves through the plane with constant speed; a Gaussian shake, a
pull towards its origin and rare reversals bend its path. Positions are complex: column + row i.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.blur.convolution import rotate_180
from benchmark.core.errors import InputError
from benchmark.core.types import Array

Path = NDArray[np.complex128]

POINTS = 2000  # of a trajectory; another number would change how paths look, not only how fine they are
ANXIETIES = (0.01, 0.009, 0.008, 0.007, 0.005, 0.003)  # DeblurGAN's code draws one of these per trajectory
SMALLEST_EXTENT = 1.5  # pixels; shorter paths hardly blur and are drawn again


@dataclass(frozen=True)
class TrajectoryDraws:
    """All random numbers of one trajectory, so that its path can be computed again from a record."""

    centripetal: float  # pull towards the origin, U(0, 0.7)
    impulse_probability: float  # of a reversal, times the anxiety, U(0, 0.2)
    shake: float  # strength of the Gaussian term, U(0, 10)
    angle: float  # initial direction in degrees, U(0, 360)
    anxiety: float  # how strongly the direction changes; 0 gives a straight line
    impulse_uniforms: NDArray[np.float64]  # (POINTS - 1,): a step reverses where below the probability
    impulse_angles: NDArray[np.float64]  # (POINTS - 1,) in [0, 1): of the reversal, used only there
    normals: NDArray[np.float64]  # (POINTS - 1, 2): the Gaussian term

    @classmethod
    def draw(cls, rng: np.random.Generator, anxiety: float) -> "TrajectoryDraws":
        """Draw the random numbers of one trajectory."""
        steps = POINTS - 1
        return cls(
            centripetal=0.7 * rng.random(),
            impulse_probability=0.2 * rng.random(),
            shake=10.0 * rng.random(),
            angle=360.0 * rng.random(),
            anxiety=anxiety,
            impulse_uniforms=rng.random(steps),
            impulse_angles=rng.random(steps),
            normals=rng.standard_normal((steps, 2)),
        )


def trace_path(draws: TrajectoryDraws, length: float) -> Path:
    """Compute the trajectory (POINTS,) of random draws, from 0 on, `length` pixels long."""
    steps = len(draws.impulse_uniforms)
    # Python's own numbers: in a loop they are faster than NumPy's, and give the same bits.
    speed, anxiety, pull = float(length) / steps, float(draws.anxiety), float(draws.centripetal)
    impulses = np.flatnonzero(draws.impulse_uniforms < draws.impulse_probability * anxiety)
    turns = np.exp(1j * (np.pi + draws.impulse_angles[impulses] - 0.5))
    reversals = dict(zip(impulses.tolist(), turns.tolist(), strict=True))
    gaussians = (draws.shake * (draws.normals[:, 0] + 1j * draws.normals[:, 1])).tolist()
    position = 0j
    velocity = complex(np.exp(1j * np.deg2rad(draws.angle))) * (anxiety if anxiety > 0 else speed)
    path = [position]
    for step, gaussian in enumerate(gaussians):
        reversal = 2 * velocity * reversals[step] if step in reversals else 0j
        velocity = velocity + reversal + anxiety * (gaussian - pull * position) * speed
        velocity = velocity * (1 / abs(velocity)) * speed  # as NumPy divides
        position = position + velocity
        path.append(position)
    return np.array(path)


def rasterise(path: Path, shape: tuple[int, int], fraction: float = 1.0) -> NDArray[np.float64]:
    """Draw the first `fraction` of a path, each point spread bilinearly on its four pixels.

    Every point but the first has the weight 1 / (number of points), so the sum is about `fraction`, like the
    light of a shorter exposure.

    Args:
        path: (points,), inside the grid.
        shape: of the grid, (h, w).
        fraction: of the path, in (0, 1].

    Returns:
        The drawing (h, w).
    """
    exposed = fraction * len(path)
    weights = np.clip(exposed - np.arange(len(path)) + 1, 0, 1)  # the last point may count in part
    weights[0] = 0.0
    image: NDArray[np.float64] = splat(path[None], weights / len(path), shape)[0]
    return image


def splat(
    points: NDArray[np.complex128], weights: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Draw points, each spread bilinearly on its four pixels.

    Args:
        points: (P, T), complex, column + row i, inside the grid.
        weights: of the points, (T,).
        shape: of the grid, (h, w).

    Returns:
        P drawings (P, h, w).

    >>> splat(np.array([[0.25 + 0j]]), np.array([1.0]), (1, 2))
    array([[[0.75, 0.25]]])
    """
    columns, rows = np.floor(points.real).astype(int), np.floor(points.imag).astype(int)
    right, down = points.real - columns, points.imag - rows
    first = np.arange(len(points))[:, None] * (shape[0] * shape[1])
    pixels, shares = [], []
    for row_step, row_share in ((0, 1 - down), (1, down)):
        for column_step, column_share in ((0, 1 - right), (1, right)):
            # A share of exactly zero may point one pixel past the grid.
            share = weights * row_share * column_share
            used = share > 0
            pixels.append((first + (rows + row_step) * shape[1] + columns + column_step)[used])
            shares.append(share[used])
    entries = len(points) * shape[0] * shape[1]
    images = np.bincount(np.concatenate(pixels), np.concatenate(shares), minlength=entries)
    return images.reshape(-1, *shape).astype(np.float64)


def framed(path: Path, extent: float) -> Path:
    """Scale and move a path: the larger side of its bounding box becomes `extent` pixels, its middle 0."""
    low, high = complex(path.real.min(), path.imag.min()), complex(path.real.max(), path.imag.max())
    side = max((high - low).real, (high - low).imag)
    scaled: Path = (path - (low + high) / 2) * (extent / side)
    return scaled


def trajectory_kernel(size: int, rng: np.random.Generator) -> Array:
    """Draw a random motion kernel.

    The path is U(0.4, 1.6) times `size` pixels long; half of it is exposed, or all. Paths that leave the
    inner (size - 2) x (size - 2) pixels, or hardly move, are drawn again.

    Args:
        size: side of the kernel, odd and at least 5.
        rng: where all random numbers come from.

    Returns:
        The kernel (size, size), float32, true-convolution form, sum 1, its bounding box in the middle.

    Raises:
        InputError: the size is even or below 5.

    >>> kernel = trajectory_kernel(15, np.random.default_rng(0))
    >>> kernel.shape, round(float(kernel.sum()), 4)
    ((15, 15), 1.0)
    """
    if size < 5 or size % 2 == 0:
        raise InputError(f"a trajectory kernel needs an odd size of at least 5 pixels, not {size}")
    while True:
        draws = TrajectoryDraws.draw(rng, anxiety=float(rng.choice(ANXIETIES)))
        path = trace_path(draws, length=size * rng.uniform(0.4, 1.6))
        fraction = float(rng.choice((0.5, 1.0)))
        kernel = centred_in_box(path[: int(fraction * len(path)) + 1], size)
        if kernel is not None:
            correlation_form = torch.from_numpy(kernel)
            return rotate_180(correlation_form).numpy().astype(np.float32)


def centred_in_box(path: Path, size: int) -> NDArray[np.float64] | None:
    """Draw a path as a kernel (size, size), its bounding box in the middle; None when it does not fit."""
    path = path - complex(path.real.min(), path.imag.min())
    extent = max(path.real.max(), path.imag.max())
    if not SMALLEST_EXTENT <= extent <= size - 3:
        return None
    image = rasterise(path, (size, size))
    rows, columns = np.nonzero(image.sum(1))[0], np.nonzero(image.sum(0))[0]
    box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if max(box.shape) > size - 2:
        return None
    kernel = np.zeros((size, size))
    top, left = (size - box.shape[0]) // 2, (size - box.shape[1]) // 2
    kernel[top : top + box.shape[0], left : left + box.shape[1]] = box
    kernel /= kernel.sum()
    return kernel
