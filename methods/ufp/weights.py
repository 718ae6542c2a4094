"""The files of UFPNet's networks: ours, one for each stage of the training, and the published ones."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

from torch import nn

from benchmark.core.types import InputError, WeightsMissingError
from methods.parts import weight_files
from methods.parts.weight_files import OWN, Stored, frozen_network, read_network, save_network
from methods.ufp.network import Shape, UfpNet
from methods.ufp.published import renamed

PAPER = (
    "Fang et al., Self-supervised Non-uniform Kernel Estimation with Flow-based Motion Prior for Blind Image "
    "Deblurring, CVPR 2023"
)

NAFNET_PAPER = "Chen et al., Simple Baselines for Image Restoration, ECCV 2022"

# The stages of the training, by what they give: the flow, the estimator with it, the whole network; and
# NAFNet.
Stage = Literal["ufpnet-flow", "ufpnet-kernels", "ufpnet", "nafnet"]
# The names of the authors' files of whole networks, and the sizes of these networks.
_PUBLISHED = {
    "ufpnet": ("net_g_latest.pth", Shape()),
    "nafnet": ("NAFNet-GoPro-width64.pth", Shape(kernel_size=0, padding="zero")),
}
_ENTRY = "params"  # the entry of the authors' files that holds the weights


def file_name(stage: Stage, kernel_size: int) -> str:
    """Return the name of a stage's file; `kernel_size` is 0 for NAFNet, which has no kernels."""
    return weight_files.file_name(stage, kernel_size) if kernel_size else f"{stage}{OWN}"


def label(stage: Stage, kernel_size: int, remark: str = "") -> str:
    """Return what tables call the weights.

    >>> label("ufpnet", 15, "demo")
    'ufpnet-15 demo'
    """
    name = file_name(stage, kernel_size).removesuffix(OWN)
    return f"{name} {remark}".strip()


def files(folder: Path, stage: Stage) -> list[Path]:
    """List the files of whole networks in a folder, the authors' first: a restoration may depend on these."""
    published = folder / _PUBLISHED[stage][0]
    own = sorted(path for path in folder.glob(f"{stage}*{OWN}") if _is_of(path, stage))
    return [published] * published.is_file() + own


def load_network(folder: Path, stage: Stage) -> tuple[UfpNet, str]:
    """Read the network of a stage, frozen: the authors' if it is there, else the only one of ours.

    Returns:
        The network, and the label of its weights.

    Raises:
        WeightsMissingError: the folder has none.
        InputError: it has several of ours, or the file cannot be used.
    """
    candidates = files(folder, stage)
    if not candidates:
        name, _ = _PUBLISHED[stage]
        raise WeightsMissingError(
            f"{folder}: neither {name} nor a {stage}*{OWN}; get the first or train the second with "
            f"`blindbench pretrain {stage}`"
        )
    path, *others = candidates
    if path.suffix == OWN and others:
        raise InputError(f"{folder}: {path.name} and {others[0].name}; leave one of them")
    if path.suffix == OWN:
        stored = read_network(path)
        shape, remark = stored.described("shape", Shape), stored.metadata.get("label", "")
    else:
        stored = read_network(path, _ENTRY)
        stored = replace(stored, tensors=renamed(stored.tensors))
        shape, remark = _PUBLISHED[stage][1], "official"
    network = frozen_network(lambda: UfpNet(shape), stored)
    return network, label(stage, shape.kernel_size, remark)


def _is_of(path: Path, stage: Stage) -> bool:
    return path.stem.removeprefix(stage).lstrip("-").isdecimal() or path.stem == stage


def save(
    folder: Path, network: nn.Module, stage: Stage, shape: Shape, steps: int, remark: str, half: bool
) -> None:
    """Write the network, or part of one, that a stage of the training gives.

    Args:
        folder: where to.
        network: the network.
        stage: of the training.
        shape: the sizes of the whole network.
        steps: of the training.
        remark: 'demo' or nothing.
        half: whether to store float16 numbers.

    Raises:
        InputError: the folder cannot be written.
    """
    metadata = {"stage": stage, "shape": json.dumps(asdict(shape)), "steps": str(steps), "label": remark}
    save_network(folder / file_name(stage, shape.kernel_size), network, metadata, half=half)


def load(folder: Path, stage: Stage, kernel_size: int) -> tuple[Stored, Shape]:
    """Read the tensors of a stage that a training starts from, and the sizes of their network.

    Raises InputError when there is no such file, or it cannot be used.
    """
    path = folder / file_name(stage, kernel_size)
    if not path.is_file():
        raise InputError(f"{folder}: no {path.name}; train it with `blindbench pretrain {stage}`")
    stored = read_network(path)
    stored.require("stage", stage)
    return stored, stored.described("shape", Shape)
