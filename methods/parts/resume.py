"""Checkpoints within a case: a killed run continues from the last one, bit for bit.

A checkpoint begins with a hash of all that follows: torch does not notice most changes in a file that it
loads. (Weights of pre-trained networks are in `weight_files.py`.)
"""

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import torch

from benchmark.core.files import replacing

log = logging.getLogger(__name__)

State = dict[str, Any]  # tensors, numbers, strings and containers of them
DIGEST_BYTES = hashlib.sha256().digest_size  # at the beginning of the file


def save(path: Path, key: str, state: State) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: Where to.
        key: Names what the state belongs to, such as a hash of settings and code.
        state: Tensors, numbers, strings and containers of them.

    Raises:
        MachineError: It cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"key": key, "state": state}, buffer)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(hashlib.sha256(buffer.getbuffer()).digest())
        file.write(buffer.getbuffer())


def load(path: Path, key: str) -> State | None:
    """Read a checkpoint. Returns None if there is none, if it was altered, or if its key is another."""
    if not path.exists():
        return None
    content = memoryview(path.read_bytes())
    if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
        log.warning("%s: damaged or altered checkpoint, starting this case again", path)
        return None
    saved = torch.load(io.BytesIO(content[DIGEST_BYTES:]), map_location="cpu", weights_only=True)
    state: State | None = saved["state"] if saved["key"] == key else None
    return state
