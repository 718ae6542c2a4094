"""Images that other programs restored, one file per case, to be scored like those of every method."""

from dataclasses import dataclass
from glob import escape
from pathlib import Path

import numpy as np
import skimage  # loads a part when it is first used; some take a second
import torch

from benchmark.core.types import Array, InputError, NotSupportedError, Observation
from methods.parts.direct import Direct
from methods.parts.registry import Method
from methods.parts.solver import Result

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


@dataclass(frozen=True)
class Settings:
    """Where the images lie. Raises ValueError when the folder cannot be read or holds no image."""

    path: str  # the folder, from the working directory on; holds <case>.png, .jpg, .jpeg or .bmp

    def __post_init__(self) -> None:
        try:
            suffixes = {file.suffix.lower() for file in Path(self.path).iterdir()}
        except OSError as error:
            raise ValueError(f"{self.path}: not a folder that can be read ({error.strerror})") from error
        if suffixes.isdisjoint(SUFFIXES):
            raise ValueError(f"{self.path}: holds no image ({', '.join(SUFFIXES)})")


def files(case: str, settings: Settings) -> list[Path]:
    """List the files that may be the case's image: there should be one."""
    matches = Path(settings.path).glob(f"{escape(case)}.*")
    images = (file for file in matches if file.stem == case and file.suffix.lower() in SUFFIXES)
    return sorted(file for file in images if file.is_file())


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Return the case's image. Raises NotSupportedError without one, InputError when it cannot be used."""
    del rng, device
    matches = files(observation.case, settings)
    if not matches:
        raise NotSupportedError(f"{settings.path}: no image {observation.case} ({', '.join(SUFFIXES)})")
    if len(matches) > 1:
        names = " and ".join(file.name for file in matches)
        raise InputError(f"{settings.path}: {names} may both be this case; remove one")
    image = _read(matches[0])
    if image.shape != observation.blurry.shape:
        raise InputError(
            f"{matches[0]}: {_described(image)}, but the blurry image has {_described(observation.blurry)}"
        )
    return Direct(lambda: Result(torch.from_numpy(image)))


def _read(file: Path) -> Array:
    """Read an image, grey (H, W) or (H, W, C), as (C, H, W) in [0, 1]."""
    try:
        pixels = skimage.util.img_as_float32(skimage.io.imread(file))
    except (OSError, SyntaxError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{file}: not an image that can be read ({reason})") from error
    image: Array = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return np.ascontiguousarray(image)


def _described(image: Array) -> str:
    channels, *size = image.shape
    return f"{' x '.join(map(str, size))} px in {channels} channel{'s' if channels > 1 else ''}"


METHOD = Method(
    name="folder",
    title="From a folder",
    paper="control: images restored elsewhere",
    licence="-",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=problem,
    files=files,
)
