"""The files of the kernel networks, and how they become networks.

For kernels of size n a folder holds `generator-<n>.safetensors`, `initializer-<n>.safetensors` and, for
training only, `encoder-<n>.safetensors`; or the published files of the predecessor, under the names
`netG_<n>.pth` and `netE_<n>.pth`. A pair `...-any.safetensors` serves every size: smaller kernels are cut out
of the middle of its logits.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from benchmark.core.errors import InputError, WeightsMissingError
from methods.glkm.encoder import KernelEncoder
from methods.glkm.generator import PUBLISHED_EPS, Generator, Size, side
from methods.glkm.initializer import FastInitializer, Initializer
from methods.parts.weight_files import (
    OWN,
    Stored,
    file_name,
    frozen_network,
    joined_labels,
    read_network,
    save_network,
)

Kind = Literal["generator", "initializer", "encoder"]
Way = Literal["adversarial", "GLKM-fast"]  # how a generator was trained: as published, or as a decoder

PUBLISHED_WIDTH = 64
_PUBLISHED_FILES = {"generator": "netG_{}.pth", "initializer": "netE_{}.pth"}
_SEES = {Initializer: "images", FastInitializer: "kernel estimates"}
_NAMES = {"adversarial": "glkm", "GLKM-fast": "glkm-fast"}  # of these ways in labels


@dataclass(frozen=True)
class Origin:
    """Where a network comes from."""

    name: str  # how it was trained: 'glkm' or 'glkm-fast'
    size: Size  # of the kernels that it serves
    remark: str  # 'demo', 'official' or nothing

    @property
    def way(self) -> Way:
        """How the generator was trained that the network belongs to."""
        return "GLKM-fast" if self.name == _NAMES["GLKM-fast"] else "adversarial"


def trained(way: Way, size: Size) -> Origin:
    """Return the origin of a network that is being trained."""
    return Origin(_NAMES[way], size, "")


def label(*origins: Origin) -> str:
    """Return what tables call the weights, each word once.

    >>> label(Origin("glkm-fast", 31, "demo"), Origin("glkm-fast", 31, ""))
    'glkm-fast-31 demo'
    """
    names = [f"{origin.name}-{origin.size}" for origin in origins]
    return joined_labels(*names, *(origin.remark for origin in origins))


def files(weights: Path) -> list[Path]:
    """List all generators and initializers in a folder: a restoration may depend on these."""
    patterns = [f"{kind}-*{OWN}" for kind in ("generator", "initializer")]
    patterns += [name.format("*") for name in _PUBLISHED_FILES.values()]
    return sorted(path for pattern in patterns for path in weights.glob(pattern))


def path_of(weights: Path, kind: Kind, size: Size) -> Path:
    """Return the file of the network for kernels of `size`; without any, the path that ours would have."""
    candidates = [weights / name for name in _names(kind, size)]
    return next((path for path in candidates if path.is_file()), candidates[0])


def save(
    weights: Path,
    network: Generator | Initializer | FastInitializer | KernelEncoder,
    size: Size,
    *,
    way: Way,
    steps: int,
    remark: str = "",
    half: bool = False,
    generator: Generator | None = None,
) -> Path:
    """Write a network under its name.

    Args:
        weights: the folder.
        network: the network.
        size: of the kernels that it was trained for.
        way: how it was trained; for an initializer, how its generator was.
        steps: of the training.
        remark: 'demo' or nothing.
        half: whether to store float16 numbers.
        generator: for an initializer, the generator whose codes it gives.

    Returns:
        The path of the file.

    Raises:
        MachineError: the file cannot be written.
    """
    kind = _kind(network)
    metadata = {
        "kind": kind,
        "kernel_size": str(side(size)),
        "serves": "all" if size == "any" else "its size",
        "label": remark,
        "way": way,
        "steps": str(steps),
    }
    if not isinstance(network, KernelEncoder):
        metadata["width"] = str(network.width)
    if isinstance(network, Generator):
        metadata["bn_eps"] = str(network.bn_eps)
    if isinstance(network, Initializer | FastInitializer):
        metadata["sees"] = _SEES[type(network)]
    if generator is not None:
        metadata["generator"] = _fingerprint(generator)
    path = weights / file_name(kind, size)
    save_network(path, network, metadata, half=half)
    return path


def load_generator(weights: Path, size: Size) -> tuple[Generator, Origin]:
    """Read the generator for kernels of `size`, frozen. One for all sizes keeps its own, larger size.

    Raises WeightsMissingError when there is none, InputError when its file cannot be used.
    """
    stored = _read(weights, "generator", size)
    own_size, width, bn_eps = side(size), PUBLISHED_WIDTH, PUBLISHED_EPS
    if stored.is_own:
        own_size, width = int(stored.number("kernel_size")), int(stored.number("width"))
        bn_eps = stored.number("bn_eps")
    network = frozen_network(lambda: Generator(own_size, width, bn_eps), stored)
    return network, _origin(stored, size)


def load_initializer(
    weights: Path, size: Size, generator: Generator | None = None
) -> tuple[Initializer | FastInitializer, Origin]:
    """Read the initializer for kernels of `size`, frozen.

    Raises as `load_generator`, and InputError when it is known to belong to another generator than the given
    one, whose codes mean other kernels.
    """
    stored = _read(weights, "initializer", size)
    meant = stored.metadata.get("generator")
    if generator is not None and meant and meant != _fingerprint(generator):
        raise InputError(
            f"{stored.path}: was trained with another generator than the one beside it; "
            "get both from one place, or train it again"
        )
    width = int(stored.number("width")) if stored.is_own else PUBLISHED_WIDTH
    origin = _origin(stored, size)
    if stored.metadata.get("sees") == _SEES[FastInitializer]:
        own_size = int(stored.number("kernel_size"))
        return frozen_network(lambda: FastInitializer(own_size, width), stored), origin
    return frozen_network(lambda: Initializer(width), stored), origin


def load_encoder(weights: Path, size: Size) -> tuple[KernelEncoder, Origin]:
    """Read the encoder for kernels of `size`, frozen. Raises as `load_generator`."""
    stored = _read(weights, "encoder", size)
    own_size = int(stored.number("kernel_size"))
    return frozen_network(lambda: KernelEncoder(own_size), stored), _origin(stored, size)


def _fingerprint(generator: Generator) -> str:
    """Return a hash of a generator's weights, as read from its file."""
    content = hashlib.sha256()
    for name, tensor in sorted(generator.state_dict().items()):
        content.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return content.hexdigest()[:16]


def _kind(network: nn.Module) -> Kind:
    if isinstance(network, Generator):
        return "generator"
    return "encoder" if isinstance(network, KernelEncoder) else "initializer"


def _names(kind: Kind, size: Size) -> list[str]:
    """List the names that a file may have, in the order in which they are looked for."""
    if size == "any":
        return [file_name(kind, size)]
    published = [_PUBLISHED_FILES[kind].format(size)] if kind in _PUBLISHED_FILES else []
    return [file_name(kind, size), *published, file_name(kind, "any")]


def _read(weights: Path, kind: Kind, size: Size) -> Stored:
    path = path_of(weights, kind, size)
    if not path.is_file():
        raise WeightsMissingError(
            f"{weights}: no {kind} for kernels of {_sides(size)}; looked for {_listed(_names(kind, size))}. "
            "Train one with `blindbench pretrain`, or put the published file there"
        )
    stored = read_network(path)
    if stored.is_own:
        stored.require("kind", kind)
        own_size = int(stored.number("kernel_size"))
        if own_size != size and stored.metadata.get("serves") != "all":
            raise InputError(f"{path}: was trained for kernels of {_sides(own_size)}, not {_sides(size)}")
    return stored


def _origin(stored: Stored, size: Size) -> Origin:
    if not stored.is_own:
        return Origin(_NAMES["adversarial"], size, "official")
    way = stored.metadata.get("way", "")
    serves: Size = "any" if stored.metadata.get("serves") == "all" else size
    return Origin(_NAMES.get(way, way), serves, stored.metadata.get("label", ""))


def _sides(size: Size) -> str:
    return "any size" if size == "any" else f"{size} x {size}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
