"""Files of pre-trained networks: written as safetensors, read from those or from PyTorch's own files.

A file is data: nothing in it is executed. (What a killed run continues from is in `methods/parts/resume.py`.)

Every family of networks goes the same way. To write: `save_network`, with a description of the network as
metadata, under `file_name`. To read: `read_network`, then `Stored.require`, `Stored.number` or
`Stored.described` for what the metadata say, then `frozen_network` with a function that builds the network.
"""

import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from benchmark.core.errors import InputError
from benchmark.core.files import replacing

SHIPPED = Path(__file__).parents[1] / "weights"  # the folder of the package's own networks, of demo size
OWN = ".safetensors"  # the ending of the files that are written here
METADATA = "blindbench"  # the name of our entry in the metadata of a safetensors file

Network = TypeVar("Network", bound=nn.Module)
Description = TypeVar("Description")


def weights_folder(setting: str) -> Path:
    """Return the folder that a method's setting `weights` names: the package's own if it is empty."""
    return Path(setting) if setting else SHIPPED


def file_name(kind: str, size: int | str) -> str:
    """Return the name of a network's file in its folder.

    >>> file_name("generator", 31)
    'generator-31.safetensors'
    """
    return f"{kind}-{size}{OWN}"


def joined_labels(*labels: str) -> str:
    """Return what tables call several sets of weights together: every word once.

    >>> joined_labels("glkm-31 demo", "diffusion-image-64 demo")
    'glkm-31 demo diffusion-image-64'
    """
    return " ".join(dict.fromkeys(word for label in labels for word in label.split()))


@dataclass(frozen=True)
class Stored:
    """The content of one file."""

    path: Path
    tensors: Mapping[str, Tensor]  # by their names in the network; floating-point ones in float32
    metadata: Mapping[str, str]  # empty for PyTorch's files, which have none

    @property
    def is_own(self) -> bool:
        """Whether the file was written here, so that its metadata describe the network."""
        return self.path.suffix == OWN

    def require(self, key: str, value: str) -> None:
        """Raise InputError unless the metadata's `key`, which says what the file holds, is `value`."""
        if self.metadata.get(key) != value:
            raise InputError(
                f"{self.path}: holds {self.metadata.get(key) or 'no known network'}, not {value}"
            )

    def number(self, key: str) -> float:
        """Return a number of the metadata. Raises InputError when it is missing or not a number."""
        try:
            return float(self.metadata[key])
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{self.path}: its metadata have no number '{key}'; get the file again"
            ) from error

    def described(self, key: str, kind: Callable[..., Description]) -> Description:
        """Return the dataclass `kind` that the metadata hold as a JSON object under `key`.

        Raises InputError when it is missing or is no such dataclass.
        """
        try:
            entries: dict[str, Any] = json.loads(self.metadata[key])
            values = {name: tuple(v) if isinstance(v, list) else v for name, v in entries.items()}
            return kind(**values)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self.path}: its metadata have no valid '{key}'; get the file again"
            ) from error

    def part(self, name: str) -> "Stored":
        """Return the tensors of one part of the network, by their names in that part."""
        prefix = f"{name}."
        own = {key.removeprefix(prefix): t for key, t in self.tensors.items() if key.startswith(prefix)}
        return replace(self, tensors=own)


def save_network(path: Path, module: nn.Module, metadata: Mapping[str, str], *, half: bool = False) -> None:
    """Write the state of a network as safetensors, as a whole or not at all.

    Args:
        path: the file, with the ending OWN.
        module: the network.
        metadata: what the file says about it.
        half: whether to store float16 numbers, in half the size; they are read as float32 again.

    Raises:
        MachineError: the file cannot be written.
    """
    tensors = {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in module.state_dict().items()
    }
    # As one entry: the library writes several in an order that changes from run to run.
    content = safetensors.torch.save(tensors, {METADATA: json.dumps(dict(metadata), sort_keys=True)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_network(path: Path, entry: str = "") -> Stored:
    """Read a file of weights.

    Args:
        path: a safetensors file, or one that PyTorch wrote.
        entry: the key of the weights in a PyTorch file that holds more than these; empty if it does not.

    Returns:
        The tensors by name, and the metadata of a safetensors file.

    Raises:
        InputError: the file cannot be read, or holds anything but weights.
    """
    try:
        path.open("rb").close()  # says why it cannot be opened; safetensors says of all errors "no such file"
        if path.suffix == OWN:
            with safetensors.safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
                metadata = json.loads((file.metadata() or {}).get(METADATA, "{}"))
        else:
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
            if entry and isinstance(content, dict):
                content = content.get(entry)
            tensors, metadata = content, {}
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: holds more than weights, or is damaged; nothing in it was run") from error
    except Exception as error:  # the libraries raise nearly everything for damaged files
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as weights ({reason}); get the file again") from error
    if not isinstance(tensors, Mapping) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise InputError(f"{path}: holds no weights by name; a network's state_dict is needed")
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise InputError(f"{path}: its metadata are not texts by name; get the file again")
    return Stored(
        path,
        {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()},
        metadata,
    )


def frozen_network(build: Callable[[], Network], stored: Stored) -> Network:
    """Build a network and give it stored weights: on the CPU, in eval mode, without gradients.

    Nothing is drawn for the initial weights, which are replaced anyway. Raises InputError as `fill`.
    """
    with torch.device("meta"):
        network = build()
    fill(network.to_empty(device="cpu"), stored)
    return network.eval().requires_grad_(False)


def fill(module: nn.Module, stored: Stored) -> None:
    """Load stored weights into `module` by name.

    Raises InputError naming the first tensor that is missing, that the network does not have, or whose shape
    differs.
    """
    expected = module.state_dict()
    for name in [*expected, *stored.tensors]:
        if name not in stored.tensors:
            problem = f"{name} is missing"
        elif name not in expected:
            problem = f"{name} does not belong there"
        elif stored.tensors[name].shape != expected[name].shape:
            problem = f"{name} is {_sides(stored.tensors[name])}, not {_sides(expected[name])}"
        else:
            continue
        raise InputError(f"{stored.path}: does not fit the network: {problem}; give the right file")
    module.load_state_dict(stored.tensors)


def _sides(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
