"""Noise: what the sensor, or the file, does to a blurry image.

Each kind is a frozen dataclass whose fields are its parameters; `NOISES` lists them by name. Unless said
otherwise, models and levels are those of "Blind Image Deblurring with Unknown Kernel Size and Substantial
Noise", section 4.2.2. Intensities are in [0, 1].
"""

import io
import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import hsv2rgb, rgb2hsv

from benchmark.core.errors import InputError
from benchmark.core.types import Array

Floats = NDArray[np.float64]


class Noise(Protocol):
    """One kind of noise with its parameters."""

    kind: ClassVar[str]

    def apply(self, image: Floats, rng: np.random.Generator) -> Floats:
        """Return `image` (C, H, W), values in [0, 1], with this noise; not clipped."""
        ...


def add_noise(image: Array, noise: Noise, rng: np.random.Generator) -> Array:
    """Add noise to an image.

    Args:
        image: (C, H, W), values in [0, 1].
        noise: the kind of noise with its parameters.
        rng: where the random numbers come from.

    Returns:
        The noisy image, clipped to [0, 1], float32.

    Raises:
        InputError: such an image cannot have this noise (colour saturation of a grey image).

    >>> salt_and_pepper = Impulse(probability=1.0)
    >>> noisy = add_noise(np.full((1, 64, 64), 0.5, np.float32), salt_and_pepper, np.random.default_rng(0))
    >>> np.unique(noisy)
    array([0., 1.], dtype=float32)
    """
    return np.clip(noise.apply(image.astype(np.float64), rng), 0.0, 1.0).astype(np.float32)


@dataclass(frozen=True)
class Gaussian:
    """Gaussian noise: y + N(0, sigma^2), independent for each entry."""

    kind: ClassVar[str] = "gaussian"
    sigma: float

    def __post_init__(self) -> None:
        _check("sigma", self.sigma)

    def apply(self, image: Floats, rng: np.random.Generator) -> Floats:
        """See `Noise`."""
        return image + self.sigma * rng.standard_normal(image.shape)


@dataclass(frozen=True)
class Shot:
    """Shot noise: Poisson(eta y) / eta, photon counts, `eta` photons at white."""

    kind: ClassVar[str] = "shot"
    eta: float

    def __post_init__(self) -> None:
        _check("eta", self.eta, positive=True)

    def apply(self, image: Floats, rng: np.random.Generator) -> Floats:
        """See `Noise`."""
        return rng.poisson(self.eta * image) / self.eta


@dataclass(frozen=True)
class Impulse:
    """Impulses, salt and pepper: with `probability` an entry becomes 0 or 1, either with equal chances.

    By default each channel of a pixel is hit or spared on its own, as in the code that the paper follows;
    with `per_pixel` all channels of a pixel together, as the paper's text says.
    """

    kind: ClassVar[str] = "impulse"
    probability: float
    per_pixel: bool = False

    def __post_init__(self) -> None:
        _check("probability", self.probability, most=1.0)
        if not isinstance(self.per_pixel, bool):
            raise InputError(f"per_pixel must be true or false, not {self.per_pixel!r}")

    def apply(self, image: Floats, rng: np.random.Generator) -> Floats:
        """See `Noise`."""
        shape = (1, *image.shape[1:]) if self.per_pixel else image.shape
        struck = rng.random(shape) < self.probability
        salt = rng.random(shape) < 0.5
        return np.where(struck, salt.astype(np.float64), image)


@dataclass(frozen=True)
class Uniform:
    """Uniform noise: y + width U(0, 1), brighter by width / 2.

    The images that Lai et al. released have it with a width of 0.01.
    """

    kind: ClassVar[str] = "uniform"
    width: float

    def __post_init__(self) -> None:
        _check("width", self.width)

    def apply(self, image: Floats, rng: np.random.Generator) -> Floats:
        """See `Noise`."""
        return image + self.width * rng.random(image.shape)


@dataclass(frozen=True)
class OneOf:
    """One of several kinds of noise, drawn for each image with equal chances."""

    kind: ClassVar[str] = "one_of"
    of: tuple[Noise, ...]

    def __post_init__(self) -> None:
        if not self.of:
            raise InputError("of must name at least one kind of noise")

    def apply(self, image: Floats, rng: np.random.Generator) -> Floats:
        """See `Noise`."""
        return self.of[int(rng.integers(len(self.of)))].apply(image, rng)


@dataclass(frozen=True)
class Saturation:
    """More colour saturation, S <- clip(scale S + offset) in HSV, then Gaussian noise.

    The paper calls it pixel saturation, though no highlight is clipped. Neutral pixels turn reddish, as their
    hue counts as 0: white becomes (1, 0.9, 0.9). Grey images have no saturation and are refused.
    """

    kind: ClassVar[str] = "saturation"
    scale: float = 2.0
    offset: float = 0.1
    sigma: float = 1e-4

    def __post_init__(self) -> None:
        _check("scale", self.scale)
        _check("offset", self.offset, most=1.0)
        _check("sigma", self.sigma)

    def apply(self, image: Floats, rng: np.random.Generator) -> Floats:
        """See `Noise`."""
        return Gaussian(self.sigma).apply(self.saturated(image), rng)

    def saturated(self, image: Floats) -> Floats:
        """Change the saturation, without noise; in [0, 1]. Raises InputError unless `image` is (3, H, W)."""
        if image.shape[0] != 3:
            raise InputError(
                f"noise of kind 'saturation' needs a colour image (3 channels), not {image.shape[0]}; "
                "use the condition 'clip-saturation', or leave the image out"
            )
        hsv = rgb2hsv(image, channel_axis=0)
        hsv[1] = np.clip(self.scale * hsv[1] + self.offset, 0.0, 1.0)
        rgb: Floats = hsv2rgb(hsv, channel_axis=0)
        return np.clip(rgb, 0.0, 1.0)


@dataclass(frozen=True)
class Jpeg:
    """The loss of a JPEG file, written and read back by Pillow; not in the paper.

    Grey and colour images alike are rounded to 8 bits first. Pillow halves the resolution of the colours.
    """

    kind: ClassVar[str] = "jpeg"
    quality: int  # 1 to 95, as in Pillow

    def __post_init__(self) -> None:
        if isinstance(self.quality, bool) or not isinstance(self.quality, int) or not 1 <= self.quality <= 95:
            raise InputError(f"quality must be a whole number from 1 to 95, not {self.quality!r}")

    def apply(self, image: Floats, rng: np.random.Generator) -> Floats:
        """See `Noise`."""
        del rng  # the loss is not random
        pixels = np.round(255 * image.clip(0, 1)).astype(np.uint8)
        file = io.BytesIO()
        grey = len(pixels) == 1
        Image.fromarray(pixels[0] if grey else pixels.transpose(1, 2, 0)).save(
            file, "JPEG", quality=self.quality
        )
        read = np.asarray(Image.open(file, formats=["JPEG"]), np.float64) / 255
        return read[None] if grey else read.transpose(2, 0, 1)


@dataclass(frozen=True)
class Rounding:
    """The loss of a file of 8 bits, y to the closest multiple of 1 / 255; not in the paper."""

    kind: ClassVar[str] = "rounding"

    def apply(self, image: Floats, rng: np.random.Generator) -> Floats:
        """See `Noise`."""
        del rng  # the loss is not random
        return np.round(255 * image.clip(0, 1)) / 255


# What a descriptor may name.
NOISES: dict[str, type[Noise]] = {
    noise.kind: noise for noise in (Gaussian, Shot, Impulse, Uniform, Saturation, Jpeg, Rounding)
}


def _check(name: str, value: float, *, positive: bool = False, most: float = math.inf) -> None:
    """Raise InputError unless parameter `name` is a number from 0 (excluded if `positive`) to `most`."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if number and (value > 0 if positive else value >= 0) and value <= most:
        return
    allowed = ("positive" if positive else "0 or more") + (f", at most {most:g}" if most < math.inf else "")
    raise InputError(f"{name} must be a number, {allowed}, not {value!r}")
