"""Compute metrics with their libraries: LPIPS with lpips, the others with pyiqa.

Nothing is downloaded here. The parameters of NIQE and BRISQUE ship in `parameters/`, the linear layers of
LPIPS with its library. The network below them, AlexNet, has to be on this machine (`find_weights`).
"""

import contextlib
import io
import math
import pickle
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.core.errors import InputError
from benchmark.core.resources import data_folder, mirror
from benchmark.data.sources import find_source
from benchmark.scoring.alignment import Image

SOURCE = "metric-weights"  # in datasets/sources.yaml
ALEXNET = "alexnet-owt-7be5be79.pth"  # of that source; torchvision's name
PARAMETERS = Path(__file__).parent / "parameters"
UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, pickle.UnpicklingError)

Model = Callable[..., torch.Tensor]  # of images (1, 3, H, W) in [0, 1]


def score(*images: Image, name: str, load: Callable[[], Model]) -> float:
    """Compute a metric on the CPU in float32; grey images are repeated to three channels.

    Args:
        images: The estimate and the reference, or the estimate alone; (C, H, W) in [0, 1].
        name: What messages call the metric.
        load: Loads the metric, at its first use.

    Raises:
        InputError: Weights are missing or damaged, or the image is too flat to have a value.
    """
    try:
        model = load()
    except InputError as error:
        raise InputError(f"weights of {name} {error}") from error
    try:
        with torch.inference_mode():
            value = float(model(*map(_tensor, images)))
    except (AssertionError, torch.linalg.LinAlgError):  # type: ignore[attr-defined]
        # pyiqa raises these for the statistics of a constant image
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} has no value for an image without structure")
    return value


def find_weights(file: str) -> Path | None:
    """Find a file of the source `metric-weights`; None where it is not on this machine.

    It may lie in the mirror, below `weights/torch_home`, in the folder that `blindbench download` fills, or
    in torch hub's folder, where other programs that use torchvision keep theirs.
    """
    first = mirror()
    folders = [first / "weights" / "torch_home" / "hub" / "checkpoints"] if first else []
    folders += [data_folder() / SOURCE, Path(torch.hub.get_dir(), "checkpoints")]
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


def lpips_alex() -> Model:
    """Load LPIPS, version 0.1, over AlexNet.

    Raises:
        InputError: AlexNet's weights are missing or damaged.
    """
    file = find_weights(ALEXNET)
    if file is None:
        raise InputError(f"not found: {_how_to_get()}")
    try:
        return _lpips_alex(file)
    except UNREADABLE as error:
        raise InputError(f"cannot be read: delete {ALEXNET} and get it again") from error


@cache
def pyiqa_model(name: str) -> Model:
    """Load the metric that pyiqa calls `name`."""
    import pyiqa  # noqa: PLC0415  (takes seconds, and only some metrics need it)

    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it loads
        model: Model = pyiqa.create_metric(name, device=torch.device("cpu"), **_parameters(name))
    return model


@cache
def _how_to_get() -> str:
    return find_source(SOURCE).how_to_get


@cache
def _lpips_alex(file: Path) -> Model:
    """Build LPIPS with AlexNet's weights from `file`."""
    import lpips  # noqa: PLC0415  (takes seconds, with torchvision)

    weights = torch.load(file, map_location="cpu", weights_only=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses an old name of an argument of torchvision
        model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    # The network is cut into slices, whose layers keep their numbers: slice2.3.bias is features.3.bias.
    names = {key: f"features.{key.partition('.')[2]}" for key in model.net.state_dict()}
    model.net.load_state_dict({key: weights[name] for key, name in names.items()})

    def distance(estimate: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = model(estimate, reference, normalize=True)  # from [0, 1] to [-1, 1]
        return value

    return distance


def _parameters(name: str) -> dict[str, Any]:
    """Return the argument that gives pyiqa the shipped parameters of a metric, if it has any."""
    if name == "niqe":
        return {"pretrained_model_path": str(PARAMETERS / "niqe.mat")}
    if name == "brisque":
        with np.load(PARAMETERS / "brisque.npz", allow_pickle=False) as file:
            pair = torch.from_numpy(file["coefficients"]), torch.from_numpy(file["support_vectors"])
        stream = io.BytesIO()  # pyiqa wants a file of torch's
        torch.save(pair, stream)
        stream.seek(0)
        return {"pretrained_model_path": stream}
    return {}


def _tensor(image: Image) -> torch.Tensor:
    """Turn (C, H, W) into (1, 3, H, W)."""
    colour = np.broadcast_to(image, (3, *image.shape[1:]))
    return torch.from_numpy(colour.astype(np.float32))[None]
