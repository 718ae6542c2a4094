"""Train a restoring network on pairs of blurry and sharp images, with or without frozen kernels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, log
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from benchmark.core.progress import Progress, Report
from methods.parts.limits import at_least
from methods.training.earlier import take_over
from methods.training.evidence import HELD_OUT_SEED, Evidence, Means
from methods.training.kernels import training_kernels
from methods.training.loop import Materials
from methods.training.pairs import Pairs, pair_source
from methods.training.schedules import set_rate
from methods.training.ufpnet_flow import supports
from methods.ufp import weights
from methods.ufp.network import UfpNet

EXAMINED = 40  # pairs of each kind

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class PairSettings:
    """How many pairs a training sees, and how they are made."""

    kernel_size: int = 15  # of the blur in the training pairs
    kernels: int = 20_000  # how many are drawn beforehand
    steps: int = 14_000
    batch: int = 2
    crop: int = 96  # side of the crops, in pixels
    noise: float = 0.01  # largest standard deviation of the noise in synthetic pairs

    def __post_init__(self) -> None:
        at_least(1, self, "kernels", "steps", "batch", "crop")
        at_least(0, self, "noise")


@dataclass(frozen=True)
class Recipe:
    """How a restoring network is trained."""

    # (network, pairs, their kernels (B, L, H, W) or None, step's random generator) -> the loss, and its terms
    loss: Callable[[UfpNet, Pairs, Tensor | None, torch.Generator], tuple[Tensor, Losses]]
    optimiser: Callable[[torch.nn.Module], Optimizer]  # from the restoring network
    rate: Callable[[float], float]  # the learning rate, from the share of the training that is over
    clip: float = inf  # largest norm of the gradient
    decoded_every: int = 1  # see `UfpNet.kernels`


class RestorerTraining:
    """A `Trainee` of `methods.training.loop` that trains only the restoring part of a network."""

    def __init__(
        self,
        settings: PairSettings,
        recipe: Recipe,
        network: UfpNet,
        stage: weights.Stage,
        materials: Materials,
        seed: int,
        device: torch.device,
        report: Report,
    ) -> None:
        self.settings, self.recipe, self.stage = settings, recipe, stage
        self.network = network.to(device)
        self.seed, self.steps, self.device = seed, settings.steps, device
        self.label = weights.label(stage, network.shape.kernel_size)
        size = settings.kernel_size
        self.materials = materials
        kernels = training_kernels(size, supports(size), settings.kernels, seed, materials.processes, report)
        self.source = pair_source(materials, kernels.to(device), settings.crop, settings.noise)
        self.optimiser = recipe.optimiser(self.network.restorer)

    def step(self, number: int, share: float) -> Losses:
        """Do one step on a batch of pairs."""
        settings, recipe = self.settings, self.recipe
        rng = np.random.default_rng((self.seed, number))
        set_rate(self.optimiser, recipe.rate(share))
        batch = self.source.pairs(settings.batch, settings.crop, rng)
        noise = torch.Generator(self.device).manual_seed(int(rng.integers(2**63)))
        kernels = None
        if self.network.estimator is not None:
            kernels = self.network.kernels(batch.blurry, noise, recipe.decoded_every)
        self.network.restorer.train()
        loss, losses = recipe.loss(self.network, batch, kernels, noise)
        self.network.restorer.eval()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.restorer.parameters(), recipe.clip)
        self.optimiser.step()
        return {name: value.detach() for name, value in losses.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the restoring network and the optimiser's moments."""
        return {"restorer": self.network.restorer.state_dict(), "adam": self.optimiser.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.network.restorer.load_state_dict(state["restorer"])
        self.optimiser.load_state_dict(state["adam"])

    def begin_with(self, folder: Path) -> int:
        """Take over the restoring part of a network, as `Trainee`; its kernels stay as they are."""
        stored, _ = weights.load(folder, self.stage, self.network.shape.kernel_size)
        return take_over(self.network.restorer, stored.part("restorer"))

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
                    images["restored without its kernels"] = restored_with(
                        self.network, batch.blurry, single
                    ).clamp(0, 1)
                for name, image in images.items():
                    means.add(name, f"PSNR, {kind}", -psnr_loss(image, batch.frame).item())
                if kind == source.kinds[-1]:
                    for name, image in ({"sharp": batch.frame} | images).items():
                        pictures.setdefault(name, []).append(image[0])
        report(Progress("examining", cases, cases))
        rows = {name: torch.stack(images).cpu().numpy() for name, images in pictures.items()}
        return Evidence(numbers=means.numbers(), images=rows)


def restored_with(network: UfpNet, images: Tensor, kernels: Tensor | None) -> Tensor:
    """Restore images (B, 3, H, W), sides multiples of the stride, with kernels (B, L, H, W) if it takes any.

    Unlike `UfpNet.forward` it neither pads nor clips, and has gradients.
    """
    restorer = network.restorer
    features = [] if kernels is None else restorer.kernel_features(kernels)
    restored: Tensor = images + restorer(images, features)
    return restored


def psnr_loss(images: Tensor, sharp: Tensor) -> Tensor:
    """Return the negative PSNR in dB of images (B, 3, H, W) in [0, 1], averaged over the batch."""
    errors = (images - sharp).square().flatten(1).mean(1)
    return 10 / log(10) * (errors + 1e-8).log().mean()
