"""Images that other programs restored, one file per case, to be scored like those of every method."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.images import read_image
from benchmark.core.types import Array, Observation
from methods.parts.case_files import CaseFiles, restored_images
from methods.parts.direct import Direct
from methods.parts.registry import Method
from methods.parts.solver import Result


@dataclass(frozen=True)
class Settings:
    """Where the images lie. Raises ValueError when the folder cannot be read or holds no image."""

    # A folder, from the working directory on, with the images at any depth; or a pattern of files, in which
    # {case} is the name of the case, {1} the first number in that name, {2} the second, * any text, and $NAME
    # an environment variable. `blindbench match` shows which file belongs to which case.
    path: str

    def __post_init__(self) -> None:
        if not self.images.is_pattern:
            try:
                next(Path(self.images.whole).iterdir(), None)
            except OSError as error:
                raise ValueError(f"{self.path}: not a folder that can be read ({error.strerror})") from error
        if not self.images.all():
            raise ValueError(f"{self.path}: holds no image")

    @cached_property
    def images(self) -> CaseFiles:
        """The files among which those of the cases are."""
        return restored_images(self.path)


def files(case: str, settings: Settings) -> list[Path]:
    """List the files that may be the case's image: there should be one."""
    try:
        return settings.images.of(case)
    except NotSupportedError:
        return []


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Return the case's image. Raises NotSupportedError without one, InputError when it cannot be used."""
    del rng, device
    file = settings.images.only_one(observation.case)
    image = _in_channels_of(observation.blurry, read_image(file))
    if image.shape != observation.blurry.shape:
        raise InputError(
            f"{file}: {_described(image)}, but the blurry image has {_described(observation.blurry)}"
        )
    return Direct(lambda: Result(torch.from_numpy(image)))


def _in_channels_of(blurry: Array, image: Array) -> Array:
    """Return one of three equal channels where the blurry image is grey: most networks write three."""
    is_grey = len(image) == 3 and (image == image[:1]).all()
    return image[:1] if len(blurry) == 1 and is_grey else image


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
    cost="seconds",
    gpu=False,
)
