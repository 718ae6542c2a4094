"""UFPNet, stage III: train the restoring network with frozen kernels, equation (8)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.core.progress import Progress, Report
from methods.parts.limits import at_least
from methods.parts.seeding import initialised_from
from methods.parts.weight_files import fill
from methods.training.evidence import HELD_OUT_SEED, Evidence, Means
from methods.training.kernels import training_kernels
from methods.training.loop import Materials
from methods.training.pairs import pair_source, patches
from methods.training.registry import Training
from methods.training.schedules import cosine, set_rate
from methods.training.ufpnet_flow import supports
from methods.ufp import weights
from methods.ufp.network import Shape, UfpNet

STAGE: weights.Stage = "ufpnet"
KERNELS: weights.Stage = "ufpnet-kernels"  # the stage before
LAST_RATE = 1e-6
EXAMINED = 40  # pairs of each kind


@dataclass(frozen=True)
class RestorerSettings:
    """A small network that is trained in minutes.

    The paper's: width 64, blocks 1, 1, 1, 28, 400,000 steps of 64 crops of 256 px, Adam with betas 0.9 and
    0.9, learning rate from 1e-3 to 1e-7, gradients clipped at 0.01.
    """

    kernel_size: int = 15  # of the blur in the training pairs
    width: int = 16  # see `methods.ufp.network.Shape`
    encoder: tuple[int, ...] = (1, 1, 1, 4)
    middle: int = 1
    decoder: tuple[int, ...] = (1, 1, 1, 1)
    kernels: int = 20_000  # how many are drawn beforehand
    steps: int = 14_000
    batch: int = 2
    crop: int = 96  # side of the crops, in pixels
    noise: float = 0.01  # largest standard deviation of the noise in synthetic pairs
    # The flow decodes the kernels of every such row and column, for it takes most of a step's time on a CPU;
    # kernels change slowly from pixel to pixel.
    decoded_every: int = 2
    rate: float = 1e-3  # learning rate at the beginning; it falls to LAST_RATE along a cosine
    weight_decay: float = 1e-3
    clip: float = 0.1  # largest norm of the gradient; the published 0.01 is for large batches

    def __post_init__(self) -> None:
        at_least(1, self, "width", "middle", "kernels", "steps", "batch", "crop", "decoded_every")
        at_least(0, self, "noise", "rate", "weight_decay", "clip")
        if len(self.encoder) != len(self.decoder):
            raise ValueError(
                "encoder and decoder must have as many levels, "
                f"not {len(self.encoder)} and {len(self.decoder)}"
            )
        if self.crop % 2 ** len(self.encoder):
            raise ValueError(f"crop must be a multiple of {2 ** len(self.encoder)}, not {self.crop}")


@dataclass(frozen=True)
class Settings(RestorerSettings):
    """As `RestorerSettings`, with the weight of the re-blurred image in the loss of equation (8)."""

    reblur_weight: float = 0.01  # lambda; the published code multiplies by it twice

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "reblur_weight")


class RestorerTraining:
    """A `Trainee` of `methods.training.loop` that trains only the restoring part of a network."""

    def __init__(
        self,
        settings: RestorerSettings,
        network: UfpNet,
        stage: weights.Stage,
        materials: Materials,
        seed: int,
        device: torch.device,
        report: Report,
        reblur_weight: float = 0.0,
    ) -> None:
        self.settings, self.network, self.stage = settings, network.to(device), stage
        self.reblur_weight = reblur_weight
        self.seed, self.steps, self.device = seed, settings.steps, device
        self.label = weights.label(stage, network.shape.kernel_size)
        size = settings.kernel_size
        self.materials = materials
        kernels = training_kernels(size, supports(size), settings.kernels, seed, materials.processes, report)
        self.source = pair_source(materials, kernels.to(device), settings.crop, settings.noise)
        self.adam = torch.optim.AdamW(
            self.network.restorer.parameters(),
            lr=settings.rate,
            betas=(0.9, 0.9),
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """Do one step on a batch of pairs."""
        settings = self.settings
        rng = np.random.default_rng((self.seed, number))
        set_rate(self.adam, cosine(settings.rate, share, LAST_RATE))
        batch = self.source.pairs(settings.batch, settings.crop, rng)
        noise = torch.Generator(self.device).manual_seed(int(rng.integers(2**63)))
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            kernels = None
            if self.network.estimator is not None:
                kernels = self.network.kernels(batch.blurry, noise, settings.decoded_every)
            restored = self._restored(batch.blurry, kernels).float()
        losses = {"negative PSNR": psnr_loss(restored, batch.frame)}
        loss = losses["negative PSNR"]
        if kernels is not None:
            reblur = reblur_loss(restored, kernels, batch.blurry, settings.decoded_every)
            losses = {"reblur": reblur} | losses
            loss = loss + self.reblur_weight * losses["reblur"]
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.restorer.parameters(), settings.clip)
        self.adam.step()
        return {name: value.detach() for name, value in losses.items()}

    def _restored(self, images: Tensor, kernels: Tensor | None) -> Tensor:
        restorer = self.network.restorer
        features = [] if kernels is None else restorer.kernel_features(kernels)
        restored: Tensor = images + restorer(images, features)
        return restored.clamp(0, 1)

    def state_dict(self) -> dict[str, Any]:
        """Return the restoring network and Adam's moments."""
        return {"restorer": self.network.restorer.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.network.restorer.load_state_dict(state["restorer"])
        self.adam.load_state_dict(state["adam"])

    def save(self, folder: Path, steps: int, remark: str, half: bool) -> None:
        """Write the whole network."""
        weights.save(folder, self.network, self.stage, self.network.shape, steps, remark, half)

    @torch.no_grad()
    def examine(self, count: int, report: Report) -> Evidence:
        """Measure the PSNR on held-out pairs: blurry, restored, and restored without kernels.

        Without its kernels means that every kernel is a single pixel.
        """
        settings = self.settings
        size, device = settings.kernel_size, self.device
        kernels = training_kernels(size, supports(size), count, HELD_OUT_SEED).to(device)
        source = pair_source(self.materials, kernels, settings.crop, settings.noise, held_out=True)
        means = Means()
        pictures: dict[str, list[Tensor]] = {}
        cases = min(count, EXAMINED)
        for case in range(cases):
            report(Progress("examining", case, cases))
            for kind in source.kinds:
                rng = np.random.default_rng((HELD_OUT_SEED, case))
                batch = source.pairs(1, settings.crop, rng, kind)
                restored, field = self.network(batch.blurry)
                images = {"blurry": batch.blurry, "restored": restored}
                if field is not None:
                    single = torch.zeros_like(field)
                    single[:, field.shape[1] // 2] = 1
                    images["restored without its kernels"] = self._restored(batch.blurry, single)
                for name, image in images.items():
                    means.add(name, f"PSNR, {kind}", -psnr_loss(image, batch.frame).item())
                if kind == source.kinds[-1]:
                    for name, image in ({"sharp": batch.frame} | images).items():
                        pictures.setdefault(name, []).append(image[0])
        report(Progress("examining", cases, cases))
        rows = {name: torch.stack(images).cpu().numpy() for name, images in pictures.items()}
        return Evidence(numbers=means.numbers(), images=rows)


def psnr_loss(images: Tensor, sharp: Tensor) -> Tensor:
    """Return the negative PSNR in dB of images (B, 3, H, W) in [0, 1], averaged over the batch."""
    errors = (images - sharp).square().flatten(1).mean(1)
    return 10 / log(10) * (errors + 1e-8).log().mean()


def reblur_loss(images: Tensor, kernels: Tensor, blurry: Tensor, every: int = 1) -> Tensor:
    """Return the mean absolute error of re-blurred images.

    Args:
        images: restored, (B, 3, H, W).
        kernels: of their pixels, (B, L, H, W), correlation form.
        blurry: what the re-blurred images should be, (B, 3, H, W).
        every: only every such row and column counts.
    """
    margin = (round(kernels.shape[1] ** 0.5) - 1) // 2
    padded = functional.pad(images, (margin, margin, margin, margin), mode="replicate")
    reached = patches(padded, kernels.shape[1], every)
    reblurred = (reached * kernels[..., ::every, ::every].flatten(2)[:, None]).sum(2)
    error: Tensor = reblurred - blurry[..., ::every, ::every].flatten(2)
    return error.abs().mean()


def start(
    settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
) -> RestorerTraining:
    """Start the training. Raises InputError when estimator and flow are missing."""
    stored, shape = weights.load(materials.weights, KERNELS, settings.kernel_size)
    network = restorer_network(settings, shape, seed)
    for name in ("estimator", "flow"):
        module = getattr(network, name)
        if module is not None:
            fill(module, stored.part(name))
            module.eval().requires_grad_(False)
    return RestorerTraining(settings, network, STAGE, materials, seed, device, report, settings.reblur_weight)


def restorer_network(settings: RestorerSettings, kernels: Shape, seed: int) -> UfpNet:
    """Build a network: its kernels by the sizes in `kernels`, its restoring part by those in the settings."""
    shape = replace(
        kernels,
        width=settings.width,
        encoder=settings.encoder,
        middle=settings.middle,
        decoder=settings.decoder,
        attending=min(kernels.attending, len(settings.encoder)),
        trained_on=settings.crop,  # larger images have local means; in training means are global
    )
    with initialised_from(torch.Generator().manual_seed(seed)):
        return UfpNet(shape)


TRAINING = Training(
    name=STAGE,
    title="UFPNet, stage III: restoring network",
    paper=f"{weights.PAPER}, eq. (8)",
    settings=Settings,
    start=start,
    outputs=lambda settings: (weights.file_name(STAGE, settings.kernel_size),),
    inputs=lambda settings, folder: (folder / weights.file_name(KERNELS, settings.kernel_size),),
    photographs=True,
    pairs=True,
)
