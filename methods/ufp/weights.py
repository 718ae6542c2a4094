"""The files of UFPNet's family of networks: ours, one for each training, and the published ones."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from benchmark.core.errors import InputError, WeightsMissingError
from methods.parts import weight_files
from methods.parts.weight_files import OWN, Stored, frozen_network, read_network, save_network
from methods.ufp.network import Shape, UfpNet, mimo_shape
from methods.ufp.published import renamed, renamed_mimo

PAPER = (
    "Fang et al., Self-supervised Non-uniform Kernel Estimation with Flow-based Motion Prior for Blind Image "
    "Deblurring, CVPR 2023"
)

NAFNET_PAPER = "Chen et al., Simple Baselines for Image Restoration, ECCV 2022"

MIMO_PAPER = "Cho et al., Rethinking Coarse-to-Fine Approach in Single Image Deblurring, ICCV 2021"

# The stages of UFPNet's training, by what they give: the flow, the estimator with it, the whole network. Then
# the networks that it is compared with, and MIMO-UNet+ with its kernels.
Stage = Literal["ufpnet-flow", "ufpnet-kernels", "ufpnet", "nafnet", "mimo", "mimo-ufp"]


@dataclass(frozen=True)
class Published:
    """The authors' file of a whole network."""

    name: str
    shape: Shape  # the sizes of the network
    entry: str = "params"  # the entry of the file that holds the weights
    renamed: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = renamed


_PUBLISHED = {
    "ufpnet": Published("net_g_latest.pth", Shape()),
    "nafnet": Published("NAFNet-GoPro-width64.pth", Shape(kernel_size=0, padding="zero")),
    "mimo": Published("MIMO-UNetPlus.pkl", mimo_shape(), "model", renamed_mimo),
}


def file_name(stage: Stage, kernel_size: int) -> str:
    """Return the name of a stage's file; `kernel_size` is 0 for a network without kernels."""
    return weight_files.file_name(stage, kernel_size) if kernel_size else f"{stage}{OWN}"


def label(stage: Stage, kernel_size: int, remark: str = "") -> str:
    """Return the name of the weights on their card.

    >>> label("ufpnet", 15, "demo")
    'ufpnet-15 demo'
    """
    name = file_name(stage, kernel_size).removesuffix(OWN)
    return f"{name} {remark}".strip()


def files(folder: Path, stage: Stage) -> list[Path]:
    """List the files of whole networks in a folder, the authors' first: a restoration may depend on these."""
    published = [folder / _PUBLISHED[stage].name] if stage in _PUBLISHED else []
    own = sorted(path for path in folder.glob(f"{stage}*{OWN}") if _is_of(path, stage))
    return [*(path for path in published if path.is_file()), *own]


def load_network(folder: Path, stage: Stage) -> tuple[UfpNet, str]:
    """Read the network of a stage, frozen: the authors' if it is there, else the only one of ours.

    Returns:
        The network, and what tables say of its weights: their name and, for ours, the size and the training,
        such as 'ufpnet-15 demo (16 channels, 12 blocks, 5,529 steps)'.

    Raises:
        WeightsMissingError: the folder has none.
        InputError: it has several of ours, or the file cannot be used.
    """
    candidates = files(folder, stage)
    if not candidates:
        raise WeightsMissingError(_missing(folder, stage))
    path, *others = candidates
    if path.suffix == OWN and others:
        raise InputError(f"{folder}: {path.name} and {others[0].name}; leave one of them")
    if path.suffix == OWN:
        stored = read_network(path)
        shape = stored.described("shape", Shape)
        name = label(stage, shape.kernel_size, stored.metadata.get("label", ""))
        steps = int(stored.number("steps"))
        name += f" ({shape.width} channels, {shape.blocks} blocks, {steps:,} steps)"
    else:
        published = _PUBLISHED[stage]
        stored, shape = read_network(path, published.entry), published.shape
        stored = replace(stored, tensors=published.renamed(stored.tensors))
        name = label(stage, shape.kernel_size, "official")
    return frozen_network(lambda: UfpNet(shape), stored), name


def _missing(folder: Path, stage: Stage) -> str:
    """Say which files of a network a folder lacks, and how to get them."""
    train = f"train it with `blindbench pretrain {stage}`"
    if stage not in _PUBLISHED:
        return f"{folder}: no {stage}*{OWN}; {train}"
    return f"{folder}: neither {_PUBLISHED[stage].name} nor a {stage}*{OWN}; get the first or {train}"


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
        MachineError: the file cannot be written.
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
