"""Compute metrics with the library pyiqa, from weights that are already here.

Nothing is ever downloaded: a metric whose weights are missing is refused before pyiqa is asked for it.
"""

import contextlib
import io
import math
import os
import pickle
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io.matlab import MatReadError

from benchmark.core.types import InputError
from benchmark.data.descriptors import MIRROR
from benchmark.scoring.alignment import Image

UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError, MatReadError)


def score(*images: Image, name: str, pyiqa_name: str, weights: tuple[str, ...]) -> float:
    """Compute a metric on the CPU in float32; grey images are repeated to three channels.

    Args:
        images: The estimate and the reference, or the estimate alone; (C, H, W) in [0, 1].
        name: What messages call the metric.
        pyiqa_name: What pyiqa calls it.
        weights: Its weight files below torch hub's folder, pyiqa's own file first.

    Raises:
        InputError: Weights are missing or damaged, or the image is too flat to have a value.
    """
    missing = missing_files(weights)
    if missing:
        files = " and ".join(f"hub/{file}" for file in missing)
        raise InputError(f"weights of {name} not found: set {MIRROR}, or put {files} into TORCH_HOME")
    try:
        model = _model(pyiqa_name, weights, hub_folder())
    except UNREADABLE as error:
        files = " or ".join(f"hub/{file}" for file in weights)
        raise InputError(f"weights of {name} cannot be read: get {files} again") from error
    try:
        value = float(model(*map(_tensor, images)))
    except (AssertionError, torch.linalg.LinAlgError):  # type: ignore[attr-defined]
        # pyiqa raises these for the statistics of a constant image
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} has no value for an image without structure")
    return value


def missing_files(weights: Sequence[str]) -> list[str]:
    """List those of the weight files that are not in torch hub's folder."""
    return [file for file in weights if not (hub_folder() / file).is_file()]


def hub_folder() -> Path:
    """Find torch hub's folder, below the mirror's `weights/torch_home` if that exists, else the user's."""
    mirror = os.environ.get(MIRROR)
    home = Path(mirror, "weights", "torch_home").resolve() if mirror else None
    return home / "hub" if home and home.is_dir() else Path(torch.hub.get_dir())


@cache
def _model(pyiqa_name: str, weights: tuple[str, ...], hub: Path) -> Any:
    """Build pyiqa's metric with weights from `hub`."""
    # Only pyiqa and torchvision read these two. pyiqa reads TORCH_HOME when it is imported, so not before
    # this line; without the second it would unpickle whatever a weight file holds.
    os.environ["TORCH_HOME"] = str(hub.parent)
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    import pyiqa  # noqa: PLC0415  (takes seconds, and only some metrics need it)

    options = {"pretrained_model_path": str(hub / weights[0])} if weights else {}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it loads
        return pyiqa.create_metric(pyiqa_name, device=torch.device("cpu"), **options)


def _tensor(image: Image) -> torch.Tensor:
    """Turn (C, H, W) into (1, 3, H, W)."""
    colour = np.broadcast_to(image, (3, *image.shape[1:]))
    return torch.from_numpy(colour.astype(np.float32))[None]
