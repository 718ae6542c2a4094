"""Motion kernels as hand-drawn strokes: the 'motionblur' generator of DPS, BlindDPS and GLKM's Table IV.

A polyline of short steps with bounded turns is drawn on a canvas of twice the size, smoothed and reduced.
`intensity` in [0, 1] runs from nearly straight to strongly bent. The order of the draws is that of the
released code, so that its seeds give its paths. Positions are complex: column + row i.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from benchmark.blur.convolution import odd_from_correlation
from benchmark.blur.trajectory import Path
from benchmark.core.types import Array, InputError

Rng = np.random.Generator | np.random.RandomState  # the legacy one reproduces the released kernels
Floats = NDArray[np.float64]

SLACK = 0.1  # the generator's epsilon: steps and turns stay possible at both ends of the intensity


def motion_blur_kernel(size: int, intensity: float, rng: Rng) -> Array:
    """A random motion kernel, float32, true-convolution form, sum 1.

    Drawn on (size, size). An even one comes back as (size + 1, size + 1), the odd kernel that blurs alike:
    a zero row above and a zero column on the left in correlation form, then rotated. BlindDPS: size 64,
    intensity 0.5.

    Strokes that run off the canvas are cut, as in the released generator: 0.3 % of the mass lies on the
    border at size 64, and drawing them again would shorten the typical kernel. Drawings that hold no
    stroke at all (a single step) are drawn again.
    Raises InputError unless `size` is at least 8 and `intensity` in [0, 1].
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
    """The vertices of a random stroke on the canvas of (2 size, 2 size), about its centre."""
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
    """`path`, on a canvas of (2 size, 2 size), drawn as grey values (size, size), correlation form.

    They are whole numbers up to 255: the released kernels are quantised before they are normalised.
    """
    diagonal = 2 * size * np.sqrt(2)
    # Below size 54 the released width is 0, with which Pillow draws nothing.
    width = max(1, int(diagonal / 150))
    canvas = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(canvas).line([(point.real, point.imag) for point in path], fill=255, width=width)
    smooth = canvas.filter(ImageFilter.GaussianBlur(radius=int(0.01 * diagonal)))
    return np.asarray(smooth.resize((size, size), Image.Resampling.LANCZOS), dtype=np.float64)


def _steps(diagonal: float, intensity: float, rng: Rng) -> Floats:
    """Lengths of the steps in pixels; together they just reach a random total."""
    total = 0.75 * diagonal * (rng.uniform() + rng.uniform(0, intensity**2))
    steps: list[float] = []
    length = 0.0
    while length < total:
        step = rng.beta(1, 30) * (1 - intensity + SLACK) * diagonal
        if step < total:
            steps.append(step)
            length += step
    return np.array(steps)
