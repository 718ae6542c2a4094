"""Mid-case checkpoints: a killed run continues from the last one, bit for bit."""

import logging
import os
import pickle
from pathlib import Path
from typing import Any

import torch

log = logging.getLogger(__name__)

State = dict[str, Any]  # tensors, numbers, strings and containers of them


def save(path: Path, key: str, state: State) -> None:
    """Write `state` to `path`, whole or not at all; `key` names what the state belongs to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        torch.save({"key": key, "state": state}, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path, key: str) -> State | None:
    """The state saved under `key`; None when there is none, or it belongs to other settings or code."""
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
