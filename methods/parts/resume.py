"""Checkpoints within a case: a killed run continues from the last one, bit for bit.

(Weights of pre-trained networks are in `weight_files.py`.)
"""

import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from benchmark.core.files import replacing

log = logging.getLogger(__name__)

State = dict[str, Any]  # tensors, numbers, strings and containers of them


def save(path: Path, key: str, state: State) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: Where to.
        key: Names what the state belongs to, such as a hash of settings and code.
        state: Tensors, numbers, strings and containers of them.

    Raises:
        InputError: The folder cannot be written.
    """
    with replacing(path) as temporary:
        torch.save({"key": key, "state": state}, temporary)


def load(path: Path, key: str) -> State | None:
    """Read a checkpoint. Returns None if there is none, if it cannot be read, or if its key is another."""
    if not path.exists():
        return None
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if saved["key"] != key:
            return None
        state: State = saved["state"]
        return state
    except (RuntimeError, OSError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        log.warning("%s: unreadable checkpoint, starting this case again (%s)", path, error)
        return None
