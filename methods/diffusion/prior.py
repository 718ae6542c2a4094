"""Diffusion models and denoisers as priors, and their files.

Published weights (`datasets/sources.yaml` says where they are) are recognised by their tensors. The metadata
of ours say what they are.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from benchmark.core.errors import InputError, WeightsMissingError
from methods.diffusion import hub
from methods.diffusion.adm import AdmLayers, AdmUNet
from methods.diffusion.ddpm import DdpmLayers, DdpmUNet
from methods.diffusion.denoiser import Denoiser, DenoiserLayers, layers_of, noise_of_step
from methods.diffusion.schedule import Prediction, levels
from methods.parts.weight_files import (
    SHIPPED,
    Stored,
    file_name,
    frozen_network,
    read_network,
    save_network,
)

Kind = Literal["diffusion-image", "diffusion-kernel"]
Network = AdmUNet | DdpmUNet | hub.HubUNet | Denoiser
Layers = AdmLayers | DdpmLayers | hub.HubLayers | DenoiserLayers

CHANNELS: Mapping[Kind, int] = {"diffusion-image": 3, "diffusion-kernel": 1}
_SUBJECT: Mapping[Kind, str] = {"diffusion-image": "images", "diffusion-kernel": "kernels"}
DEMO_SIDE = 64  # pixels of the images and kernels of the shipped priors

# Layers and side in pixels of the published models.
PUBLISHED: Mapping[str, tuple[Layers, int]] = {
    "adm-128": (AdmLayers(128, (1, 1, 2, 2, 4, 4), 1, (16,)), 256),  # FFHQ, AFHQ, CelebA-HQ
    "adm-256": (AdmLayers(256, (1, 1, 2, 2, 4, 4), 2, (8, 16, 32)), 256),  # ImageNet
    "adm-kernel": (AdmLayers(64, (1, 2, 3, 4), 1, (4,), in_channels=1, out_channels=2), 64),  # BlindDPS
    "ddpm-128": (DdpmLayers(128, (1, 1, 2, 2, 4, 4), 2, (16,)), 256),  # CelebA-HQ
}


@dataclass(frozen=True)
class Prior:
    """A network that says what noise is in an image of a step of `schedule.linear_betas`' chain of 1000.

    It is frozen and in eval mode.
    """

    network: Network
    side: int | None  # of the images that it is for, in pixels; None: any
    label: str  # as in tables
    predicts: Prediction = "noise"

    def output(self, images: Tensor, number: int) -> Tensor:
        """Estimate the noise in images (B, C, H, W) of a step; learned variances follow as more channels."""
        if self.predicts == "residual":
            return noise_of_step(self.network, images, levels()[number])
        steps = torch.full((len(images),), number, device=images.device)
        output: Tensor = self.network(images, steps)
        if self.predicts == "velocity":
            level = levels()[number]
            output = (1 - level) ** 0.5 * images + level**0.5 * output
        return output


def build(layers: Layers) -> Network:
    """Build the network with these layers; its initial weights come from the global generator."""
    match layers:
        case AdmLayers():
            return AdmUNet(layers)
        case DdpmLayers():
            return DdpmUNet(layers)
        case hub.HubLayers():
            return hub.HubUNet(layers)
        case DenoiserLayers():
            return Denoiser(layers)


def path_of(setting: str, kind: Kind) -> Path:
    """Return the file or folder that a setting names; the package's own if the setting is empty."""
    return Path(setting) if setting else SHIPPED / file_name(kind, DEMO_SIDE)


def files_of(path: Path) -> list[Path]:
    """List the files of a prior, as far as they exist."""
    return hub.files(path) if path.is_dir() else [path] * path.is_file()


def save(
    folder: Path,
    network: AdmUNet,
    kind: Kind,
    side: int,
    *,
    steps: int,
    remark: str,
    half: bool,
    data: str,
    predicts: Prediction = "noise",
) -> Path:
    """Write a prior under its name.

    Args:
        folder: where to.
        network: the network.
        kind: of the prior.
        side: of the images or kernels that it was trained on, in pixels.
        steps: of the training.
        remark: 'demo' or nothing.
        half: whether to store float16 numbers.
        data: what it was trained on, in words.
        predicts: what the network estimates.

    Returns:
        The path of the file.

    Raises:
        MachineError: the file cannot be written.
    """
    metadata = {
        "kind": kind,
        "side": str(side),
        "layers": json.dumps(asdict(network.layers)),
        "label": remark,
        "steps": str(steps),
        "data": data,
        "tells": predicts,
    }
    path = folder / file_name(kind, side)
    save_network(path, network, metadata, half=half)
    return path


def load(path: Path, kind: Kind) -> Prior:
    """Read a prior.

    Args:
        path: a file, ours or a published one, or a folder in the format of diffusers.
        kind: what it must be a prior of.

    Raises:
        WeightsMissingError: there is no such file.
        InputError: it cannot be used.
    """
    if path.is_dir():
        return _of_hub(path, kind)
    if not path.is_file():
        raise WeightsMissingError(
            f"{path}: there is no such file; train one with `blindbench pretrain {kind}`, or get a published "
            "one: sources `diffusion_...` and `denoiser_...` of datasets/sources.yaml"
        )
    stored = read_network(path)
    layers: Layers
    side: int | None
    predicts: Prediction = "velocity" if stored.metadata.get("tells") == "velocity" else "noise"
    if stored.is_own:
        layers, side, label = _ours(stored)
    elif denoiser := layers_of(stored.tensors):
        layers, side, label, predicts = denoiser, None, f"{path.stem} denoiser", "residual"
    else:
        layers, side = PUBLISHED[_recognised(stored)]
        label = f"{path.stem} official"
    _check_channels(path, layers, kind)
    return Prior(frozen_network(lambda: build(layers), stored), side, label, predicts)


def _of_hub(folder: Path, kind: Kind) -> Prior:
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn from the global generator
        network, side, predicts = hub.read(folder)
    _check_channels(folder, network.layers, kind)
    return Prior(network.eval().requires_grad_(False), side, f"{folder.resolve().name} hub", predicts)


def _check_channels(path: Path, layers: Layers, kind: Kind) -> None:
    if isinstance(layers, DenoiserLayers) and kind == "diffusion-kernel":
        raise InputError(f"{path}: a denoiser of images, not a diffusion model of kernels")
    is_grey = isinstance(layers, DenoiserLayers) and layers.in_channels == 1
    if layers.in_channels != CHANNELS[kind] and not is_grey:
        raise InputError(
            f"{path}: a model with {layers.in_channels} channels, not one of {_SUBJECT[kind]}, "
            f"which have {CHANNELS[kind]}"
        )


def _ours(stored: Stored) -> tuple[AdmLayers, int, str]:
    kind = stored.metadata.get("kind", "")
    if kind not in CHANNELS:
        raise InputError(f"{stored.path}: holds {kind or 'no known network'}, not a diffusion model")
    side = int(stored.number("side"))
    remark = stored.metadata.get("label", "")
    return stored.described("layers", AdmLayers), side, " ".join([f"{kind}-{side}", *remark.split()])


def _recognised(stored: Stored) -> str:
    """Return the name in PUBLISHED of the network to which the tensors belong."""
    for name, (layers, _) in PUBLISHED.items():
        first = "input_blocks.0.0.weight" if isinstance(layers, AdmLayers) else "conv_in.weight"
        tensor = stored.tensors.get(first)
        if tensor is not None and tensor.shape[:2] == (layers.channels, layers.in_channels):
            return name
    raise InputError(
        f"{stored.path}: holds no diffusion model that is known here: ADM of 128 or 256 channels, the kernel "
        "model of BlindDPS, the DDPM of CelebA-HQ, or a denoiser without biases"
    )
