"""Motion kernels as hand-drawn strokes: the 'motionblur' generator of DPS, BlindDPS and GLKM's Table IV.

A polyline of short steps with bounded turns is drawn on a canvas of twice the size, smoothed and reduced. The
order of the random draws is that of the released code, so that its seeds give its paths. Positions are
complex: column + row i.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from benchmark.blur.convolution import odd_from_correlation
from benchmark.blur.trajectory import Path
from benchmark.core.errors import InputError
from benchmark.core.types import Array

Rng = np.random.Generator | np.random.RandomState  # the second, legacy one reproduces the released kernels
Floats = NDArray[np.float64]

SLACK = 0.1  # the generator's epsilon: steps and turns stay possible at both ends of the intensity


def motion_blur_kernel(size: int, intensity: float, rng: Rng) -> Array:
    """Draw a random motion kernel.

    Strokes that leave the canvas are cut, as in the released generator: drawing them again would shorten the
    typical kernel. Empty drawings, of a single step, are drawn again.

    Args:
        size: side of the drawing in pixels, at least 8; BlindDPS has 64.
        intensity: in [0, 1], from nearly straight to strongly bent; BlindDPS has 0.5.
        rng: where all random numbers come from.

    Returns:
        A kernel, float32, true-convolution form, sum 1: (size, size) if `size` is odd, else (size + 1, size +
        1), the odd kernel that blurs alike (see `odd_from_correlation`).

    Raises:
        InputError: the size is below 8, or the intensity outside [0, 1].

    >>> motion_blur_kernel(32, 0.5, np.random.default_rng(0)).shape
    (33, 33)
    """
    if size < 8:
        raise InputError(f"a motion blur kernel needs a size of at least 8 pixels, not {size}")
    if not 0 <= intensity <= 1:
        raise InputError(f"the intensity of motion blur must be in [0, 1], not {intensity}")
    drawing = np.zeros((size, size))
    while drawing.sum() == 0:
        drawing = draw(motion_path(size, intensity, rng), size)
    correlation_form = torch.from_numpy(drawing / drawing.sum())
    return odd_from_correlation(correlation_form, zeros="before").numpy().astype(np.float32)


def motion_path(size: int, intensity: float, rng: Rng) -> Path:
    """Draw the vertices of a random stroke about the centre of a canvas (2 size, 2 size)."""
    diagonal = 2 * size * np.sqrt(2)
    steps = _steps(diagonal, intensity, rng)
    largest_turn = rng.uniform(0, intensity * np.pi)
    jitter = rng.beta(2, 20)
    angles = [rng.uniform(-largest_turn, largest_turn)]
    while len(angles) < len(steps):
        angle = rng.triangular(0, intensity * largest_turn, largest_turn + SLACK)
        flip = -1 if rng.uniform() < jitter else 1
        angles.append(flip * np.sign(angles[-1]) * angle)
    path = np.cumsum(steps * np.exp(1j * np.array(angles)))
    path = (path - path.mean()) * np.exp(1j * rng.uniform(0, np.pi))
    centred: Path = path + size * (1 + 1j)
    return centred


def draw(path: Path, size: int) -> Floats:
    """Draw a path on a canvas (2 size, 2 size) and reduce it to (size, size), correlation form.

    The grey values are whole numbers up to 255: the released kernels are quantised before they are
    normalised.
    """
    diagonal = 2 * size * np.sqrt(2)
    # Below size 54 the released width is 0, with which Pillow draws nothing.
    width = max(1, int(diagonal / 150))
    canvas = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(canvas).line([(point.real, point.imag) for point in path], fill=255, width=width)
    smooth = canvas.filter(ImageFilter.GaussianBlur(radius=int(0.01 * diagonal)))
    return np.asarray(smooth.resize((size, size), Image.Resampling.LANCZOS), dtype=np.float64)


def _steps(diagonal: float, intensity: float, rng: Rng) -> Floats:
    """Draw the lengths of the steps, in pixels, until together they reach a random total."""
    total = 0.75 * diagonal * (rng.uniform() + rng.uniform(0, intensity**2))
    steps: list[float] = []
    length = 0.0
    while length < total:
        step = rng.beta(1, 30) * (1 - intensity + SLACK) * diagonal
        if step < total:
            steps.append(step)
            length += step
    return np.array(steps)
