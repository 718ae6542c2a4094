"""Read diffusion models of images in the format of the library diffusers, as its hub distributes them.

An optional extra: `pip install 'blindbench[hub]'`. A folder holds what the pipeline of an unconditional model
saves: `unet/config.json` with the weights beside it, and `scheduler/scheduler_config.json`; or all without
subfolders.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from torch import Tensor, nn

from benchmark.core.errors import InputError
from methods.diffusion.schedule import STEPS, Prediction, linear_betas

WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
MODEL = "UNet2DModel"
PREDICTIONS: Mapping[str, Prediction] = {"epsilon": "noise", "v_prediction": "velocity"}


@dataclass(frozen=True)
class HubLayers:
    """The sizes of the layers, in the model's own words."""

    config: str  # the JSON object in its config.json
    in_channels: int
    channels: tuple[int, ...]  # width of each level

    @property
    def factor(self) -> int:
        """The number by which the sides of images must be divisible."""
        return int(2 ** (len(self.channels) - 1))


class HubUNet(nn.Module):
    """Maps images (B, C, H, W) in [-1, 1] and steps (B,) to the model's prediction."""

    def __init__(self, layers: HubLayers, model: nn.Module | None = None) -> None:
        """Wrap `model`, or build one with new weights. Raises InputError without diffusers."""
        super().__init__()
        self.layers = layers
        self.model: Any = (
            _library().UNet2DModel.from_config(json.loads(layers.config)) if model is None else model
        )

    def forward(self, images: Tensor, steps: Tensor) -> Tensor:
        """Predict: see the class."""
        prediction: Tensor = self.model(images, steps).sample
        return prediction

    @property
    def checkpointing(self) -> bool:
        """As in `AdmUNet`."""
        return bool(self.model.is_gradient_checkpointing)

    @checkpointing.setter
    def checkpointing(self, enabled: bool) -> None:
        if enabled:
            self.model.enable_gradient_checkpointing()
        else:
            self.model.disable_gradient_checkpointing()


def files(folder: Path) -> list[Path]:
    """List the files of a model, descriptions and weights, as far as they exist."""
    model = _part(folder, "unet")
    paths = [model / "config.json", *(model / name for name in WEIGHTS), _schedule(folder)]
    return [path for path in paths if path.is_file()]


def read(folder: Path) -> tuple[HubUNet, int, Prediction]:
    """Read the model in a folder.

    Returns:
        The network, the side of its images in pixels, and what it predicts.

    Raises:
        InputError: diffusers is not installed; the model is not an unconditional one of square images with
            the chain of steps that all methods here use; or files are missing or do not fit each other.
    """
    model = _part(folder, "unet")
    config = _described(model / "config.json")
    side, inputs = config.get("sample_size"), config.get("in_channels", 3)
    channels = config.get("block_out_channels")
    known = config.get("_class_name") == MODEL
    if not (known and isinstance(side, int) and isinstance(inputs, int) and isinstance(channels, list)):
        raise InputError(
            f"{model / 'config.json'}: describes no {MODEL} of square images; only unconditional models of "
            "pixels can be priors"
        )
    predicts = _prediction(_schedule(folder))
    if not any((model / name).is_file() for name in WEIGHTS):
        raise InputError(f"{model}: has none of {', '.join(WEIGHTS)}; get the folder again")
    layers = HubLayers(json.dumps(config), inputs, tuple(channels))
    # Not `frozen_network`, because the library renames the attention layers of older files. It reads weights
    # only.
    unet = _library().UNet2DModel
    try:
        loaded, report = unet.from_pretrained(
            model, local_files_only=True, low_cpu_mem_usage=False, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{model}: cannot be read as a model ({reason}); get the folder again") from error
    wrong = [*report["missing_keys"], *report["unexpected_keys"]]
    if wrong:
        raise InputError(f"{model}: weights and config.json do not fit each other: {wrong[0]}")
    return HubUNet(layers, loaded), side, predicts


def _part(folder: Path, name: str) -> Path:
    """Return a pipeline's subfolder, or the folder itself where everything lies in one."""
    return folder / name if (folder / name).is_dir() else folder


def _schedule(folder: Path) -> Path:
    return _part(folder, "scheduler") / "scheduler_config.json"


def _described(path: Path) -> dict[str, Any]:
    """Read the JSON object in a file. Raises InputError when there is none."""
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); get the model's folder again"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: is no JSON ({error}); get the file again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no JSON object; get the file again")
    return content


def _prediction(path: Path) -> Prediction:
    """Read what the model predicts. Raises InputError for another chain of steps than that of the methods."""
    schedule, betas = _described(path), linear_betas()
    predicts = schedule.get("prediction_type", "epsilon")
    expected = {
        "num_train_timesteps": STEPS,
        "beta_schedule": "linear",
        "beta_start": betas[0],
        "beta_end": betas[-1],
    }
    changed = schedule.get("trained_betas") or schedule.get("rescale_betas_zero_snr")
    if changed or predicts not in PREDICTIONS or any(schedule.get(key) != expected[key] for key in expected):
        raise InputError(
            f"{path}: describes another chain than the linear one of {STEPS} steps from {betas[0]:g} to "
            f"{betas[-1]:g} that the methods run, or a model that predicts neither noise nor velocity; "
            "take another model"
        )
    return PREDICTIONS[predicts]


def _library() -> Any:
    try:
        import diffusers
    except ImportError as error:
        raise InputError(
            "models of the hub need the package diffusers: pip install 'blindbench[hub]'"
        ) from error
    return diffusers
