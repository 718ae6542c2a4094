"""UFPNet, stage III: the restoring network, its kernels frozen, equation (8)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.blur.convolution import rotate_180
from benchmark.blur.perpixel import blur_per_pixel
from benchmark.types import InputError, WeightsMissingError
from methods.fit import initialised_from
from methods.limits import at_least
from methods.solver import Progress, Report
from methods.training.evidence import HELD_OUT_SEED, Evidence
from methods.training.kernels import training_kernels
from methods.training.loop import Materials
from methods.training.pairs import pairs
from methods.training.photographs import Photographs
from methods.training.registry import Training
from methods.training.schedules import cosine
from methods.training.ufpnet_flow import supports
from methods.ufpnet import weights
from methods.ufpnet.network import UfpNet

STAGE: weights.Stage = "ufpnet"
LAST_RATE = 1e-6
EXAMINED = 40  # pairs of each kind


@dataclass(frozen=True)
class Settings:
    """Those of a small network that is trained in minutes; section j of its specification.

    The paper's: width 64, blocks 1, 1, 1, 28, 400,000 steps of 64 crops of 256 px, Adam with betas 0.9, 0.9,
    rate 1e-3 down to 1e-7, gradients clipped at 0.01.
    """

    kernel_size: int = 15
    width: int = 16
    encoder: tuple[int, ...] = (1, 1, 1, 4)
    middle: int = 1
    decoder: tuple[int, ...] = (1, 1, 1, 1)
    kernels: int = 20_000
    steps: int = 14_000
    batch: int = 2
    crop: int = 96
    noise: float = 0.01
    rate: float = 1e-3
    weight_decay: float = 1e-3
    clip: float = 0.1  # of the gradient's norm; the published 0.01 for large batches
    reblur_weight: float = 0.01  # lambda

    def __post_init__(self) -> None:
        at_least(1, self, "width", "middle", "kernels", "steps", "batch", "crop")
        at_least(0, self, "noise", "rate", "weight_decay", "clip", "reblur_weight")
        if len(self.encoder) != len(self.decoder):
            raise ValueError(
                "encoder and decoder must have as many levels, "
                f"not {len(self.encoder)} and {len(self.decoder)}"
            )
        if self.crop % 2 ** len(self.encoder):
            raise ValueError(f"crop must be a multiple of {2 ** len(self.encoder)}, not {self.crop}")


class RestorerTraining:
    """A `Trainee` (see `methods/training/loop.py`)."""

    def __init__(
        self, settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
    ) -> None:
        """Raises InputError when estimator and flow are missing."""
        self.settings, self.seed, self.steps = settings, seed, settings.steps
        size = settings.kernel_size
        try:
            stored, found = weights.load(materials.weights, "ufpnet-kernels", size)
        except WeightsMissingError as error:
            raise InputError(str(error)) from error
        # Local means begin where images are larger than the crops; in training they are global.
        self.shape = replace(
            found,
            width=settings.width,
            encoder=settings.encoder,
            middle=settings.middle,
            decoder=settings.decoder,
            trained_on=settings.crop,
        )
        self.label = f"ufpnet-{size}"
        with initialised_from(torch.Generator().manual_seed(seed)):
            self.network = UfpNet(self.shape).to(device)
        for name in ("estimator", "flow"):
            module = getattr(self.network, name)
            module.load_state_dict(weights.part(stored.tensors, name))
            module.eval().requires_grad_(False)
        self.photographs = Photographs(materials.photographs, settings.crop + size - 1, device, colour=True)
        self.held_out = materials.held_out
        self.kernels = training_kernels(
            size, supports(size), settings.kernels, seed, materials.processes, report
        ).to(device)
        self.adam = torch.optim.AdamW(
            self.network.restorer.parameters(),
            lr=settings.rate,
            betas=(0.9, 0.9),
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """One step on a batch of pairs."""
        settings = self.settings
        rng = np.random.default_rng((self.seed, number))
        for group in self.adam.param_groups:
            group["lr"] = cosine(settings.rate, share, LAST_RATE)
        batch = pairs(self.photographs, self.kernels, settings.batch, settings.crop, settings.noise, rng)
        restored, kernels = self.network(batch.blurry)
        assert kernels is not None
        fidelity = psnr_loss(restored, batch.frame)
        reblur = torch.stack([
            (reblurred(image, field) - blurry).abs().mean()
            for image, field, blurry in zip(restored, kernels, batch.blurry, strict=True)
        ]).mean()  # fmt: skip
        self.adam.zero_grad(set_to_none=True)
        (fidelity + settings.reblur_weight * reblur).backward()
        torch.nn.utils.clip_grad_norm_(self.network.restorer.parameters(), settings.clip)
        self.adam.step()
        return {"reblur": reblur.detach(), "negative PSNR": fidelity.detach()}

    def state_dict(self) -> dict[str, Any]:
        """The restoring network and Adam's moments."""
        return {"restorer": self.network.restorer.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.restorer.load_state_dict(state["restorer"])
        self.adam.load_state_dict(state["adam"])

    def save(self, folder: Path, steps: int, remark: str, half: bool) -> None:
        """Write the whole network."""
        weights.save(folder, self.network, STAGE, self.shape, steps, remark, half)

    @torch.no_grad()
    def examine(self, count: int, report: Report) -> Evidence:
        """PSNR of held-out pairs: blurry, restored, and restored with kernels that are single pixels."""
        settings = self.settings
        size, device = settings.kernel_size, self.kernels.device
        kernels = training_kernels(size, supports(size), count, HELD_OUT_SEED).to(device)
        photographs = Photographs(self.held_out, settings.crop + size - 1, device, colour=True)
        found: dict[str, dict[str, list[float]]] = {}
        cases = min(count, EXAMINED)
        for case in range(cases):
            report(Progress("examining", case, cases))
            for kind, uniform in (("uniform", 1.0), ("field", 0.0)):
                rng = np.random.default_rng((HELD_OUT_SEED, case))
                batch = pairs(photographs, kernels, 1, settings.crop, settings.noise, rng, uniform)
                restored, field = self.network(batch.blurry)
                assert field is not None
                single = torch.zeros_like(field)
                single[:, field.shape[1] // 2] = 1
                without = (batch.blurry + self.network.restorer(batch.blurry, single)).clamp(0, 1)
                images = {"blurry": batch.blurry, "restored": restored, "without its kernels": without}
                for name, image in images.items():
                    value = -psnr_loss(image, batch.frame).item()
                    found.setdefault(name, {}).setdefault(f"PSNR, {kind}", []).append(value)
        report(Progress("examining", cases, cases))
        numbers = {
            name: {kind: float(np.mean(values)) for kind, values in kinds.items()}
            for name, kinds in found.items()
        }
        return Evidence(numbers=numbers)


def psnr_loss(images: Tensor, sharp: Tensor) -> Tensor:
    """The negative PSNR in dB of (B, 3, H, W) in [0, 1], mean over the batch."""
    errors = (images - sharp).square().flatten(1).mean(1)
    return 10 / log(10) * (errors + 1e-8).log().mean()


def reblurred(image: Tensor, kernels: Tensor) -> Tensor:
    """An image (3, H, W) through its kernels (L, H, W) in correlation form, borders replicated."""
    size = round(len(kernels) ** 0.5)
    each = kernels.flatten(1).T.reshape(-1, size, size)
    return blur_per_pixel(image, rotate_180(each), "replicate")


def _weight_files(settings: Settings) -> tuple[str, ...]:
    return (weights.file_name(STAGE, settings.kernel_size),)


def _inputs(settings: Settings, folder: Path) -> tuple[Path, ...]:
    return (folder / weights.file_name("ufpnet-kernels", settings.kernel_size),)


TRAINING = Training(
    name=STAGE,
    title="UFPNet, stage III: restoring network",
    paper=f"{weights.PAPER}, eq. (8)",
    settings=Settings,
    start=RestorerTraining,
    outputs=_weight_files,
    inputs=_inputs,
    photographs=True,
)
