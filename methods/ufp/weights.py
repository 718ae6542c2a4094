"""The files of UFPNet's networks: ours of every stage of its training, and the published ones."""

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

# What the stages of the training give: the flow; the estimator with it; the whole network. And the baseline.
Stage = Literal["ufpnet-flow", "ufpnet-kernels", "ufpnet", "nafnet"]
# What the authors' files of the whole networks are called, and the sizes of these networks.
_PUBLISHED = {
    "ufpnet": ("net_g_latest.pth", Shape()),
    "nafnet": ("NAFNet-GoPro-width64.pth", Shape(kernel_size=0, padding="zero")),
}
_ENTRY = "params"  # of the authors' files, which holds the weights


def file_name(stage: Stage, kernel_size: int) -> str:
    """The name of a stage's file in its folder; `kernel_size` is 0 for NAFNet, which has no kernels."""
    return weight_files.file_name(stage, kernel_size) if kernel_size else f"{stage}{OWN}"


def label(stage: Stage, kernel_size: int, remark: str = "") -> str:
    """What tables call the weights: 'ufpnet-15 demo'."""
    name = file_name(stage, kernel_size).removesuffix(OWN)
    return f"{name} {remark}".strip()


def files(folder: Path, stage: Stage) -> list[Path]:
    """The files of whole networks in `folder`, the authors' first: what a restoration may depend on."""
    published = folder / _PUBLISHED[stage][0]
    own = sorted(path for path in folder.glob(f"{stage}*{OWN}") if _is_of(path, stage))
    return [published] * published.is_file() + own


def load_network(folder: Path, stage: Stage) -> tuple[UfpNet, str]:
    """The only network of `stage` in `folder`, frozen, and the label of its weights.

    The authors' file goes first. Raises WeightsMissingError when there is none, InputError when there are
    several or it cannot be used.
    """
    found = files(folder, stage)
    if not found:
        name, _ = _PUBLISHED[stage]
        raise WeightsMissingError(
            f"{folder}: neither {name} nor a {stage}*{OWN}; get the first or train the second with "
            f"`blindbench pretrain {stage}`"
        )
    path, *others = found
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
    """Write `network`, of `shape`, as what `stage` gives.

    Raises InputError when the folder cannot be written.
    """
    metadata = {"stage": stage, "shape": json.dumps(asdict(shape)), "steps": str(steps), "label": remark}
    save_network(folder / file_name(stage, shape.kernel_size), network, metadata, half=half)


def load(folder: Path, stage: Stage, kernel_size: int) -> tuple[Stored, Shape]:
    """A stage's tensors and the shape they belong to.

    Raises WeightsMissingError when there is no such file, InputError when it cannot be used.
    """
    path = folder / file_name(stage, kernel_size)
    if not path.is_file():
        raise WeightsMissingError(f"{folder}: no {path.name}; train it with `blindbench pretrain {stage}`")
    stored = read_network(path)
    stored.require("stage", stage)
    return stored, stored.described("shape", Shape)
