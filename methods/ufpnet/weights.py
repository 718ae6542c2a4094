"""The files of UFPNet's networks: ours of every stage of its training, and the published ones."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from benchmark.types import InputError, WeightsMissingError
from methods.checkpoints import OWN, Stored, fill, read_network, save_network
from methods.ufpnet.network import Shape

PAPER = (
    "Fang et al., Self-supervised Non-uniform Kernel Estimation with Flow-based Motion Prior for Blind Image "
    "Deblurring, CVPR 2023"
)

# What the stages of the training give: the flow; the estimator with it; the whole network.
Stage = Literal["ufpnet-flow", "ufpnet-kernels", "ufpnet"]


def file_name(stage: Stage, kernel_size: int) -> str:
    """The name of a stage's file in its folder."""
    return f"{stage}-{kernel_size}{OWN}"


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
    if stored.metadata.get("stage") != stage:
        raise InputError(f"{path}: holds {stored.metadata.get('stage') or 'no known network'}, not {stage}")
    return stored, _shape(stored)


def filled(network: nn.Module, stored: Stored) -> nn.Module:
    """`network` with the stored weights, frozen. Raises InputError where they do not fit."""
    fill(network, stored)
    return network.eval().requires_grad_(False)


def part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors of one part of a network, by their names in it."""
    return {
        key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
    }


def _shape(stored: Stored) -> Shape:
    try:
        read: dict[str, Any] = json.loads(stored.metadata["shape"])
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in read.items()
        }
        return Shape(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{stored.path}: its metadata name no shape of a network; get it again") from error
