"""Make a case: read or synthesise the images and kernels that a descriptor names. Blurring comes later."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import skimage.transform
import skimage.util
import torch
from numpy.typing import NDArray

from benchmark.blur.camera_shake import CameraShake, patch_centres, simulate_shake
from benchmark.blur.convolution import central_crop
from benchmark.blur.motion_blur import motion_blur_kernel
from benchmark.blur.noise import NOISES, Noise, OneOf
from benchmark.blur.smooth_tracks import lai_like_kernel
from benchmark.blur.trajectory import trajectory_kernel
from benchmark.core.colour import full_range_luma
from benchmark.core.errors import InputError
from benchmark.core.images import read_image
from benchmark.core.seeds import generator
from benchmark.core.types import Array, BlurModel, Boundary
from benchmark.data.case_lists import Entry
from benchmark.data.descriptors import Dataset

LEVELS = 4  # steps from the true kernel size to half the image


@dataclass(frozen=True)
class Case:
    """One case of a dataset, with all that is known about it.

    Cases that are blurred here have a `scene` and `kernels`, and a `shake` if the blur is non-uniform. Others
    have a blurry `photograph`.
    """

    dataset: str
    group: str  # averages are taken by group, such as an image or a category
    id: str
    kernel_size: tuple[int, int] | None  # (h, w), as declared to methods
    blur_model: BlurModel = "uniform"
    boundary: Boundary = "valid"
    grid: tuple[int, int] = (1, 1)  # rows and columns of nodes at which a non-uniform blur has kernels
    kernels: Array | None = None  # (P, h, w), at the nodes
    scene: Array | None = None  # (C, H, W), sharp, with the margin that 'valid' blur takes away
    shake: CameraShake | None = None  # the motion of the camera
    noise: tuple[Noise, ...] = ()
    photograph: Array | None = None  # (C, H, W), the blurry image of a case that is not blurred here
    sharp: Array | None = None  # (C, H, W), the sharp image that belongs to the photograph
    frames: tuple[Path, ...] = ()  # or files of several sharp images, taken along the camera's path

    def __post_init__(self) -> None:
        if self.sharp is None or self.photograph is None:
            return
        if self.sharp.shape != self.photograph.shape:
            raise InputError(
                f"{self.dataset}/{self.id}: the photograph is {self.photograph.shape}, its sharp image "
                f"{self.sharp.shape}"
            )


def make_case(dataset: Dataset, case_id: str, experiment_seed: int) -> Case:
    """Read the images of a case; read its kernels or draw them.

    Args:
        dataset: The dataset, perhaps under a condition.
        case_id: One of its cases.
        experiment_seed: Seeds kernels that are drawn, together with the names of dataset and case.

    Raises:
        InputError: A file is missing or damaged, or the files do not fit together.
    """
    entry = dataset.entries[case_id]
    if entry.kernel is None and not (entry.sharp and not entry.blurry):
        return _photographed(dataset, entry)
    return _synthetic(dataset, entry, generator(experiment_seed, dataset.base, case_id, "kernel"))


def _photographed(dataset: Dataset, entry: Entry) -> Case:
    """Make a case whose blurry image is a file or a photograph of scikit-image."""
    if entry.photograph:
        photograph = _cropped(_shipped(entry.photograph), entry, (1, 1), dataset.path)
    else:
        photograph = read_image(dataset.file(entry.blurry))
    declared = dataset.content.get("declared_size", entry.declared_size)
    size = (declared, declared) if declared else None
    if entry.declares_half and "declared_size" not in dataset.content:
        size = ceil(photograph.shape[1] / 2), ceil(photograph.shape[2] / 2)
    return Case(
        dataset=dataset.name,
        group=entry.group,
        id=entry.id,
        kernel_size=size,
        blur_model=dataset.content["blur"],
        grid=_grid(dataset),
        kernels=_kernel_file(dataset, entry),
        photograph=photograph,
        sharp=read_image(dataset.file(entry.sharp)) if entry.sharp else None,
        frames=tuple(dataset.file(name) for name in entry.frames),
    )


def _synthetic(dataset: Dataset, entry: Entry, rng: np.random.Generator) -> Case:
    """Make a case that is blurred here: its sharp image, and its kernels or camera shake."""
    recipe = entry.kernel or {}
    kernels = _kernel_file(dataset, entry)
    if kernels is None and "shake" not in recipe:
        kernels = _drawn_kernel(recipe, rng)[None]
    extent = recipe["shake"]["size"] if kernels is None else kernels.shape[-1]
    if entry.photograph and entry.side:
        scene = _square(_cropped(_shipped(entry.photograph), entry, (1, 1), dataset.path), entry.side)
    elif entry.photograph:
        scene = _cropped(_shipped(entry.photograph), entry, (extent, extent), dataset.path)
    else:
        files = dataset.content.get("files", {})
        sharp = _reduced(read_image(dataset.file(entry.sharp)), dataset.content.get("reduce", 1))
        if files.get("grey"):
            sharp = full_range_luma(sharp).astype(np.float32)
        scene = _square(sharp, files.get("side"))
        if "crop" in files:
            scene = _central_square(scene, files["crop"] + extent - 1, entry, dataset.path)
    shake = None
    if kernels is None:
        shake, kernels = _shaken(recipe["shake"], scene, _grid(dataset), rng)
    described = entry.declared_size or recipe.get("motion_blur", {}).get("size", extent)
    declared = dataset.content.get("declared_size", described)
    return Case(
        dataset=dataset.name,
        group=entry.group,
        id=entry.id,
        kernel_size=declared_kernel_size(declared, dataset.size_level, (scene.shape[1], scene.shape[2])),
        blur_model=dataset.content["blur"],
        boundary=dataset.content.get("boundary", "valid"),
        grid=_grid(dataset),
        kernels=kernels,
        scene=scene * np.float32(dataset.content.get("stretch", 1)),
        shake=shake,
        noise=tuple(_noise(entry, dataset) for entry in dataset.content.get("noise", [])),
    )


def _drawn_kernel(recipe: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Draw one kernel (h, w) for the whole image."""
    if "dirac" in recipe:
        return np.ones((1, 1), np.float32)
    if "trajectory" in recipe:
        return trajectory_kernel(recipe["trajectory"], rng)
    if "lai_like" in recipe:
        return lai_like_kernel(recipe["lai_like"], rng)
    return motion_blur_kernel(recipe["motion_blur"]["size"], recipe["motion_blur"]["intensity"], rng)


def _shaken(
    recipe: Mapping[str, Any], scene: Array, grid: tuple[int, int], rng: np.random.Generator
) -> tuple[CameraShake, Array]:
    """Draw a camera shake, and compute its kernels (P, h, w) at the nodes of the observed frame."""
    size, margin = recipe["size"], (recipe["size"] - 1) // 2
    frame = (scene.shape[1] - 2 * margin, scene.shape[2] - 2 * margin)
    shake = simulate_shake(
        (scene.shape[1], scene.shape[2]),
        size,
        recipe["extent"],
        rng,
        speed=recipe["speed"],
        largest_roll=recipe["roll"],
    )
    kernels = shake.psfs(patch_centres(frame, grid) + margin, size)
    return shake, kernels.astype(np.float32)


def _kernel_file(dataset: Dataset, entry: Entry) -> Array | None:
    """Read the kernel (1, h, w) of a file, in true-convolution form with sum 1; None without a file."""
    if not entry.kernel_file:
        return None
    weights = read_image(dataset.file(entry.kernel_file))[:1]
    if not weights.sum() > 0:
        raise InputError(f"{dataset.name}: {entry.kernel_file} is black, so it is no kernel; get it again")
    if entry.kernel_form == "correlation":
        weights = np.ascontiguousarray(weights[:, ::-1, ::-1])
    kernels: Array = weights / weights.sum()
    return kernels


def declared_kernel_size(size: int, level: int, scene: tuple[int, int]) -> tuple[int, int]:
    """Compute the kernel size (h, w) that is declared to methods at a level of over-specification.

    Levels go in equal steps from the true size (level 1) to half the sharp image (level 5), rounded up, as in
    "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise", section 4.2.1, and its example.

    Args:
        size: The true size, px.
        level: 1 to 5.
        scene: (H, W) of the sharp image.

    >>> [declared_kernel_size(13, level, (256, 256))[0] for level in range(1, 6)]
    [13, 42, 71, 100, 128]
    """
    height, width = (ceil(size + (level - 1) / LEVELS * (ceil(side / 2) - size)) for side in scene)
    return height, width


def _grid(dataset: Dataset) -> tuple[int, int]:
    rows, columns = dataset.content.get("patches", (1, 1))
    return rows, columns


def _noise(description: Mapping[str, Any], dataset: Dataset) -> Noise:
    parameters = {key: value for key, value in description.items() if key != "kind"}
    try:
        if description["kind"] == OneOf.kind:
            return OneOf(tuple(_noise(entry, dataset) for entry in parameters["of"]))
        return NOISES[description["kind"]](**parameters)
    except KeyError as error:
        raise InputError(f"{dataset.path}: noise: {description['kind']}: {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{dataset.path}: noise: {description['kind']}: {error}") from error


def _shipped(name: str) -> Array:
    """Read a photograph of scikit-image, (C, H, W) in [0, 1]."""
    pixels: NDArray[np.float32] = skimage.util.img_as_float32(getattr(skimage.data, name)())
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _cropped(photograph: Array, entry: Entry, kernel_size: tuple[int, int], path: Path) -> Array:
    """Crop a photograph, with the margin that 'valid' blur by `kernel_size` takes away."""
    assert entry.crop is not None
    crop, (h, w) = entry.crop, kernel_size
    top, left = crop["top"] - (h - 1) // 2, crop["left"] - (w - 1) // 2
    bottom, right = top + crop["height"] + h - 1, left + crop["width"] + w - 1
    if min(top, left) < 0 or bottom > photograph.shape[1] or right > photograph.shape[2]:
        raise InputError(
            f"{path}: {entry.id}: the crop with its blur margin of {h - 1} x {w - 1} px leaves the "
            f"photograph ({photograph.shape[1]} x {photograph.shape[2]}); move or shrink it"
        )
    return photograph[:, top:bottom, left:right].copy()


def _central_square(image: Array, side: int, entry: Entry, path: Path) -> Array:
    """Cut the central square out of an image (C, H, W)."""
    if side > min(image.shape[1:]):
        raise InputError(
            f"{path}: {entry.id}: the crop with its blur margin is {side} px, and the image is "
            f"{image.shape[1]} x {image.shape[2]}; make it smaller"
        )
    return central_crop(torch.from_numpy(image), (side, side)).numpy().copy()


def _reduced(image: Array, factor: int) -> Array:
    """Average an image (C, H, W) over squares of `factor` pixels; what is left at the border is cut off."""
    channels, height, width = image.shape
    rows, columns = height // factor, width // factor
    cut = image[:, : rows * factor, : columns * factor]
    means: Array = cut.reshape(channels, rows, factor, columns, factor).mean((2, 4), dtype=np.float32)
    return means


def _square(image: Array, side: int | None) -> Array:
    """Resize the central square of `image` to `side` (bicubic, antialiased); without a side, keep it all."""
    if side is None:
        return image
    scale = side / min(image.shape[1:])
    shape = tuple(round(length * scale) for length in image.shape[1:])
    resized = skimage.transform.resize(image, (len(image), *shape), order=3, anti_aliasing=scale < 1)
    square = central_crop(torch.from_numpy(np.clip(resized, 0, 1)), (side, side))
    return square.numpy().astype(np.float32)
