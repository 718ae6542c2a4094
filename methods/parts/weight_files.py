"""Pre-trained networks on disk: written as safetensors, read from those or from PyTorch's own files.

A file is data: nothing that one holds is executed. (What a killed run continues from is `checkpoint.py`.)
"""

import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from benchmark.core.types import InputError

SHIPPED = Path(__file__).parents[1] / "weights"  # pre-trained networks of demo size, with their records
OWN = ".safetensors"
METADATA = "blindbench"  # the entry that holds ours


def weights_folder(setting: str) -> Path:
    """The folder that a setting `weights` names; the shipped one for nothing."""
    return Path(setting) if setting else SHIPPED


@dataclass(frozen=True)
class Stored:
    """What a file holds."""

    path: Path
    tensors: Mapping[str, Tensor]  # by their names in the network; floating-point ones in float32
    metadata: Mapping[str, str]  # empty for PyTorch's files, which have none

    def number(self, key: str) -> float:
        """A number of the metadata. Raises InputError when it is missing or none."""
        try:
            return float(self.metadata[key])
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{self.path}: its metadata have no number '{key}'; get the file again"
            ) from error


def save_network(path: Path, module: nn.Module, metadata: Mapping[str, str], *, half: bool = False) -> None:
    """Write the state of `module` with `metadata` as safetensors, whole or not at all.

    `half` stores float16, half the size; it is read as float32 again.
    Raises InputError when the folder cannot be written.
    """
    tensors = {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in module.state_dict().items()
    }
    # As one entry: the library writes several in an order that changes from run to run.
    content = safetensors.torch.save(tensors, {METADATA: json.dumps(dict(metadata), sort_keys=True)})
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); check its folder") from error
    finally:
        if temporary.exists():
            temporary.unlink()


def read_network(path: Path, entry: str = "") -> Stored:
    """The content of `path`, or that of its `entry`, where PyTorch's own files hold more than weights.

    Raises InputError when it cannot be read as a network's weights.
    """
    try:
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
    except (
        safetensors.SafetensorError, RuntimeError, OSError, EOFError, ValueError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as weights ({reason}); get the file again") from error
    if not isinstance(tensors, Mapping) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise InputError(f"{path}: holds no weights by name; a network's state_dict is needed")
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise InputError(f"{path}: its metadata are no texts by name; get the file again")
    return Stored(
        path,
        {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()},
        metadata,
    )


def fill(module: nn.Module, stored: Stored) -> None:
    """Load the weights by name. Raises InputError naming the first that is missing, too much or misshapen."""
    wanted = module.state_dict()
    for name in [*wanted, *stored.tensors]:
        if name not in stored.tensors:
            problem = f"{name} is missing"
        elif name not in wanted:
            problem = f"{name} does not belong there"
        elif stored.tensors[name].shape != wanted[name].shape:
            problem = f"{name} is {_sides(stored.tensors[name])}, not {_sides(wanted[name])}"
        else:
            continue
        raise InputError(f"{stored.path}: does not fit the network: {problem}; give the right file")
    module.load_state_dict(stored.tensors)


def _sides(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
