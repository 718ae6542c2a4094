"""Metrics that the library pyiqa computes, and where their weights lie.

Nothing is ever downloaded: a metric whose files are not there is refused before pyiqa is asked for it.
"""

import contextlib
import io
import math
import os
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io.matlab import MatReadError

from benchmark.core.types import InputError
from benchmark.data.descriptors import MIRROR
from benchmark.scoring.alignment import Image

# Our names that are not pyiqa's.
PYIQA_NAMES = {"lpips-alex": "lpips", "ssim-pyiqa": "ssim"}
# Below torch hub's folder, pyiqa's own file first. The other metrics need none.
WEIGHTS = {
    "lpips-alex": ("pyiqa/LPIPS_v0.1_alex-df73285e.pth", "checkpoints/alexnet-owt-7be5be79.pth"),
    "niqe": ("pyiqa/niqe_modelparameters.mat",),
    "brisque": ("pyiqa/brisque_svm_weights.pth",),
}
UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError, MatReadError)


def score(name: str, *images: Image) -> float:
    """The metric `name` of (estimate, reference), or of the estimate alone: (C, H, W) in [0, 1].

    Computed on the CPU in float32; grey images are repeated to three channels.
    Raises InputError when the weights are missing or damaged, or the image is too flat to have a value.
    """
    missing = missing_weights(name)
    if missing:
        files = " and ".join(f"hub/{file}" for file in missing)
        raise InputError(f"weights of {name} not found: set {MIRROR}, or put {files} into TORCH_HOME")
    model = _model(name, hub_folder())
    try:
        value = float(model(*map(_tensor, images)))
    except (AssertionError, torch.linalg.LinAlgError):  # type: ignore[attr-defined]
        # pyiqa's words for the statistics of a constant image
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} has no value for an image without structure")
    return value


def missing_weights(name: str) -> list[str]:
    """The files that the metric `name` lacks, relative to torch hub's folder."""
    return [file for file in WEIGHTS.get(name, ()) if not (hub_folder() / file).is_file()]


def hub_folder() -> Path:
    """Torch hub's folder: below `<BLINDBENCH_MIRROR>/weights/torch_home` if that exists, else the user's."""
    mirror = os.environ.get(MIRROR)
    home = Path(mirror, "weights", "torch_home").resolve() if mirror else None
    return home / "hub" if home and home.is_dir() else Path(torch.hub.get_dir())


@cache
def _model(name: str, hub: Path) -> Any:
    """pyiqa's metric, its weights read from `hub`."""
    # Both are read by pyiqa and torchvision alone. pyiqa reads TORCH_HOME when it is imported, so not before
    # this line; and it would unpickle whatever a weight file holds.
    os.environ["TORCH_HOME"] = str(hub.parent)
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    import pyiqa  # noqa: PLC0415  (seconds, and only some scores need it)

    files = WEIGHTS.get(name)
    options = {"pretrained_model_path": str(hub / files[0])} if files else {}
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it loads
            return pyiqa.create_metric(PYIQA_NAMES.get(name, name), device=torch.device("cpu"), **options)
    except UNREADABLE as error:
        where = " or ".join(f"hub/{file}" for file in files or ())
        raise InputError(f"weights of {name} cannot be read: get {where} again") from error


def _tensor(image: Image) -> torch.Tensor:
    """(C, H, W) as (1, 3, H, W)."""
    colour = np.broadcast_to(image, (3, *image.shape[1:]))
    return torch.from_numpy(colour.astype(np.float32))[None]
